//! The main loop of a worker.
//!
//! ```text
//!   starting ───── (with a place) ────────┐
//!      │ stands aside for a start hook     v
//!      └─> sleeping ── roused ───────> searching ── found ──> running
//!             ^      (with a place)      |   ^                  |
//!             └───────── announce ───────┘   └──── ran dry ─────┘
//! ```
//!
//! A search comes to an end: see [`Patience`]. A spare ends when it has slept for [`RETIREMENT`], a helper when it has slept
//! for [`LINGER`]. A helper comes late, and so it starts as a worker that has stood aside.

use std::mem;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::hooks;
use crate::engine::jobs::Job;
use crate::engine::seat::{Kind, Seat};
use crate::engine::shared::{Doing, Run};
use crate::engine::timer::RETIREMENT;
use crate::platform::clock;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::Ordering;
use crate::platform::thread;
use crate::platform::trace::{self, Event};
use crate::protocol::idle::Field;

/// How long a searcher spins at most: about as long as it takes to wake a thread.
const SEARCH: Duration = Duration::from_micros(50);
/// A worker that never computes for this time at a stretch was woken for nothing: waking it costs more.
const WAKE_COST: Duration = Duration::from_micros(10);
/// How long a searcher naps that was woken for nothing. The time doubles with each nap in a row, up to
/// [`LONGEST_NAP`].
const SHORTEST_NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_micros(500);
/// How long a helper sleeps before it gives its thread back: longer than callers that open nurseries in a row need in
/// between, as to ask for a helper costs more than to wake it. Shorter than others would miss their thread.
const LINGER: Duration = Duration::from_millis(1);
/// Pause instructions between two looks of a spinning searcher.
const PAUSES: u32 = 32;
/// The most pause instructions between two looks. Beside other searchers the number doubles from look to look, because
/// looks hold up the threads that compute.
const MOST_PAUSES: u32 = 256;

/// Runs a worker, which starts with a place and a searcher's mark, until the pool shuts down. A spare also ends
/// when nobody has needed it for long.
pub(crate) fn main(core: Arc<Core>, index: usize) {
    let is_spare = index >= core.threads();
    let kind = if is_spare { Kind::Spare } else { Kind::Worker };
    let seat = take_seat(&core, index, kind, thread::own_name());
    let has_hook = hooks::have_start(core.hooks());
    if has_hook {
        // The hook is user code and may take long, so nobody counts on the worker.
        seat.forget_place();
        core.idle.stand_aside(&*core);
        seat.slot().set_doing(Doing::Sleeping);
    }
    let _hooks = begin(&core, thread::own_name());
    if has_hook {
        join_sleepers(&seat, index);
    }
    run(&seat, index);
    if is_spare {
        seat.slot().set_doing(Doing::Away);
        core.workers.forget(index);
        _ = core.look_after_job();
    }
}

/// Runs a helper, which has neither a place nor a searcher's mark, until nobody has needed it for a while or the pool shuts
/// down.
pub(crate) fn help(core: &Arc<Core>, index: usize, name: &str) {
    let seat = take_seat(core, index, Kind::Helper, name.to_owned());
    seat.forget_place();
    seat.slot().set_doing(Doing::Sleeping);
    let _hooks = begin(core, name.to_owned());
    join_sleepers(&seat, index);
    run(&seat, index);
    seat.slot().set_doing(Doing::Away);
    core.workers.forget(index);
}

/// Calls the start hook now, and the exit hook when the result is dropped.
fn begin(core: &Core, name: String) -> impl Drop + use<> {
    let hooks = hooks::enter(core.hooks(), name);
    trace::event(|| Event::WorkerThread {
        pool: core.name().to_owned(),
    });
    // The hook may have forked the process, and this one has none of the others.
    core.check_process();
    hooks
}

/// Joins the sleepers as a worker that has stood aside.
fn join_sleepers(seat: &Seat, index: usize) {
    seat.slot().asleep.store(true, Ordering::Relaxed);
    seat.core.idle.join_sleepers(index, &*seat.core);
    rouse_all_if_over(&seat.core);
}

/// Rouses all workers if the pool ends. A worker calls this when it has joined the sleepers,
/// because the end of the pool may have roused all of them before.
fn rouse_all_if_over(core: &Core) {
    if core.is_shut_down() {
        core.idle.rouse_all(core);
    }
}

/// A seat for a worker that has just started.
fn take_seat(core: &Arc<Core>, index: usize, kind: Kind, name: String) -> Seat {
    let (slot, deque) = core.roster.check_in(name);
    core.workers.note(index, &slot);
    Seat::new(Arc::clone(core), slot, deque, kind)
}

pub(super) fn run(seat: &Seat, index: usize) {
    let root = Frame::root(seat);
    if root.enter(|| work(seat, index)) {
        // The last search has left the place and the mark that came with the rousing.
        seat.forget_place();
        seat.core.idle.found(&*seat.core);
        seat.core.idle.vacate(&*seat.core);
    }
}

