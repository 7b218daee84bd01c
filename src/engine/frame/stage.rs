//! Runs children on top of a frame, one after the other, in one further frame.
#![allow(unsafe_code, reason = "the further frame is made in place")]

use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use super::{CURRENT, Frame, Part, waker};
use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::task::list::{Next, PendingList};
use crate::task::record::{Handle, Outcome, Queued, Step};

/// The frame of a nursery's body or of a run, with room for one more frame. The children that run
/// on top of it, one after the other, share that second frame.
#[repr(C)]
pub(crate) struct Stage<'a> {
    pub(crate) frame: Frame<'a>,
    room: UnsafeCell<MaybeUninit<Frame<'static>>>,
}

impl<'a> Stage<'a> {
    #[inline]
    fn new(frame: Frame<'a>) -> Self {
        frame.link.make_stage();
        Self {
            frame,
            room: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The body of a nursery, on the thread that opened it.
    #[inline]
    pub(crate) fn body(seat: &'a Seat, scope: &'a Node) -> Self {
        let stage = Self::new(Frame::new(seat, scope, Part::Body, true));
        stage.frame.home_of.set(scope);
        stage
    }

    /// Exposes the address of the stage, and returns its frame, which is about to be entered.
    #[inline]
    pub(crate) fn set(&self) -> &Frame<'a> {
        let _address = ptr::from_ref(self).expose_provenance();
        &self.frame
    }
}

/// Why a frame stopped running the children in its list.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Drained {
    /// The list was empty.
    Nothing,
    /// The caller had enough, or the list was used up, or a body shows something now, so that the
    /// caller has to look anew for what comes next.
    Enough,
    /// It was the turn of others: see `turns`.
    Turn,
}

/// On drop, turns a child's frame into the body's frame again.
struct Body<'a>(&'a Frame<'a>);

impl Drop for Body<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.part.set(Part::Body);
        if self.0.is_worn.get() {
            self.0.refresh();
        }
    }
}

