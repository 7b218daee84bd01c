//! Frames: what runs on this thread's stack, from the innermost outwards.
//!
//! Each nursery body and each running child is one frame, linked to the frame that it interrupted.
//! The unstarted children of a nursery are private lists in those frames of it that lie on its home
//! thread; together with the frames' order they are the serial program's remaining work.
//!
//! INVARIANT: the thread-local pointer names a frame that is being entered; [`Frame::enter`]
//! restores it before that frame's borrow ends, on every path.
#![allow(
    unsafe_code,
    reason = "erases the frames' lifetimes; see the invariant"
)]

mod after_fork;
mod fork;
mod holding;
mod shown;
mod stage;

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr;

pub(crate) use fork::{Hidden, Shown};
use holding::Link;
pub(in crate::engine) use holding::{holds, look_at, take_from};
pub(crate) use stage::{Drained, Stage};

use crate::engine::node::{Node, Part};
use crate::engine::seat::{Came, Seat};
use crate::engine::shared::{Doing, Run, SlotRef};
use crate::platform::failpoint::{self, Failpoint};
use crate::task::private::Held;
use crate::task::record::{Queued, Running};

/// One entry of this thread's stack of bodies and children.
pub(crate) struct Frame<'a> {
    pub(crate) seat: &'a Seat,
    /// The nursery of the children in the list; null at a root. A latent fork has no list: there it
    /// is the nursery that the fork was called in.
    scope: Cell<*const Node>,
    outer: Cell<*const Frame<'static>>,
    part: Cell<Part>,
    /// Whether runs that this frame exposes may go into the seat's deque: see `publish`.
    is_orderly: Cell<bool>,
    /// In a fork: its position in a row of forks that nobody has asked for, the outermost being the
    /// first.
    forks: Cell<u32>,
    /// How many hidden forks run in this frame. The number does not wrap: see `hide_fork`.
    hidden: Cell<u8>,
    /// Unstarted children of `scope` that this thread holds.
    pub(crate) list: Held,
    /// Its place among the frames of this thread that have such lists.
    link: Link,
    /// Whether the frame may keep children. If not, all that it spawns goes to the strays at once. This is for a child
    /// that may block, which may wait for what it spawned by means that the pool does not see, and answers no requests
    /// meanwhile; and for a body whose thread has no permit.
    may_keep: Cell<bool>,
    /// The oldest part that this frame has shown comes before the child with this number in the
    /// list; set if the frame has shown some: see the module `shown`.
    oldest_shown: Cell<MaybeUninit<u32>>,
    /// How many parts of the list may be in the deque; [`shown::MANY`] stands for that many or
    /// more.
    shown: Cell<u8>,
    /// Whether `is_orderly` or `shown` is not as [`Frame::new`] set it.
    is_worn: Cell<bool>,
    /// Where the thread came from, if its seat has taken a place for as long as this frame is
    /// entered.
    came: Cell<Option<Came>>,
    /// Whether no frame outside this frame holds anything: see [`Frame::holders`].
    is_edge: Cell<bool>,
    /// The same as `scope` on the thread that opened that nursery; otherwise null.
    home_of: Cell<*const Node>,
    /// In a [`Stage`]: the frame on top, once there is one. In a frame on top of a stage: the stage. In a latent fork: the
    /// function that turns the fork into a nursery.
    top: Cell<*const Frame<'static>>,
}

/// Returns a function that wakes the spawner of a child of `scope` which this seat's thread runs.
#[inline]
fn waker(seat: &Seat, scope: &Node) -> impl FnOnce(Option<*const ()>) {
    |spawner| {
        let spawner = match spawner {
            None => scope.home(),
            // SAFETY: chunks carry what `Node::owner_for` put there.
            Some(spawner) => unsafe { SlotRef::restore(spawner) },
        };
        spawner.unpark(seat.slot());
    }
}

