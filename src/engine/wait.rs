//! Waiting without running foreign code.
//!
//! The body of nursery N, waiting for a child or for the end:
//!
//! 0. the awaited child itself, if it never left this thread;
//! 1. N's own unstarted children, oldest first, including children that it exposed and nobody took
//!    (`frame::shown`); then strays of N or of nurseries below it. If children that leave others
//!    behind keep it from the injector, these get their turn (`turns`);
//! 2. *leapfrog*: ask the thread that took children of N for some of what it holds, and take one
//!    run at a time from it. A run shows its nursery only once it is taken; if it is not below N,
//!    it becomes a stray;
//! 3. the awaited child by its handle, if nobody has started it after all;
//! 4. expose everything, give the place up, park.
//!
//! Step 3 comes after step 2 because the child stands in a run that another thread works through:
//! to take the child away from that thread costs both threads more than to wait for an answer.
//!
//! A child that waits for a sibling it spawned does steps 0, 3 and 4 only: the rest of the nursery
//! is not below it. Blocking children belong to side threads. But a waiter about to park runs
//! blocking children of its own nursery that no side thread will take, or that need a permit which
//! the waiter may have itself.
//!
//! Four events unpark a waiter: the release of the last unit of the count, the end of a child that
//! it asked to be told of, a stray of its nursery, and a permit that it wants. Each event leaves a
//! token in the waiter's parker after the fact, and the waiter looks for the fact between taking
//! tokens, so it misses none. A waiter is also unparked to say what it waits for.
//!
//! Leapfrogging is Wagner and Calder's ("Leapfrogging: a portable technique for implementing
//! efficient futures", 1993), by nurseries instead of by single tasks. Models: `models::leapfrog_*`.

use std::mem;

use crate::engine::awaited::{Any, Awaited, End};
use crate::engine::frame::{Drained, Frame};
use crate::engine::limit::{self, Limiter};
use crate::engine::node::Node;
use crate::engine::report::Id;
use crate::engine::seat::{GoOn, Seat};
use crate::engine::shared::{Doing, Run};
use crate::engine::tally::Counter;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::process;
use crate::platform::thread::pause;
use crate::platform::trace::{self, Event};
use crate::task::list::PendingList;
use crate::task::record::{Class, Handle, Running};

/// How often a waiter looks before it parks, with pauses that double in between: about 4 us in all,
/// in which a thread that runs short children has answered a request. Where a test draws the order
/// of all steps, each look is one more step.
const LOOKS: u32 = if cfg!(hatchery_shuttle) { 2 } else { 12 };
/// The most pause instructions between two looks. A look reads a cache line of the runner.
const LONGEST_PAUSE: u32 = 32;

impl Seat {
    /// Waits in the body of `scope`, the innermost frame, until all of its children have ended.
    #[inline(always)]
    pub(crate) fn wait_for_end(&self, body: &Frame<'_>, scope: &Node) {
        while !body.list.is_empty() && scope.count.is_zero() {
            body.drain_all(scope);
        }
        // Parts that the body has shown may come before the children that it holds. A thief may
        // have run these parts since the look above, so a count of zero alone says nothing.
        if !body.list.is_empty() || !scope.count.is_zero() {
            self.wait_for_the_rest(body, scope);
        }
    }

    #[inline(never)]
    fn wait_for_the_rest(&self, body: &Frame<'_>, scope: &Node) {
        self.wait(body, scope, &End(body, scope));
    }

    /// Waits until a child of `scope` has ended: runs it here if nobody has started it.
    pub(crate) fn wait_for_child(&self, scope: &Node, child: &Handle<()>) {
        if child.class() == Class::Compute
            && scope.is_permitted()
            && (child.is_private_and_unstarted() || self.shares_run(child.run_number()))
        {
            if let Some(running) = child.claim() {
                self.run_claimed(scope, running);
                return;
            }
        }
        self.wait_for(scope, child);
    }

    /// Waits until one of several children of `scope` has ended.
    pub(crate) fn wait_for_any<'a, T: 'a, I, C>(&self, scope: &Node, children: &C)
    where
        C: Fn() -> I,
        I: Iterator<Item = &'a Handle<T>>,
    {
        self.wait_for(scope, &Any(children));
    }

    /// Waits for what children of `scope` do.
    pub(crate) fn wait_for(&self, scope: &Node, awaited: &dyn Awaited) {
        let outside = Frame::root(self);
        Frame::with_current(|frame| self.wait(frame.unwrap_or(&outside), scope, awaited));
    }

