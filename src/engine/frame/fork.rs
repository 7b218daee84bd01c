//! Forks: nurseries in the making.
#![allow(unsafe_code, reason = "from a frame to the nursery that it becomes")]

use std::mem::{self, MaybeUninit};
use std::ptr::{self, NonNull};

use super::{Frame, Part};
use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::platform::failpoint::{self, Failpoint};
use crate::task::record::Queued;

/// The length of a row of forks from which on another fork is not worth offering: the forks
/// in the row can give more than all that it holds. Forks that were shown unasked count, too: most come back.
const DEEP: u32 = 8;
/// How many forks may be hidden behind such a row. Where the first closure recurses, as over a
/// list, each hidden fork keeps its second closure from others until the thread comes to it; this
/// bounds how many.
const HIDDEN: u8 = 24;
/// Bytes of stack that hidden forks may take. The closures of a hidden fork share one stack frame
/// with the locals of both, and large locals would multiply in a recursion.
const ROOM: usize = 32 << 10;

/// Says that a fork is to be shown at once.
pub(crate) struct Shown;

/// A hidden fork, for as long as it lasts.
pub(crate) struct Hidden<'a>(&'a Frame<'a>);

impl Hidden<'_> {
    /// Makes this fork the last that is hidden here, if more than [`ROOM`] of the stack lies
    /// between the frame and this call. It is a hint.
    #[inline]
    pub(crate) fn heed_the_stack(&self) {
        let here = MaybeUninit::<u8>::uninit();
        let used = ptr::from_ref(self.0)
            .addr()
            .wrapping_sub(here.as_ptr().addr());
        if used > ROOM {
            // As if all that may be hidden were hidden.
            self.0.hidden.set(self.0.hidden.get() + HIDDEN);
        }
    }
}

impl Drop for Hidden<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.hidden.set(self.0.hidden.get() - 1);
    }
}

