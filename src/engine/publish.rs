//! Publishes private work for threads that have none.
//!
//! INVARIANT: a thread's deque holds runs in the order of its frames, outer before inner. So a
//! waiter may judge by the newest run alone whether its nursery has any in there. It holds
//! because
//!
//! 1. the outermost frame that holds anything gives first, so an inner frame gives only when no
//!    outer frame has anything left;
//! 2. a frame is not *orderly*, and gives to the injector instead, if what it leaves would outlive it
//!    on top of a frame of another nursery: the frame of a child that was claimed by its handle
//!    from inside another nursery;
//! 3. a frame that gets children while another frame is innermost gives to the injector, too.
//!
//! How a part of a list that nobody has taken comes back to its position: see `frame::shown`.
//!
//! Models: `models::publish_*`, `models::split_*`, `models::fork_*`, `models::foreign_*`.

use crate::engine::frame::Frame;
use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::engine::shared::Run;
use crate::engine::tally::Counter;
use crate::platform::failpoint::{self, Failpoint};
use crate::task::list::PendingList;
use crate::task::record::Queued;

/// Why a thread gives something.
#[derive(Clone, Copy)]
enum Reason {
    Asked,
    Unasked,
}

/// Claims that are worth a sweep: few enough not to hold memory, many enough to share its cost.
const SWEEP: u32 = 32;
/// Forks that are shown unasked: of a balanced tree, seven eighths of what is left.
const SHOWN: u32 = 3;
/// How often a thread gives something while the worker that it has woken or started is on its way,
/// which takes some 30 us. A recursion gets this deep before it comes to a long task.
const EAGER: u32 = 32;

impl Seat {
    /// Queues a child. If a frame of its nursery is on this thread, the child gets its position in
    /// the serial order; otherwise it goes to the injector.
    #[inline]
    pub(crate) fn queue(scope: &Node, child: Queued) {
        Frame::nearest(scope, |frame| match frame {
            Some(frame) if frame.seat.is_active() => frame.queue(child),
            // This thread may block, and answers no requests meanwhile.
            Some(frame) => {
                frame.list.push(child);
                frame.give_away();
            }
            None => Self::with(scope.core(), |seat| {
                // Perhaps the home has not spawned yet, and so has not started them.
                seat.core.start_workers();
                seat.inject(Run::new(scope, PendingList::of(child), 0));
            }),
        });
    }

