//! Side threads for children that may block.
//!
//! Side threads never compute for the pool, so they hold no place. Their number is bounded, see
//! [`Blocking::new`]; a side thread that has been idle for [`RETIREMENT`] ends.
//!
//! A run that no side thread will take ([`Side`]) is *starved*: a waiter of its nursery runs it
//! itself before it parks, so neither the bound nor a refused thread can make it wait for ever.

use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::hooks;
use crate::engine::limit;
use crate::engine::node::Node;
use crate::engine::report::Id;
use crate::engine::seat::Seat;
use crate::engine::shared::{Doing, Run};
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::{Arc, PoisonError};
use crate::platform::thread;
use crate::protocol::side::{Side, Taker};

/// The number of side threads of a pool that does not say how many: as many blocking calls as a
/// client usually has open at once.
pub(crate) const MOST: usize = 64;
/// How long an idle side thread or spare worker stays: bursts of I/O come back within seconds.
#[cfg(not(test))]
pub(crate) const RETIREMENT: Duration = Duration::from_secs(10);
/// Tests do not wait that long.
#[cfg(test)]
pub(crate) const RETIREMENT: Duration = Duration::from_millis(1);

/// The side threads of one pool, and the blocking children that wait for them.
pub(crate) struct Blocking {
    side: Side<Run>,
}

impl Blocking {
    /// Makes the blocking part of a pool with `most` side threads at a time. If `most` is zero,
    /// waiters run all blocking children.
    pub(crate) fn new(most: usize) -> Self {
        let side = Side::new(most);
        Self { side }
    }

    /// Entries queued, threads ready, threads living; for people to read.
    pub(crate) fn snapshot(&self) -> [usize; 3] {
        self.side.snapshot()
    }

    /// The nurseries of the children that wait for a thread.
    pub(crate) fn whose(&self) -> Vec<Id> {
        let whose = |run: &Run| Id::of(run.scope());
        self.side.read(|queue| queue.iter().map(whose).collect())
    }

    pub(crate) fn is_starved(&self) -> bool {
        self.side.is_starved()
    }

    /// Takes the first queued child of `scope` or of a nursery below it.
    pub(crate) fn take_below(&self, scope: &Node) -> Option<Run> {
        self.side.take(|run| run.scope().is_within(scope))
    }

    /// Notes that a handle has claimed a child that no side thread would take, and that is still in
    /// the queue. Once half of the queue may be claimed, the claimed children are released.
    pub(crate) fn note_claim(&self) {
        let stale = self.side.note_claim(Run::is_stale);
        stale.into_iter().for_each(limit::let_go_of);
    }

    /// Queues a blocking child, and sees to it that a side thread takes it, if one can be had.
    pub(crate) fn submit(&self, seat: &Seat, run: Run) {
        seat.core.check_process();
        // Once it is in the queue, the run may be over and its nursery closed.
        let home = run.scope().home();
        match self.side.submit(run) {
            Taker::Ready => {}
            Taker::ToBeStarted(number) => {
                let name = format!("{}-side-{number}", seat.core.name());
                failpoint::reach(Failpoint::SideThreadStarts);
                let core = Arc::clone(&seat.core);
                let started = seat.core.start_thread(name, move || Self::main(&core));
                if started.is_none() {
                    failpoint::reach(Failpoint::SideThreadRefused);
                    self.side.not_started();
                    // A run queued meanwhile may have counted on this thread, and a waiter may be
                    // parked: the home, or a child or plain thread that has spawned it.
                    seat.core.roster.unpark_all();
                }
            }
            // The run is starved, and the home of its nursery may be parked already.
            Taker::Nobody => home.unpark(seat),
        }
    }

    fn main(core: &Arc<Core>) {
        let _hooks = hooks::enter(core.hooks());
        Seat::with(core, |seat| {
            // The seat is a guest's, but people who look see the thread's name.
            seat.slot().rename(thread::own_name());
            let root = Frame::root(seat);
            root.enter(|| {
                core.check_process();
                failpoint::reach(Failpoint::SideThreadStarted);
                while let Some(run) = core.blocking.next() {
                    seat.slot().set_doing(Doing::Running);
                    failpoint::reach(Failpoint::BlockingTaken);
                    run.execute(seat, |_| false);
                    // If the run has forked the process, the new one has no use for a side thread.
                    core.check_process();
                    seat.slot().set_doing(Doing::Away);
                    core.blocking.side.note_ready();
                }
                failpoint::reach(Failpoint::SideThreadRetires);
            });
        });
    }

    /// Returns the next run for the calling side thread, which is ready; none if the thread is to
    /// end.
    fn next(&self) -> Option<Run> {
        self.side.next(|bell, side| {
            let (side, waited) = bell
                .wait_timeout(side, RETIREMENT)
                .unwrap_or_else(PoisonError::into_inner);
            (side, waited.timed_out())
        })
    }

    /// Lets every side thread end once the queue is empty.
    pub(crate) fn close(&self) {
        self.side.close();
    }
}
