//! Panics of one nursery: kept, ranked, raised once all children have ended.
//!
//! A nursery comes to a value only if every child that nobody has joined has run to its end. A
//! panic that a joiner has handled is not raised again, but the nursery reports what the panic has
//! kept from running. So at its end it takes the number of skipped children, less the skipped
//! children that somebody was told of.
//!
//! User destructors are user code: each runs under [`catching`], so that a panic in one is one
//! more panic of the nursery and never an early return.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::platform::sync::{Mutex, lock};
use crate::scope::first::First;
use crate::scope::{CancelReason, How, Scope, Who, message_of};
use crate::task::completion::lose;
use crate::task::record::{Completion, Payload, Rank};

/// Runs user code.
pub(crate) fn catching<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    #[cfg(hatchery_faults)]
    let f = || {
        let result = f();
        // Half of a split batch is no user code, and catches its items itself.
        let is_users = !std::any::type_name::<R>().contains("slab::Done");
        failpoint::reach_if(is_users, Failpoint::UserCodeEnds);
        result
    };
    catch_unwind(AssertUnwindSafe(f))
}

/// Drops a value whose destructor may panic; the panic hook has reported a panic by then.
pub(crate) fn discard<T>(value: T) {
    if let Err(payload) = catching(|| drop(value)) {
        lose(payload);
    }
}

/// The payload with which a join on a skipped child unwinds.
///
/// It never leaves its nursery: the end of the scope puts the real panic in its place.
struct Skipped(usize);

impl Skipped {
    fn payload(scope: &Scope) -> Payload {
        Box::new(Self(std::ptr::from_ref(scope).addr()))
    }

    fn is(payload: &(dyn Any + Send), scope: &Scope) -> bool {
        payload
            .downcast_ref::<Self>()
            .is_some_and(|own| own.0 == std::ptr::from_ref(scope).addr())
    }
}

/// The panics that nobody has joined.
#[derive(Default)]
pub(super) struct Panics {
    pub(super) kept: Mutex<Kept>,
    /// Panicked children whose payload is still in their slot.
    unclaimed: AtomicUsize,
    /// Children dropped unrun that somebody has joined, or whose destructor has panicked instead.
    known_skips: AtomicU64,
}

#[derive(Default)]
pub(super) struct Kept {
    /// The panic to raise: a real panic rather than a skipped child, and of these the smallest rank.
    first: Option<Raised>,
    /// What failed first, for people to read: a failure of any kind, joined or not.
    pub(super) failed_first: Option<First>,
}

struct Raised {
    is_skipped: bool,
    rank: Rank,
    payload: Payload,
    /// Whether the nursery was cancelled for it.
    has_cancelled: bool,
}