    /// Makes a run visible to thieves.
    fn push(&self, run: Run) {
        if self.deque().is_empty() {
            self.claims.set(0);
        }
        self.insert(run);
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
    fn next_run_number(&self) -> u8 {
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

    /// Queues a child for a side thread; if the pool is an orphan and has none, for this thread.
    pub(crate) fn queue_blocking(&self, scope: &Node, child: Queued) {
        if self.core.is_orphan() {
            return Self::queue(scope, child);
        }
        failpoint::reach(Failpoint::BlockingQueued);
        self.core.start_watchdog();
        let run = Run::new(scope, PendingList::of(child), 0);
        self.submit_blocking(run);
    }

    /// Counts a run that was taken from another thread's deque.
    pub(crate) fn note_stolen(&self, run: &Run) {
        run.scope()
            .tally(|numbers| _ = numbers[Counter::Stolen].add(1));
        self.tally()[Counter::Stolen].add(1);
        failpoint::reach(Failpoint::RunStolen);
    }

    /// Puts a run where idle workers and its nursery's home look.
    pub(crate) fn inject(&self, run: Run) {
        self.core.check_process();
        run.scope()
            .tally(|numbers| _ = numbers[Counter::Injected].add(1));
        self.tally()[Counter::Injected].add(1);
        // Once it is in the list, the run may be over and its nursery closed.
        let home = run.scope().home();
        self.core.injector.push(run);
        failpoint::reach(Failpoint::StrayPut);
        self.core.idle.wake_one(&*self.core);
        // The home may be this thread itself: a waiter that gives a permit back after its last look
        // sends on what was held back, and is about to park. Model:
        // `models::limits_a_vain_look_loses_nothing`.
        home.leave_token(self.slot());
    }

    /// Whether somebody asks for work.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.slot().requests.are_made()
    }

    /// Exposes work if somebody asked.
    #[inline]
    pub(crate) fn answer_request(&self) {
        if self.is_asked() {
            self.answer();
        }
    }

    /// Whether somebody asks for work and this thread has none to give, so that what it does now
    /// is worth splitting.
    #[inline]
    pub(crate) fn should_split(&self) -> bool {
        self.is_asked() && self.has_nothing_for_the_hungry()
    }

    #[cold]
    fn has_nothing_for_the_hungry(&self) -> bool {
        self.answer();
        if !self.is_asked() {
            return false;
        }
        // Nothing was given.
        let requests = &self.slot().requests;
        requests.clear();
        let is_wanted = requests.are_wanted(&self.core.idle);
        if is_wanted {
            // The fork that follows answers.
            requests.renew();
        }
        is_wanted
    }

    #[cold]
    #[inline(never)]
    fn answer(&self) {
        self.tally()[Counter::Answers].add(1);
        failpoint::reach(Failpoint::RequestAnswered);
        self.report_if_wanted();
        let has_given = self.give(Reason::Asked, || {
            self.slot().requests.clear();
            if self.core.is_orphan() {
                return false;
            }
            if self.core.start_workers() {
                self.eager.set(EAGER);
            }
            self.slot().requests.are_wanted(&self.core.idle)
        });
        let eager = self.eager.get();
        if has_given && eager > 0 && self.core.idle.is_searched() {
            // Until the worker is there it cannot ask, and what comes next may take long.
            self.eager.set(eager - 1);
            self.slot().requests.renew();
        }
    }

    /// Publishes half of what the outermost frame holds, unless the deque holds `hidden` children
    /// already. One of this thread's frames holds `hidden` children; so while this thread runs a
    /// long task, it hides no more than it shows.
    pub(crate) fn offer_unless_shown(&self, hidden: u32) {
        // If every frame holds a few children, the outer frames have shown more already.
        if self.slot().public() < hidden {
            self.offer();
        }
    }

    /// Publishes the outermost fork, unless enough is public.
    #[cold]
    #[inline(never)]
    pub(crate) fn offer_forks(&self) {
        if self.core.threads() > 1 && self.slot().public() < SHOWN {
            self.offer();
        }
    }

    /// Publishes half of what the outermost frame holds.
    #[cold]
    #[inline(never)]
    fn offer(&self) {
        self.give(Reason::Unasked, || self.core.has_workers());
    }

    /// Publishes all that this thread holds, because what it does next may take long.
    #[cold]
    #[inline(never)]
    pub(crate) fn offer_all(&self) {
        while self.give(Reason::Unasked, || self.core.has_workers()) {}
    }

    /// Publishes some of what this thread holds, if it holds anything and somebody wants it.
    fn give(&self, reason: Reason, wanted: impl FnOnce() -> bool) -> bool {
        Frame::with_current(|current| {
            let Some(current) = current else { return false };
            let giving = || current.holders().filter(|frame| frame.seat.is(self));
            current.holders().last().unwrap_or(current).end_searches();
            let Some(outermost) = giving().last() else {
                return false;
            };
            if !wanted() {
                return false;
            }
            if outermost.is_latent() {
                match reason {
                    Reason::Asked => self.give_forks(current, giving().collect()),
                    Reason::Unasked => outermost.expose_all_of(outermost.settle_in_row()),
                }
            } else if let Some(scope) = outermost.settle() {
                failpoint::reach(Failpoint::RunSplit);
                outermost.show_some(scope, reason);
            }
            true
        })
    }

    /// Gives away the outermost of these frames. All of them hold something, and the last of them
    /// is a fork. In a lopsided tree the row of forks gets long; then several are given.
    fn give_forks(&self, current: &Frame<'_>, frames: Vec<&Frame<'_>>) {
        let latent = || frames.iter().rev().take_while(|frame| frame.is_latent());
        let given = Frame::share_of(latent().count());
        if let Some(last) = latent().take(given).last() {
            current.renumber(last);
        }
        for frame in frames.iter().rev().take(given) {
            frame.expose_all_of(frame.settle());
        }
    }

    /// Exposes all that this thread holds, because it is about to block.
    ///
    /// Runs of nurseries that other threads opened go to the injector, where those threads look: the
    /// deque of a parked thread holds only runs of its own nurseries. So a thread that waits for an
    /// unstarted child finds it without the help of a parked thread.
    pub(crate) fn expose_all(&self) {
        Frame::with_current(|current| {
            let Some(current) = current else { return };
            let could_be_taken = |frame: &&Frame<'_>| {
                frame.seat.core.start_workers();
                frame.seat.core.has_workers()
            };
            let giving: Vec<_> = current.holders().filter(could_be_taken).collect();
            for frame in giving.into_iter().rev() {
                frame.expose_all_of(frame.settle());
            }
        });
        self.let_go_of_the_foreign();
        Frame::with_current(|current| {
            // This thread may have seats in several pools.
            let mut last = self;
            for frame in current.into_iter().flat_map(Frame::stack) {
                if !frame.seat.is(last) {
                    last = frame.seat;
                    last.let_go_of_the_foreign();
                }
            }
        });
    }

