//! Asking a thread for some of what it holds.
//!
//! | what     | set by                                  | taken back by                            |
//! |----------|-----------------------------------------|------------------------------------------|
//! | `asked`  | threads without work                    | its thread, before it looks for them     |
//! | `asker`  | a waiter whose children it has taken    | its thread, once it has shown something  |
//!
//! Models: `models::publish_*`, `models::leapfrog_*`.

use std::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

use crate::platform::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};
use crate::protocol::idle::Idle;

/// What others want of one thread; `W` is what a waiter is known by.
pub(crate) struct Requests<W> {
    /// A request to expose private work.
    asked: CachePadded<AtomicBool>,
    /// A waiter that would like to have some of what this thread holds, and may be parked.
    asker: AtomicPtr<W>,
}

impl<W> Requests<W> {
    /// The requests to a thread that nobody has asked yet. It begins as if it were asked, so that
    /// it looks for itself.
    pub(crate) fn new() -> Self {
        Self {
            asked: CachePadded::new(AtomicBool::new(true)),
            asker: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The flag itself, for a loop that looks at nothing else.
    #[inline]
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.asked
    }

    /// Whether somebody asks for work.
    #[inline]
    pub(crate) fn are_made(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Asks the owner to expose something at its next spawn or child, unless it shows enough already.
    pub(crate) fn arm(&self) {
        // ORDERING: Relaxed; ordered by the fences of `idle` (proof, 4).
        if !self.are_made() {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    /// Makes the owner ask itself, so that it looks again.
    pub(crate) fn renew(&self) {
        // ORDERING: Relaxed: only the owner looks for what it has asked itself.
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Clears the flag, before the owner looks for threads without work: see `idle`, proof, 4.
    pub(crate) fn clear(&self) {
        // ORDERING: Relaxed; ordered by the fence in `are_wanted`, partner of the fence in `ask_as`.
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Whether exposing something now would reach somebody; the owner has cleared the flag before.
    /// The look at `idle` begins with a fence, and the look for an asker comes after that.
    pub(crate) fn are_wanted(&self, idle: &Idle) -> bool {
        idle.is_hungry() || self.has_asker()
    }

    /// Leaves word that `waiter` would like to be unparked when this thread exposes something.
    ///
    /// Nothing depends on it but parallelism: what a waiter waits for wakes it anyway.
    pub(crate) fn ask_as(&self, waiter: &W) {
        // ORDERING: Release; partner: `take_asker`. `waiter` is of the same pool, and may be newer
        // than what the taker knows of the pool. No model: in models waiters are made before the
        // threads.
        self.asker
            .store(ptr::from_ref(waiter).cast_mut(), Ordering::Release);
        // ORDERING: SeqCst fence between leaving word and looking whether the flag is set; partner:
        // `are_wanted`, whose fence stands between clearing the flag and looking for a word. So a
        // request that the owner is about to clear counts for this waiter only if the owner sees
        // the word. Model: `models::leapfrog_request_is_answered_or_stands`.
        fence(Ordering::SeqCst);
        self.arm();
    }

    /// Whether a waiter asks.
    pub(crate) fn has_asker(&self) -> bool {
        !self.asker.load(Ordering::Relaxed).is_null()
    }

    /// Takes the waiter that asked last.
    pub(crate) fn take_asker(&self) -> Option<NonNull<W>> {
        if !self.has_asker() {
            return None;
        }
        // ORDERING: Acquire; partner: `ask_as`. No model, see there.
        NonNull::new(self.asker.swap(ptr::null_mut(), Ordering::Acquire))
    }
}
