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
use std::ptr::{self, NonNull};

use crate::engine::core::Core;
use crate::engine::count::Count;
use crate::engine::seat::Seat;
use crate::engine::shared::{Run, SlotRef};
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::task::chunk::Owner;
use crate::task::list::PendingList;
use crate::task::record::{Queued, Running};

/// Forks in a row that nobody has asked for, from which on a further one is not worth offering:
/// those eight are more than all of what it could give.
const DEEP: u32 = 8;

/// All the engine knows of a nursery.
pub(crate) struct ScopeFrame {
    /// Runs in public hands.
    pub(crate) count: Count,
    /// The opener's seat; others read its fields that never change.
    seat: *const Seat,
    /// The nursery in whose body or child this one was opened.
    parent: *const ScopeFrame,
    /// The slot of the thread that last took children: a hint where they are.
    runner: AtomicPtr<()>,
    /// Children spawned on other threads than the opener's.
    foreign: AtomicU64,
}

// SAFETY: the pointers are only compared, or followed to what is `Sync` under the arguments
// given there.
unsafe impl Sync for ScopeFrame {}

impl ScopeFrame {
    /// A nursery that opens now on this seat's thread.
    #[inline]
    pub(crate) fn open(seat: &Seat) -> Self {
        let parent =
            Frame::with_current(|frame| frame.map_or(ptr::null(), |frame| frame.scope.get()));
        Self::below(parent, seat)
    }

    /// The nursery that a latent fork becomes.
    pub(crate) fn open_around(fork: &Frame<'_>) -> Self {
        Self::below(fork.scope.get(), fork.seat)
    }

    #[inline]
    fn below(parent: *const ScopeFrame, seat: &Seat) -> Self {
        Self {
            count: Count::new(),
            seat,
            parent,
            runner: AtomicPtr::new(ptr::null_mut()),
            foreign: AtomicU64::new(0),
        }
    }

    /// The pool it was opened on.
    #[inline]
    pub(crate) fn core(&self) -> &Arc<Core> {
        // SAFETY: the opener's seat outlives the nurseries opened on it, and `core` never changes.
        unsafe { &(*self.seat).core }
    }

    /// Whether this thread opened it.
    #[inline]
    pub(crate) fn is_home(&self) -> bool {
        // SAFETY: as above.
        let thread = unsafe { (*self.seat).thread };
        thread == thread_token()
    }

    /// The slot of the thread that opened it.
    #[inline]
    pub(crate) fn home(&self) -> SlotRef {
        // SAFETY: as above.
        unsafe { (*self.seat).slot }
    }

    /// Gives one unit of the count back, and wakes the opener if it was the last.
    pub(crate) fn release(&self, seat: &Seat) {
        let home = self.home();
        // The frame may be gone after the release.
        if self.count.release() {
            home.unpark(seat);
        }
    }

    /// Children of this nursery run on this seat's thread from now on.
    pub(crate) fn note_runner(&self, seat: &Seat) {
        // ORDERING: Relaxed: a hint.
        let slot = seat.slot.erase().cast_mut();
        self.runner.store(slot, Ordering::Relaxed);
    }

    /// Where children of this nursery were last taken to.
    pub(crate) fn runner(&self) -> Option<SlotRef> {
        // SAFETY: null, or stored by `note_runner`.
        unsafe { SlotRef::restore_some(self.runner.load(Ordering::Relaxed)) }
    }

    /// What that thread holds is not this nursery's.
    pub(crate) fn forget_runner(&self) {
        self.runner.store(ptr::null_mut(), Ordering::Relaxed);
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
        self.owner_for(self.home())
    }

    /// What chunks made for another spawner carry.
    pub(crate) fn owner_for(&self, spawner: SlotRef) -> Owner {
        Owner {
            scope: ptr::from_ref(self).cast(),
            spawner: spawner.erase(),
        }
    }

    /// A number for a child spawned elsewhere: behind all that the opener spawned.
    pub(crate) fn foreign_sequence(&self) -> u64 {
        // ORDERING: Relaxed: only uniqueness matters.
        (1 << 63) | self.foreign.fetch_add(1, Ordering::Relaxed)
    }
}

/// An address that is this thread's alone while it lives.
#[inline]
pub(crate) fn thread_token() -> *const u8 {
    thread_local!(static TOKEN: u8 = const { 0 });
    TOKEN.with(ptr::from_ref)
}

/// What a frame is of its nursery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The bottom of a pool thread's stack.
    Root,
    /// The body of a nursery, or of a fork that has become one.
    Body,
    /// One child.
    Child,
    /// A run that this thread took; its children's frames are on top.
    Run,
    /// A fork whose second closure nobody has asked for: a nursery in the making. Its scope is
    /// the one it was called in.
    Fork,
}