/// Turns the fork that has the frame at its front into a nursery with one child in its list, by
/// [`Frame::become_nursery`].
pub(crate) type Prepare = unsafe fn(NonNull<Frame<'static>>);

impl<'a> Frame<'a> {
    /// The frame of a fork that is called in `outer`.
    ///
    /// # Safety
    ///
    /// While the frame is entered and still latent, `prepare` may be called on its address once. By
    /// then, the fork that the frame is part of has been exposed.
    #[inline]
    pub(crate) unsafe fn fork(seat: &'a Seat, outer: Option<&Frame<'_>>, prepare: Prepare) -> Self {
        let (enclosing, forks) = outer.map_or((ptr::null(), 0), |outer| {
            (outer.enclosing(), outer.forks_in_a_row())
        });
        let frame = Self::new(seat, enclosing, Part::Fork, true);
        frame.forks.set(forks + 1);
        frame.top.set(prepare as *const Frame<'static>);
        frame
    }
}

impl Frame<'_> {
    /// Turns the fork into a nursery: `scope`, with this one child.
    pub(crate) fn become_nursery(&self, scope: &Node, child: Queued) {
        self.scope.set(scope);
        self.home_of.set(scope);
        self.part.set(Part::Body);
        self.forks.set(0);
        self.top.set(ptr::null());
        self.push(child);
        failpoint::reach(Failpoint::ForkShown);
    }

    /// Hides a fork that is about to begin, if a long row of forks encloses it, so that it
    /// is not worth offering. This is the innermost frame.
    ///
    /// The number of hidden forks does not wrap. A fork is hidden only while the row is shorter than
    /// `DEEP + HIDDEN`, and then at most one and twice [`HIDDEN`] are added to the number before the
    /// row is longer: far less than the number can hold.
    #[inline]
    pub(crate) fn hide_fork(&self) -> Option<Hidden<'_>> {
        self.hide_fork_behind::<true>(DEEP)
    }

    /// The same for a fork that is to be shown at once. If such forks are dense, it is hidden if it may be: a thread that
    /// asks is answered soon. But now and then, and if they are not dense, all that this thread holds is to be shown, since
    /// it may answer nobody for long.
    #[inline]
    pub(crate) fn hide_dense_fork(&self) -> Result<Option<Hidden<'_>>, Shown> {
        if self.seat.core.threads() == 1 {
            // Nobody will take what a request is for.
            Ok(self.hide_fork_behind::<false>(0))
        } else if self.seat.shown_forks.is_one_of_many() {
            Ok(self.hide_fork_behind::<true>(0))
        } else {
            Err(Shown)
        }
    }

    /// Hides a fork if a row of this many encloses it, and nobody has asked who is to be answered.
    #[inline]
    fn hide_fork_behind<const ANSWERS: bool>(&self, row: u32) -> Option<Hidden<'_>> {
        let is_too_far = self.forks_in_a_row().wrapping_sub(row) >= HIDDEN.into();
        if is_too_far || (ANSWERS && self.seat.is_asked()) {
            return None;
        }
        self.hidden.set(self.hidden.get() + 1);
        failpoint::reach(Failpoint::ForkHidden);
        Some(Hidden(self))
    }

    /// The number of forks in a row, from the outermost to what runs in this innermost frame: latent forks, and
    /// those that were shown unasked.
    #[inline]
    fn forks_in_a_row(&self) -> u32 {
        self.forks.get() + u32::from(self.hidden.get())
    }

    /// Publishes all that this thread holds, if forks are coarse: it answers nobody for long. The fork of this frame has
    /// just begun.
    #[inline]
    pub(crate) fn show_all_if_coarse(&self) {
        if self.seat.forks.is_coarse() {
            self.seat.offer_all();
        }
    }

    /// Whether `frame` is on this stack, and every frame between it and this innermost frame is
    /// part of a fork that began on top of `frame`: the fork itself, or its child.
    pub(crate) fn is_in_forks_of(&self, frame: *const ()) -> bool {
        let mut is_there = false;
        let inner = self.stack().take_while(|inner| {
            is_there = ptr::addr_eq(*inner, frame);
            !is_there
        });
        let outer = self.stack().skip(1);
        let are_forks = inner.zip(outer).all(|(inner, outer)| {
            let scope = inner.nursery();
            // The frame of the fork itself is the outermost frame of its nursery, on the thread
            // where it began.
            let is_there = |scope: &Node| inner.is_home_of(scope) || outer.is_of(scope);
            inner.is_latent() || scope.is_some_and(|scope| scope.is_fork() && is_there(scope))
        });
        are_forks && is_there
    }

    /// Returns the nursery of the children in the list, after a latent fork has become one.
    pub(crate) fn settle(&self) -> Option<&Node> {
        if self.is_latent() {
            // SAFETY: `Frame::fork` has stored a function there, and a latent fork does not replace
            // it.
            let prepare = unsafe { mem::transmute::<*const Frame<'_>, Prepare>(self.top.get()) };
            // SAFETY: by the contract of `Frame::fork`; the call makes it latent no longer, so
            // there is no other.
            unsafe { prepare(NonNull::from(self).cast()) };
        }
        self.nursery()
    }

    /// Like [`Self::settle`], but a fork keeps its position in its row, because most of the time
    /// its thread comes back to it before another thread takes it.
    pub(crate) fn settle_in_row(&self) -> Option<&Node> {
        let position = self.forks.get();
        let scope = self.settle();
        self.forks.set(position);
        scope
    }

    pub(crate) fn is_latent(&self) -> bool {
        self.part.get() == Part::Fork
    }

    /// How many of a row of latent forks are given away at once: one, and half of the forks beyond
    /// [`DEEP`].
    pub(crate) fn share_of(latent: usize) -> usize {
        1 + latent.saturating_sub(DEEP as usize) / 2
    }

    /// Takes the forks from the outermost to `last`, which are about to be given away, out of their
    /// row: the forks inside `last` are counted from there. This is the innermost frame.
    pub(crate) fn renumber(&self, last: &Frame<'_>) {
        let gone = last.forks.get();
        let inner = self.stack().take_while(|frame| !ptr::addr_eq(*frame, last));
        for frame in inner.filter(|frame| frame.is_latent() && frame.forks.get() > gone) {
            frame.forks.set(frame.forks.get() - gone);
        }
    }
}