/// Works until the pool shuts down. A spare or helper also ends, and answers false, when nobody has needed it
/// for long.
fn work(seat: &Seat, index: usize) -> bool {
    let mut next_nap = SHORTEST_NAP;
    loop {
        seat.core.check_process();
        if !sleep(seat, index) {
            return false;
        }
        let mut patience = Patience::new(next_nap);
        while let Some(found) = search(seat, &mut patience) {
            match found {
                Found::Run(_) => seat.core.idle.found(&*seat.core),
                Found::Job(_) | Found::Ring => seat.core.idle.found_job(&*seat.core),
            }
            patience.note(&found);
            execute(seat, found);
            while !seat.core.idle.is_crowded() {
                let Some(found) = find_next(seat) else { break };
                execute(seat, found);
            }
            patience.note_run();
            seat.core.idle.search();
        }
        next_nap = patience.next_nap;
        // A worker that is one too many leaves what its children have spawned, and the homes of
        // these may be parked.
        seat.let_go_of_the_foreign();
        if seat.core.is_shut_down() {
            return true;
        }
        seat.forget_place();
        seat.slot().asleep.store(true, Ordering::Relaxed);
        seat.core.idle.announce(index, &*seat.core);
        rouse_all_if_over(&seat.core);
        seat.rouse_if_rung(index);
    }
}

/// What a worker has found to do.
enum Found {
    Run(Run),
    Job(Arc<dyn Job>),
    /// Somebody has rung: see `by_hand`.
    Ring,
}

/// How long a worker searches before it sleeps.
///
/// It may spin for [`SEARCH`] when it is woken. Each run gives it back the time that the run took, up to
/// `SEARCH` in all. If others search, too, it spins only if it has computed for [`WAKE_COST`] at a stretch.
/// Otherwise, and when the time is over, it sleeps. Where searchers sleep at once beside others, 64 cores lose nearly
/// half of `phases:100` by `spawn` in the laboratory.
///
/// A worker that has not computed for [`WAKE_COST`] at a stretch was woken for nothing. It *naps* before it
/// sleeps, and looks once more. While it naps it counts as a searcher and keeps its place, so nobody
/// wakes another worker for as little. Beside other searchers it does not begin to nap, but a worker
/// that has napped, and has not computed for long since, goes on.
///
/// Without naps, a caller that opens a tiny nursery every few microseconds wakes a worker for each,
/// at some 12 us per wake-up, and keeps it searching all the time. The price is that a long child
/// may start up to [`LONGEST_NAP`] later after such nurseries.
struct Patience {
    /// When the worker was woken, or last ended a run, a look in vain or a nap.
    since: clock::Tick,
    /// How much longer it spins.
    left: Duration,
    /// Whether it has computed for [`WAKE_COST`] at a stretch since it was woken.
    has_computed: bool,
    next_nap: Duration,
    has_napped: bool,
}

impl Patience {
    fn new(next_nap: Duration) -> Self {
        Self {
            since: clock::tick(),
            left: SEARCH,
            has_computed: false,
            next_nap,
            has_napped: false,
        }
    }

    /// The time since `since`, which becomes now.
    fn lap(&mut self) -> Duration {
        let now = clock::tick();
        now - mem::replace(&mut self.since, now)
    }

    /// Notes what the worker has found: for a job it was not woken for nothing, however short the job is.
    fn note(&mut self, found: &Found) {
        if matches!(found, Found::Job(_) | Found::Ring) {
            self.has_computed = true;
            self.next_nap = SHORTEST_NAP;
        }
    }

    /// Notes that the worker has run what it found.
    fn note_run(&mut self) {
        let time = self.lap();
        self.left = (self.left + time).min(SEARCH);
        self.has_napped = false;
        if time >= WAKE_COST {
            self.has_computed = true;
            self.next_nap = SHORTEST_NAP;
        }
    }

    /// Notes a look in vain; returns whether to look again at once. `is_alone` says that nobody else searches.
    fn may_spin(&mut self, is_alone: bool) -> bool {
        self.left = self.left.saturating_sub(self.lap());
        (is_alone || self.has_computed) && !self.left.is_zero()
    }

    /// Naps, if the worker was woken for nothing and has not just had a nap; returns whether it did. `is_alone` says
    /// that nobody else searches.
    fn try_nap(&mut self, is_alone: bool) -> bool {
        let is_first = self.next_nap == SHORTEST_NAP;
        if self.has_napped || self.has_computed || (is_first && !is_alone) {
            return false;
        }
        failpoint::reach(Failpoint::WorkerNaps);
        thread::sleep(self.next_nap);
        self.next_nap = (self.next_nap * 2).min(LONGEST_NAP);
        self.has_napped = true;
        self.since = clock::tick();
        true
    }
}

/// Runs a job, or children until this worker is one too many or it is the turn of others.
fn execute(seat: &Seat, found: Found) {
    match found {
        Found::Run(run) => execute_run(seat, run),
        Found::Job(job) => seat.run_job(&*job),
        Found::Ring => seat.answer_ring(true),
    }
    // If user code has forked the process, the new one has no use for a worker, and has none of the
    // others.
    seat.core.check_process();
    seat.regain_place();
}

