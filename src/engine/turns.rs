//! Whose turn it is: no child waits for ever behind others that spawn without end, if another thread asks.
//!
//! Every thread runs the oldest child that it holds. A list that nobody adds to comes to an end; what keeps
//! one from its end are children that leave some behind, which come next. So a thread counts those, and
//! after each [`TURN`] of them it looks at what waits elsewhere, where nobody else may look:
//!
//! | what waits                                     | where                | who looks                     |
//! |------------------------------------------------|----------------------|-------------------------------|
//! | what the thread has shown and nobody has taken | its own deque        | its frame: see `frame::shown` |
//! | strays                                         | `Core::strays`       | homes for theirs, workers for any |
//! | what is held back for want of a permit         | the limiter          | homes, and who has the permit |
//! | blocking children that no side thread takes    | `Blocking`           | homes                         |
//! | what others have shown                         | their deques         | workers, each [`TURN`] times  |
//! | the oldest of what others hold                 | their private lists  | they themselves: see below    |
//!
//! If there is something, the thread hands the rest of its list to the strays, behind all that stands there
//! already, and takes that. A home goes through the places in turn. Strays are a queue, and so is the line at
//! a limiter; so each of them begins after no more than `TURN` times as many children that leave some, and
//! those that these leave and that end in between, as there are runs before it, places, and threads that
//! take from there.
//!
//! What a thread holds in private is seen by those that ask for it, and they get the newer half. A thread
//! that gives all the time and never begins its oldest child would keep it for ever; so once it has
//! given [`SPREE`] times since it last took a child from the front of the list, and all that has been taken,
//! it gives the older half ([`Seat::is_spree`]). Then each child starts, if the threads that ask go on to
//! do so: the front of the list moves on after each `SPREE` answers, by half of it or by one child.
//!
//! On one thread there is the order of the serial program (law R5), in which a child's own spawns come
//! before what stands behind it in the same list, be they without end.

use crate::engine::frame::Frame;
use crate::engine::limit;
use crate::engine::scope_frame::ScopeFrame;
use crate::engine::seat::Seat;
use crate::engine::shared::Run;

/// Children that leave some behind before a thread looks elsewhere: a look takes a lock if there is
/// something, and handing a list on costs about as much as running a dozen empty children.
const TURN: u32 = 64;
/// Times that a thread gives the newer half before it gives the older one. A thread that joins in order
/// loses by that, for others run then what it joins next. One that has spawned, and joins by their handles
/// what it has shown, gives no more than 32 times before its list is empty or its front moves on: so this is
/// for those that go on spawning.
const SPREE: u32 = 64;

/// How often a frame has given, with its oldest child still in front.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spree {
    frame: usize,
    oldest: u32,
    given: u32,
}

impl Seat {
    /// A child has left some behind, which come next. Whether it is the turn of others now.
    #[inline]
    pub(crate) fn note_left(&self) -> bool {
        let left = self.left.get().wrapping_add(1);
        self.left.set(left);
        left % TURN == 0
    }

    /// How many turns of others there have been.
    pub(crate) fn turns(&self) -> u32 {
        self.left.get() / TURN
    }

    /// Whether something waits that this thread may run while it runs children of `scope`.
    pub(crate) fn others_wait(&self, scope: &ScopeFrame) -> bool {
        // What stands in line for the permit of a thread that is not the home gets it once the run ends.
        let may_run = |run: &Run| !scope.is_on(self) || limit::is_below(run, scope);
        self.core.strays.has(may_run)
            || scope
                .limiter()
                .is_some_and(|limiter| limiter.has_line(may_run))
            || (scope.is_on(self) && (self.core.blocking.is_starved() || self.shares()))
    }

    /// Whether something waits that a worker may run, which is at the bottom of its stack.
    pub(crate) fn sees_others(&self) -> bool {
        self.core.strays.len() > 0
            || (self.is_to_steal() && self.core.roster.has_work_beyond(self.slot()))
    }

    /// Whether this turn is of those who have shown something, rather than of strays.
    pub(crate) fn is_to_steal(&self) -> bool {
        self.turns() % TURN == 0
    }

    /// This frame gives some of its list, and all that was given before has been taken. Whether it has done
    /// so many times, with the same child in front.
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