    /// Hands the runs of other threads' nurseries in the deque to the injector. If the pool is an
    /// orphan, it leaves them alone: those threads and their nurseries are not in this process.
    pub(crate) fn let_go_of_the_foreign(&self) {
        if self.core.is_orphan() {
            return;
        }
        let runs: Vec<_> = std::iter::from_fn(|| self.pop()).collect();
        let (own, foreign): (Vec<_>, Vec<_>) = runs
            .into_iter()
            .rev()
            .partition(|run| run.scope().is_home());
        self.put_back(own);
        foreign.into_iter().for_each(|run| self.inject(run));
    }
}

impl Frame<'_> {
    /// Exposes the children in this frame's list, which belong to this nursery.
    fn expose_all_of(&self, scope: Option<&Node>) {
        if let Some(scope) = scope {
            if self.is_showing() {
                // Parts that the frame has shown may belong between these children.
                self.take_back_all(scope);
            }
            self.expose(scope, self.list.take());
        }
    }

    /// Exposes the newer half of the list, or the older half if that is due: see `turns`. The part
    /// encloses no part that others could still take: see `frame::shown`.
    fn show_some(&self, scope: &Node, reason: Reason) {
        let mut older = self.list.len() / 2;
        if self.is_showing() {
            let new_from = self.len_before_new();
            if new_from < self.list.len() {
                older = older.max(new_from);
            }
        } else if matches!(reason, Reason::Asked) && self.seat.is_spree(self) {
            let half = self.list.len().div_ceil(2);
            return self.expose(scope, self.list.split_oldest(half));
        }
        self.expose(scope, self.list.split_behind(older));
    }

    fn expose(&self, scope: &Node, children: PendingList) {
        let first = children.begin();
        let run = Run::new(scope, children, self.seat.next_run_number());
        if !self.is_orderly() {
            return self.seat.inject(run);
        }
        self.note_shown(first);
        self.seat.push(run);
        failpoint::reach(Failpoint::RunExposed);
        let core = &*self.seat.core;
        if core.idle.wake_one(core) {
            self.seat.eager.set(EAGER);
        }
        if let Some(waiter) = self.seat.slot().take_asker() {
            waiter.parker.unpark();
        }
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

#[cfg(test)]
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
