//! Running the children of a run that this thread has taken.

use crate::engine::frame::Frame;
use crate::engine::limit;
use crate::engine::node::Node;
use crate::engine::report::Id;
use crate::engine::seat::Seat;
use crate::engine::shared::Run;
use crate::platform::failpoint::{self, Failpoint};
use crate::task::list::PendingList;
use crate::task::record::Class;

impl Run {
    /// Runs the children on this thread, oldest first, until `enough` is true; the rest is shared
    /// again. `enough` is called after each child; its argument says whether it is the turn of
    /// others: see `turns`.
    pub(crate) fn execute(self, seat: &Seat, enough: &dyn Fn(bool) -> bool) {
        debug_assert!(self.children.is_shared(), "others may have them");
        self.with_nursery(|run, scope| run.execute_in(seat, scope, enough));
    }

    fn execute_in(self, seat: &Seat, scope: &Node, enough: &dyn Fn(bool) -> bool) {
        let left = match scope.limiter() {
            None => self.run_all(seat, scope, enough),
            Some(limiter) => {
                // Only children that may block run without a place.
                let class = if seat.is_active() {
                    Class::Compute
                } else {
                    Class::Blocking
                };
                let enough = |is_turn| enough(is_turn) || (is_turn && limiter.has_line(|_| true));
                let run = |run: Self| run.run_all(seat, scope, &enough);
                match limit::run_or_hold_back(limiter, self, class, seat, run) {
                    None => return,
                    Some(left) => left,
                }
            }
        };
        match left {
            None => scope.release(seat),
            Some(children) => {
                // These include children that this thread has spawned meanwhile.
                let run = Self::again(scope, children);
                failpoint::reach(Failpoint::RunLeft);
                seat.inject(run);
            }
        }
    }

    fn run_all(
        self,
        seat: &Seat,
        scope: &Node,
        enough: &dyn Fn(bool) -> bool,
    ) -> Option<PendingList> {
        scope.note_runner(seat);
        failpoint::reach_if(scope.is_fork(), Failpoint::ForkStolen);
        let only = self.children.only().map(Id::of);
        seat.slot().take_along(Id::of(scope), only, || {
            scope.in_context(seat, || Frame::run_all(seat, scope, self.children, enough))
        })
    }
}