/// Frames of this thread, from one of them outwards.
// A type of its own, because the standard library's adapters are much more code for the compiler.
pub(crate) struct Stack<'a>(Option<&'a Frame<'a>>);

impl<'a> Iterator for Stack<'a> {
    type Item = &'a Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.0?;
        // SAFETY: the frames that an entered frame interrupted are still entered.
        self.0 = unsafe { frame.outer.get().as_ref() };
        Some(frame)
    }
}

/// On drop, makes the frame that this frame has interrupted the innermost again. It reads only then
/// which frame that is, because it may have changed: see [`Frame::forget_foreign_stack`].
struct Leave<'a, 'f>(&'a Frame<'f>);

impl Drop for Leave<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.0.outer.get());
        if self.0.link.is_listed() {
            self.0.unlist();
        }
    }
}

crate::platform::thread::thread_local! {
    static CURRENT: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
}

impl<'a> Frame<'a> {
    #[inline]
    fn new(seat: &'a Seat, scope: *const Node, part: Part, is_orderly: bool) -> Self {
        Self {
            seat,
            scope: Cell::new(scope),
            outer: Cell::new(ptr::null()),
            part: Cell::new(part),
            is_orderly: Cell::new(is_orderly),
            forks: Cell::new(0),
            hidden: Cell::new(0),
            list: Held::new(),
            link: Link::new(),
            // Only children that may block run without a place.
            may_keep: Cell::new(part != Part::Child || seat.is_active()),
            oldest_shown: Cell::new(MaybeUninit::uninit()),
            shown: Cell::new(0),
            is_worn: Cell::new(false),
            came: Cell::new(None),
            is_edge: Cell::new(false),
            home_of: Cell::new(ptr::null()),
            top: Cell::new(ptr::null()),
        }
    }

    /// The bottom of a pool thread's stack.
    pub(crate) fn root(seat: &'a Seat) -> Self {
        // A side thread does not come back to its deque.
        Self::new(seat, ptr::null(), Part::Root, seat.is_worker())
    }

    /// Runs a child of `scope`. Children that it spawns come before the siblings that followed it.
    #[inline]
    pub(crate) fn run_child(seat: &Seat, scope: &Node, child: Running) {
        scope.note_begun(seat, 1);
        let owner = ptr::from_ref(scope).cast();
        Frame::around_child(seat, scope, || child.run(owner, waker(seat, scope)));
    }

    /// Calls `run`, which runs a child of `scope`, in a frame for it.
    #[inline(never)]
    pub(crate) fn around_child<R>(seat: &Seat, scope: &Node, run: impl FnOnce() -> R) -> R {
        Frame::around(seat, scope, |_| run())
    }

    /// Calls `f`, which does not unwind, as if it was part of a child of `scope`: see `scope::visit`. The frame keeps
    /// nothing, because this thread need not come to run it.
    #[inline(never)]
    pub(crate) fn around_visitor<R>(seat: &Seat, scope: &Node, f: impl FnOnce() -> R) -> R {
        let before = seat.slot().doing();
        seat.slot().set_doing(Doing::Running);
        let result = Frame::around(seat, scope, |frame| {
            frame.keep_nothing();
            f()
        });
        seat.slot().set_doing(before);
        result
    }

