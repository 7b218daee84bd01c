//! What a thread holds in private, and how another thread comes to it.
//!
//! Most children start on the thread that spawned them, which uses their records and its lists without a fence. So
//! they belong to a biased lock of that thread (`protocol::biased`): the thread uses them [`privately`], and another
//! thread may revoke the lock and take some of the children, if the thread does something else for long.
//!
//! | what                                              | used                                                   |
//! |---------------------------------------------------|--------------------------------------------------------|
//! | a [`Held`] list, and the links between its records | with the lock; whether it is empty, and its numbers, are read without |
//! | the state of a record that stands in such a list, as long as it is not shared | with the lock      |
//! | the chain of frames that have such lists          | with the lock                                          |
//!
//! A record that was taken out of its list, and is not shared, is on its thread alone.
//!
//! The frame at the front of the chain may also leave it without the lock ([`retract`]).
#![allow(unsafe_code, reason = "follows the address of another thread's lock")]

use std::ptr::{self, NonNull};

use crate::platform::barrier;
use crate::platform::cell::Front;
use crate::platform::sync::atomic::Ordering;
use crate::platform::thread;
use crate::protocol::biased::BiasedLock;
use crate::task::list::{Next, PendingList};
use crate::task::record::{Handle, Queued};

/// What one thread holds in private.
pub(crate) struct Private {
    lock: BiasedLock,
    chain: Chain,
}

/// The chain of frames that have lists of unstarted children, as the engine links them.
pub(crate) struct Chain(Front<()>);

impl Chain {
    #[cfg(not(hatchery_loom))]
    const fn new() -> Self {
        Self(Front::new(ptr::null_mut()))
    }

    #[cfg(hatchery_loom)]
    fn new() -> Self {
        Self(Front::new(ptr::null_mut()))
    }

    /// The first frame in the chain; null if there is none.
    #[inline]
    pub(crate) fn first(&self) -> *const () {
        // ORDERING: Relaxed, here and below: with the lock, but for `retract`.
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_first(&self, frame: *const ()) {
        self.0.store(frame.cast_mut(), Ordering::Relaxed);
    }
}

thread::modelled_local! {
    static OWN: Private = const { Private { lock: BiasedLock::new(), chain: Chain::new() } };
}

/// Whether other threads revoke locks at all. Where a model or a scheduler plays the threads, they do in tests of the
/// lock only.
const IS_REVOKED: bool = cfg!(not(any(hatchery_loom, hatchery_shuttle)));

/// Calls `f`, which runs no user code and does not unwind, with the lock of what this thread holds in private. It is
/// not called from within `f`.
#[allow(clippy::inline_always, reason = "each spawn and each child comes here")]
#[inline(always)]
pub(crate) fn privately<R>(f: impl FnOnce() -> R) -> R {
    if IS_REVOKED {
        OWN.with(|own| own.lock.with(f))
    } else {
        f()
    }
}

/// As [`privately`]; `f` may change the chain of frames.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
pub(crate) fn privately_with<R>(f: impl FnOnce(&Chain) -> R) -> R {
    OWN.with(|own| {
        if IS_REVOKED {
            own.lock.with(|| f(&own.chain))
        } else {
            f(&own.chain)
        }
    })
}

/// Takes the frame out of the chain if it is the first, so that `next` is; returns whether it was. When this returns, no
/// other thread looks at the frame.
#[inline]
pub(crate) fn retract(frame: *const (), next: impl FnOnce() -> *const ()) -> bool {
    OWN.with(|own| {
        if own.chain.first() != frame {
            return false;
        }
        own.chain.set_first(next());
        if IS_REVOKED {
            own.lock.wait_for_revoker();
        }
        true
    })
}

/// Takes the lock of what this thread holds in private, before the process is forked: the forked process has no thread
/// that could give it back.
pub(crate) fn before_fork() {
    OWN.with(|own| own.lock.enter());
}

/// Gives the lock back that [`before_fork`] has taken.
pub(crate) fn after_fork() {
    OWN.with(|own| own.lock.leave());
}

/// Gives the lock back that [`before_fork`] has taken, in the forked process.
pub(crate) fn after_fork_in_child() {
    OWN.with(|own| own.lock.leave_alone());
}

/// What a thread holds in private, for other threads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PrivateRef(NonNull<Private>);

// SAFETY: it is followed by `Revoking` only, whose maker promises that the thread is there.
unsafe impl Send for PrivateRef {}

impl PrivateRef {
    /// What the calling thread holds.
    pub(crate) fn own() -> Self {
        OWN.with(|own| {
            if !barrier::is_asymmetric() {
                own.lock.want_fence();
            }
            Self(NonNull::from(own))
        })
    }

