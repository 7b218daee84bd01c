//! Unstarted children in the order of the serial program, private to one thread.
//!
//! An intrusive first-in first-out list over the records' `next` fields, which belong to the
//! queue reference (see [`Queued`]). A child that its handle has claimed stays in the list until
//! somebody takes it out and finds it stale, or until half of the list may be stale: then all of
//! those are swept out, at a constant cost for each.
#![allow(
    unsafe_code,
    reason = "turns the raw links back into owning references"
)]

use std::cell::Cell;
use std::ptr::NonNull;

use crate::task::record::{Header, Queued};

#[derive(Clone, Copy)]
struct Ends {
    oldest: NonNull<Header>,
    newest: NonNull<Header>,
    len: usize,
}

/// Stale children worth a sweep: few enough not to hold memory, many enough to share its cost.
const SWEEP: usize = 32;

/// A private list of unstarted children.
#[derive(Default)]
pub(crate) struct PendingList {
    ends: Cell<Option<Ends>>,
    /// Claims since the last sweep: no fewer than there are stale children.
    claimed: Cell<usize>,
}

impl PendingList {
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.get().is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.get().map_or(0, |ends| ends.len)
    }

    /// Appends the newest child.
    pub(crate) fn push(&self, child: Queued) {
        child.link().set(None);
        let child = child.into_raw();
        self.append(&Self::of(Some(Ends {
            oldest: child,
            newest: child,
            len: 1,
        })));
    }

    /// Takes the oldest child.
    pub(crate) fn pop(&self) -> Option<Queued> {
        let ends = self.ends.get()?;
        // SAFETY: `push` or `append` put it in, and it leaves the list here.
        let child = unsafe { Queued::from_raw(ends.oldest) };
        self.ends.set(child.link().get().map(|oldest| Ends {
            oldest,
            len: ends.len - 1,
            ..ends
        }));
        Some(child)
    }

    /// Puts all of `newer` behind what is here.
    pub(crate) fn append(&self, newer: &Self) {
        let Some(behind) = newer.ends.take() else {
            return;
        };
        let Some(front) = self.ends.get() else {
            return self.ends.set(Some(behind));
        };
        // SAFETY: the list owns the queue reference of its newest child.
        let newest = unsafe { Queued::from_raw(front.newest) };
        newest.link().set(Some(behind.oldest));
        let _ = newest.into_raw();
        self.ends.set(Some(Ends {
            oldest: front.oldest,
            newest: behind.newest,
            len: front.len + behind.len,
        }));
    }

    /// Puts all of `older` before what is here.
    pub(crate) fn prepend(&self, older: &Self) {
        let here = self.take();
        self.append(older);
        self.append(&here);
    }

    /// Takes all.
    pub(crate) fn take(&self) -> Self {
        Self::of(self.ends.take())
    }

    fn of(ends: Option<Ends>) -> Self {
        Self {
            ends: Cell::new(ends),
            claimed: Cell::new(0),
        }
    }

    /// A handle has claimed a child, probably one of these.
    pub(crate) fn note_claim(&self) {
        let claimed = self.claimed.get() + 1;
        self.claimed.set(claimed);
        if claimed >= SWEEP && claimed * 2 >= self.len() {
            self.sweep();
        }
    }

    fn sweep(&self) {
        self.claimed.set(0);
        let all = self.take();
        while let Some(child) = all.pop() {
            if child.is_stale() {
                let nothing = child.take();
                debug_assert!(nothing.is_none(), "stale for good");
            } else {
                self.push(child);
            }
        }
    }

    /// Takes the newer half, rounded up.
    pub(crate) fn split_newer_half(&self) -> Self {
        let newer = self.take();
        for _ in 0..newer.len() / 2 {
            if let Some(older) = newer.pop() {
                self.push(older);
            }
        }
        newer
    }
}