    #[allow(clippy::inline_always, reason = "as if it was written in both places")]
    #[inline(always)]
    fn around<R>(seat: &Seat, scope: &Node, run: impl FnOnce(&Frame<'_>) -> R) -> R {
        let is_orderly =
            Frame::with_current(|outer| outer.is_some_and(|outer| outer.continues(seat, scope)));
        let frame = Frame::new(seat, scope, Part::Child, is_orderly);
        if scope.is_on(seat) {
            frame.home_of.set(scope);
        }
        let result = frame.enter(|| {
            let result = run(&frame);
            if frame.shown.get() > 0 {
                frame.take_back_all(scope);
            }
            result
        });
        if !frame.list.is_empty() {
            frame.bequeath(scope);
        }
        result
    }

    /// Puts what a child has spawned and left unstarted before the siblings that followed the
    /// child.
    fn bequeath(&self, scope: &Node) {
        Frame::nearest(scope, |outer| match outer {
            Some(outer) if outer.may_keep.get() || outer.seat.core.is_orphan() => {
                outer.prepend(&self.list.take());
            }
            // No frame here may keep them: the joiner is a plain thread, say, or a child that may
            // block.
            _ => self.seat.inject(Run::new(scope, self.list.take(), 0)),
        });
    }

    /// Whether this frame may take what a child of its own nursery leaves in the deque.
    fn keeps_order(&self) -> bool {
        self.part.get() == Part::Body || self.is_orderly.get()
    }

    /// Lets this frame keep no children. It is the body of a limited nursery: the children need
    /// permits, and this thread has none.
    pub(crate) fn keep_nothing(&self) {
        self.may_keep.set(false);
    }

    /// The number that the oldest part comes before which this frame has shown. It must have shown
    /// some.
    fn oldest_shown(&self) -> u32 {
        debug_assert!(self.shown.get() > 0);
        // SAFETY: set together with `shown`.
        unsafe { self.oldest_shown.get().assume_init() }
    }

    /// Queues a child at the end of the list.
    #[inline]
    pub(crate) fn queue(&self, child: Queued) {
        self.push(child);
        self.note_queued();
    }

    /// Shows some of the list if somebody asks, or hands all of it on if the frame may keep nothing.
    #[inline]
    pub(crate) fn note_queued(&self) {
        if !self.may_keep.get() {
            self.give_away();
        }
        self.seat.answer_at_spawn();
    }

    /// Hands on what this frame holds, if it may keep nothing. It holds something only while a batch is filled.
    pub(crate) fn give_away_if_it_must(&self) {
        if !self.may_keep.get() && !self.list.is_empty() {
            self.give_away();
        }
    }

    /// Hands all that this frame holds to the injector. If the pool is an orphan, it stays here: no
    /// other thread is in this process.
    #[cold]
    #[inline(never)]
    pub(crate) fn give_away(&self) {
        if self.seat.core.is_orphan() {
            return;
        }
        if let Some(scope) = self.nursery() {
            self.seat.inject(Run::new(scope, self.list.take(), 0));
        }
    }

    /// Whether this frame may take what a child of `scope`, which runs on top of it, leaves in the
    /// deque.
    ///
    /// The root of a worker may. A waiting body may if `scope` is its nursery or is below it. The
    /// frame of a child or run of `scope` may if it is orderly itself.
    #[inline]
    fn continues(&self, seat: &Seat, scope: &Node) -> bool {
        self.seat.is(seat)
            && match self.part.get() {
                Part::Root => self.is_orderly.get(),
                // SAFETY: the nursery of an entered body is open.
                Part::Body => scope.is_within(unsafe { &*self.scope.get() }),
                Part::Child | Part::Run => self.is_of(scope) && self.is_orderly.get(),
                Part::Fork => false,
            }
    }

    /// The innermost nursery on this thread; null if there is none.
    #[inline]
    pub(crate) fn innermost_nursery() -> *const Node {
        Frame::with_current(|frame| frame.map_or(ptr::null(), Frame::enclosing))
    }

    /// The innermost nursery at this frame; null at a root.
    #[inline]
    pub(crate) fn enclosing(&self) -> *const Node {
        self.scope.get()
    }

    /// Calls `f`, which may block and does not unwind, without a place. This is the innermost
    /// frame. All that this thread holds is published first, and what `f` spawns goes to the
    /// strays.
    pub(crate) fn block_in_place<R>(&self, f: impl FnOnce() -> R) -> R {
        let seat = self.seat;
        if !seat.is_active() {
            return f();
        }
        failpoint::reach(Failpoint::BlockInPlace);
        seat.expose_all();
        let may_keep = self.may_keep.replace(false);
        let result = seat.blocking(|| seat.without_place(f));
        self.may_keep.set(may_keep);
        result
    }

    #[inline]
    pub(crate) fn is_orderly(&self) -> bool {
        self.is_orderly.get()
    }

    #[inline]
    pub(crate) fn is_body_of(&self, scope: &Node) -> bool {
        self.part.get() == Part::Body && ptr::eq(self.scope.get(), scope)
    }

    /// Runs what a child of `scope` has spawned and left unstarted on this thread, as the serial
    /// program does before it goes on. These children stand in the list of `spawned`; this frame is
    /// the innermost.
    #[inline]
    pub(crate) fn run_spawned(&self, spawned: &Frame<'_>, scope: &Node) {
        if spawned.list.is_empty() && spawned.shown.get() == 0 {
            return;
        }
        if !ptr::eq(self, spawned) {
            spawned.run_all_of(scope);
        } else if self.part.get() == Part::Child {
            let mut drained = Drained::Enough;
            while drained == Drained::Enough || !self.seat.others_wait(scope) {
                drained = self.run_oldest();
                if drained == Drained::Nothing {
                    break;
                }
            }
        }
    }

    /// Runs the children in this frame's list on top of the innermost frame, which is a fork in
    /// this child.
    #[cold]
    fn run_all_of(&self, scope: &Node) {
        loop {
            if self.take_back_next(scope) {
                self.reopen();
            }
            let Some(child) = self.list.pop() else { break };
            self.seat.answer_before_step();
            if let Some(child) = child.take() {
                Frame::run_child(self.seat, scope, child);
            }
            if self.seat.note_left() && self.seat.others_wait(scope) {
                break;
            }
        }
    }

    /// Whether this thread opened the nursery of the children in the list.
    #[inline]
    fn is_home(&self) -> bool {
        !self.home_of.get().is_null()
    }

    /// Whether this is a frame of the nursery on the thread that opened it.
    #[inline]
    pub(crate) fn is_home_of(&self, scope: &Node) -> bool {
        ptr::eq(self.home_of.get(), scope)
    }

    #[inline]
    pub(crate) fn is_of(&self, scope: &Node) -> bool {
        ptr::eq(self.scope.get(), scope) && !self.is_latent()
    }

    /// Whether this frame holds something that could be exposed.
    pub(crate) fn has_something(&self) -> bool {
        self.part.get() == Part::Fork || !self.list.is_empty()
    }

    /// Runs `f`, which does not unwind, with a place, and with this frame as the innermost.
    #[inline]
    pub(crate) fn occupy<R>(&self, f: impl FnOnce() -> R) -> R {
        if !self.seat.is_active() {
            self.seat.come(&self.came);
        }
        let result = self.enter(f);
        // Read from the frame and not kept in a variable, so that there are no two copies of `f`.
        if let Some(came) = self.came.get() {
            self.seat.go(came);
        }
        result
    }

    /// Runs `f` with this frame as the innermost.
    #[inline]
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        self.outer.set(CURRENT.replace(ptr::from_ref(self).cast()));
        let _leave = Leave(self);
        f()
    }

