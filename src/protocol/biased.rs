//! A lock that is biased towards one thread, its owner: the owner takes it with plain stores and one load, without a
//! fence. Another thread *revokes* it, which takes a barrier of the whole process (`platform::barrier`).
//!
//! | thread  | before                                          | after                     |
//! |---------|-------------------------------------------------|---------------------------|
//! | owner   | sets `is_inside`, light barrier, reads `state`  | clears `is_inside`        |
//! | revoker | sets `state`, heavy barrier, reads `is_inside`  | sets `state` back         |
//!
//! 1. Of the two barriers one comes first. If it is the owner's, the revoker sees that the owner is inside, and waits.
//!    If it is the revoker's, the owner sees that the lock is revoked, leaves, and waits.
//! 2. What the owner did inside happens before what the revoker does (`is_inside`: Release, Acquire), and the other
//!    way round (`state`).
//! 3. The owner is never inside while it runs user code, so it leaves soon, unless the system has taken its CPU away.
//!    The revoker does not wait for that: it gives up, and may come again.
//! 4. One thread revokes at a time: the caller of [`BiasedLock::revoke`] sees to that.
//!
//! Where the system has no barrier of the whole process, `state` says so, and the owner executes a fence.
//!
//! Dice, Moir and Scherer describe the technique ("Quickly reacquirable locks", 2003). Models: `models::biased_*`.

use crate::platform::barrier;
use crate::platform::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::platform::thread;

/// Nobody but the owner wants it.
const FREE: u8 = 0;
/// The owner has to execute a fence.
const FENCED: u8 = 1 << 0;
/// Another thread has it, or is about to.
const REVOKED: u8 = 1 << 1;

/// How often a revoker looks whether the owner has left. What the owner does inside takes some 10 ns, or 1 us for each
/// hundred children that it cuts off a list.
const LOOKS: u32 = if cfg!(hatchery_loom) { 1 } else { 1000 };

/// A lock for what one thread uses all the time, and other threads hardly ever.
pub(crate) struct BiasedLock {
    is_inside: AtomicBool,
    state: AtomicU8,
}

impl BiasedLock {
    #[cfg(not(hatchery_loom))]
    pub(crate) const fn new() -> Self {
        Self {
            is_inside: AtomicBool::new(false),
            state: AtomicU8::new(FREE),
        }
    }

    #[cfg(hatchery_loom)]
    pub(crate) fn new() -> Self {
        Self {
            is_inside: AtomicBool::new(false),
            state: AtomicU8::new(FREE),
        }
    }

    /// Makes the owner execute a fence from now on. The owner calls this before it uses the lock.
    pub(crate) fn want_fence(&self) {
        // ORDERING: Relaxed: for its own thread.
        self.state.fetch_or(FENCED, Ordering::Relaxed);
    }

    /// Calls `f`, which runs no user code and does not unwind, with the lock. The owner calls this, and not from
    /// within `f`.
    #[allow(clippy::inline_always, reason = "three instructions")]
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        self.enter();
        let result = f();
        self.leave();
        result
    }

    /// Takes the lock. The owner calls this, and [`Self::leave`] soon.
    #[allow(clippy::inline_always, reason = "two instructions")]
    #[inline(always)]
    pub(crate) fn enter(&self) {
        // ORDERING: Relaxed; ordered by the barrier. Model: `models::biased_one_at_a_time`.
        self.is_inside.store(true, Ordering::Relaxed);
        barrier::light();
        // ORDERING: Acquire; partner: the Release at the end of `revoke`. Model: the same.
        if self.state.load(Ordering::Acquire) != FREE {
            self.enter_slowly();
        }
    }

    /// Gives the lock back.
    #[allow(clippy::inline_always, reason = "one instruction")]
    #[inline(always)]
    pub(crate) fn leave(&self) {
        // ORDERING: Release; partner: the Acquire in `revoke`. Model: the same.
        self.is_inside.store(false, Ordering::Release);
    }

    /// Waits until no other thread has the lock that took it before the owner's last store. The owner calls this.
    #[allow(clippy::inline_always, reason = "two instructions")]
    #[inline(always)]
    pub(crate) fn wait_for_revoker(&self) {
        barrier::light();
        // ORDERING: Acquire; partner: the Release at the end of `revoke`. Model: `models::biased_retract`.
        if self.state.load(Ordering::Acquire) != FREE {
            self.enter_slowly();
            self.leave();
        }
    }

    /// Gives the lock back in a forked process, which has no thread that could have begun to revoke it.
    pub(crate) fn leave_alone(&self) {
        self.state.fetch_and(!REVOKED, Ordering::Relaxed);
        self.leave();
    }

    #[cold]
    #[inline(never)]
    fn enter_slowly(&self) {
        loop {
            self.is_inside.store(true, Ordering::Relaxed);
            barrier::light();
            if self.state.load(Ordering::Relaxed) & FENCED != 0 {
                barrier::full();
            }
            // ORDERING: Acquire as above.
            if self.state.load(Ordering::Acquire) & REVOKED == 0 {
                return;
            }
            // ORDERING: Release as in `leave`. No model: nothing was done inside.
            self.is_inside.store(false, Ordering::Release);
            self.wait();
        }
    }

    /// Waits until the lock is given back, which takes a microsecond unless the system takes the revoker's CPU away.
    fn wait(&self) {
        while self.state.load(Ordering::Relaxed) & REVOKED != 0 {
            thread::yield_now();
        }
    }

    /// Begins to revoke the lock. A [heavy barrier](barrier::heavy) has to follow, then [`Self::revoke`].
    pub(crate) fn announce(&self) {
        // ORDERING: Relaxed; ordered by the barrier.
        self.state.fetch_or(REVOKED, Ordering::Relaxed);
    }

    /// Calls `f` with the lock, unless the owner keeps it for too long, and gives the lock back. It was announced and
    /// a heavy barrier came after that, which succeeded if `has_barrier`.
    pub(crate) fn revoke<R>(&self, has_barrier: bool, f: impl FnOnce() -> R) -> Option<R> {
        let is_out = || {
            // ORDERING: Acquire; partner: the Release at the end of `with`.
            let is_out = !self.is_inside.load(Ordering::Acquire);
            if !is_out {
                thread::pause(1);
            }
            is_out
        };
        let result = (has_barrier && (0..LOOKS).any(|_| is_out())).then(f);
        // ORDERING: Release; partner: the Acquire in `with`.
        self.state.fetch_and(!REVOKED, Ordering::Release);
        result
    }
}
