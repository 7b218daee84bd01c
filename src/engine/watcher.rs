//! The watcher: a thread that takes children from threads that hide them and do something else.
//!
//! A child that a thread holds in private starts at the latest when the thread comes back to it, and is shown to
//! others when the thread comes to its next spawn or child. A thread that blocks or computes meanwhile does neither.
//! So, while there may be such a thread, the watcher looks every [`TICK`]. If a worker could come, and nothing is
//! visible or a thread has not answered between two looks, it revokes the locks of the threads (`task::private`), takes some of the oldest children of each, and
//! hands them to the injector.
//!
//! # Law S10
//!
//! Claim: while a child has not started, and a thread of its pool has a place and nothing to do, the child is visible,
//! or the watcher is awake, or the child's thread is in its spawn, and finds that it is asked.
//!
//! 1. A thread that has nothing to do searches, or sleeps after a search. The last thing that it does before it sleeps
//!    is to wake the watcher (`Field::watch` in `Idle::announce`).
//! 2. The watcher falls asleep only if it has found nothing unstarted for some ticks, and by the protocol of
//!    `protocol::watch`: a thread that spawns later finds that it is asked.
//! 3. A thread that lowers its flag and shows nothing, because nobody could come, wakes the watcher. So does a thread
//!    that shows something and could wake nobody.
//!
//! A dump of a pool revokes locks, too; `revoke` lets one thread do so at a time. The watcher sleeps while nothing is unstarted: an idle
//! pool has no ticks, nor has a pool with an open nursery of which all children have started.

use std::mem;
use std::slice;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::frame;
use crate::engine::report::Report;
use crate::engine::revoke::{Means, Revoker};
use crate::engine::share;
use crate::engine::shared::{Doing, Run, Slot};
use crate::engine::tally::Counter;
use crate::engine::timer::{self, Timer};
use crate::platform::clock;
use crate::platform::process::PerProcess;
use crate::platform::sync::{Arc, Mutex, Weak, lock, statics};
use crate::protocol::deadlines::Entry;
use crate::protocol::idle::Field;

/// The time between two looks. Law S10 allows twice as much.
const TICK: Duration = Duration::from_millis(4);
/// The watcher stops looking at a pool after this many looks in a row that find nothing unstarted.
const QUIET: u32 = 3;
/// How many looks in a row have to find a pool *still* before the watcher gives one place more: something is unstarted,
/// nobody could come, and nothing has begun since the look before. The next place takes twice as many looks.
const STILL: u32 = 25;
/// Whether a scheduler plays the threads, and draws the order of their steps: then there is no watcher.
const IS_PLAYED: bool = cfg!(hatchery_shuttle);
/// How many portions are taken from one thread at a look. Between two of them the thread may go on.
const PORTIONS: u32 = 64;

struct Watcher {
    timer: Timer,
    watched: Mutex<Watched>,
    revoker: Revoker,
}

/// What is watched.
struct Watched {
    pools: Vec<Pool>,
    /// The next look.
    next: Option<Entry>,
}

/// A pool that is watched.
struct Pool {
    core: Weak<Core>,
    /// How many looks in a row have found nothing unstarted.
    quiet: u32,
    /// What the threads had computed at the last look, if something was unstarted and nobody could come.
    seen: Vec<Seen>,
    at: clock::Tick,
    /// The threads that somebody had asked by the last look, and how often each had answered.
    asked: Vec<(Arc<Slot>, u64)>,
    /// The first look.
    begun: clock::Tick,
    /// [`Numbers::begun`](crate::engine::tally::Numbers::begun) at the last look, and for how many looks it has been the same.
    events: u64,
    /// How many jobs had begun at the last look.
    jobs: u64,
    still: u32,
    /// How many such looks the watcher waits for before it gives one place more.
    patience: u32,
    /// The thread whose place was given last for that reason.
    lent: Option<Arc<Slot>>,
}

statics! {
    static WATCHER: PerProcess<Watcher> = PerProcess::first(Watcher::new());
}

/// The watcher of this process.
fn own() -> &'static Watcher {
    WATCHER.get(|_| Watcher::new())
}

impl Watcher {
    const fn new() -> Self {
        Self {
            timer: Timer::new("hatchery-watcher", look_at_all),
            watched: Mutex::new(Watched {
                pools: Vec::new(),
                next: None,
            }),
            revoker: Revoker::new(),
        }
    }

    /// Sets the time of the next look; false if there is no thread for it.
    fn set_next(&'static self, watched: &mut Watched) -> bool {
        if watched.next.is_none() {
            watched.next = self.timer.add(clock::now() + TICK);
        }
        watched.next.is_some()
    }

