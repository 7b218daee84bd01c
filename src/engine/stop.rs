//! How the watchdog's thread waits, and is told to end.

use std::time::Duration;

use crate::platform::clock;
use crate::platform::sync::{Condvar, Mutex, PoisonError, lock};

/// Ends the watchdog's thread.
#[derive(Default)]
pub(crate) struct Stop {
    is_over: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    pub(crate) fn end(&self) {
        *lock(&self.is_over) = true;
        self.bell.notify_all();
    }

    /// Waits for this time; true if the thread is told to end before.
    pub(super) fn wait(&self, time: Duration) -> bool {
        // A time too far away to be named never comes.
        let end = clock::tick().checked_add(time);
        let mut is_over = lock(&self.is_over);
        while !*is_over {
            let relock = PoisonError::into_inner;
            is_over = match end.map(|end| end.saturating_duration_since(clock::tick())) {
                None => self.bell.wait(is_over).unwrap_or_else(relock),
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let waited = self.bell.wait_timeout(is_over, left);
                    waited.unwrap_or_else(|error| error.into_inner()).0
                }
            };
        }
        true
    }
}
