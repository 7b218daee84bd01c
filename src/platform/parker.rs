//! A one-token parker of our own.
//!
//! `std::thread::park` would eat a token that the user's code left for its own use, so a thread
//! that waits inside this crate never touches it.
//!
//! | state      | meaning                                         |
//! |------------|-------------------------------------------------|
//! | `EMPTY`    | no token, nobody parked                         |
//! | `PARKED`   | the owner sleeps on the condition variable      |
//! | `NOTIFIED` | a token is there; the next `park` takes it      |
//!
//! INVARIANT: only one thread calls `park` at a time (the slot's owner); any thread may `unpark`.
//! An unpark is never lost: it either leaves a token, or finds `PARKED` and passes through the
//! mutex that the sleeper held when it announced itself. Model: `models::parker_loses_no_token`.

use crate::platform::sync::atomic::{AtomicU8, Ordering};
use crate::platform::sync::{Condvar, Mutex, MutexGuard, PoisonError, lock};

const EMPTY: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;

/// Blocks its owner until somebody hands it a token.
pub(crate) struct Parker {
    state: AtomicU8,
    gate: Mutex<()>,
    bell: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(EMPTY),
            gate: Mutex::new(()),
            bell: Condvar::new(),
        }
    }

    /// Blocks until a token is there, and takes it.
    ///
    /// Callers re-check what they wait for: a token may be left over from an earlier wait.
    pub(crate) fn park(&self) {
        if self.take_token() {
            return;
        }
        let mut gate = lock(&self.gate);
        // ORDERING: Relaxed: a sleeper tells its wakers nothing; a failure means that a token came in
        // between, which is taken below.
        if self
            .state
            .compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
        {
            // ORDERING: Acquire; partner: `unpark`. The token taken may be a later one than the failure
            // saw. Model: `models::parker_passes_on_what_two_wakers_did`.
            self.state.swap(EMPTY, Ordering::Acquire);
            return;
        }
        while !self.take_token() {
            gate = self.bell.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Blocks until a token is there, but not for longer than `time`; returns whether a token came.
    pub(crate) fn park_for(&self, time: std::time::Duration) -> bool {
        self.park_unless(|bell, gate| {
            let is_parked = |_: &mut ()| self.state.load(Ordering::Relaxed) == PARKED;
            drop(bell.wait_timeout_while(gate, time, is_parked));
        })
    }

    /// Parks by this `wait`, which may end without a token; returns whether a token came.
    pub(crate) fn park_unless(&self, wait: impl FnOnce(&Condvar, MutexGuard<'_, ()>)) -> bool {
        if self.take_token() {
            return true;
        }
        let gate = lock(&self.gate);
        // ORDERING: Relaxed as in `park`.
        let announced =
            self.state
                .compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed);
        if announced.is_ok() {
            wait(&self.bell, gate);
        }
        // ORDERING: Acquire; partner: `unpark`. A token that comes at the last moment is taken.
        // Model: `models::parker_whose_time_is_up_loses_no_token`.
        self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// Wakes the owner without a reason.
    #[cfg(all(hatchery_loom, test))]
    pub(crate) fn ring(&self) {
        drop(lock(&self.gate));
        self.bell.notify_one();
    }

    /// Leaves a token and wakes the owner if it sleeps.
    pub(crate) fn unpark(&self) {
        // ORDERING: Release publishes what the caller did before to the `park` that takes the
        // token; a later waker's exchange continues the sequence. Partner: `take_token`.
        // Model: `models::parker_loses_no_token`.
        if self.state.swap(NOTIFIED, Ordering::Release) == PARKED {
            // The sleeper announced itself under this lock and has not released it before it
            // waits, so the bell cannot ring between its announcement and its wait.
            drop(lock(&self.gate));
            self.bell.notify_one();
        }
    }

    fn take_token(&self) -> bool {
        // ORDERING: Acquire; partner: `unpark`.
        self.state
            .compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}