    /// Whether something of a pool is unstarted. If somebody could run it, this takes children from the threads: from
    /// threads that are `deaf` up to [`PORTIONS`] portions, from the others only if nothing is visible. A pool with something
    /// visible and no deaf thread needs no barrier.
    fn finds_unstarted(&self, core: &Core, deaf: &[Arc<Slot>]) -> bool {
        (core.has_visible_work() && deaf.is_empty())
            || self.take_hidden(core, deaf)
            || core.has_visible_work()
            || core.blocking.is_starved()
    }

    /// Takes children from the threads of a pool, if somebody could run them; returns whether the threads hold any.
    fn take_hidden(&self, core: &Core, deaf: &[Arc<Slot>]) -> bool {
        let slots = core.roster.to_vec();
        let is_deaf = |slot: &Arc<Slot>| deaf.iter().any(|deaf| Arc::ptr_eq(deaf, slot));
        // A worker that has come for one portion does not seem hungry any more, and soon is: a deaf thread's children are
        // all there is for it.
        let is_hungry = core.idle.seems_hungry();
        let mut is_any = false;
        for portion in 0..PORTIONS {
            let is_wanted = core.idle.seems_hungry() && !core.has_visible_work();
            let slots = if portion > 0 && !is_wanted {
                deaf
            } else {
                &slots[..]
            };
            let mut taken = Vec::new();
            self.revoker.revoke(slots, |slot, frames| {
                if is_wanted || (is_hungry && is_deaf(slot)) {
                    let run = frame::take_from(frames, core);
                    taken.extend(run.map(|run| (run, Arc::clone(slot))));
                } else {
                    is_any |= frame::holds(frames, core);
                }
            });
            if taken.is_empty() {
                break;
            }
            is_any = true;
            for (run, slot) in taken {
                hand_over(run, core, &slot);
            }
        }
        is_any
    }
}

/// Counts children that were taken from the owner of this slot, and hands them to a worker.
fn hand_over(run: Run, core: &Core, slot: &Slot) {
    core.note_taken();
    share::hand_to_worker(run, core, slot);
}

/// How children are taken from threads in this process.
pub(crate) fn means() -> Means {
    own().revoker.means()
}

/// What the owner of this slot has open in the pool and holds children of, or held some; none if that cannot be known.
pub(super) fn look_into(core: &Core, slot: &Arc<Slot>) -> Option<Report> {
    let mut report = None;
    own().revoker.revoke(slice::from_ref(slot), |_, frames| {
        report = Some(Report::of_another(core, frames));
    });
    report
}

/// Looks at this pool from now on, until nothing has been unstarted for a while; false if there is no thread for it.
pub(super) fn watch(core: &Arc<Core>) -> bool {
    if !clock::IS_THERE || IS_PLAYED {
        return true;
    }
    let watcher = own();
    let mut watched = lock(&watcher.watched);
    watched.pools.push(Pool::new(core));
    if watcher.set_next(&mut watched) {
        return true;
    }
    watched.pools.pop();
    false
}

/// Forgets a pool that ends, and ends the threads that no pool needs any more.
pub(super) fn dismiss(core: &Core) {
    if !IS_PLAYED {
        let watcher = own();
        let mut watched = lock(&watcher.watched);
        watched
            .pools
            .retain(|pool| !std::ptr::eq(pool.core.as_ptr(), core));
        if watched.pools.is_empty() {
            if let Some(next) = watched.next.take() {
                watcher.timer.remove(&next);
            }
            drop(watched);
            watcher.timer.end();
        }
    }
    timer::dismiss();
}

fn look_at_all() {
    let watcher = own();
    let pools = {
        let mut watched = lock(&watcher.watched);
        watched.next = None;
        mem::take(&mut watched.pools)
    };
    // Under no lock: a pool may end meanwhile, and waits for this thread.
    let kept: Vec<_> = pools
        .into_iter()
        .filter_map(|pool| pool.look(watcher))
        .collect();
    let mut watched = lock(&watcher.watched);
    watched.pools.extend(kept);
    watched.pools.retain(|pool| {
        let core = pool.core.upgrade();
        core.is_some_and(|core| !core.is_over())
    });
    if !watched.pools.is_empty() {
        // This is the thread for it.
        watcher.set_next(&mut watched);
    }
}

/// What a thread has been seen doing.
struct Seen {
    /// The thread's slot.
    slot: Arc<Slot>,
    cpu_time: Duration,
    /// The same when something in the pool last began.
    since: Duration,
}

impl Pool {
    fn new(core: &Arc<Core>) -> Self {
        Self {
            core: Arc::downgrade(core),
            quiet: 0,
            seen: Vec::new(),
            at: clock::tick(),
            asked: Vec::new(),
            begun: clock::tick(),
            events: 0,
            jobs: 0,
            still: 0,
            patience: STILL,
            lent: None,
        }
    }

