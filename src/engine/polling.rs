//! A thread that asks again and again whether something is over.
//!
//! Such a thread neither blocks nor comes to its next spawn or child. So what it holds must not wait for that: the
//! first vain look shows it to others. And after 1 ms of vain looks, the thread lends its place, because on a pool
//! of one thread nobody else could run what it waits for.

use crate::engine::frame::Frame;
use crate::engine::grain::VainLooks;
use crate::engine::node::Node;
use crate::engine::seat::Seat;

impl Seat {
    /// Notes that this thread has looked in vain.
    fn note_vain_look(&self) {
        let looks = VainLooks::after(self.vain.get());
        self.vain.set(Some(looks));
        self.report_if_wanted();
        self.offer_all();
        if looks.are_many() {
            self.lend_place();
        }
    }

    /// Lends this thread's place, if it has one, and shows all that it holds.
    fn lend_place(&self) {
        if self.is_active() {
            self.expose_all();
            self.core.lend(self.slot(), self.is_worker());
        }
    }
}

impl Seat {
    /// Sees to it that children of `scope` begin, although this thread goes on spawning and none has begun for a while:
    /// another thread runs them, even if that takes this thread's place. Only if the pool has no workers does this thread
    /// run the oldest of those that it holds.
    #[cold]
    #[inline(never)]
    pub(crate) fn let_others_run(scope: &Node) {
        Frame::with_current(|frame| {
            let Some(frame) = frame else { return };
            let seat = frame.seat;
            if seat.core.has_workers() {
                seat.offer_all();
                if !seat.core.idle.seems_hungry() {
                    seat.lend_place();
                }
            } else if frame.is_of(scope) && seat.is_active() {
                _ = frame.run_oldest();
            }
        });
    }
}

/// Calls `f` with the seat of the innermost frame on the calling thread, if there is one.
#[inline]
fn with_seat(f: impl FnOnce(&Seat)) {
    Frame::with_current(|frame| {
        if let Some(frame) = frame {
            f(frame.seat);
        }
    });
}

/// Notes that the calling thread has looked in vain whether something is over, and may look again.
#[cold]
#[inline(never)]
pub(crate) fn note_vain_look() {
    with_seat(Seat::note_vain_look);
}

/// Notes that the calling thread has found that something is over.
pub(crate) fn note_find() {
    with_seat(Seat::regain_place);
}

/// Answers requests, if the calling thread is asked: it looks, perhaps in a loop, whether it has to stop.
#[inline]
pub(crate) fn answer() {
    with_seat(Seat::answer_before_step);
}
