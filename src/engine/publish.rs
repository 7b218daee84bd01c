//! Exposing private work to whoever is hungry.
//!
//! INVARIANT: a thread's deque holds entries in the order of its frames, outer before inner. So a
//! waiter may judge by the newest entry alone whether its nursery has any in there. It holds
//! because
//!
//! 1. the outermost frame that has anything gives first, so an inner one gives only when no outer
//!    one has anything left;
//! 2. a frame whose leftovers would outlive it on top of another nursery's is not *orderly*, and
//!    gives to the strays instead: a child that its handle claimed from inside another nursery;
//! 3. so does a frame that gets children while another one is innermost.

use crate::engine::frame::{Frame, ScopeFrame};
use crate::engine::seat::Seat;
use crate::engine::shared::Entry;
use crate::platform::sync::atomic::Ordering;
use crate::task::list::PendingList;
use crate::task::record::Queued;

impl Seat {
    /// Queues a child of a nursery that this thread opened: in its place in the serial order.
    pub(crate) fn queue_at_home(scope: &ScopeFrame, child: Queued) {
        Frame::nearest(scope, |frame| {
            frame.list.push(child);
            frame.seat.answer_request();
        });
    }

    /// Queues a child of a nursery that another thread opened.
    pub(crate) fn queue_abroad(&self, scope: &ScopeFrame, child: Queued) {
        // The home has not spawned yet, perhaps.
        self.core.start_workers();
        let entry = Entry::new(scope, child);
        let is_orderly = Frame::with_current(|frame| {
            frame.is_some_and(|frame| frame.is_of(scope) && frame.is_orderly())
        });
        if is_orderly && self.is_active() {
            self.deque.push(entry);
            self.core.idle.wake_one(&*self.core);
        } else {
            self.stray(entry);
        }
    }

    /// Queues a child for a side thread.
    pub(crate) fn queue_blocking(&self, scope: &ScopeFrame, child: Queued) {
        self.core.blocking.submit(self, Entry::new(scope, child));
    }

    /// Puts an entry where idle workers and its nursery's home look.
    fn stray(&self, entry: Entry) {
        // Once it is in the list, the entry may be run and its nursery closed.
        let home = entry.scope().home();
        self.core.strays.push(entry);
        self.core.idle.wake_one(&*self.core);
        home.unpark(self);
    }

    /// Exposes work if somebody asked.
    pub(crate) fn answer_request(&self) {
        if self.slot().asked.load(Ordering::Relaxed) {
            self.answer();
        }
    }

    #[cold]
    fn answer(&self) {
        Frame::with_current(|current| {
            let frames = current.into_iter().flat_map(Frame::stack);
            let giving = frames.filter(|frame| frame.seat.is(self) && !frame.list.is_empty());
            let Some(outermost) = giving.last() else {
                return;
            };
            // Cleared first: see `idle`, proof, 4.
            self.slot().asked.store(false, Ordering::Relaxed);
            self.core.start_workers();
            if self.core.idle.is_hungry() {
                outermost.expose(&outermost.list.split_newer_half());
                self.core.idle.wake_one(&*self.core);
            }
        });
    }

    /// Exposes all that this thread holds, because it is about to block.
    pub(crate) fn expose_all(&self) {
        Frame::with_current(|current| {
            let frames = current.into_iter().flat_map(Frame::stack);
            let giving: Vec<_> = frames
                .filter(|frame| !frame.list.is_empty() && frame.seat.core.has_workers())
                .collect();
            for frame in giving.into_iter().rev() {
                frame.expose(&frame.list.take());
                let core = &*frame.seat.core;
                core.idle.wake_one(core);
            }
        });
    }
}

impl Frame<'_> {
    fn expose(&self, children: &PendingList) {
        let Some(scope) = self.scope else { return };
        while let Some(child) = children.pop() {
            let entry = Entry::new(scope, child);
            if self.is_orderly() {
                self.seat.deque.push(entry);
            } else {
                self.seat.core.strays.push(entry);
            }
        }
    }
}
