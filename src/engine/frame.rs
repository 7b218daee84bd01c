//! Frames: what runs on this thread's stack, from the innermost outwards.
//!
//! Each nursery body and each running child is one frame, linked to the one it interrupted. The
//! unstarted children of a nursery are private lists in those frames of it that lie on its home
//! thread; together with the frames' order they are the serial program's remaining work.
//!
//! INVARIANT: the thread-local pointer names a frame that is being entered; [`Frame::enter`]
//! restores it before that frame's borrow ends, on every path.
#![allow(
    unsafe_code,
    reason = "erases the frames' lifetimes; see the invariant"
)]

use std::cell::Cell;
use std::ptr;

use crate::engine::core::Core;
use crate::engine::count::Count;
use crate::engine::seat::Seat;
use crate::engine::shared::SlotRef;
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicU64, Ordering};
use crate::task::chunk::Owner;
use crate::task::list::PendingList;
use crate::task::record::Running;

/// All the engine knows of a nursery.
pub(crate) struct ScopeFrame {
    /// Entries in public hands.
    pub(crate) count: Count,
    /// The opener's pool, borrowed from its seat.
    core: *const Arc<Core>,
    /// The opener's slot.
    home: SlotRef,
    /// The opener's thread.
    thread: *const u8,
    /// The nursery in whose body or child this one was opened.
    parent: *const ScopeFrame,
    /// Children spawned on other threads than the opener's.
    foreign: AtomicU64,
}

// SAFETY: the pointers are only compared, or followed to what is `Sync` under the arguments
// given there.
unsafe impl Sync for ScopeFrame {}

impl ScopeFrame {
    /// A nursery that opens now on this seat's thread.
    pub(crate) fn open(seat: &Seat) -> Self {
        Self {
            count: Count::new(),
            core: &raw const seat.core,
            home: seat.slot_ref(),
            thread: thread_token(),
            parent: Frame::with_current(|frame| {
                frame
                    .and_then(|frame| frame.scope)
                    .map_or(ptr::null(), ptr::from_ref)
            }),
            foreign: AtomicU64::new(0),
        }
    }

    /// The pool it was opened on.
    pub(crate) fn core(&self) -> &Arc<Core> {
        // SAFETY: the opener's seat outlives the nurseries opened on it.
        unsafe { &*self.core }
    }

    /// Whether this thread opened it.
    pub(crate) fn is_home(&self) -> bool {
        self.thread == thread_token()
    }

    /// The slot of the thread that opened it.
    pub(crate) fn home(&self) -> SlotRef {
        self.home
    }

    /// Gives one unit of the count back, and wakes the opener if it was the last.
    pub(crate) fn release(&self, seat: &Seat) {
        let home = self.home;
        // The frame may be gone after the release.
        if self.count.release() {
            home.unpark(seat);
        }
    }

    /// Whether this is `ancestor`, or was opened below it.
    pub(crate) fn is_within(&self, ancestor: &ScopeFrame) -> bool {
        let mut here: *const ScopeFrame = self;
        while !here.is_null() {
            if ptr::eq(here, ancestor) {
                return true;
            }
            // SAFETY: a nursery ends before the body or child it was opened in, so its ancestors
            // are open as long as it is.
            here = unsafe { &*here }.parent;
        }
        false
    }

    /// What chunks made on the opener's thread carry.
    pub(crate) fn owner(&self) -> Owner {
        self.owner_for(self.home)
    }

    /// What chunks made for another spawner carry.
    pub(crate) fn owner_for(&self, spawner: SlotRef) -> Owner {
        Owner {
            scope: ptr::from_ref(self).cast(),
            spawner: spawner.erase(),
        }
    }

    /// Reads back what a chunk carries.
    ///
    /// # Safety
    ///
    /// `owner` is the scope of an [`Owner`] made above, and the nursery stays open during `'a`.
    pub(crate) unsafe fn from_owner<'a>(owner: *const ()) -> &'a Self {
        // SAFETY: by contract.
        unsafe { &*owner.cast() }
    }

    /// A number for a child spawned elsewhere: behind all that the opener spawned.
    pub(crate) fn foreign_sequence(&self) -> u64 {
        // ORDERING: Relaxed: only uniqueness matters.
        (1 << 63) | self.foreign.fetch_add(1, Ordering::Relaxed)
    }
}

/// An address that is this thread's alone while it lives.
fn thread_token() -> *const u8 {
    thread_local!(static TOKEN: u8 = const { 0 });
    TOKEN.with(ptr::from_ref)
}

/// What a frame is of its nursery.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Root,
    Body,
    Child,
}