/// One entry of this thread's stack of bodies and children.
pub(crate) struct Frame<'a> {
    pub(crate) seat: &'a Seat,
    /// The innermost nursery here.
    scope: Cell<*const ScopeFrame>,
    outer: Cell<*const Frame<'static>>,
    part: Cell<Part>,
    /// Whether what this frame exposes may go into the seat's deque: see `publish`.
    is_orderly: Cell<bool>,
    /// Of a fork: how many forks in a row, up to this one, nobody has asked for.
    forks: Cell<u32>,
    /// Unstarted children of `scope` that this thread holds.
    pub(crate) list: PendingList,
    /// How many of them are too many to keep: see `publish`.
    pub(crate) most: Cell<u32>,
}

/// The frame of a fork, and how it becomes a nursery with one child in its list.
#[repr(C)]
pub(crate) struct ForkFrame<'a> {
    pub(crate) frame: Frame<'a>,
    prepare: unsafe fn(NonNull<ForkFrame<'static>>),
}

impl<'a> ForkFrame<'a> {
    /// # Safety
    ///
    /// While the frame is entered and still latent, `prepare` may be called on its address once.
    #[inline]
    pub(crate) unsafe fn new(
        seat: &'a Seat,
        outer: Option<&Frame<'_>>,
        prepare: unsafe fn(NonNull<ForkFrame<'static>>),
    ) -> Self {
        let (scope, forks) = outer.map_or((ptr::null(), 0), |outer| {
            (outer.scope.get(), outer.forks.get())
        });
        let frame = Frame::new(seat, scope, Part::Fork, true);
        frame.forks.set(forks + 1);
        Self { frame, prepare }
    }

    /// Makes the fork a nursery: `scope`, with this one child.
    pub(crate) fn become_nursery(&self, scope: &ScopeFrame, child: Queued) {
        self.frame.scope.set(scope);
        self.frame.part.set(Part::Body);
        self.frame.forks.set(0);
        self.frame.list.push(child);
    }
}

thread_local! {
    static CURRENT: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
}

impl<'a> Frame<'a> {
    #[inline]
    fn new(seat: &'a Seat, scope: *const ScopeFrame, part: Part, is_orderly: bool) -> Self {
        Self {
            seat,
            scope: Cell::new(scope),
            outer: Cell::new(ptr::null()),
            part: Cell::new(part),
            is_orderly: Cell::new(is_orderly),
            forks: Cell::new(0),
            list: PendingList::new(),
            most: Cell::new(seat.most),
        }
    }

    /// The bottom of a pool thread's stack.
    pub(crate) fn root(seat: &'a Seat) -> Self {
        // A side thread does not come back to its deque.
        Self::new(seat, ptr::null(), Part::Root, seat.is_worker())
    }

    /// The body of a nursery, on the thread that opened it.
    #[inline]
    pub(crate) fn body(seat: &'a Seat, scope: &'a ScopeFrame) -> Self {
        Self::new(seat, scope, Part::Body, true)
    }

    /// Runs a child of `scope`, its spawns in front of what stood behind it.
    #[inline]
    pub(crate) fn run_child(seat: &'a Seat, scope: &'a ScopeFrame, child: Running) {
        Self::around_child(seat, scope, || child.run());
    }

    /// Calls `run`, which runs a child of `scope`, in a frame for it.
    #[inline]
    pub(crate) fn around_child<R>(
        seat: &'a Seat,
        scope: &'a ScopeFrame,
        run: impl FnOnce() -> R,
    ) -> R {
        let is_orderly =
            Frame::with_current(|outer| outer.is_some_and(|outer| outer.continues(seat, scope)));
        let frame = Self::new(seat, scope, Part::Child, is_orderly);
        let result = frame.enter(run);
        if !frame.list.is_empty() {
            frame.bequeath(scope);
        }
        result
    }

    /// What a child has spawned and left comes before what stood behind the child.
    fn bequeath(&self, scope: &ScopeFrame) {
        Frame::nearest(scope, |outer| match outer {
            Some(outer) => outer.list.prepend(&self.list),
            // A plain thread has joined the child.
            None => self.seat.stray(Run::new(scope, self.list.take())),
        });
    }

    /// Runs children of `scope`, at least one, oldest first, until `enough`; returns the rest.
    pub(crate) fn run_all(
        seat: &'a Seat,
        scope: &'a ScopeFrame,
        children: PendingList,
        enough: impl Fn() -> bool,
    ) -> Option<PendingList> {
        let is_orderly =
            Frame::with_current(|outer| outer.is_some_and(|outer| outer.continues(seat, scope)));
        let frame = Self::new(seat, scope, Part::Run, is_orderly);
        frame.list.append(&children);
        // What was public stays so when somebody asks, and not before.
        frame.most.set(u32::MAX);
        frame.enter(|| {
            while let Some(child) = frame.list.pop() {
                seat.answer_request();
                if let Some(child) = child.take() {
                    Frame::run_child(seat, scope, child);
                    if enough() {
                        break;
                    }
                }
            }
        });
        (!frame.list.is_empty()).then(|| frame.list.take())
    }

