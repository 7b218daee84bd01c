//! Deadlines: one thread that says when one has passed.
//!
//! It does not cancel anything: it advances the epoch, so that whoever checks looks at the clock.
//! It starts with the first deadline and sleeps untimed while there is none. A deadline that is
//! over before its time leaves its entry behind, for the thread to find at the next one it wakes
//! up for: at most one wake-up that nobody needed.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::engine::epoch::EPOCH;
use crate::platform::clock;
use crate::platform::sync::{Condvar, Mutex, lock};
use crate::platform::thread;

struct Timer {
    pending: Mutex<Pending>,
    bell: Condvar,
}

struct Pending {
    deadlines: BTreeSet<(Instant, u64)>,
    /// Tells equal ones apart.
    number: u64,
    is_running: bool,
    /// When the thread will wake up by itself, if it will.
    wakes_at: Option<Instant>,
}

static TIMER: Timer = Timer {
    pending: Mutex::new(Pending {
        deadlines: BTreeSet::new(),
        number: 0,
        is_running: false,
        wakes_at: None,
    }),
    bell: Condvar::new(),
};

/// A deadline that the thread knows, until this is dropped.
pub(crate) struct Watch(Instant, u64);

impl Watch {
    /// Has the epoch advanced once it is `deadline`; none if there is no thread to do so.
    pub(crate) fn start(deadline: Instant) -> Option<Self> {
        #[cfg(test)]
        if thread::refused::are() {
            return None;
        }
        let mut pending = lock(&TIMER.pending);
        if !pending.is_running {
            let name = "hatchery-timer".to_owned();
            let started = thread::Builder::new().name(name).spawn(|| TIMER.main());
            pending.is_running = started.is_ok();
            if started.is_err() {
                return None;
            }
        }
        let number = pending.number;
        pending.number += 1;
        pending.deadlines.insert((deadline, number));
        if pending.wakes_at.is_none_or(|wakes_at| deadline < wakes_at) {
            TIMER.bell.notify_one();
        }
        Some(Self(deadline, number))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&TIMER.pending).deadlines.remove(&(self.0, self.1));
    }
}

impl Timer {
    fn main(&self) {
        let mut pending = lock(&self.pending);
        loop {
            let now = clock::now();
            let mut has_passed = false;
            while let Some(first) = pending.deadlines.first().copied()
                && first.0 <= now
            {
                pending.deadlines.remove(&first);
                has_passed = true;
            }
            if has_passed {
                EPOCH.advance();
            }
            pending.wakes_at = pending.deadlines.first().map(|first| first.0);
            let relock = std::sync::PoisonError::into_inner;
            pending = match pending.wakes_at {
                None => self.bell.wait(pending).unwrap_or_else(relock),
                Some(at) => {
                    let wait = self
                        .bell
                        .wait_timeout(pending, at.saturating_duration_since(now));
                    wait.unwrap_or_else(|error| error.into_inner()).0
                }
            };
        }
    }
}

/// Has the thread look at a clock that was moved.
#[cfg(test)]
pub(crate) fn look_again() {
    let _pending = lock(&TIMER.pending);
    TIMER.bell.notify_one();
}