fn execute_run(seat: &Seat, run: Run) {
    let is_turn_of_others = |is_turn| {
        let is_so = is_turn && seat.sees_others();
        seat.is_turn.set(is_so);
        is_so
    };
    run.execute(seat, &|is_turn| {
        seat.core.idle.is_crowded() || is_turn_of_others(is_turn)
    });
}

/// Sleeps until the worker is roused, if it is asleep; false if a spare or helper has waited long enough for that.
fn sleep(seat: &Seat, index: usize) -> bool {
    let slot = seat.slot();
    slot.set_doing(Doing::Sleeping);
    failpoint::reach(Failpoint::WorkerSleeps);
    // ORDERING: Acquire; partner: the Release in `Core::rouse`. Tokens of earlier waits end the
    // park early, so the flag decides. No model, see there.
    let most = match seat.kind() {
        Kind::Spare => Some(RETIREMENT),
        Kind::Helper => Some(LINGER),
        Kind::Worker | Kind::Guest => None,
    };
    while slot.asleep.load(Ordering::Acquire) {
        let Some(most) = most else {
            slot.parker.park();
            continue;
        };
        let is_spare = seat.kind() == Kind::Spare;
        if !slot.parker.park_for(most) && seat.core.idle.retire(index, is_spare, &*seat.core) {
            slot.asleep.store(false, Ordering::Relaxed);
            return false;
        }
    }
    seat.note_place();
    slot.set_doing(Doing::Running);
    failpoint::reach(Failpoint::WorkerWoken);
    true
}

/// Looks for something to do until it seems hopeless, or until this worker is one too many.
fn search(seat: &Seat, patience: &mut Patience) -> Option<Found> {
    let mut pauses = PAUSES;
    loop {
        if seat.take_ring() {
            return Some(Found::Ring);
        }
        if seat.core.idle.is_crowded() && !seat.core.is_shut_down() {
            // Nobody but a worker begins a job. If callers have had all places for long, it begins beside them.
            let overdue = seat.core.jobs.take_overdue().then(|| seat.take_job());
            if let Some(job) = overdue.flatten() {
                return Some(Found::Job(job));
            }
            failpoint::reach(Failpoint::WorkerStandsDown);
            return None;
        }
        if let Some(found) = find(seat) {
            return Some(found);
        }
        seat.core.arm_all();
        let is_alone = seat.core.idle.is_only_searcher();
        if patience.may_spin(is_alone) {
            thread::pause(pauses);
            if !is_alone {
                pauses = (2 * pauses).min(MOST_PAUSES);
            }
        } else if seat.core.is_shut_down() || !patience.try_nap(is_alone) {
            return None;
        }
    }
}

/// Takes what is next. If the last run was left because it was the turn of others, it takes theirs:
/// see `turns`.
fn find_next(seat: &Seat) -> Option<Found> {
    if !seat.is_turn.take() {
        return find(seat);
    }
    if seat.turns() % 2 == 1 {
        if let Some(job) = seat.take_job() {
            return Some(Found::Job(job));
        }
    }
    let stolen = if seat.is_to_steal() {
        steal(seat)
    } else {
        None
    };
    let others = stolen.or_else(|| find_stray(seat));
    let run = others.or_else(|| seat.pop()).or_else(|| steal(seat));
    run.map(Found::Run)
}

/// Takes a run or a job, in this order unless it is the turn of jobs: see `jobs`.
fn find(seat: &Seat) -> Option<Found> {
    if seat.take_ring() {
        return Some(Found::Ring);
    }
    let job = || seat.take_job().map(Found::Job);
    let run = || find_run(seat).map(Found::Run);
    if seat.is_for_jobs() {
        job().or_else(run)
    } else {
        run().or_else(job)
    }
}

/// Runs something that has not started, whatever it belongs to, on top of what this thread runs; false if there is
/// nothing. `is_local` says that only what this thread holds will do.
pub(crate) fn run_one(seat: &Seat, is_local: bool) -> bool {
    seat.expose_all();
    let found = if is_local {
        seat.pop().map(Found::Run)
    } else {
        find(seat)
    };
    match found {
        None => return false,
        Some(Found::Run(run)) => run.execute(seat, &|_| true),
        Some(Found::Job(job)) => seat.run_job(&*job),
        Some(Found::Ring) => seat.answer_ring(false),
    }
    true
}

/// Takes a run: the newest of the own deque, else a stray, else the oldest of another thread.
fn find_run(seat: &Seat) -> Option<Run> {
    let own = seat.pop();
    own.or_else(|| find_stray(seat)).or_else(|| steal(seat))
}

fn find_stray(seat: &Seat) -> Option<Run> {
    seat.core.injector.take(|_| true)
}

fn steal(seat: &Seat) -> Option<Run> {
    let (run, victim) = seat.core.roster.steal(seat.slot())?;
    seat.note_stolen(&run, victim);
    Some(run)
}
