//! What a thread writes into its report.

use crate::engine::core::Core;
use crate::engine::frame::{self, Frame};
use crate::engine::node::Node;
use crate::engine::report::{Id, Report, Seen, WaitsFor};
use crate::engine::seat::Seat;
use crate::engine::shared::Doing;

/// The most frames that a thread reports on, from the innermost outwards: a stack may be a million
/// deep.
const FRAMES: usize = 256;
/// The most nurseries that a thread reports on, including the nurseries around its frames.
const NURSERIES: usize = 512;

impl Report {
    /// What the calling thread has open in the pool.
    fn of_here(core: &Core, waits: Option<(&Node, WaitsFor)>) -> Self {
        let mut report = Self::default();
        Frame::with_current(|current| {
            let stack = current.into_iter().flat_map(Frame::stack);
            let mut own = stack.filter(|frame| std::ptr::eq(&*frame.seat.core, core));
            for frame in own.by_ref().take(FRAMES) {
                report.add_frame(core, frame);
            }
            report.is_cut_short |= own.next().is_some();
        });
        if let Some((scope, waits_for)) = waits {
            report.add(core, scope, 0);
            report.waits = Some((Id::of(scope), waits_for));
        }
        report
    }

    /// What another thread has open in the pool and holds children of, by the chain of its frames (`frame::holding`). The
    /// calling thread has revoked its lock.
    pub(super) fn of_another(core: &Core, frames: *const ()) -> Self {
        let mut report = Self::default();
        frame::look_at(frames, core, FRAMES, |scope, unstarted| {
            report.add(core, scope, unstarted as usize);
        });
        for seen in &mut report.nurseries {
            // What this thread runs, and not the other one.
            seen.facts.running = None;
        }
        report
    }

    fn add_frame(&mut self, core: &Core, frame: &Frame<'_>) {
        if frame.is_latent() {
            self.forks += 1;
        } else if let Some(scope) = frame.nursery() {
            self.frames.push((Id::of(scope), frame.part()));
            self.add(core, scope, frame.list.len() as usize);
        }
    }

    /// Adds a nursery and the nurseries around it.
    fn add(&mut self, core: &Core, scope: &Node, unstarted: usize) {
        let mut next = Some((scope, unstarted));
        while let Some((scope, unstarted)) = next {
            let id = Id::of(scope);
            if let Some(seen) = self.nurseries.iter_mut().find(|seen| seen.id == id) {
                seen.unstarted += unstarted;
                return;
            }
            if self.nurseries.len() == NURSERIES {
                self.is_cut_short = true;
                return;
            }
            self.nurseries.push(Seen {
                id,
                parent: scope.parent().map(|parent| Id::of(parent)),
                facts: core.describe(scope),
                is_fork: scope.is_fork(),
                home: Id::of(scope.home().erase()),
                runner: scope.runner().map(|runner| Id::of(runner.erase())),
                shared: scope.count.get(),
                unstarted,
                numbers: scope.numbers(),
            });
            next = scope.parent().map(|parent| (parent, 0));
        }
    }
}

impl Seat {
    /// Reports what this thread has open, if somebody wants to know; returns whether somebody does.
    #[inline]
    pub(crate) fn report_if_wanted(&self) -> bool {
        let is_wanted = self.slot().desk.is_wanted();
        if is_wanted {
            self.report(None);
        }
        is_wanted
    }

    /// Reports what this thread has open in the seat's pool and, if it is parked, what it waits for.
    #[cold]
    pub(crate) fn report(&self, waits: Option<(&Node, WaitsFor)>) {
        let report = || Report::of_here(&self.core, waits);
        self.slot().desk.answer(report);
        self.core.answers.ring();
    }
}

impl Seat {
    /// Runs `f`, which blocks and does not unwind. Requests meanwhile are answered by what this
    /// thread has open now.
    pub(crate) fn blocking<R>(&self, f: impl FnOnce() -> R) -> R {
        self.slot().desk.stand(Report::of_here(&self.core, None));
        self.slot().set_doing(Doing::Blocking);
        let result = f();
        self.slot().set_doing(Doing::Running);
        self.slot().desk.withdraw();
        result
    }
}

/// Reports what the calling thread has open in the pool, if somebody wants to know; returns whether
/// it has reported.
pub(super) fn report_here(core: &Core) -> bool {
    Frame::with_current(|current| {
        let own = current.and_then(|current| current.seat_in(core));
        own.is_some_and(Seat::report_if_wanted)
    })
}