    /// Runs a child that its handle has claimed.
    fn run_claimed(&self, scope: &Node, child: Running) {
        self.answer_before_step();
        scope.in_context(self, || Frame::run_child(self, scope, child));
        self.forget_claimed(scope);
    }

    /// Releases queue references to children of `scope` that handles have claimed, so that a task
    /// that goes on spawning and joining keeps no memory.
    fn forget_claimed(&self, scope: &Node) {
        let is_stray = Frame::with_current(|current| {
            let frame = current.and_then(|frame| frame.find(scope));
            frame.inspect(|frame| frame.list.note_claim());
            // A child that was spawned elsewhere or out of order never stays in a list or deque for
            // long.
            !frame.is_some_and(|frame| frame.seat.is_active() && frame.is_orderly())
        });
        self.note_public_claim();
        if is_stray && !self.core.is_orphan() {
            self.core
                .injector
                .note_claim(Run::is_stale, limit::let_go_of);
        }
        scope.limiter().inspect(|limiter| limiter.note_claim());
    }

    fn wait(&self, frame: &Frame<'_>, scope: &Node, awaited: &dyn Awaited) {
        let helps = frame.is_body_of(scope);
        frame.give_away_if_it_must();
        let mut has_parked = false;
        let mut is_told_of = false;
        while !awaited.is_over() {
            if self.core.is_orphan() {
                self.go_on_alone(frame, scope, helps, awaited);
                continue;
            }
            if self.take_ring() {
                self.answer_ring(false);
                continue;
            }
            if helps && self.is_turn.take() && self.help_others(frame, scope, awaited) {
                continue;
            }
            if helps && self.help(frame, scope, awaited) {
                continue;
            }
            if self.look_around(scope, helps, awaited) {
                continue;
            }
            if self.run_awaited(scope, awaited) {
                continue;
            }
            if trace::IS_ON && !mem::replace(&mut is_told_of, true) {
                // A subscriber may take the parker's token, so this thread looks for everything once more.
                trace::event(|| Event::ThreadIdle {
                    pool: self.core.name().to_owned(),
                });
                continue;
            }
            self.expose_all();
            if self.run_blocking(scope, helps, awaited)
                || !awaited.ask_for_wake()
                || self.is_let_go(scope, helps, awaited)
            {
                continue;
            }
            failpoint::reach(Failpoint::ChildAwaited);
            if let Some(runner) = helps.then(|| scope.runner()).flatten() {
                runner.with(self.slot(), |runner| runner.requests.ask_as(self.slot()));
                failpoint::reach(Failpoint::RequestAsked);
            }
            if !mem::replace(&mut has_parked, true) {
                scope.tally(|numbers| _ = numbers[Counter::Parked].add(1));
                self.tally()[Counter::Parked].add(1);
            }
            self.slot().set_doing(Doing::Waiting);
            failpoint::reach(Failpoint::WaiterParks);
            self.park(scope, helps, awaited);
            failpoint::reach(Failpoint::WaiterWoken);
            self.slot().set_doing(Doing::Running);
        }
        if is_told_of {
            trace::event(|| Event::ThreadActive {
                pool: self.core.name().to_owned(),
            });
        }
    }

    /// Runs what this thread can have without the other threads, in a process that was forked while
    /// the nursery was open. It aborts if there is nothing, because nobody else ends the wait.
    #[cold]
    #[inline(never)]
    fn go_on_alone(&self, body: &Frame<'_>, scope: &Node, helps: bool, awaited: &dyn Awaited) {
        if helps && body.drain_until(scope, &|_| awaited.is_over()) != Drained::Nothing {
            return;
        }
        if let Some(run) = helps.then(|| self.pop()).flatten() {
            if run.scope().is_within(scope) {
                return self.help_with(run, scope, awaited);
            }
            self.put_back([run]);
        }
        let classes = [Class::Compute, Class::Blocking];
        match classes.into_iter().find_map(|class| awaited.claim(class)) {
            Some(child) => self.run_claimed(scope, child),
            None => process::abort(),
        }
    }