    /// Looks once; none if the pool need not be watched any more.
    fn look(mut self, watcher: &Watcher) -> Option<Self> {
        // If all workers are refused, nobody could come, and what is taken would come back out of order.
        let is_watched = |core: &Arc<Core>| core.has_workers() && !core.is_over();
        let core = self.core.upgrade().filter(is_watched)?;
        let deaf = self.find_deaf(&core);
        if watcher.finds_unstarted(&core, &deaf) {
            self.quiet = 0;
            if core.idle.seems_hungry() {
                self.forget();
            } else {
                self.judge(&core);
            }
            return Some(self);
        }
        self.forget();
        self.quiet += 1;
        if self.quiet < QUIET {
            return Some(self);
        }
        self.quiet = 0;
        let look = || watcher.finds_unstarted(&core, &[]);
        let has_ended = core.watch.end(|| core.arm_all(), look);
        (!has_ended).then_some(self)
    }

    /// The threads that were asked before the last look and have not answered since.
    fn find_deaf(&mut self, core: &Core) -> Vec<Arc<Slot>> {
        let is_asked =
            |slot: &Arc<Slot>| slot.doing() == Doing::Running && slot.requests.are_made();
        let answers = |slot: Arc<Slot>| {
            let answers = slot.tally[Counter::Answers].get();
            (slot, answers)
        };
        let slots = core.roster.to_vec().into_iter();
        let now = slots.filter(is_asked).map(answers).collect();
        let before = mem::replace(&mut self.asked, now);
        let is_still = |(slot, answers): &&(Arc<Slot>, u64)| {
            let same =
                |(other, before): &(Arc<Slot>, u64)| Arc::ptr_eq(slot, other) && answers == before;
            before.iter().any(same)
        };
        let deaf = self.asked.iter().filter(is_still);
        deaf.map(|(slot, _)| Arc::clone(slot)).collect()
    }

    /// Lends the places of threads that are blocked and have not said so: nobody could come to what is unstarted.
    fn judge(&mut self, core: &Core) {
        let now = clock::tick();
        let passed = now - mem::replace(&mut self.at, now);
        // A thread that runs short children answers before the next look, and has moved by that.
        let numbers = core.numbers();
        let (begun, jobs) = (numbers.begun(), numbers[Counter::Jobs]);
        // Callers may run children all the time, and have no use for a job.
        let are_jobs_still = core.jobs.waiting() > 0 && jobs == self.jobs;
        let is_still = begun == self.events || are_jobs_still;
        (self.events, self.jobs) = (begun, jobs);
        self.still = if is_still { self.still + 1 } else { 0 };
        let before = mem::take(&mut self.seen);
        for slot in core.roster.to_vec() {
            let thread = lock(&slot.thread);
            let Some(owner) = *thread else { continue };
            if !slot.holds_place() || slot.doing() != Doing::Running {
                continue;
            }
            // Where nobody says how much it computes, it counts as computing all the time.
            let cpu_time = owner.activity.cpu_time().unwrap_or(now - self.begun);
            let mut since = cpu_time;
            let is_same = |before: &&Seen| Arc::ptr_eq(&before.slot, &slot);
            if let Some(before) = before.iter().find(is_same) {
                let computed = cpu_time.saturating_sub(before.cpu_time);
                if computed <= passed / 10 && owner.activity.is_blocked() {
                    core.lend(&slot, owner.is_worker);
                    // What others have shown there comes from nurseries whose homes may be parked.
                    while let Some(run) = slot.steal() {
                        hand_over(run, core, &slot);
                    }
                    continue;
                }
                if is_still {
                    since = before.since;
                }
            }
            drop(thread);
            self.seen.push(Seen {
                slot,
                cpu_time,
                since,
            });
        }
        self.lend_one_more(core);
        core.arm_all();
    }

    /// Lends the place of one thread that computes, if nothing has begun for long.
    fn lend_one_more(&mut self, core: &Core) {
        if self.lent.as_ref().is_some_and(|slot| !slot.has_lent()) {
            // It was worth it: the thread goes on.
            self.lent = None;
            self.patience = STILL;
        }
        if self.still < self.patience {
            return;
        }
        // On a machine with more to do than it has CPUs, nothing may have begun because nobody had a CPU.
        let enough = TICK * self.patience / 2;
        let computes = |seen: &&Seen| seen.cpu_time.saturating_sub(seen.since) >= enough;
        let Some(seen) = self.seen.iter().find(computes) else {
            return;
        };
        if core.jobs.waiting() > 0 {
            core.jobs.note_overdue();
        }
        let owner = *lock(&seen.slot.thread);
        if let Some(owner) = owner {
            core.lend(&seen.slot, owner.is_worker);
        }
        self.lent = Some(Arc::clone(&seen.slot));
        self.still = 0;
        // Long children are no hang: not each of them is worth a thread.
        self.patience *= 2;
    }

    /// Forgets what the threads were doing: somebody can come to what is unstarted, or nothing is.
    fn forget(&mut self) {
        self.seen.clear();
        self.still = 0;
        self.patience = STILL;
        self.lent = None;
    }
}