    /// Runs the oldest child in this frame's list, on top of it.
    pub(crate) fn run_oldest(&self) -> bool {
        let Some(child) = self.list.pop() else {
            return false;
        };
        self.seat.answer_request();
        if let Some(child) = child.take() {
            // SAFETY: the nursery whose children are in the list of an entered frame is open.
            let scope = unsafe { &*self.scope.get() };
            Frame::run_child(self.seat, scope, child);
        }
        true
    }

    /// Whether what a child of `scope`, run on top of this frame, leaves in the deque is this
    /// frame's to take: a worker's at its root, a waiting body's if the nursery is its own or
    /// below it, a sibling's if the same holds for the sibling.
    #[inline]
    fn continues(&self, seat: &Seat, scope: &ScopeFrame) -> bool {
        self.seat.is(seat)
            && match self.part.get() {
                Part::Root => self.is_orderly.get(),
                // SAFETY: the nursery of an entered body is open.
                Part::Body => scope.is_within(unsafe { &*self.scope.get() }),
                Part::Child | Part::Run => self.is_of(scope) && self.is_orderly.get(),
                Part::Fork => false,
            }
    }

    #[inline]
    pub(crate) fn is_orderly(&self) -> bool {
        self.is_orderly.get()
    }

    #[inline]
    pub(crate) fn is_body_of(&self, scope: &ScopeFrame) -> bool {
        self.part.get() == Part::Body && ptr::eq(self.scope.get(), scope)
    }

    /// Runs what this child has spawned and left unstarted on this thread: the serial program does
    /// so before it goes on.
    #[inline]
    pub(crate) fn run_spawned(&self) {
        if !self.list.is_empty() && self.part.get() == Part::Child {
            while self.run_oldest() {}
        }
    }

    #[inline]
    pub(crate) fn is_of(&self, scope: &ScopeFrame) -> bool {
        ptr::eq(self.scope.get(), scope) && self.part.get() != Part::Fork
    }

    /// Whether this is a fork that many others, which nobody has asked for, enclose.
    #[inline]
    pub(crate) fn is_deep_fork(&self) -> bool {
        self.forks.get() >= DEEP
    }

    /// Whether this frame has something that could be exposed.
    pub(crate) fn has_something(&self) -> bool {
        self.part.get() == Part::Fork || !self.list.is_empty()
    }

    /// The nursery whose children are in the list, once a fork has become one.
    ///
    /// `innermost` is the frame that this thread is in.
    pub(crate) fn settle(&self, innermost: &Frame<'_>) -> Option<&ScopeFrame> {
        if self.part.get() == Part::Fork {
            self.renumber(innermost);
            let fork = NonNull::from(self).cast::<ForkFrame<'static>>();
            // SAFETY: every frame that is part of a fork lies at the front of a `ForkFrame`.
            let prepare = unsafe { fork.as_ref() }.prepare;
            // SAFETY: by the contract of `ForkFrame::new`; the part changes with this call.
            unsafe { prepare(fork) };
        }
        // SAFETY: the nursery of an entered frame is open.
        unsafe { self.scope.get().as_ref() }
    }

    /// This fork leaves the row it stands in: those further in count from here.
    fn renumber(&self, innermost: &Frame<'_>) {
        let gone = self.forks.get();
        let inner = || {
            let stack = innermost.stack();
            stack.take_while(|frame| !ptr::addr_eq(*frame, self))
        };
        let row =
            inner().filter(|frame| frame.part.get() == Part::Fork && frame.forks.get() > gone);
        for frame in row {
            frame.forks.set(frame.forks.get() - gone);
        }
    }

    /// Runs `f` with this frame as the innermost one.
    #[inline]
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave(*const Frame<'static>);
        impl Drop for Leave {
            #[inline]
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
    #[inline]
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

    /// Calls `f` with the innermost frame of `scope` on this thread, if it has one, so that it can
    /// add to the frame's list.
    #[inline]
    pub(crate) fn nearest<R>(scope: &ScopeFrame, f: impl FnOnce(Option<&Frame<'_>>) -> R) -> R {
        Frame::with_current(|current| {
            let Some(current) = current else {
                return f(None);
            };
            if current.is_of(scope) {
                return f(Some(current));
            }
            let frame = current.find(scope);
            if let Some(frame) = frame {
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