    /// Takes step 3: runs the awaited child. False if somebody has started it, or if the limit of
    /// the nursery leaves no room for it.
    fn run_awaited(&self, scope: &Node, awaited: &dyn Awaited) -> bool {
        let run = || {
            let child = awaited.claim(Class::Compute);
            child.map(|child| self.run_claimed(scope, child)).is_some()
        };
        awaited.is_unclaimed(Class::Compute) && within_limit(scope.limiter(), &run)
    }

    /// Takes step 4: parks until the wait is over, or there is something for this thread to do and
    /// a place to do it in. For what only this thread may ever do, it takes a place anyway.
    fn park(&self, scope: &Node, helps: bool, awaited: &dyn Awaited) {
        self.park_without_place(|| {
            if self.slot().desk.is_wanted() {
                self.report(Some((scope, awaited.describe())));
            }
            let is_needed = awaited.is_over()
                || self.is_rung()
                || self.core.blocking.is_starved()
                || self.core.injector.has(|run| run.scope().is_within(scope))
                || self.is_let_go(scope, helps, awaited);
            if is_needed {
                GoOn::Anyway
            } else {
                GoOn::IfThereIsRoom
            }
        });
    }

    /// Looks for a moment whether the wait is over, and leapfrogs meanwhile; false if neither came
    /// of it.
    fn look_around(&self, scope: &Node, helps: bool, awaited: &dyn Awaited) -> bool {
        for look in 0..LOOKS {
            if awaited.is_over() || (helps && self.leapfrog(scope, awaited)) {
                return true;
            }
            pause(LONGEST_PAUSE.min(1 << look));
        }
        awaited.is_over()
    }

    /// Takes step 2: steals a run from the thread that took children of `scope`, or asks it for
    /// one.
    fn leapfrog(&self, scope: &Node, awaited: &dyn Awaited) -> bool {
        let Some(runner) = scope.runner() else {
            return false;
        };
        let run = runner.with(self.slot(), |runner| {
            if std::ptr::eq(runner, self.slot()) {
                return None;
            }
            if !runner.has_work() {
                runner.requests.ask_as(self.slot());
                return None;
            }
            runner.steal()
        });
        let Some(run) = run else { return false };
        scope.tally(|numbers| _ = numbers[Counter::StolenWhileWaiting].add(1));
        self.tally()[Counter::StolenWhileWaiting].add(1);
        runner.with(self.slot(), |victim| self.note_stolen(&run, victim));
        if !run.scope().is_within(scope) {
            // The runner has gone on to something else.
            scope.forget_runner();
            self.inject(run);
            return false;
        }
        self.help_with(run, scope, awaited);
        true
    }

    /// Runs children of `scope` or of a nursery below it while the wait goes on.
    fn help_with(&self, run: Run, scope: &Node, awaited: &dyn Awaited) {
        let own = Frame::with_current(|frame| {
            let is_own = |frame: &Frame<'_>| frame.is_body_of(scope) && scope.is_permitted();
            std::ptr::eq(run.scope(), scope) && frame.is_some_and(is_own)
        });
        if own {
            Frame::with_current(|frame| {
                if let Some(frame) = frame {
                    let children = PendingList::new();
                    run.take_back(self, &children);
                    frame.append(&children);
                }
            });
        } else {
            run.execute(self, &|is_turn| {
                let is_turn = is_turn && self.others_wait(scope);
                self.is_turn.set(is_turn);
                is_turn || awaited.is_over()
            });
        }
    }

    /// Takes step 1: runs something that a waiter in the body of `scope` may run.
    fn help(&self, body: &Frame<'_>, scope: &Node, awaited: &dyn Awaited) -> bool {
        if body.take_back_next(scope) {
            return true;
        }
        let shown = body.next_shown();
        let is_enough = |_| body.list.begin() == shown || awaited.is_over();
        match body.drain_until(scope, &is_enough) {
            Drained::Nothing => {}
            Drained::Enough => return true,
            Drained::Turn => {
                self.is_turn.set(self.others_wait(scope));
                return true;
            }
        }
        if scope.count.is_zero() {
            return false;
        }
        if let Some(run) = self.pop() {
            if run.scope().is_within(scope) {
                self.help_with(run, scope, awaited);
                return true;
            }
            // The run belongs to an outer nursery, so the deque has none of this nursery: see
            // `publish`.
            self.put_back([run]);
        }
        let stray = self.core.injector.take(|run| run.scope().is_within(scope));
        let held_back = || scope.limiter()?.take_below(scope, Class::Compute);
        match stray.or_else(held_back) {
            None => false,
            Some(run) => {
                self.help_with(run, scope, awaited);
                true
            }
        }
    }

