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
//! How runs come into the deque and out of it: see `share`. How a part of a list that nobody has taken comes
//! back to its position: see `frame::shown`.
//!
//! Models: `models::publish_*`, `models::split_*`, `models::fork_*`, `models::foreign_*`.

use crate::engine::frame::Frame;
use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::engine::shared::Run;
use crate::engine::tally::Counter;
use crate::platform::failpoint::{self, Failpoint};
use crate::protocol::idle::Field;
use crate::task::list::PendingList;
use crate::task::record::Queued;

/// Why a thread gives something.
#[derive(Clone, Copy)]
enum Reason {
    Asked,
    Unasked,
}

impl Seat {
    /// Queues a child. If a frame of its nursery is on this thread, the child gets its position in
    /// the serial order; otherwise it goes to the injector.
    #[inline]
    pub(crate) fn queue(scope: &Node, child: Queued) {
        Frame::nearest(scope, |frame| match frame {
            Some(frame) if frame.seat.is_active() => frame.queue(child),
            // This thread may block, and answers no requests meanwhile.
            Some(frame) => {
                frame.push(child);
                frame.give_away();
            }
            None => Self::with(scope.core(), |seat| {
                seat.inject(Run::new(scope, PendingList::of(child), 0));
            }),
        });
    }

    /// Queues a child for a side thread; if the pool is an orphan and has none, for this thread.
    pub(crate) fn queue_blocking(&self, scope: &Node, child: Queued) {
        if self.core.is_orphan() {
            return Self::queue(scope, child);
        }
        failpoint::reach(Failpoint::BlockingQueued);
        let run = Run::new(scope, PendingList::of(child), 0);
        self.submit_blocking(run);
    }

    /// Whether somebody asks for work.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.slot().requests.are_made()
    }

    /// Exposes work if somebody asked, before a child, fork or stretch of items.
    #[inline]
    pub(crate) fn answer_before_step(&self) {
        if self.is_asked() {
            self.answer_and_time_step();
        }
    }

    /// Exposes work if somebody asked, at a spawn.
    #[inline]
    pub(crate) fn answer_at_spawn(&self) {
        if self.is_asked() {
            self.answer();
            self.tally()[Counter::AnswersAtSpawns].add(1);
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
        if !self.is_asked() || self.shows_enough() {
            self.time_step();
            return false;
        }
        // Nothing was given, or it is gone, or nobody seems to want it.
        let requests = &self.slot().requests;
        requests.clear();
        let is_wanted = requests.are_wanted(&self.core.idle);
        self.core.watch.note_answer();
        if is_wanted {
            // The fork that follows answers, and begins a step.
            requests.renew();
        }
        is_wanted
    }

    #[cold]
    #[inline(never)]
    fn answer_and_time_step(&self) {
        self.answer();
        self.time_step();
    }

    /// Times the step that begins, if the request still stands. It does not if steps are short and this thread shows
    /// nothing: it would read the clock in vain.
    fn time_step(&self) {
        if self.is_asked() && (self.shares() || self.steps.are_long()) {
            self.steps.begin();
        }
    }

    /// Gives something to those that ask. After a long step, the thread shows all that it holds: the next step may be
    /// as long, and the thread answers nobody meanwhile.
    #[cold]
    #[inline(never)]
    fn answer(&self) {
        self.tally()[Counter::Answers].add(1);
        // Also if it shows all that it holds, or enough: then it does not lower its flag.
        self.core.watch.note_answer();
        failpoint::reach(Failpoint::RequestAnswered);
        self.regain_place();
        self.report_if_wanted();
        if self.steps.end() {
            self.offer_all();
        } else {
            self.give_to_the_hungry();
        }
    }

    /// Gives half of what the outermost frame holds, if that reaches somebody. If this thread shows enough already, it
    /// leaves the request standing.
    fn give_to_the_hungry(&self) {
        let (requests, idle) = (&self.slot().requests, &self.core.idle);
        // A worker on its way cannot ask yet, and what this thread does next may take long.
        let is_eager = || self.eager.get() > 0 && idle.is_searched();
        if !is_eager() && self.shows_enough() {
            return;
        }
        let has_given = self.give(Reason::Asked, || {
            requests.clear();
            let is_wanted = self.has_workers() && requests.are_wanted(idle);
            self.core.watch.note_answer();
            if !is_wanted {
                // Nobody asks again when a thread is blocked that has a place.
                self.core.watch();
            }
            is_wanted
        });
        if has_given && is_eager() {
            self.eager.set(self.eager.get() - 1);
            requests.renew();
        }
    }

    /// Whether this thread shows something, and workers seem to want it. A waiter that asks wants children of its own
    /// nursery, so then it is not enough.
    fn shows_enough(&self) -> bool {
        self.shares()
            && self.core.has_workers()
            && self.core.idle.seems_hungry()
            && !self.slot().requests.has_asker()
    }

    /// Publishes all that this thread holds, because what it does next may take long. In a pool that computes on one
    /// thread, nobody would take it.
    #[cold]
    #[inline(never)]
    pub(crate) fn offer_all(&self) {
        if self.core.threads() > 1 {
            while self.give(Reason::Unasked, || self.has_workers()) {}
        }
    }

    /// Starts the first worker if nobody has tried; returns whether there are workers that could take what
    /// this thread shows.
    fn has_workers(&self) -> bool {
        self.begin();
        self.core.has_workers()
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
            let could_be_taken = |frame: &&Frame<'_>| frame.seat.has_workers();
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

    /// Exposes the newer half of the list, or the older half if that is due: see `turns`.
    fn show_some(&self, scope: &Node, reason: Reason) {
        let len = self.list.len();
        let is_asked = matches!(reason, Reason::Asked);
        let part = if is_asked && !self.is_showing() && self.seat.is_spree(self) {
            self.list.split_oldest(len.div_ceil(2))
        } else {
            self.list.split_behind(len / 2)
        };
        self.expose(scope, part);
    }

    fn expose(&self, scope: &Node, children: PendingList) {
        if children.is_empty() {
            // Another thread has taken them.
            return;
        }
        let first = children.begin();
        let run = Run::new(scope, children, self.seat.next_run_number());
        if !self.is_orderly() {
            return self.seat.inject(run);
        }
        self.note_shown(first);
        self.seat.show(run);
    }
}
