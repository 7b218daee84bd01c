//! The frames of a thread that have lists of unstarted children: a chain, so that another thread finds them.
//!
//! A frame comes to the front of the chain when its list first gets a child, and leaves the chain when it is left
//! itself. So a frame that never spawns anything pays for one comparison. The frame on top of a stage is not left
//! when its child ends, because the next child uses it: it leaves the chain together with the stage.
//!
//! INVARIANT: the chain, and what is in the lists, is used with the lock of what the thread holds in private
//! (`task::private`). A frame in the chain is entered.
#![allow(unsafe_code, reason = "follows the chain; see the invariant")]

use std::cell::Cell;
use std::iter;
use std::mem::MaybeUninit;
use std::ptr;

use super::Frame;
use crate::engine::core::Core;
use crate::engine::node::Node;
use crate::engine::shared::Run;
use crate::task::list::PendingList;
use crate::task::private::{Chain, privately_with, retract};
use crate::task::record::{Class, Queued};

/// How many children another thread takes at a time: it touches the record of each, and the owner may wait meanwhile.
const PORTION: u32 = 64;

/// A frame's link in the chain.
pub(super) struct Link {
    flags: Cell<u8>,
    /// Set while the frame is in the chain.
    next: Cell<MaybeUninit<*const Frame<'static>>>,
}

/// The frame is in the chain.
const LISTED: u8 = 1 << 0;
/// The frame on top of this stage is in the chain.
const TOP_LISTED: u8 = 1 << 1;
/// It is the frame of a stage.
const STAGE: u8 = 1 << 2;
/// It is the frame on top of a stage.
const ON_TOP: u8 = 1 << 3;

impl Link {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            flags: Cell::new(0),
            next: Cell::new(MaybeUninit::uninit()),
        }
    }

    /// Notes that this is the frame of a stage.
    #[inline]
    pub(super) fn make_stage(&self) {
        self.flags.set(STAGE);
    }

    #[inline]
    pub(super) fn is_stage(&self) -> bool {
        self.has(STAGE)
    }

    /// Notes that this is the frame on top of a stage.
    pub(super) fn put_on_top(&self) {
        self.flags.set(ON_TOP);
    }

    /// Whether this frame, or the frame on top of it, is in the chain.
    #[inline]
    pub(super) fn is_listed(&self) -> bool {
        self.has(LISTED | TOP_LISTED)
    }

    /// Whether one of these flags is set.
    #[inline]
    fn has(&self, flags: u8) -> bool {
        self.flags.get() & flags != 0
    }

    fn add(&self, flag: u8) {
        self.flags.set(self.flags.get() | flag);
    }

    fn remove(&self, flag: u8) {
        self.flags.set(self.flags.get() & !flag);
    }

    /// The next frame in the chain; null if there is none.
    fn next(&self) -> *const Frame<'static> {
        debug_assert!(self.has(LISTED));
        // SAFETY: set together with the flag.
        unsafe { self.next.get().assume_init() }
    }
}

