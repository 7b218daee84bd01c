//! The life of one child, in one byte.
//!
//! A record is kept alive by up to three references, and each of them is one bit:
//!
//! | reference | held by                                        | ends                          |
//! |-----------|------------------------------------------------|-------------------------------|
//! | queue     | the list, deque, injector, blocking queue or limiter's line that it is in | taken out: [`State::take_from_queue`] |
//! | running   | the thread that won the right to run it        | [`State::finish`]             |
//! | handle    | the `Child`                                    | [`State::drop_handle`]        |
//!
//! ```text
//!   queued ── take_from_queue / claim_by_handle ──> started ── finish(outcome) ──> finished
//! ```
//!
//! 1. Exactly one caller wins the claim, so a closure is consumed once.
//! 2. The thread that ends the last of the three references gives the record back; no other thread
//!    does.
//! 3. A queue reference outlives the start only if the handle claimed the child. Then the claimer
//!    is the handle's thread, which joins or drops the handle only when the child has finished; the
//!    queue reference that is found later is stale.
//! 4. The slot holds a value or payload for the handle only while `FINISHED` is set, `SKIPPED` is
//!    not, and the handle is there. A thread that drops a handle and finds `FINISHED` empties the
//!    slot first.
//! 5. A record that is not `SHARED` has all of its references on the thread that spawned it. So its
//!    transitions are plain loads and stores; most children never see another thread. While such a record
//!    stands in a list, the lock of what its thread holds in private guards these (`task::private`), and
//!    the record is shared, with the lock, before its queue reference is handed over.
//! 6. A child whose handle is gone has a queue reference or a run reference, one after the other.
//!    So the thread that holds it needs no read-modify-write either.
//! 7. A shared child that comes back to the thread that spawned it is as good as private: its queue
//!    reference was not looked at meanwhile, and its handle never left.
//!
//! Models: `models::state_*`.

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicU8, Ordering};
use crate::task::private::privately;

/// Somebody won the right to run (or skip) the child. Set once, by either claim.
const STARTED: u8 = 1 << 0;
/// The outcome is final and the slot is the handle's. Set once, by `finish`.
const FINISHED: u8 = 1 << 1;
/// The queue reference has ended.
const UNQUEUED: u8 = 1 << 2;
/// The handle was joined or dropped.
const UNHANDLED: u8 = 1 << 3;
/// The handle's thread may be parked and wants to be told. Set by the joiner only.
const AWAITED: u8 = 1 << 4;
/// The child panicked: the slot holds its payload. Set together with `FINISHED`.
const PANICKED: u8 = 1 << 5;
/// The child was cancelled before it started: the slot is empty. Set together with `FINISHED`.
const SKIPPED: u8 = 1 << 6;

/// Another thread may hold a reference. Set by the spawning thread, before that is so.
const SHARED: u8 = 1 << 7;

const ALL_GONE: u8 = FINISHED | UNQUEUED | UNHANDLED;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It returned a value.
    Done,
    /// Its closure, or the destructor of something it owned, panicked.
    Panicked,
    /// It was dropped unrun because its nursery had been cancelled.
    Skipped,
}

impl Outcome {
    fn bits(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Panicked => PANICKED,
            Self::Skipped => SKIPPED,
        }
    }
}

/// What taking a record out of its queue gave.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Taken {
    /// The taker runs the child.
    Run,
    /// The handle had claimed it; the record lives on.
    Stale,
    /// The handle had claimed it, and this was the last reference.
    StaleLast,
}

/// What becomes of a child taken out of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It runs or is skipped, on the thread that opened its nursery.
    BeginsAtHome,
    /// It runs or is skipped, wherever that is.
    Begins,
    /// Nothing: its handle has claimed it.
    IsStale,
}

/// What taking a record out of its queue gave, with its handle on the same thread.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum TakenAlone {
    /// The taker runs the child, disposes of what it leaves, and releases the record.
    Unhandled,
    /// The taker runs the child for its handle.
    Handled,
    /// As [`Taken::Stale`].
    Stale,
    /// As [`Taken::StaleLast`].
    StaleLast,
}

/// What the runner owes after it published the outcome.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Finished {
    /// Nothing: the handle will find the outcome.
    Left,
    /// The handle's thread asked to be told.
    Wake,
    /// The handle went away before: the slot is the runner's to empty, then the record to release.
    Abandoned,
}