    /// Begins to revoke the lock; a heavy barrier follows.
    ///
    /// # Safety
    ///
    /// The thread lives until [`Revoking::end`] has returned, which is called, and no other thread revokes the lock
    /// meanwhile.
    pub(crate) unsafe fn announce(self) -> Revoking {
        // SAFETY: the caller promises it.
        unsafe { self.0.as_ref() }.lock.announce();
        Revoking(self.0)
    }
}

/// A lock that is about to be revoked.
#[must_use]
pub(crate) struct Revoking(NonNull<Private>);

impl Revoking {
    /// Calls `f`, which runs no user code and does not unwind, with the chain of frames, unless the owner keeps the lock
    /// for too long; then gives the lock back. A heavy barrier was executed since [`PrivateRef::announce`], if `has_barrier`.
    pub(crate) fn end<R>(self, has_barrier: bool, f: impl FnOnce(*const ()) -> R) -> Option<R> {
        // SAFETY: by the contract of `announce`.
        let private = unsafe { self.0.as_ref() };
        private
            .lock
            .revoke(has_barrier, || f(private.chain.first()))
    }
}

/// A list of unstarted children that a thread holds in private, for its own thread.
pub(crate) struct Held(PendingList);

impl Held {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(PendingList::new())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.0.len()
    }

    /// The number of the oldest child.
    #[inline]
    pub(crate) fn begin(&self) -> u32 {
        self.0.begin()
    }

    /// As [`PendingList::len_before`].
    #[inline]
    pub(crate) fn len_before(&self, number: u32) -> u32 {
        self.0.len_before(number)
    }

    /// Calls `f` with the list, to add children to it, and with the chain of frames.
    #[inline]
    pub(crate) fn add(&self, f: impl FnOnce(&PendingList, &Chain)) {
        privately_with(|chain| f(&self.0, chain));
    }

    /// The list, for a thread that has the lock.
    pub(crate) fn locked(&self) -> &PendingList {
        &self.0
    }

    /// Takes the oldest child.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Queued> {
        privately(|| self.0.pop())
    }

    /// Takes the only child, if there is just one.
    #[inline]
    pub(crate) fn pop_last(&self) -> Option<Queued> {
        privately(|| self.0.pop_last())
    }

    /// Takes the oldest child if this is its handle, and has not claimed it.
    #[inline]
    pub(crate) fn pop_next<T>(&self, handle: &Handle<T>) -> Option<Next> {
        privately(|| self.0.pop_next(handle))
    }

    /// Takes all children. If they come back, they go where they were.
    pub(crate) fn take(&self) -> PendingList {
        privately(|| self.0.take())
    }

    /// Takes this many of the oldest children, at most.
    pub(crate) fn split_oldest(&self, most: u32) -> PendingList {
        privately(|| self.0.split_oldest(most))
    }

    /// Takes all children behind this many of the oldest.
    pub(crate) fn split_behind(&self, older: u32) -> PendingList {
        privately(|| self.0.split_behind(older))
    }

    /// Notes that a handle has claimed a child, probably one in this list, and releases the children that handles
    /// have claimed, once these may be half of the list.
    pub(crate) fn note_claim(&self) {
        let due = privately(|| self.0.note_claim().then(|| self.0.take()));
        if let Some(all) = due {
            all.sweep_before_end();
            privately(|| self.0.put_back(&all));
        }
    }
}