/// One entry of this thread's stack of bodies and children.
pub(crate) struct Frame<'a> {
    pub(crate) scope: Option<&'a ScopeFrame>,
    pub(crate) seat: &'a Seat,
    part: Part,
    /// Unstarted children of `scope` that this frame spawned (home thread only).
    pub(crate) list: PendingList,
    /// Whether what this frame exposes may go into the seat's deque: see `publish`.
    is_orderly: Cell<bool>,
    outer: Cell<*const Frame<'static>>,
}

thread_local! {
    static CURRENT: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
}

impl<'a> Frame<'a> {
    fn new(seat: &'a Seat, scope: Option<&'a ScopeFrame>, part: Part, is_orderly: bool) -> Self {
        Self {
            scope,
            seat,
            part,
            list: PendingList::default(),
            is_orderly: Cell::new(is_orderly),
            outer: Cell::new(ptr::null()),
        }
    }

    /// The bottom of a pool thread's stack.
    pub(crate) fn root(seat: &'a Seat) -> Self {
        // A side thread does not come back to its deque.
        Self::new(seat, None, Part::Root, seat.is_worker())
    }

    /// The body of a nursery, on the thread that opened it.
    pub(crate) fn body(seat: &'a Seat, scope: &'a ScopeFrame) -> Self {
        Self::new(seat, Some(scope), Part::Body, true)
    }

    /// Runs a child of `scope`, its spawns in front of what stood behind it.
    pub(crate) fn run_child(seat: &'a Seat, scope: &'a ScopeFrame, child: Running) {
        let is_orderly =
            Frame::with_current(|outer| outer.is_some_and(|outer| outer.continues(seat, scope)));
        let frame = Self::new(seat, Some(scope), Part::Child, is_orderly);
        frame.enter(|| child.run());
        if !frame.list.is_empty() {
            Frame::nearest(scope, |outer| outer.list.prepend(&frame.list));
        }
    }

    /// Whether what a child of `scope`, run on top of this frame, leaves in the deque is this
    /// frame's to take: a worker's at its root, a waiting body's if the nursery is its own or
    /// below it, a sibling's if the same holds for the sibling.
    fn continues(&self, seat: &Seat, scope: &ScopeFrame) -> bool {
        self.seat.is(seat)
            && match (self.part, self.scope) {
                (Part::Body, Some(own)) => scope.is_within(own),
                (Part::Child, Some(own)) => ptr::eq(own, scope) && self.is_orderly.get(),
                _ => self.is_orderly.get(),
            }
    }

    pub(crate) fn is_orderly(&self) -> bool {
        self.is_orderly.get()
    }

    pub(crate) fn is_body_of(&self, scope: &ScopeFrame) -> bool {
        self.part == Part::Body && self.is_of(scope)
    }

    pub(crate) fn is_of(&self, scope: &ScopeFrame) -> bool {
        self.scope.is_some_and(|own| ptr::eq(own, scope))
    }

    /// Runs `f` with this frame as the innermost one.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave(*const Frame<'static>);
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let outer = CURRENT.replace(ptr::from_ref(self).cast());
        self.outer.set(outer);
        let _leave = Leave(outer);
        f()
    }

    /// Calls `f` with this thread's innermost frame.
    pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Frame<'_>>) -> R) -> R {
        // SAFETY: by the invariant of this file; `f` cannot keep the reference.
        f(unsafe { CURRENT.get().as_ref() })
    }

    /// This thread's frames, from the innermost outwards.
    pub(crate) fn stack(&self) -> impl Iterator<Item = &Frame<'_>> {
        std::iter::successors(Some(self), |frame| {
            // SAFETY: the frames that an entered frame interrupted are still entered.
            unsafe { frame.outer.get().as_ref() }
        })
    }

    /// Calls `f` with the innermost frame of `scope` on this thread, its home, so that it can add
    /// to the frame's list.
    pub(crate) fn nearest<R>(scope: &ScopeFrame, f: impl FnOnce(&Frame<'_>) -> R) -> R {
        Frame::with_current(|current| {
            let frame = current
                .and_then(|frame| frame.find(scope))
                .expect("an open nursery has a frame on its home thread");
            if !current.is_some_and(|current| ptr::eq(current, frame)) {
                frame.is_orderly.set(false);
            }
            f(frame)
        })
    }

    /// The innermost frame of `scope`, from here outwards.
    pub(crate) fn find(&self, scope: &ScopeFrame) -> Option<&Frame<'_>> {
        self.stack().find(|frame| frame.is_of(scope))
    }
}