impl Frame<'_> {
    /// Appends the newest child to the list.
    #[inline]
    pub(crate) fn push(&self, child: Queued) {
        self.add(|list| list.push(child));
    }

    /// Puts these children behind what is in the list.
    pub(crate) fn append(&self, newer: &PendingList) {
        self.add(|list| list.append(newer));
    }

    /// Puts these children before what is in the list.
    pub(crate) fn prepend(&self, older: &PendingList) {
        self.add(|list| list.prepend(older));
    }

    /// Calls `f`, which adds to the list, and sees to it that this frame is in the chain.
    #[inline]
    fn add(&self, f: impl FnOnce(&PendingList)) {
        self.list.add(|list, chain| {
            f(list);
            self.enlist(chain);
        });
    }

    /// Puts this frame into the chain, unless it is there. With the lock.
    #[inline]
    fn enlist(&self, chain: &Chain) {
        if !self.link.has(LISTED) {
            debug_assert!(self.is_entered(), "it leaves the chain when it is left");
            self.link.next.set(MaybeUninit::new(chain.first().cast()));
            self.link.add(LISTED);
            chain.set_first(ptr::from_ref(self).cast());
            if let Some(stage) = self.stage() {
                stage.link.add(TOP_LISTED);
            }
        }
    }

    /// Whether this frame is on this thread's stack, or the stack is too deep to know.
    fn is_entered(&self) -> bool {
        Frame::with_current(|current| {
            let mut stack = current.into_iter().flat_map(Frame::stack);
            let mut near = stack.by_ref().take(100);
            near.any(|frame| ptr::addr_eq(frame, self)) || stack.next().is_some()
        })
    }

    /// Takes this frame, and the frame on top of it, out of the chain.
    #[inline]
    pub(super) fn unlist(&self) {
        let is_alone = !self.link.has(TOP_LISTED | ON_TOP);
        if !is_alone || !retract(ptr::from_ref(self).cast(), || self.link.next().cast()) {
            self.cut_out_all();
        }
        self.link.remove(LISTED);
    }

    #[cold]
    #[inline(never)]
    fn cut_out_all(&self) {
        privately_with(|chain| {
            if self.link.has(TOP_LISTED) {
                // SAFETY: the frame on top was made before it came into the chain.
                unsafe { &*self.top.get() }.cut_out(chain);
                self.link.remove(TOP_LISTED);
            }
            if self.link.has(LISTED) {
                self.cut_out(chain);
            }
            if let Some(stage) = self.stage() {
                stage.link.remove(TOP_LISTED);
            }
        });
    }

    /// The stage that this is the frame on top of, if it is.
    #[inline]
    fn stage(&self) -> Option<&Frame<'static>> {
        let stage = self.link.has(ON_TOP).then(|| self.top.get());
        // SAFETY: a stage is entered for longer than the frame on top of it.
        stage.map(|stage| unsafe { &*stage })
    }

    /// Takes this frame out of the chain, mostly from its front. With the lock.
    fn cut_out(&self, chain: &Chain) {
        let own = ptr::from_ref(self).cast::<Frame<'static>>();
        if ptr::addr_eq(chain.first(), own) {
            chain.set_first(self.link.next().cast());
        } else {
            let before = frames(chain.first()).find(|frame| ptr::eq(frame.link.next(), own));
            let before = before.expect("it is in the chain");
            before.link.next.set(MaybeUninit::new(self.link.next()));
        }
        self.link.remove(LISTED);
    }
}

/// The frames in the chain, the last that came first.
fn frames<'a>(first: *const ()) -> impl Iterator<Item = &'a Frame<'static>> {
    // SAFETY: null, or a frame in the chain, which is entered.
    let first = unsafe { first.cast::<Frame<'static>>().as_ref() };
    iter::successors(first, |frame| {
        // SAFETY: as above.
        unsafe { frame.link.next().as_ref() }
    })
}

/// Whether another thread, whose lock the calling thread has revoked, holds children of this pool.
pub(in crate::engine) fn holds(first: *const (), core: &Core) -> bool {
    frames(first).any(|frame| holds_of(frame, core))
}

/// Calls `f` with the nursery of each of the first `most` frames of this pool in the chain of another thread, whose lock
/// the calling thread has revoked, and with the number of children that the frame holds.
pub(in crate::engine) fn look_at(
    first: *const (),
    core: &Core,
    most: usize,
    mut f: impl FnMut(&Node, u32),
) {
    let of_pool = frames(first).filter(|frame| ptr::eq(&*frame.seat.core, core));
    for frame in of_pool.take(most) {
        // SAFETY: the nursery of a frame in the chain is open.
        f(unsafe { &*frame.scope.get() }, frame.list.len());
    }
}

/// Whether a frame of another thread holds children of this pool that a worker may run. A thread that is about to run a
/// blocking child holds that one. Of another thread's seat, only what does not change is read.
fn holds_of(frame: &Frame<'_>, core: &Core) -> bool {
    ptr::eq(&*frame.seat.core, core) && frame.list.locked().first_class() == Some(Class::Compute)
}

/// Takes some of the oldest children of this pool out of the lists of another thread, whose lock the calling thread has
/// revoked.
pub(in crate::engine) fn take_from(first: *const (), core: &Core) -> Option<Run> {
    let outermost = frames(first).filter(|frame| holds_of(frame, core)).last()?;
    // SAFETY: the nursery of a frame with children is open.
    let scope: &Node = unsafe { &*outermost.scope.get() };
    // Before the children leave the list: see `task::list`, `oldest`.
    scope.count.add(1);
    let children = outermost.list.locked().split_oldest(PORTION);
    Some(Run::again(scope, children))
}
