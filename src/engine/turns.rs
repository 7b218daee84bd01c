//! Turns: no child waits for ever behind others that spawn without end, if another thread asks.
//!
//! Every thread runs the oldest child that it holds. A list that nobody adds to comes to its end.
//! Only children that leave others behind can keep a list from its end, because what they leave
//! comes next. So a thread counts such children, and after each [`TURN`] of them it looks at what
//! waits elsewhere, where nobody else may look:
//!
//! | what waits                                     | where                | who looks                     |
//! |------------------------------------------------|----------------------|-------------------------------|
//! | what the thread has shown and nobody has taken | its own deque        | its frame: see `frame::shown` |
//! | strays                                         | `Core::injector`     | homes for their own, workers for any |
//! | what is held back for lack of a permit         | the limiter          | homes, and threads with the permit |
//! | blocking children that no side thread takes    | `Blocking`           | homes                         |
//! | what others have shown                         | their deques         | workers, each [`TURN`] times  |
//! | the oldest of what others hold                 | their private lists  | these threads: see below      |
//!
//! If something waits, the thread hands the rest of its list to the injector, behind all that stands
//! there already, and takes what waits. A home goes through these sources in turn. The injector is a
//! queue, and so is the line at a limiter. So the wait of a run is bounded: for each run before it,
//! for each of the sources, and for each thread that takes from there, at most `TURN` children run
//! that leave others behind, besides the children that these leave and that end in between.
//!
//! A thread that asks gets the newer half of what another thread holds in private. So a thread that
//! gives all the time and never begins its oldest child would keep that child for ever. Therefore,
//! once a thread has given [`SPREE`] times since it last took a child from the front of the list,
//! and all that it gave has been taken, it gives the older half ([`Seat::is_spree`]). Then each
//! child starts, if the threads go on asking: the front of the list moves on after each `SPREE`
//! answers, by half of the list or by one child.
//!
//! On one thread the order of the serial program holds (law R5): a child's own spawns come before
//! the siblings that follow it in the same list, even if the spawns have no end.

use crate::engine::frame::Frame;
use crate::engine::limit;
use crate::engine::node::Node;
use crate::engine::seat::{Seat, Spree};
use crate::engine::shared::Run;

/// How many children that leave others behind a thread runs before it looks elsewhere. A look takes
/// a lock if there is something, and handing a list on costs about as much as running a dozen empty
/// children.
const TURN: u32 = 64;
/// How often a thread gives the newer half before it gives the older half. A thread that joins in
/// order loses by that, because others then run what it joins next. But a thread that has stopped
/// spawning, and joins by their handles the children it has shown, gives no more than 32 times
/// before its list is empty or the front of the list moves on. So only threads that go on spawning
/// come this far.
const SPREE: u32 = 64;

impl Seat {
    /// Notes a child that has left others behind, which come next; returns whether it is the turn
    /// of others now.
    #[inline]
    pub(crate) fn note_left(&self) -> bool {
        let left = self.left.get().wrapping_add(1);
        self.left.set(left);
        left % TURN == 0
    }

    /// How many turns others have had.
    pub(crate) fn turns(&self) -> u32 {
        self.left.get() / TURN
    }

    /// Whether something waits that this thread may run while it runs children of `scope`.
    pub(crate) fn others_wait(&self, scope: &Node) -> bool {
        // If this thread is not the home, what stands in line for its permit gets the permit once
        // the run ends.
        let may_run = |run: &Run| !scope.is_on(self) || limit::is_below(run, scope);
        self.core.injector.has(may_run)
            || scope
                .limiter()
                .is_some_and(|limiter| limiter.has_line(may_run))
            || (scope.is_on(self) && (self.core.blocking.is_starved() || self.shares()))
    }

    /// Whether something waits that a worker at the bottom of its stack may run.
    pub(crate) fn sees_others(&self) -> bool {
        self.core.injector.len() > 0
            || self.core.jobs.waiting() > 0
            || (self.is_to_steal() && self.core.roster.has_work_beyond(self.slot()))
    }

    /// Whether this turn goes to what other threads have shown, and not to strays.
    pub(crate) fn is_to_steal(&self) -> bool {
        self.turns() % TURN == 0
    }

    /// Notes that this frame gives some of its list, and that all it gave before has been taken.
    /// Returns whether it has done so [`SPREE`] times with the same child in front.
    pub(crate) fn is_spree(&self, frame: &Frame<'_>) -> bool {
        let (at, oldest) = (std::ptr::from_ref(frame).addr(), frame.list.begin());
        let before = self.spree.get();
        let goes_on = before.frame == at && before.oldest == oldest;
        let given = if goes_on { before.given + 1 } else { 0 };
        self.spree.set(Spree {
            frame: at,
            oldest,
            given,
        });
        given >= SPREE
    }
}