    /// Calls `f` with this thread's innermost frame.
    #[allow(clippy::inline_always, reason = "one load")]
    #[inline(always)]
    pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Frame<'_>>) -> R) -> R {
        // SAFETY: by the invariant of this file; `f` cannot keep the reference.
        f(unsafe { CURRENT.get().as_ref() })
    }

    /// The nursery of the children in the list, if there is one.
    #[inline]
    pub(crate) fn nursery(&self) -> Option<&Node> {
        // SAFETY: null, or the nursery of an entered frame, which is open.
        unsafe { self.scope.get().as_ref() }
    }

    /// The same nursery, if this thread has opened it.
    fn nursery_of_this_thread(&self) -> Option<&Node> {
        // SAFETY: null, or the nursery of an entered frame, which is open.
        unsafe { self.home_of.get().as_ref() }
    }

    pub(crate) fn part(&self) -> Part {
        self.part.get()
    }

    /// This thread's frames, from the innermost outwards.
    #[inline]
    pub(crate) fn stack(&self) -> Stack<'_> {
        Stack(Some(self))
    }

    /// The frames of this thread that hold something, from this innermost frame outwards.
    ///
    /// The search ends at an edge. While a frame is entered, frames outside it get something in two
    /// ways only: where [`Frame::reopen`] is called, and from a child on top of a stage that leaves
    /// something to its stage.
    pub(crate) fn holders(&self) -> impl Iterator<Item = &Frame<'_>> {
        debug_assert!(self.ends_at_an_edge());
        let mut is_over = false;
        self.stack()
            .take_while(move |frame| !std::mem::replace(&mut is_over, frame.is_edge.get()))
            .filter(|frame| frame.has_something())
    }

    /// Whether no frame beyond an edge holds anything. It looks at few frames, because a stack can
    /// be deep.
    fn ends_at_an_edge(&self) -> bool {
        let mut beyond = self.stack().skip_while(|frame| !frame.is_edge.get());
        beyond.next();
        !beyond.take(100).any(Frame::has_something)
    }

    /// Lets the next search end here, so that a deep stack is not searched at every fork. This is
    /// the outermost frame that holds something, or the innermost frame if none does.
    pub(crate) fn end_searches(&self) {
        // Not at a child: a stage gets what the child on top leaves while the child's frame is
        // entered.
        let edge = self.stack().find(|frame| frame.part.get() != Part::Child);
        if let Some(edge) = edge {
            edge.is_edge.set(true);
        }
    }

    /// Lets the next search come as far as this entered frame again, because it gets something
    /// while other frames are on top of it.
    fn reopen(&self) {
        Frame::with_current(|current| {
            let stack = current.into_iter().flat_map(Frame::stack);
            let inner = stack.take_while(|inner| !ptr::addr_eq(*inner, self));
            inner.for_each(|inner| inner.is_edge.set(false));
        });
    }

    /// Calls `f` with the innermost frame of `scope` on this thread, if it has one, so that it can
    /// add to the frame's list.
    #[inline]
    pub(crate) fn nearest<R>(scope: &Node, f: impl FnOnce(Option<&Frame<'_>>) -> R) -> R {
        Frame::with_current(|current| {
            let Some(current) = current else {
                return f(None);
            };
            if current.is_of(scope) {
                return f(Some(current));
            }
            let frame = current.find(scope);
            if let Some(frame) = frame {
                frame.reopen();
                frame.is_orderly.set(false);
                frame.is_worn.set(true);
            }
            f(frame)
        })
    }

    /// The child of `scope` that this innermost frame is part of, if it runs on this thread.
    pub(crate) fn child_of(&self, scope: &Node) -> Option<&Frame<'_>> {
        let innermost = self.find(scope)?;
        (innermost.part.get() == Part::Child).then_some(innermost)
    }

    /// The innermost frame of `scope`, from here outwards.
    pub(crate) fn find(&self, scope: &Node) -> Option<&Frame<'_>> {
        self.stack().find(|frame| frame.is_of(scope))
    }

    /// Goes from the nursery of this innermost frame outwards, from each nursery to its parent, and
    /// returns where it stops: at `scope`, or at the first nursery whose body is not on this
    /// thread's stack.
    pub(crate) fn go_outwards_to(&self, scope: *const Node) -> Option<&Node> {
        // SAFETY: the nursery of an entered frame is open, and so are those it was opened in.
        let mut here = unsafe { self.enclosing().as_ref() }?;
        for frame in self.stack() {
            if ptr::eq(here, scope) {
                break;
            }
            let opened_in = here.parent().map_or(ptr::null(), ptr::from_ref);
            let is_body = frame.is_home_of(here)
                && frame.stack().nth(1).map_or(ptr::null(), Frame::enclosing) == opened_in;
            if is_body {
                here = here.parent()?;
            }
        }
        Some(here)
    }
}
