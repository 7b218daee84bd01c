//! Side threads for children that may block.
//!
//! They never compute for the pool, so they hold no place. There are at most so many of them at a
//! time, see [`Blocking::new`]; one that has been idle for [`RETIREMENT`] ends.
//!
//! INVARIANT: `ready` counts the threads that will come for a run without waiting for anything
//! (idle or starting). Runs beyond `ready` are *starved*: a waiter whose nursery they belong to
//! runs them itself before it parks, so no bound and no refused thread can make it wait for ever.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::limit;
use crate::engine::report::Id;
use crate::engine::scope_frame::ScopeFrame;
use crate::engine::seat::Seat;
use crate::engine::shared::{Doing, Run};
use crate::platform::point::{self, Point};
use crate::platform::sync::{Arc, Condvar, Mutex, PoisonError, lock};
use crate::platform::thread;

/// Side threads of a pool that does not say how many: as many blocking calls as a client usually has
/// open at once.
pub(crate) const MOST: usize = 64;
/// How long an idle side thread stays, or a spare worker: bursts of I/O come back within seconds.
#[cfg(not(test))]
pub(crate) const RETIREMENT: Duration = Duration::from_secs(10);
/// Tests do not wait for that.
#[cfg(test)]
pub(crate) const RETIREMENT: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Side {
    queue: VecDeque<Run>,
    ready: usize,
    started: usize,
    living: usize,
    /// Claims by handles since the queue was last swept.
    claims: usize,
    is_closed: bool,
}

/// The side threads of one pool, and the blocking children that wait for them.
pub(crate) struct Blocking {
    /// Side threads at a time.
    most: usize,
    side: Mutex<Side>,
    bell: Condvar,
}

impl Blocking {
    /// With `most` side threads at a time. If there are none, waiters run all themselves.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            side: Mutex::default(),
            bell: Condvar::new(),
        }
    }

    /// Entries queued, threads ready, threads living: for the eyes of people.
    pub(crate) fn snapshot(&self) -> [usize; 3] {
        let side = lock(&self.side);
        [side.queue.len(), side.ready, side.living]
    }

    /// Whose children wait for a thread.
    pub(crate) fn whose(&self) -> Vec<Id> {
        let side = lock(&self.side);
        side.queue.iter().map(|run| Id::of(run.scope())).collect()
    }

    pub(crate) fn is_starved(&self) -> bool {
        let side = lock(&self.side);
        side.queue.len() > side.ready
    }

    /// Takes the first queued child of `scope` or of a nursery below it.
    pub(crate) fn take_below(&self, scope: &ScopeFrame) -> Option<Run> {
        let mut side = lock(&self.side);
        let at = side
            .queue
            .iter()
            .position(|run| run.scope().is_within(scope))?;
        side.queue.remove(at)
    }

    /// A handle has claimed a child that no thread would come for; it is in the queue still. Once half
    /// of the queue may be such, they are let go of.
    pub(crate) fn note_claim(&self) {
        let mut side = lock(&self.side);
        side.claims += 1;
        if side.claims * 2 < side.queue.len() {
            return;
        }
        side.claims = 0;
        let (stale, rest) = side.queue.drain(..).partition(Run::is_stale);
        side.queue = rest;
        drop(side);
        Vec::from(stale).into_iter().for_each(limit::let_go_of);
    }

    /// Queues a blocking child, and sees to it that a thread comes for it if one can be had.
    pub(crate) fn submit(&self, seat: &Seat, run: Run) {
        seat.core.check_process();
        // Once it is in the queue, the run may be over and its nursery closed.
        let home = run.scope().home();
        let mut side = lock(&self.side);
        side.queue.push_back(run);
        if side.queue.len() <= side.ready {
            drop(side);
            self.bell.notify_one();
            return;
        }
        if side.living < self.most && !side.is_closed {
            side.ready += 1;
            side.living += 1;
            side.started += 1;
            let name = format!("{}-side-{}", seat.core.name(), side.started);
            drop(side);
            point::reach(Point::SideThreadStarts);
            let core = Arc::clone(&seat.core);
            let started = seat.core.start_thread(name, move || Self::main(&core));
            if started.is_some() {
                return;
            }
            point::reach(Point::SideThreadRefused);
            let mut side = lock(&self.side);
            side.ready -= 1;
            side.living -= 1;
            // A run queued meanwhile may have counted on this thread, and whoever waits for it is
            // parked: its home, or a child or plain thread that has spawned it.
            drop(side);
            return seat.core.roster.unpark_all();
        }
        // Starved: its nursery's home may be parked already.
        home.unpark(seat);
    }

    fn main(core: &Arc<Core>) {
        let _hooks = core.hooks().enter();
        Seat::with(core, |seat| {
            // A guest as any, but for those who look.
            seat.slot().rename(thread::own_name());
            let root = Frame::root(seat);
            root.enter(|| {
                core.check_process();
                point::reach(Point::SideThreadStarted);
                while let Some(run) = core.blocking.next() {
                    seat.slot().set_doing(Doing::Running);
                    point::reach(Point::BlockingTaken);
                    run.execute(seat, || false);
                    // A process that it has forked has no use for a side thread.
                    core.check_process();
                    seat.slot().set_doing(Doing::Away);
                    lock(&core.blocking.side).ready += 1;
                }
                point::reach(Point::SideThreadRetires);
            });
        });
    }

    /// The next run for the calling side thread, which is ready; none if it is to end.
    fn next(&self) -> Option<Run> {
        let mut side = lock(&self.side);
        loop {
            if let Some(run) = side.queue.pop_front() {
                side.ready -= 1;
                return Some(run);
            }
            let mut is_over = side.is_closed;
            if !is_over {
                let (guard, waited) = self
                    .bell
                    .wait_timeout(side, RETIREMENT)
                    .unwrap_or_else(PoisonError::into_inner);
                side = guard;
                is_over = waited.timed_out() && side.queue.is_empty();
            }
            if is_over {
                side.ready -= 1;
                side.living -= 1;
                return None;
            }
        }
    }

    /// Lets every side thread end once the queue is empty.
    pub(crate) fn close(&self) {
        lock(&self.side).is_closed = true;
        self.bell.notify_all();
    }
}
