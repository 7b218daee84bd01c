//! The model checker's condition variable, which may be planted not to ring: see [`planted`].

use std::sync::LockResult;
use std::time::Duration;

use loom::sync as model;
use loom::sync::MutexGuard;

use crate::platform::planted;

/// As the type of this name in [`std::sync`]. No time passes during a wait.
#[derive(Debug, Default)]
pub(crate) struct Condvar(model::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(model::Condvar::new())
    }

    #[track_caller]
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    #[track_caller]
    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, model::WaitTimeoutResult)> {
        self.0.wait_timeout(guard, time)
    }

    /// As [`wait_timeout`](Self::wait_timeout), since no time passes.
    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
        _condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, model::WaitTimeoutResult)> {
        self.wait_timeout(guard, time)
    }

    #[track_caller]
    pub(crate) fn notify_one(&self) {
        if !planted::skips() {
            self.0.notify_one();
        }
    }

    #[track_caller]
    pub(crate) fn notify_all(&self) {
        if !planted::skips() {
            self.0.notify_all();
        }
    }
}
