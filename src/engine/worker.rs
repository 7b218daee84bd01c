//! The main loop of a worker.
//!
//! ```text
//!   arriving
//!      v
//!   sleeping ── roused (with a place) ──> searching ── found ──> running
//!      ^                                   |  |  ^                  |
//!      ├───────── announce ────────────────┘  |  └─── ran dry ──────┘
//!      └─── napping <── woken for nothing ────┘
//! ```
//!
//! A spare worker begins with a search, and ends when it has slept for [`RETIREMENT`].

use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::hooks;
use crate::engine::seat::{Kind, Seat};
use crate::engine::shared::{Doing, Run, Slot};
use crate::engine::timer::RETIREMENT;
use crate::platform::clock;
use crate::platform::deque::Worker as Deque;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::Ordering;
use crate::platform::thread;
use crate::protocol::idle::Field;

/// How long a searcher spins if it is the only one: about as long as it takes here to wake a
/// thread.
const SEARCH: Duration = Duration::from_micros(50);
/// How long a worker cannot be woken after it was woken for nothing. The time doubles each time in
/// a row, up to [`LONGEST_NAP`].
///
/// Without naps, a caller that opens a tiny nursery every few microseconds wakes a worker for each,
/// at some 12 us per wake-up, and keeps it searching all the time. The price is that a long child
/// may start this much later if the wake-up before it found nothing.
const SHORTEST_NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_micros(500);
/// Pause instructions between two looks of a spinning searcher.
const PAUSES: u32 = 32;

/// Runs the worker of this slot until the pool shuts down.
pub(crate) fn main(core: Arc<Core>, slot: Arc<Slot>, deque: Deque<Run>, index: usize) {
    let _hooks = hooks::enter(core.hooks());
    let seat = Seat::new(core, slot, deque, Kind::Worker);
    // After the hook, which may take long: nobody counts on this worker before.
    seat.core.idle.arrive(index, &*seat.core);
    rouse_all_if_over(&seat.core);
    run(&seat, index);
}

/// Rouses all workers if the pool ends. A worker calls this when it has joined the sleepers,
/// because the end of the pool may have roused all of them before.
fn rouse_all_if_over(core: &Core) {
    if core.is_shut_down() {
        core.idle.rouse_all(core);
    }
}

/// Runs a spare worker, which starts with a place and a searcher's mark.
pub(crate) fn spare(core: Arc<Core>, index: usize) {
    let seat = spare_seat(&core, index);
    let has_hook = hooks::have_start(core.hooks());
    if has_hook {
        // The hook is user code and may take long, so the worker counts as napping.
        core.idle.leave_for_nap(&*core);
    }
    let _hooks = hooks::enter(core.hooks());
    if has_hook {
        seat.slot().asleep.store(true, Ordering::Relaxed);
        core.idle.return_from_nap(index, &*core);
        rouse_all_if_over(&core);
    }
    run(&seat, index);
    seat.slot().set_doing(Doing::Away);
    core.forget_spare(index);
}

/// A seat for a spare worker that has just started.
fn spare_seat(core: &Arc<Core>, index: usize) -> Seat {
    let (slot, deque) = core.roster.check_in(thread::own_name());
    core.note_spare(index, &slot);
    Seat::new(Arc::clone(core), slot, deque, Kind::Spare)
}

fn run(seat: &Seat, index: usize) {
    let root = Frame::root(seat);
    if root.enter(|| work(seat, index)) {
        // The last search has left the place and the mark that came with the rousing.
        seat.core.idle.found(&*seat.core);
        seat.core.idle.vacate(&*seat.core);
    }
}