/// What the dropper of a handle owes.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Dropped {
    /// Nothing: the runner, or the stale queue reference, ends the record.
    Early,
    /// This was the last reference: empty the slot (unless that is done), release the record.
    Last,
}

/// The state byte of a record.
pub(crate) struct State(AtomicU8);

impl State {
    /// An unstarted child with a queue reference and a handle, both on this thread.
    #[inline]
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Allows the queue reference to go to another thread.
    #[inline]
    pub(crate) fn share(&self) {
        let now = self.now();
        if now & SHARED == 0 {
            // ORDERING: Relaxed: until it is handed over, only this thread writes. Once it has
            // been, a store would undo what others set: a thread that splits a run calls this
            // again.
            self.0.store(now | SHARED, Ordering::Relaxed);
        }
    }

    /// Whether another thread may hold a reference.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.now() & SHARED != 0
    }

    /// Whether the child is unstarted and all of its references are on this thread.
    #[inline]
    pub(crate) fn is_private_and_unstarted(&self) -> bool {
        self.now() & (SHARED | STARTED) == 0
    }

    /// Ends the queue reference of a child whose references are all on this thread, shared or not,
    /// and tries to win the right to run.
    #[inline]
    pub(crate) fn take_alone(&self) -> TakenAlone {
        let now = self.now();
        failpoint::reach(Failpoint::ChildTaken);
        if now & STARTED == 0 {
            if now & UNHANDLED != 0 {
                // Nobody will look at the state again.
                return TakenAlone::Unhandled;
            }
            // ORDERING: Relaxed: see 7.
            self.0.store(now | STARTED | UNQUEUED, Ordering::Relaxed);
            TakenAlone::Handled
        } else {
            self.0.store(now | UNQUEUED, Ordering::Relaxed);
            if (now | UNQUEUED) & ALL_GONE == ALL_GONE {
                TakenAlone::StaleLast
            } else {
                TakenAlone::Stale
            }
        }
    }

    /// Leaves the outcome of a child taken by [`take_alone`](Self::take_alone) for its handle.
    #[inline]
    pub(crate) fn finish_alone(&self, outcome: Outcome) {
        let now = self.now();
        debug_assert_eq!(now & (STARTED | FINISHED | UNHANDLED), STARTED);
        // ORDERING: Relaxed: see 7.
        self.0
            .store(now | FINISHED | outcome.bits(), Ordering::Relaxed);
        failpoint::reach(Failpoint::ChildFinished);
    }

    /// Ends the handle reference of a child, if it [is private and unstarted](Self::is_private_and_unstarted);
    /// returns whether it was.
    #[inline]
    pub(crate) fn drop_handle_in_private(&self) -> bool {
        privately(|| {
            let is_so = self.is_private_and_unstarted();
            if is_so {
                debug_assert_eq!(self.now(), 0);
                // ORDERING: Relaxed: see 5.
                self.0.store(UNHANDLED, Ordering::Relaxed);
            }
            is_so
        })
    }

    #[inline]
    fn now(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets bits of a child whose handle may be anywhere; returns what was there before.
    ///
    /// The caller holds the queue or run reference.
    #[inline]
    fn set_unless_alone(&self, bits: u8, ordering: Ordering) -> u8 {
        // ORDERING: Acquire; partner: `drop_handle`. The last use by the handle happens before
        // the record is released. Model: `models::state_abandoned_*`.
        let now = self.0.load(Ordering::Acquire);
        if now & (SHARED | UNHANDLED) == SHARED {
            return self.0.fetch_or(bits, ordering);
        }
        if (now | bits) & (SHARED | UNQUEUED) == 0 {
            // The handle has claimed the child, which stands in a list.
            return self.set(bits, ordering);
        }
        // ORDERING: Relaxed: see 5 and 6.
        self.0.store(now | bits, Ordering::Relaxed);
        now
    }

    /// Sets bits; returns what was there before.
    #[inline]
    fn set(&self, bits: u8, ordering: Ordering) -> u8 {
        let in_private = privately(|| {
            let now = self.now();
            (now & SHARED == 0).then(|| {
                // ORDERING: Relaxed: see 5.
                self.0.store(now | bits, Ordering::Relaxed);
                now
            })
        });
        in_private.unwrap_or_else(|| self.0.fetch_or(bits, ordering))
    }

    /// Ends the queue reference and tries to win the right to run.
    #[inline]
    pub(crate) fn take_from_queue(&self) -> Taken {
        // ORDERING: AcqRel. Acquire: a stale taker that is last releases memory the joiner used
        // (partner: `drop_handle`). The contents of an unstarted record came with the queue.
        // Model: `models::state_claimed_by_handle_or_queue`.
        let before = self.set_unless_alone(STARTED | UNQUEUED, Ordering::AcqRel);
        debug_assert_eq!(before & UNQUEUED, 0, "one queue reference");
        failpoint::reach(if before & STARTED == 0 {
            Failpoint::ChildTaken
        } else {
            Failpoint::ChildStale
        });
        if before & STARTED == 0 {
            Taken::Run
        } else if (before | UNQUEUED) & ALL_GONE == ALL_GONE {
            Taken::StaleLast
        } else {
            Taken::Stale
        }
    }

    /// Tries to win the right to run while the record stays in its queue.
    #[must_use]
    #[inline]
    pub(crate) fn claim_by_handle(&self) -> bool {
        // ORDERING: Relaxed: the claimer is the thread that wrote the record.
        self.now() & STARTED == 0 && self.set(STARTED, Ordering::Relaxed) & STARTED == 0
    }

    /// Whether somebody has won the right to run.
    #[inline]
    pub(crate) fn is_started(&self) -> bool {
        // ORDERING: Relaxed: a hint for the holder of the queue reference; `take_from_queue`
        // decides.
        self.now() & STARTED != 0
    }

    /// Publishes the outcome and ends the run reference.
    ///
    /// Unless the answer is [`Finished::Abandoned`], the record may be gone when this returns.
    #[inline]
    pub(crate) fn finish(&self, outcome: Outcome) -> Finished {
        // ORDERING: AcqRel. Release publishes the slot and all the child wrote to `outcome` (law
        // L4). Acquire: an abandoned record is released here. Model: `models::state_awaited_*`.
        let before = self.set_unless_alone(FINISHED | outcome.bits(), Ordering::AcqRel);
        debug_assert_eq!(before & (STARTED | FINISHED), STARTED, "finished once");
        failpoint::reach(Failpoint::ChildFinished);
        if before & (UNHANDLED | AWAITED) == 0 {
            Finished::Left
        } else if before & UNHANDLED != 0 {
            debug_assert_ne!(before & UNQUEUED, 0, "only a joiner claims by handle");
            Finished::Abandoned
        } else {
            Finished::Wake
        }
    }

    /// The outcome, once it is final; what the child did happens before the caller then.
    #[inline]
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        // ORDERING: Acquire; partner: the Release of `finish`.
        let now = self.0.load(Ordering::Acquire);
        if now & FINISHED == 0 {
            None
        } else if now & (PANICKED | SKIPPED) == 0 {
            Some(Outcome::Done)
        } else if now & PANICKED != 0 {
            Some(Outcome::Panicked)
        } else {
            Some(Outcome::Skipped)
        }
    }

    /// Asks the runner to wake the handle's thread; false if the outcome is already there.
    #[must_use]
    pub(crate) fn ask_for_wake(&self) -> bool {
        // ORDERING: Relaxed: either this sees FINISHED, or `finish` sees AWAITED, because both are
        // read-modify-writes of one location. Model: `models::state_awaited_joiner_is_woken_*`.
        self.set(AWAITED, Ordering::Relaxed) & FINISHED == 0
    }

    /// Ends the handle reference.
    #[inline]
    pub(crate) fn drop_handle(&self) -> Dropped {
        // ORDERING: Acquire: the dropper may empty the slot that the runner filled, and release
        // memory that a stale taker used.
        let now = self.0.load(Ordering::Acquire);
        debug_assert_eq!(now & UNHANDLED, 0, "one handle");
        if (now | UNHANDLED) & ALL_GONE == ALL_GONE {
            // Nobody else is left to look.
            return Dropped::Last;
        }
        // ORDERING: AcqRel. Release: the joiner emptied the slot before another thread releases the
        // record. Acquire: as above.
        let before = self.set(UNHANDLED, Ordering::AcqRel);
        if (before | UNHANDLED) & ALL_GONE == ALL_GONE {
            Dropped::Last
        } else {
            Dropped::Early
        }
    }
}