/// On drop, makes a body's frame the innermost again.
struct BackToBody(*const Frame<'static>);

impl Drop for BackToBody {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl<'a> Frame<'a> {
    /// Runs children of `scope`, at least one, oldest first, until `enough`; returns the rest.
    pub(crate) fn run_all(
        seat: &'a Seat,
        scope: &'a Node,
        children: PendingList,
        enough: &dyn Fn(bool) -> bool,
    ) -> Option<PendingList> {
        let is_orderly =
            Frame::with_current(|outer| outer.is_some_and(|outer| outer.continues(seat, scope)));
        let stage = Stage::new(Frame::new(seat, scope, Part::Run, is_orderly));
        let frame = &stage.frame;
        let begun = Cell::new(0);
        let after = |has_begun| {
            begun.set(begun.get() + u64::from(has_begun));
            enough(false)
        };
        stage.set().enter(|| {
            frame.append(&children);
            while frame.drain(scope, after) == Drained::Turn && !enough(true) {}
        });
        scope.note_begun(seat, begun.get());
        (!frame.list.is_empty()).then(|| frame.list.take())
    }

    /// Runs the oldest child in this frame's list, on top of it; the frame is the innermost one.
    pub(crate) fn run_oldest(&self) -> Drained {
        let Some(scope) = self.nursery() else {
            return Drained::Nothing;
        };
        self.take_back_next(scope);
        let after = |scope: &Node, has_begun| {
            // At home the children were counted one by one.
            if !self.is_home() {
                scope.note_begun(self.seat, u64::from(has_begun));
            }
            true
        };
        self.drain_until(scope, &|has_begun| after(scope, has_begun))
    }

    /// [`Self::drain`], until nothing is left or it is the turn of others.
    #[inline(never)]
    pub(crate) fn drain_all(&self, scope: &Node) {
        _ = self.drain(scope, |_| false);
    }

    /// [`Self::drain`] where that is rare: compiled once for all who say when it is enough.
    #[inline(never)]
    pub(crate) fn drain_until(&self, scope: &Node, is_enough: &dyn Fn(bool) -> bool) -> Drained {
        self.drain(scope, is_enough)
    }

    /// Counts a child that was taken out of the list, if the frame is on the nursery's home.
    /// Elsewhere the caller that drains the list counts several children at a time, so that it does
    /// not touch the nursery's node for each.
    #[inline]
    fn count(is_home: bool, scope: &Node, step: Step) {
        match step {
            Step::BeginsAtHome => scope.at_home.begun.add(1),
            Step::Begins if is_home => scope.at_home.begun.add(1),
            Step::Begins | Step::IsStale => {}
        }
    }

    /// Notes that a child of this body was taken out of the list, at home, and that nobody else has
    /// claimed it.
    #[inline]
    fn note_begins_in_body(&self) {
        // SAFETY: the nursery of an entered body is open.
        unsafe { &*self.scope.get() }.at_home.begun.add(1);
        self.seat.answer_before_step();
    }

    /// Runs the children in this frame's list, on top of it, oldest first, until it is enough or it
    /// is the turn of others. The frame is the innermost, and belongs to `scope`.
    ///
    /// `is_enough` is called after each child. Its argument says whether the child has begun, that
    /// is, has run or was skipped; if not, its handle had claimed it before.
    fn drain(&self, scope: &Node, is_enough: impl Fn(bool) -> bool) -> Drained {
        let owner = ptr::from_ref(scope).cast();
        let mut drained = Drained::Nothing;
        while self.part.get() == Part::Body && !self.may_show() {
            let Some(last) = self.list.pop_last() else {
                break;
            };
            self.seat.answer_before_step();
            // A body is at home.
            let step = |step| Self::count(true, scope, step);
            let waker = waker(self.seat, scope);
            let has_begun = self.in_place(|| last.run(true, owner, step, waker));
            let is_enough = is_enough(has_begun);
            let has_left = !self.list.is_empty();
            if has_left && self.seat.note_left() {
                return Drained::Turn;
            }
            drained = Drained::Enough;
            if is_enough || (has_left && self.may_show()) {
                return drained;
            }
        }
        if self.list.is_empty() {
            return drained;
        }
        self.drain_on_top(scope, is_enough)
    }

    /// Like [`Self::drain`], but never runs a child in this very frame: what this frame shows comes
    /// after all that its children leave.
    fn drain_on_top(&self, scope: &Node, is_enough: impl Fn(bool) -> bool) -> Drained {
        match self.top() {
            Some(top) => top.enter(|| self.drain_in(top, scope, is_enough)),
            None => {
                let top = self.for_child();
                top.enter(|| self.drain_in(&top, scope, is_enough))
            }
        }
    }

    #[inline]
    fn drain_in(&self, top: &Frame<'_>, scope: &Node, is_enough: impl Fn(bool) -> bool) -> Drained {
        let owner = ptr::from_ref(scope).cast();
        let is_home = self.is_home();
        while let Some(child) = self.list.pop() {
            self.seat.answer_before_step();
            let step = |step| Self::count(is_home, scope, step);
            let has_begun = child.run(is_home, owner, step, waker(self.seat, scope));
            let is_turn = self.succeed(top);
            let is_enough = is_enough(has_begun);
            if is_turn {
                return Drained::Turn;
            }
            if is_enough {
                break;
            }
        }
        Drained::Enough
    }

    /// [`Self::run_next_in_body`] in this thread's innermost frame.
    #[allow(clippy::inline_always, reason = "the common case of a join")]
    #[inline(always)]
    pub(crate) fn run_next_here(child: &Handle<()>) -> Option<Outcome> {
        // SAFETY: see the invariant of `Frame`.
        let frame = unsafe { CURRENT.get().as_ref() }?;
        frame.run_next_in_body(child)
    }

    /// Runs the child with the handle `child` if it is the next in this frame's list. Nobody else
    /// can see it then: see [`Handle::run_alone`]. The frame is the innermost, and belongs to the
    /// child's nursery.
    ///
    /// It runs the child only in a body on the thread that opened the nursery; [`Self::run_next`]
    /// does elsewhere.
    #[allow(clippy::inline_always, reason = "the common case of a join")]
    #[inline(always)]
    fn run_next_in_body(&self, child: &Handle<()>) -> Option<Outcome> {
        if self.part.get() != Part::Body {
            return None;
        }
        match self.list.pop_next(child)? {
            Next::Last(last) => {
                self.note_begins_in_body();
                if self.may_show() {
                    // The parts that the body shows do not belong to the child. If the child ran in
                    // this frame, it would run all that the frame shows before its next item.
                    return Some(self.run_apart(child, last));
                }
                Some(self.in_place(|| child.run_alone(last, self.scope.get().cast())))
            }
            Next::First(queued) => {
                self.note_begins_in_body();
                let top = self.top().expect("a fork has one child only");
                Some(self.with_top(top, || {
                    let outcome = child.run_alone(queued, self.scope.get().cast());
                    self.succeed(top);
                    outcome
                }))
            }
        }
    }

    /// Runs a child that was taken out of this frame's list in a frame of its own. It is out of
    /// line, so that the compiler knows more about the common paths that do not come here.
    #[cold]
    #[inline(never)]
    fn run_apart(&self, child: &Handle<()>, queued: Queued) -> Outcome {
        // SAFETY: the nursery whose children are in the list of an entered frame is open.
        let scope = unsafe { &*self.scope.get() };
        let owner = ptr::from_ref(scope).cast();
        Frame::around_child(self.seat, scope, || child.run_alone(queued, owner))
    }

    /// [`Self::run_next_in_body`] in a child, or in a fork that has become a nursery.
    pub(crate) fn run_next(&self, child: &Handle<()>) -> Option<Outcome> {
        let (Next::Last(queued) | Next::First(queued)) = self.list.pop_next(child)?;
        self.seat.answer_before_step();
        // SAFETY: the nursery whose children are in the list of an entered frame is open.
        unsafe { &*self.scope.get() }.note_begun(self.seat, 1);
        Some(self.run_apart(child, queued))
    }

    /// Calls `run`, which runs a child of this body, with this very frame as the child's. The list
    /// is empty and the frame shows nothing, so what the child spawns and leaves is in the right
    /// position.
    #[inline]
    fn in_place<R>(&self, run: impl FnOnce() -> R) -> R {
        debug_assert!(self.list.is_empty() && self.part.get() == Part::Body);
        debug_assert!(!self.may_show());
        self.part.set(Part::Child);
        let _body = Body(self);
        run()
    }

    /// Resets what a child in this frame has set.
    #[cold]
    #[inline(never)]
    fn refresh(&self) {
        self.is_orderly.set(true);
        self.is_worn.set(false);
    }

    /// Calls `run` with `top` as the innermost frame, instead of this frame, the body's. The body
    /// belongs to this thread's own nursery, so its frame may become the innermost again whatever
    /// happens: see [`Frame::forget_foreign_stack`].
    #[inline]
    fn with_top<R>(&self, top: &Frame<'_>, run: impl FnOnce() -> R) -> R {
        CURRENT.set(ptr::from_ref(top).cast());
        debug_assert_eq!(self.part.get(), Part::Body);
        let _leave = BackToBody(ptr::from_ref(self).cast());
        run()
    }

    /// Returns the clean frame on top of this stage; none if this is no stage.
    #[inline]
    fn top(&self) -> Option<&Frame<'_>> {
        if !self.link.is_stage() {
            return None;
        }
        // SAFETY: null, or written by `open_top`.
        match unsafe { self.top.get().cast::<Frame<'_>>().as_ref() } {
            None => Some(self.open_top()),
            top => top,
        }
    }

    /// Makes a frame for children of this frame's nursery that run on top of it.
    #[inline]
    fn for_child(&self) -> Frame<'_> {
        let top = Frame::new(self.seat, self.scope.get(), Part::Child, self.keeps_order());
        top.home_of.set(self.home_of.get());
        top
    }

    #[inline(never)]
    fn open_top(&self) -> &Frame<'_> {
        let stage = ptr::with_exposed_provenance::<Stage<'_>>(ptr::from_ref(self).addr());
        // SAFETY: the frame is at the front of a stage, which `set` has exposed before it was
        // entered.
        let room = NonNull::from(unsafe { &(*stage).room }).cast::<Frame<'_>>();
        let top = self.for_child();
        top.outer.set(ptr::from_ref(self).cast());
        top.link.put_on_top();
        top.top.set(ptr::from_ref(self).cast());
        // SAFETY: the room belongs to this entered frame, and nobody has used it yet.
        unsafe { room.write(top) };
        self.top.set(room.as_ptr().cast());
        // SAFETY: written above.
        unsafe { room.as_ref() }
    }

    /// Cleans up after the child on top, which has ended: what it has spawned and left goes before
    /// the siblings that followed it, and its frame is as good as new. Returns whether it is the
    /// turn of others now.
    #[inline]
    fn succeed(&self, top: &Frame<'_>) -> bool {
        (!top.list.is_empty() || top.is_worn.get()) && self.clean(top)
    }

    #[cold]
    #[inline(never)]
    fn clean(&self, top: &Frame<'_>) -> bool {
        if top.shown.get() > 0 {
            top.nursery().inspect(|scope| _ = top.take_back_all(scope));
        }
        let has_left = !top.list.is_empty();
        if has_left {
            self.prepend(&top.list.take());
        }
        top.may_keep.set(self.seat.is_active());
        top.is_orderly.set(self.keeps_order());
        top.is_worn.set(false);
        has_left && self.seat.note_left()
    }
}
