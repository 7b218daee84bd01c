//! Side threads for children that may block.
//!
//! Side threads never compute for the pool, so they hold no place. Their number is bounded, see
//! [`Config`](crate::engine::core::Config); a side thread that has been idle for [`RETIREMENT`] ends.
//!
//! A run that no side thread will take ([`Side`](crate::protocol::side::Side)) is *starved*: a waiter of its nursery runs it
//! itself before it parks, so neither the bound nor a refused thread can make it wait for ever.

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::hooks;
use crate::engine::limit;
use crate::engine::seat::Seat;
use crate::engine::shared::{Doing, Run};
use crate::engine::timer::RETIREMENT;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::{Arc, PoisonError};
use crate::platform::thread;
use crate::protocol::side::Taker;

impl Seat {
    /// Queues a blocking child, and sees to it that a side thread takes it, if one can be had.
    pub(crate) fn submit_blocking(&self, run: Run) {
        self.core.check_process();
        // Once it is in the queue, the run may be over and its nursery closed.
        let home = run.scope().home();
        match self.core.blocking.side.submit(run) {
            Taker::Ready => {}
            Taker::ToBeStarted(number) => {
                let name = format!("{}-side-{number}", self.core.name());
                failpoint::reach(Failpoint::SideThreadStarts);
                let core = Arc::clone(&self.core);
                let started = self.core.start_thread(name, move || main(&core));
                if started.is_none() {
                    failpoint::reach(Failpoint::SideThreadRefused);
                    self.core.blocking.side.not_started();
                    // A run queued meanwhile may have counted on this thread, and a waiter may be
                    // parked: the home, or a child or plain thread that has spawned it.
                    self.core.roster.unpark_all();
                }
            }
            // The run is starved, and the home of its nursery may be parked already.
            Taker::Nobody => home.unpark(self.slot()),
        }
    }

    /// Notes that a handle has claimed a child that no side thread would take, and that is still in
    /// the queue. Once half of the queue may be claimed, the claimed children are released.
    pub(crate) fn note_blocking_claim(&self) {
        let stale = self.core.blocking.side.note_claim(Run::is_stale);
        stale.into_iter().for_each(limit::let_go_of);
    }
}

fn main(core: &Arc<Core>) {
    let _hooks = hooks::enter(core.hooks(), thread::own_name());
    Seat::with(core, |seat| {
        // The seat is a guest's, but people who look see the thread's name.
        seat.slot().rename(thread::own_name());
        let root = Frame::root(seat);
        root.enter(|| {
            core.check_process();
            failpoint::reach(Failpoint::SideThreadStarted);
            while let Some(run) = next(core) {
                seat.slot().set_doing(Doing::Running);
                failpoint::reach(Failpoint::BlockingTaken);
                run.execute(seat, &|_| false);
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
fn next(core: &Core) -> Option<Run> {
    core.blocking.side.next(|bell, side| {
        let (side, waited) = bell
            .wait_timeout(side, RETIREMENT)
            .unwrap_or_else(PoisonError::into_inner);
        (side, waited.timed_out())
    })
}