impl Scope {
    /// Notes that a child has panicked and leaves its payload to its handle; `message` is its text, if that is at hand.
    pub(super) fn note_panic(&self, message: Option<&str>) {
        self.note_failed(Who::SomeChild, || How::panicked(message));
        self.fail(CancelReason::ChildPanicked);
        self.count_panic();
        // ORDERING: Relaxed: read after the last child has been counted.
        self.panics().unclaimed.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes what a child left and nobody joins: drops a value, keeps a panic.
    pub(super) fn dispose<T>(&self, rank: Rank, completion: Completion<T>) {
        match completion {
            Completion::Skipped => {}
            Completion::Done(value) => {
                if let Err(payload) = catching(|| drop(value)) {
                    self.keep_of_destructor(rank, payload);
                }
            }
            Completion::Panicked(payload) => self.keep_of_child(rank, payload),
        }
    }

    #[cold]
    #[inline(never)]
    fn keep_of_destructor(&self, rank: Rank, payload: Payload) {
        let has_cancelled = self.fail_in_destructor(&payload);
        self.count_panic();
        self.keep(rank, payload, has_cancelled);
    }

    #[cold]
    #[inline(never)]
    fn keep_of_child(&self, rank: Rank, payload: Payload) {
        self.panics().unclaimed.fetch_sub(1, Ordering::Relaxed);
        self.keep(rank, payload, false);
    }

    /// Notes that the destructor of a value has panicked; true if that has cancelled the nursery.
    pub(super) fn fail_in_destructor(&self, payload: &Payload) -> bool {
        self.note_failed(Who::Destructor, || How::panicked(message_of(&**payload)));
        self.fail(CancelReason::ChildPanicked)
    }

    /// Keeps a panic for the end of the scope.
    fn keep(&self, rank: Rank, payload: Payload, has_cancelled: bool) {
        let new = Raised {
            is_skipped: Skipped::is(&*payload, self),
            rank,
            payload,
            has_cancelled,
        };
        failpoint::reach(Failpoint::PanicKept);
        let mut kept = lock(&self.panics().kept);
        let old = match &kept.first {
            Some(old) if (old.is_skipped, old.rank) <= (new.is_skipped, new.rank) => Some(new),
            _ => kept.first.replace(new),
        };
        drop(kept);
        discard(old.map(|old| old.payload));
    }

    /// Returns the value of a joined child, or raises its panic in the joiner.
    pub(super) fn resolve<T>(&self, completion: Completion<T>) -> T {
        match completion {
            Completion::Done(value) => value,
            Completion::Panicked(payload) => self.raise_in_joiner(Some(payload)),
            Completion::Skipped => self.raise_in_joiner(None),
        }
    }

    /// Raises the panic of a child that was joined, or that the child was skipped.
    #[cold]
    #[inline(never)]
    fn raise_in_joiner(&self, payload: Option<Payload>) -> ! {
        match payload {
            Some(payload) => {
                self.panics().unclaimed.fetch_sub(1, Ordering::Relaxed);
                resume_unwind(payload)
            }
            None => {
                self.note_known_skip();
                resume_unwind(Skipped::payload(self))
            }
        }
    }

    /// Notes that somebody learns of a child that was dropped unrun.
    #[cold]
    pub(super) fn note_known_skip(&self) {
        // ORDERING: Relaxed: read after the last child has been counted.
        self.panics().known_skips.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a nursery whose children have all ended: returns the body's value, or raises a panic.
    #[inline]
    pub(super) fn conclude<R>(&self, body: Result<R, Payload>) -> R {
        match body {
            // Every panic leaves a mark first.
            Ok(value) if self.cancel.is_blank() => value,
            body => self.conclude_marked(body),
        }
    }

    #[cold]
    #[inline(never)]
    fn conclude_marked<R>(&self, body: Result<R, Payload>) -> R {
        self.pass_on_what_was_told();
        match body {
            Ok(value) if !self.has_failed() => value,
            body => self.conclude_panicked(body),
        }
    }

    /// Takes the panic that nobody has joined, of a nursery that does not raise it, and says
    /// whether the nursery was cancelled for it.
    #[cold]
    pub(super) fn take_panic(&self) -> Option<(Rank, Payload, bool)> {
        let first = lock(&self.panics().kept).first.take();
        first.map(|raised| (raised.rank, raised.payload, raised.has_cancelled))
    }

    /// Raises one panic and drops the others. The body's own panic goes first, then the child's
    /// panic of the smallest rank, then what follows from a panic that was handled.
    #[cold]
    #[inline(never)]
    fn conclude_panicked<R>(&self, body: Result<R, Payload>) -> R {
        let child = lock(&self.panics().kept).first.take();
        match body {
            Ok(value) if child.is_none() && !self.has_lost_any() => value,
            Ok(value) => {
                discard(value);
                self.raise(None, child)
            }
            Err(own) => self.raise(Some(own), child),
        }
    }

    /// Raises one of the panics of the body and of a child.
    fn raise(&self, own: Option<Payload>, child: Option<Raised>) -> ! {
        match (own, child) {
            (Some(own), child) if !Skipped::is(&*own, self) => {
                discard(child.map(|child| child.payload));
                resume_unwind(own)
            }
            (own, Some(child)) if !child.is_skipped => {
                discard(own);
                resume_unwind(child.payload)
            }
            (own, child) => {
                let was_joined = own.is_some() || child.is_some();
                discard(own);
                discard(child.map(|child| child.payload));
                self.raise_loss(was_joined)
            }
        }
    }

    /// Children dropped unrun that nobody was told of.
    fn unknown_skips(&self) -> u64 {
        let known = self.panics().known_skips.load(Ordering::Relaxed);
        self.numbers().skipped().saturating_sub(known)
    }

    /// Whether there is a panic that nobody has taken, or a skipped child that nobody was told of.
    fn has_lost_any(&self) -> bool {
        self.panics().unclaimed.load(Ordering::Relaxed) > 0 || self.unknown_skips() > 0
    }

    /// Raises a panic of the library's own, because there is no panic of the user's to raise.
    fn raise_loss(&self, was_joined: bool) -> ! {
        if was_joined {
            raise_own("joined a child that was skipped because another child panicked");
        }
        if self.panics().unclaimed.load(Ordering::Relaxed) > 0 {
            raise_own("a child panicked, and its handle was forgotten");
        }
        let (count, were) = match self.unknown_skips() {
            1 => (1, "child was"),
            count => (count, "children were"),
        };
        raise_own(format!(
            "{count} {were} dropped unrun because another child panicked, and that panic was handled"
        ));
    }
}

/// Raises a panic of the library's own, which the panic hook reports.
fn raise_own(message: impl Any + Send) -> ! {
    // A scheduler that draws schedules keeps each panic that the hook sees as a schedule that has
    // failed.
    if cfg!(hatchery_shuttle) {
        resume_unwind(Box::new(message));
    }
    panic_any(message)
}