/// Works until the pool shuts down. A spare also ends, and answers false, when nobody has needed it
/// for long.
fn work(seat: &Seat, index: usize) -> bool {
    let mut nap = SHORTEST_NAP;
    loop {
        seat.core.check_process();
        if !sleep(seat, index) {
            return false;
        }
        let mut was_woken_for_nothing = true;
        while let Some(run) = search(seat) {
            was_woken_for_nothing = false;
            seat.core.idle.found(&*seat.core);
            execute(seat, run);
            while !seat.core.idle.is_crowded() {
                let Some(run) = find_next(seat) else { break };
                execute(seat, run);
            }
            seat.core.idle.search();
        }
        // A worker that is one too many leaves what its children have spawned, and the homes of
        // these may be parked.
        seat.let_go_of_the_foreign();
        if seat.core.is_shut_down() {
            return true;
        }
        if was_woken_for_nothing {
            seat.core.idle.leave_for_nap(&*seat.core);
            failpoint::reach(Failpoint::WorkerNaps);
            thread::sleep(nap);
            nap = (nap * 2).min(LONGEST_NAP);
            seat.slot().asleep.store(true, Ordering::Relaxed);
            seat.core.idle.return_from_nap(index, &*seat.core);
        } else {
            nap = SHORTEST_NAP;
            seat.slot().asleep.store(true, Ordering::Relaxed);
            seat.core.idle.announce(index, &*seat.core);
        }
        rouse_all_if_over(&seat.core);
    }
}

/// Runs children until this worker is one too many, or it is the turn of others.
fn execute(seat: &Seat, run: Run) {
    let is_turn_of_others = |is_turn| {
        let is_so = is_turn && seat.sees_others();
        seat.is_turn.set(is_so);
        is_so
    };
    run.execute(seat, |is_turn| {
        seat.core.idle.is_crowded() || is_turn_of_others(is_turn)
    });
    // If a child has forked the process, the new one has no use for a worker, and has none of the
    // others.
    seat.core.check_process();
}

/// Sleeps until the worker is roused; false if a spare has waited long enough for that.
fn sleep(seat: &Seat, index: usize) -> bool {
    let slot = seat.slot();
    slot.set_doing(Doing::Sleeping);
    failpoint::reach(Failpoint::WorkerSleeps);
    // ORDERING: Acquire; partner: the Release in `Core::rouse`. Tokens of earlier waits end the
    // park early, so the flag decides. No model, see there.
    while slot.asleep.load(Ordering::Acquire) {
        if !seat.is_spare() {
            slot.parker.park();
        } else if !slot.parker.park_for(RETIREMENT) && seat.core.idle.retire(index, &*seat.core) {
            slot.asleep.store(false, Ordering::Relaxed);
            return false;
        }
    }
    slot.set_doing(Doing::Running);
    failpoint::reach(Failpoint::WorkerWoken);
    true
}

/// Looks for a run until it seems hopeless, or until this worker is one too many.
fn search(seat: &Seat) -> Option<Run> {
    let started = clock::tick();
    loop {
        if seat.core.idle.is_crowded() && !seat.core.is_shut_down() {
            failpoint::reach(Failpoint::WorkerStandsDown);
            return None;
        }
        if let Some(run) = find(seat) {
            return Some(run);
        }
        seat.core.arm_all();
        if !seat.core.idle.is_only_searcher() || clock::tick() - started > SEARCH {
            return None;
        }
        thread::pause(PAUSES);
    }
}

/// Takes the next run. If the last run was left because it was the turn of others, it takes theirs:
/// see `turns`.
fn find_next(seat: &Seat) -> Option<Run> {
    if !seat.is_turn.take() {
        return find(seat);
    }
    let stolen = if seat.is_to_steal() {
        steal(seat)
    } else {
        None
    };
    stolen
        .or_else(|| find_stray(seat))
        .or_else(|| seat.pop())
        .or_else(|| steal(seat))
}

/// Takes a run: the newest of the own deque, else a stray, else the oldest of another thread.
fn find(seat: &Seat) -> Option<Run> {
    let own = seat.pop();
    own.or_else(|| find_stray(seat)).or_else(|| steal(seat))
}

fn find_stray(seat: &Seat) -> Option<Run> {
    seat.core.injector.take(|_| true)
}

fn steal(seat: &Seat) -> Option<Run> {
    let run = seat.core.roster.steal(seat.slot())?;
    seat.note_stolen(&run);
    Some(run)
}
