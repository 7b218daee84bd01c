//! How workers come to a pool on threads of others.
//!
//! The pool asks for a helper through a function of the user's. The thread that finds that a worker is wanted is
//! amid a spawn, or has locks of the engine, and its stack has frames of the pool. So it does not call the function:
//! it tells the *recruiter*, a thread of the pool that has none of that. The function may call the pool, run the helper on
//! the spot, or panic.
//!
//! A helper is a worker with an end: it leaves when it has slept for `worker::LINGER`. Who is offered
//! and asked for, and when: see `protocol::helpers`.
//!
//! A helper that comes to a thread with frames on its stack, of whatever pool, is refused. There it would run foreign
//! children on top of a child or body, which could have a lock that they need, and would wait for them (law S2).
//!
//! No caller depends on helpers, since it can run its nursery alone. A job does: so a spare stands in if none comes.

use std::cell::Cell;
use std::ptr;

use crate::engine::core::Core;
use crate::engine::crew::{Asked, Crew};
use crate::engine::frame::Frame;
use crate::engine::hooks;
use crate::engine::worker;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::Ordering;
use crate::platform::sync::{Arc, PoisonError, lock};
use crate::platform::thread;
use crate::protocol::helpers::Next;

thread::thread_local! {
    /// The pool that this thread helps.
    static HELPED: Cell<*const Core> = const { Cell::new(ptr::null()) };
}

/// A helper of a pool that was asked for, and has not come.
struct Helper {
    core: Arc<Core>,
    number: usize,
    name: String,
    /// Whether it has come or was refused.
    is_used: bool,
}

impl Asked for Helper {
    fn run(mut self: Box<Self>) {
        let is_inside = Frame::with_current(|frame| frame.is_some());
        if self.core.is_orphan() || is_inside {
            return;
        }
        let crew = self.core.crew.as_ref().expect("it was asked for");
        // Once the pool has ended, the number does not matter.
        self.is_used = true;
        let Some(came) = crew.helpers.come(self.number) else {
            return;
        };
        if came.was_missed {
            self.core.idle.note_return();
        }
        self.core.workers_refused.store(0, Ordering::Relaxed);
        let new = usize::from(came.is_first);
        self.core.workers_started.fetch_add(new, Ordering::Relaxed);
        let outer = HELPED.replace(Arc::as_ptr(&self.core));
        worker::help(&self.core, self.number, &self.name);
        HELPED.set(outer);
        if !self.core.is_orphan() {
            crew.helpers.leave(self.number);
        }
    }

    fn number(&self) -> usize {
        self.number
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn stack_size(&self) -> Option<usize> {
        self.core.config.stack_size
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if self.is_used || self.core.is_orphan() {
            return;
        }
        if let Some(crew) = &self.core.crew {
            failpoint::reach(Failpoint::WorkerRefused);
            crew.helpers.refuse(self.number, crew.now());
        }
    }
}

impl Core {
    /// Has the recruiter ask for the worker with this index, if that is a helper that has not come; returns whether it does.
    pub(super) fn want_helper(&self, crew: &Crew, worker: usize) -> bool {
        let is_helper = worker < self.threads() && self.workers.slot(worker).is_none();
        if !is_helper || self.is_over() || !self.have_recruiter(crew) {
            return false;
        }
        crew.helpers.want(worker, crew.now());
        true
    }

    /// Sees to it that the recruiter is there; false if the system refuses its thread, or the pool is over.
    fn have_recruiter(&self, crew: &Crew) -> bool {
        let mut is_attended = lock(&crew.is_attended);
        if !*is_attended {
            *is_attended = self.start_recruiter().is_some();
        }
        *is_attended
    }

    #[cold]
    fn start_recruiter(&self) -> Option<()> {
        let core = self.me.upgrade()?;
        let main = self.config.mains.recruiter;
        let name = format!("{}-recruiter", self.name());
        // Not on a stack of the children's size: it runs none.
        self.start_on(None, false, name, move || main(&core))
    }

    /// Sees to it that a job does not wait for ever for a helper, if the workers of this pool are helpers; false if they are
    /// not.
    pub(super) fn look_after_job(&self) -> bool {
        let Some(crew) = &self.crew else { return false };
        if self.have_recruiter(crew) {
            crew.helpers.ring();
        } else {
            self.workers_refused
                .store(self.threads(), Ordering::Relaxed);
        }
        true
    }

    /// Lets no more helpers in, and ends the recruiter.
    pub(super) fn close_crew(&self) {
        if let Some(crew) = &self.crew {
            crew.helpers.close();
        }
    }

    /// Waits until no helper runs, but for the calling thread.
    pub(super) fn wait_for_helpers(&self) {
        if let Some(crew) = &self.crew {
            let is_one = ptr::eq(HELPED.get(), self);
            crew.helpers.wait_for_all_but(usize::from(is_one));
        }
    }
}

/// Asks for helpers until the pool ends.
pub(crate) fn main(core: &Arc<Core>) {
    let Some(crew) = &core.crew else { return };
    let is_stuck = || core.jobs.waiting() > 0 && core.idle.spares() == 0;
    loop {
        let next = crew.helpers.next(
            || crew.now(),
            is_stuck,
            |bell, state, time| match time {
                None => bell.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(time) => {
                    let waited = bell.wait_timeout(state, time);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            },
        );
        match next {
            Next::Ask(number) => ask(core, number),
            Next::Offer(number) => core.idle.offer(number, &**core),
            Next::StandIn => stand_in(core, crew),
            Next::End => return,
        }
        // The function that asks may have forked the process, and this one has none of the others.
        core.check_process();
    }
}

fn ask(core: &Arc<Core>, number: usize) {
    failpoint::reach(Failpoint::WorkerStarts);
    let helper = Box::new(Helper {
        core: Arc::clone(core),
        number,
        name: format!("{}-{number}", core.name()),
        is_used: false,
    });
    hooks::ask_for(core.hooks(), helper);
}

/// Starts a spare for the helpers that do not come, or works as one if the system refuses it.
fn stand_in(core: &Arc<Core>, crew: &Crew) {
    core.idle.note_missing();
    if !crew.helpers.miss() {
        core.idle.note_return();
    }
    core.idle.add_spare_anyway();
    if let Err(index) = core.start_spare_anyway() {
        worker::main(Arc::clone(core), index);
    }
}
