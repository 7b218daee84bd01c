//! What one thread shares: how a run comes into its deque or the injector, and out of the deque again.
//!
//! When a thread shares something, and what: see `publish`.

use crate::engine::core::Core;
use crate::engine::seat::Seat;
use crate::engine::shared::{Run, Slot};
use crate::engine::tally::Counter;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::trace::{self, Event};
use crate::task::list::PendingList;

/// Claims that are worth a sweep: few enough not to hold memory, many enough to share its cost.
const SWEEP: u32 = 32;
/// How often a thread gives something while the worker that it has woken or started is on its way,
/// which takes some 30 us. A recursion gets this deep before it comes to a long task.
const EAGER: u32 = 32;

impl Seat {
    /// Starts the first worker, if nobody has tried that yet.
    pub(super) fn begin(&self) {
        if self.core.begin() {
            self.eager.set(EAGER);
        }
    }

    /// Makes a run visible to thieves, and tells those that wait for one.
    pub(crate) fn show(&self, run: Run) {
        if self.deque().is_empty() {
            self.claims.set(0);
        }
        self.insert(run);
        failpoint::reach(Failpoint::RunExposed);
        if self.core.idle.wake_one(&*self.core) {
            self.eager.set(EAGER);
        }
        if let Some(waiter) = self.slot().take_asker() {
            waiter.parker.unpark();
        }
    }

    /// Takes the newest run that this thread shares.
    pub(crate) fn pop(&self) -> Option<Run> {
        let run = self.deque().pop()?;
        self.slot().note_taken(&run);
        self.runs.set(self.runs.get().wrapping_sub(1));
        Some(run)
    }

    /// Puts back what [`pop`](Self::pop) took. A thread that went to sleep meanwhile has not seen
    /// it, so this exposes it anew: see `idle`, proof, 1.
    pub(crate) fn put_back(&self, runs: impl IntoIterator<Item = Run>) {
        let mut runs = runs.into_iter().peekable();
        let are_some = runs.peek().is_some();
        failpoint::reach_if(are_some, Failpoint::RunPutBack);
        runs.for_each(|run| self.insert(run));
        if are_some && !self.core.is_orphan() {
            self.core.idle.wake_one(&*self.core);
        }
    }

    fn insert(&self, run: Run) {
        self.slot().note_pushed(&run);
        self.runs.set(self.runs.get().wrapping_add(1));
        self.deque().push(run);
    }

    /// The number of the next run among all that this thread has shared. Thieves take the run with
    /// the smallest number first.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "modulo 256 is enough for a hint"
    )]
    pub(super) fn next_run_number(&self) -> u8 {
        self.runs.get() as u8
    }

    /// Whether a child of the run with this number is probably still in this thread's deque.
    pub(crate) fn shares_run(&self, number: u8) -> bool {
        self.shares() && is_between(self.slot().stolen(), number, self.runs.get())
    }

    /// Whether this thread shares anything.
    pub(crate) fn shares(&self) -> bool {
        !self.deque().is_empty()
    }

    /// Notes that a handle has claimed a child, perhaps a child in the own deque. Once half of the
    /// children there may be claimed, they are released, so that a nursery that goes on joining
    /// children by their handles keeps no memory.
    pub(crate) fn note_public_claim(&self) {
        if !self.shares() {
            return;
        }
        let claims = self.claims.get() + 1;
        self.claims.set(claims);
        if claims >= SWEEP && claims * 2 >= self.slot().public() {
            self.sweep();
        }
    }

    #[cold]
    fn sweep(&self) {
        self.claims.set(0);
        let runs: Vec<_> = std::iter::from_fn(|| self.pop()).collect();
        let runs = runs.into_iter().rev();
        self.put_back(runs.filter_map(|run| run.without_stale(self)));
    }

    /// Counts a run that was taken from another thread's deque.
    pub(crate) fn note_stolen(&self, run: &Run, victim: &Slot) {
        run.scope()
            .tally(|numbers| _ = numbers[Counter::Stolen].add(1));
        self.tally()[Counter::Stolen].add(1);
        failpoint::reach(Failpoint::RunStolen);
        trace::event(|| Event::RunStolen {
            pool: self.core.name().to_owned(),
            victim: victim.owner(),
            children: run.len(),
        });
    }

    /// Puts a run where idle workers and its nursery's home look.
    pub(crate) fn inject(&self, run: Run) {
        self.core.check_process();
        self.begin();
        run.scope()
            .tally(|numbers| _ = numbers[Counter::Injected].add(1));
        self.tally()[Counter::Injected].add(1);
        // Once it is in the list, the run may be over and its nursery closed.
        let home = run.scope().home();
        _ = hand_over(run, &self.core);
        // The home may be this thread itself: a waiter that gives a permit back after its last look
        // sends on what was held back, and is about to park. Model:
        // `models::limits_a_vain_look_loses_nothing`.
        home.leave_token(self.slot());
    }
}

/// Puts a run where idle workers and its nursery's home look; returns whether a worker is on its way. The home is not
/// told.
fn hand_over(run: Run, core: &Core) -> bool {
    core.injector.push(run);
    failpoint::reach(Failpoint::StrayPut);
    core.idle.wake_one(core)
}

/// Puts a run where idle workers and its nursery's home look, for a worker. The home is told only if there are none:
/// a home that resumes takes a place, whether or not one is left. `slot` is a slot of the same pool, which lives meanwhile.
pub(crate) fn hand_to_worker(run: Run, core: &Core, slot: &Slot) {
    let home = run.scope().home();
    run.scope()
        .tally(|numbers| _ = numbers[Counter::Injected].add(1));
    if !hand_over(run, core) && !core.has_workers() {
        home.leave_token(slot);
    }
}

impl Run {
    /// Releases the children that handles have claimed; if those were all, releases the run, too.
    pub(crate) fn without_stale(self, seat: &Seat) -> Option<Self> {
        self.children.sweep();
        if self.children.is_empty() {
            failpoint::reach(Failpoint::RunSwept);
            self.scope().release(seat);
            return None;
        }
        Some(self)
    }

    /// Gives the children to a list of their nursery on this thread. The nursery stays open: this
    /// thread is its home, or has another run of it.
    pub(crate) fn take_back(self, seat: &Seat, list: &PendingList) {
        list.append(&self.children);
        failpoint::reach(if self.scope().is_fork() {
            Failpoint::ForkTakenBack
        } else {
            Failpoint::RunTakenBack
        });
        self.scope().release(seat);
    }
}

/// Whether the run with this number is one of `shared` runs that were shared and not taken
/// back, and came after the `stolen` runs that were stolen. All three numbers wrap.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    reason = "modulo 256 is enough for a hint"
)]
fn is_between(stolen: u32, number: u8, shared: u32) -> bool {
    u32::from(number.wrapping_sub(stolen as u8)) < shared.wrapping_sub(stolen)
}

#[cfg(all(test, not(hatchery_loom)))]
mod tests {
    use super::is_between;

    #[test]
    fn a_run_is_told_from_those_that_were_stolen_where_the_numbers_wrap() {
        // Twenty runs were shared, and the first seven of them stolen.
        for before in [
            0,
            200,
            250,
            u32::MAX - 25,
            u32::MAX - 13,
            u32::MAX - 7,
            u32::MAX,
        ] {
            let at = |run: u32| before.wrapping_add(run);
            for run in 0..20 {
                let is_left = is_between(at(7), at(run) as u8, at(20));
                assert_eq!(is_left, run >= 7, "run {run} after {before}");
            }
        }
    }
}
