//! Forks: nurseries in the making.
#![allow(unsafe_code, reason = "from a frame to the nursery that it becomes")]

use std::mem::{self, MaybeUninit};
use std::ptr::{self, NonNull};

use super::{Frame, Part};
use crate::engine::scope_frame::ScopeFrame;
use crate::engine::seat::Seat;
use crate::platform::point::{self, Point};
use crate::task::record::Queued;

/// Forks in a row that nobody has asked for, from which on a further one is not worth offering:
/// those eight are more than all of what it could give.
const DEEP: u32 = 8;
/// Forks in a row from which on some are shown unasked, if they are coarse.
const FEW: u32 = 4;
/// Forks in a row that may be kept to itself behind those. Where the first closure recurses, as in a
/// list, each of them hides its second one until the thread comes to it: this is how many.
const HIDDEN: u8 = 24;
/// Bytes of stack that those may take: the closures of a hidden fork have one frame with the locals of
/// both, which would multiply in a recursion that has large ones.
const ROOM: usize = 32 << 10;

/// A fork that is not offered, as long as it lasts.
pub(crate) struct Hidden<'a>(&'a Frame<'a>);

impl Hidden<'_> {
    /// Lets this fork be the last one that is hidden here, if more than [`ROOM`] of the stack lies between
    /// the frame and this call; a hint.
    #[inline]
    pub(crate) fn heed_the_stack(&self) {
        let here = MaybeUninit::<u8>::uninit();
        let used = ptr::from_ref(self.0)
            .addr()
            .wrapping_sub(here.as_ptr().addr());
        if used > ROOM {
            // As if there were as many as there may be.
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

/// Makes the fork at whose front the frame lies a nursery with one child in its list, by
/// [`Frame::become_nursery`].
pub(crate) type Prepare = unsafe fn(NonNull<Frame<'static>>);

impl<'a> Frame<'a> {
    /// The frame of a fork that is called in `outer`.
    ///
    /// # Safety
    ///
    /// While it is entered and still latent, `prepare` may be called on its address once; what it
    /// is part of has been exposed by then.
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
    /// Makes the fork a nursery: `scope`, with this one child.
    pub(crate) fn become_nursery(&self, scope: &ScopeFrame, child: Queued) {
        self.scope.set(scope);
        self.home_of.set(scope);
        self.part.set(Part::Body);
        self.forks.set(0);
        self.top.set(ptr::null());
        self.list.push(child);
        point::reach(Point::ForkShown);
    }

    /// Hides a fork about to begin, if many that nobody has asked for enclose it, so that it would
    /// not be worth offering. This is the innermost frame.
    ///
    /// It is fewer than `DEEP + HIDDEN` in a row then, and no more than one and twice [`HIDDEN`] are added
    /// before the row is longer than that: what is hidden is less than a hundred.
    #[inline]
    pub(crate) fn hide_fork(&self) -> Option<Hidden<'_>> {
        if self.forks_in_a_row().wrapping_sub(DEEP) >= HIDDEN.into() || self.seat.is_asked() {
            return None;
        }
        self.hidden.set(self.hidden.get() + 1);
        point::reach(Point::ForkHidden);
        Some(Hidden(self))
    }

    /// Forks that nobody has asked for, from the outermost to what runs in this innermost frame.
    #[inline]
    fn forks_in_a_row(&self) -> u32 {
        self.forks.get() + u32::from(self.hidden.get())
    }

    /// Shows some of the row of forks up to this one, which has just begun, before there is need: what
    /// comes next may take long. That is when a row has become longer, if such rows are coarse; and at
    /// the first fork in what was taken from another thread, which may well run dry soon, and ask in
    /// vain.
    #[inline]
    pub(crate) fn show_forks(&self) {
        match self.forks.get() {
            FEW if self.seat.rows.are_coarse() => self.seat.offer_forks(),
            1 if self.seat.is_thief.get() => {
                self.seat.is_thief.set(false);
                self.seat.offer_forks();
            }
            _ => {}
        }
    }

    /// Whether nothing but forks that began on top of `frame`, and their children, stands between that
    /// and this innermost one, and that is on this stack.
    pub(crate) fn is_in_forks_of(&self, frame: *const ()) -> bool {
        let mut is_there = false;
        let inner = self.stack().take_while(|inner| {
            is_there = ptr::addr_eq(*inner, frame);
            !is_there
        });
        let outer = self.stack().skip(1);
        let are_forks = inner.zip(outer).all(|(inner, outer)| {
            // SAFETY: the nursery of an entered frame is open.
            let scope = unsafe { inner.scope.get().as_ref() };
            // The fork's own frame is the outermost of those of its nursery, where it began.
            let is_there = |scope: &ScopeFrame| inner.is_home_of(scope) || outer.is_of(scope);
            inner.is_latent() || scope.is_some_and(|scope| scope.is_fork() && is_there(scope))
        });
        are_forks && is_there
    }

    /// The nursery whose children are in the list, once a fork has become one.
    pub(crate) fn settle(&self) -> Option<&ScopeFrame> {
        if self.is_latent() {
            // SAFETY: `Frame::fork` has put it there, and a latent fork leaves it.
            let prepare = unsafe { mem::transmute::<*const Frame<'_>, Prepare>(self.top.get()) };
            // SAFETY: by the contract of `Frame::fork`; the part changes with this call.
            unsafe { prepare(NonNull::from(self).cast()) };
        }
        // SAFETY: the nursery of an entered frame is open.
        unsafe { self.scope.get().as_ref() }
    }

    /// The same for a fork that keeps its place in its row: most of the time its thread comes back to
    /// it before anybody else has come for it.
    pub(crate) fn settle_in_row(&self) -> Option<&ScopeFrame> {
        let place = self.forks.get();
        let scope = self.settle();
        self.forks.set(place);
        scope
    }

    pub(crate) fn is_latent(&self) -> bool {
        self.part.get() == Part::Fork
    }

    /// How many of a row of latent forks are given away at once: of more than enough, half of what
    /// is too many.
    pub(crate) fn share_of(latent: usize) -> usize {
        1 + latent.saturating_sub(DEEP as usize) / 2
    }

    /// The forks out to `last`, which is about to be given away, leave the row they stand in: those
    /// further in count from there. This is the innermost frame.
    pub(crate) fn renumber(&self, last: &Frame<'_>) {
        let gone = last.forks.get();
        let inner = self.stack().take_while(|frame| !ptr::addr_eq(*frame, last));
        for frame in inner.filter(|frame| frame.is_latent() && frame.forks.get() > gone) {
            frame.forks.set(frame.forks.get() - gone);
        }
    }
}