    /// Gives others their turn, if there are any: hands the body's list on, and runs what waits
    /// where only this thread may look. See `turns`.
    #[cold]
    fn help_others(&self, body: &Frame<'_>, scope: &Node, awaited: &dyn Awaited) -> bool {
        let is_below = |run: &Run| run.scope().is_within(scope);
        let sources = 0..4;
        let first = self.turns();
        for source in sources.map(|source| (first + source) % 4) {
            let run = match source {
                0 => self.core.injector.take(is_below),
                1 => scope
                    .limiter()
                    .and_then(|limiter| limiter.take_below(scope, Class::Compute)),
                2 => self.pop_below(scope),
                _ => {
                    let is_starved = self.core.blocking.is_starved();
                    if may_run_blocking(is_starved, scope.limiter()) {
                        self.expose_all();
                        if self.run_blocking(scope, true, awaited) {
                            return true;
                        }
                    }
                    None
                }
            };
            if let Some(run) = run {
                if !body.list.is_empty() {
                    failpoint::reach(Failpoint::RunLeft);
                    self.inject(Run::new(scope, body.list.take(), 0));
                }
                self.help_with(run, scope, awaited);
                return true;
            }
        }
        false
    }

    /// Takes the newest run in the deque if it is of a nursery below this one.
    fn pop_below(&self, scope: &Node) -> Option<Run> {
        let run = self.pop()?;
        if !std::ptr::eq(run.scope(), scope) && run.scope().is_within(scope) {
            return Some(run);
        }
        self.put_back([run]);
        None
    }

    /// Runs one blocking child that no side thread will take, or that may be held back for lack of
    /// a permit which this thread can have: the awaited child, or, if `helps`, another child below
    /// the nursery.
    fn run_blocking(&self, scope: &Node, helps: bool, awaited: &dyn Awaited) -> bool {
        let blocking = &self.core.blocking;
        let is_starved = blocking.is_starved();
        let limiter = scope.limiter();
        if !may_run_blocking(is_starved, limiter) {
            return false;
        }
        failpoint::reach(Failpoint::BlockingHelped);
        let run = || {
            let child = awaited.claim(Class::Blocking);
            let child = child.map(|child| {
                let only = Id::of(child.address());
                self.slot().take_along(Id::of(scope), Some(only), || {
                    let run = || scope.in_context(self, || Frame::run_child(self, scope, child));
                    self.without_place(run);
                });
                self.note_blocking_claim();
                limiter.inspect(|limiter| limiter.note_claim());
            });
            child.is_some()
        };
        if awaited.is_unclaimed(Class::Blocking) && within_limit(limiter, &run) {
            return true;
        }
        let queued = || is_starved.then(|| blocking.take_below(scope))?;
        let held_back = || limiter?.take_below(scope, Class::Blocking);
        let Some(run) = helps.then(|| queued().or_else(held_back)).flatten() else {
            return false;
        };
        self.without_place(|| run.execute(self, &|_| false));
        true
    }

    /// Whether there are permits now for what the limit of the nursery kept from running: what a
    /// helper may take out of the line, or the awaited child. If not, this thread is told when
    /// there are.
    fn is_let_go(&self, scope: &Node, helps: bool, awaited: &dyn Awaited) -> bool {
        let Some(limiter) = scope.limiter() else {
            return false;
        };
        if helps {
            return limiter.has_below(scope, self);
        }
        let [computes, blocks] =
            [Class::Compute, Class::Blocking].map(|class| awaited.is_unclaimed(class));
        (computes || blocks)
            && limiter.are_left_for(self)
            // A side thread takes it, unless it stands in line.
            && (computes || limiter.may_run_held_back())
    }
}

/// Whether there may be blocking children that a waiter should run: children that no side thread
/// will take, or that the limit of its nursery holds back.
fn may_run_blocking(is_starved: bool, limiter: Option<&Limiter>) -> bool {
    is_starved || limiter.is_some_and(Limiter::may_run_held_back)
}

/// Calls `run` with the permits of a nursery with this limit; false if no permits are left.
fn within_limit(limiter: Option<&Limiter>, run: &dyn Fn() -> bool) -> bool {
    match limiter {
        None => run(),
        Some(limiter) => limit::with_permits(limiter, run).unwrap_or(false),
    }
}
