//! Who computes, who searches, who sleeps: places and wake-ups in one protocol.
//!
//! A *place* is the right to compute. Workers need one to search or run. A thread that opens a
//! nursery from outside takes a place whether one is left or not, and so does a waiter that
//! resumes. `computing` counts all places that are taken. A worker that finds more than `places` of
//! them stands down at its next boundary.
//!
//! # Events
//!
//! | event     | who                 | what                                                       |
//! |-----------|---------------------|------------------------------------------------------------|
//! | *expose*  | pusher              | work becomes visible, **fence**, [`Idle::wake_one`]        |
//! | *find*    | searcher            | leaves `searching`; if another one may search: **fence**, looks, or arms all if it sees nothing and somebody could come |
//! | *announce*| worker out of work  | joins `sleepers`, leaves `searching`, **fence**, arms all, *vacates*, looks once more |
//! | *refuse*  | anyone without place| sets `refused`, **fence**, looks at `computing` once more  |
//! | *vacate*  | holder of a place   | `computing -= 1`, **fence**, if `refused`: arms all, looks |
//! | *leave*   | worker that blocks  | `absent += 1`, *vacate*; if a spare could stand in for it: arms all, looks |
//! | *retire*  | spare or helper asleep for long | leaves `sleepers`, a spare `spares`, too, **fence**, looks |
//! | *stand aside* | new worker with a start hook | *finds*, *vacates*; after the hook it joins `sleepers`, **fence**, arms all, looks |
//! | *offer*   | recruiter           | a helper joins `sleepers` as the last to be roused, **fence**, arms all, looks |
//! | *want*    | waker               | takes a helper out of `sleepers`, has it asked for, and goes on as if it could not wake anybody |
//! | *come*    | helper              | joins `sleepers`, as in the second half of *stand aside* |
//!
//! *Looking* means: if work is visible, `wake_one`. *Arming* sets the request flag of every
//! thread, so that it exposes something at its next spawn or child, unless it shows enough already.
//!
//! A worker is *absent* once it has said that it will do without its place: at once if it runs what
//! may block, after a while if it parks in a wait. If all other workers are busy, places stay free; then a *spare* worker is started, if
//! there is something to do. When a spare is started, there are never more spares than absent
//! workers, nor more than `most_spares`. A worker that comes back takes a place again, whether one
//! is left or not, and one worker too many stands down.
//!
//! # No lost wake-up
//!
//! Claim: once all threads are quiet it never holds that work is visible, a place is free, and a
//! worker sleeps or a spare could be had.
//!
//! 1. expose / announce: of their two fences one comes first. If it is the pusher's, the sleeper's
//!    last look sees the work; if it is the sleeper's, the pusher sees a sleeper.
//! 2. The pusher may keep quiet because somebody is `searching`, or because the number of searchers
//!    has changed since its fence. Every way out of that state looks again *after* it has left it: a
//!    searcher that found something and was the last ([`Idle::found`]), a searcher that announces,
//!    and a waker that could not wake anybody (the loop in [`Idle::wake_one`]). Call the last thread that
//!    leaves L. Either L's fence comes after the pusher's, or the pusher saw that L had left. So L
//!    sees what was pushed.
//! 3. The pusher may fail because no place is free. Then `refused` was set before it looked at
//!    `computing` for the last time, and the next thread to vacate sees it (fences again).
//! 4. Private work is exposed on request. Requests are armed by all events that *arm all*;
//!    the thread that is asked clears its flag first and reads `asleep` and `searching`
//!    behind a fence, so that it either sees the sleeper or is asked again. It may have answered
//!    only because somebody was `searching`. The last searcher that finds something looks, or asks
//!    again, so one answer does not silence those that still sleep. (If it looks, and the work is
//!    gone before a worker takes it, nobody has been asked again: what is private stays so until the
//!    next event that arms.) While a thread shows something, and others seem to want it, it gives no more and
//!    leaves its flag set. Nothing is lost by that: what it shows is visible (1 to 3), and because of the flag it
//!    looks again at its next spawn or child.
//! 5. leave is to a spare what announce is to a sleeper. Either the pusher comes first, and the
//!    last look sees what it exposed; or the pusher sees that a worker is absent. A spare that
//!    retires leaves `spares` before `asleep`, and looks, so that a pusher that counted on it finds
//!    another.
//! 6. A worker that has not started is a sleeper. To rouse it is to start its thread, with a place
//!    and the searcher's mark. If the system refuses the thread, the waker tries the next sleeper. If
//!    none is left, it stops, or looks again like each waker that could wake nobody (2). The refused
//!    worker is a sleeper again when another worker falls asleep. A start hook is user code and may
//!    take long. So its worker first gives place and mark back, and nobody counts on it. After the
//!    hook it joins the sleepers like a worker that has run dry.
//! 7. A *helper* is a worker on a thread of others (`protocol::helpers`), which comes late or never. So nobody counts on one
//!    that is wanted: its waker gives place and mark back and looks again (2), and the helper looks when it has
//!    come. Until somebody comes or leaves, the claim holds for the workers that are there. A helper that leaves retires (5).
//!    Some time later one is offered again, if any is in reserve. As in 1, the pusher sees it, or the look of the
//!    offer sees what was pushed, and then it is wanted.
//!
//! Waiters do not take part: each parks for events of its own (see `engine::wait`) that unpark it
//! directly. Models: `models::idle_*`, `models::start_*`.

use crossbeam_utils::CachePadded;

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::platform::sync::{Mutex, lock};

/// No worker is woken while this many search, so that searchers do not stand in each other's way. Without a bound,
/// 256 cores lose a third of the efficiency of `flat:1000` in the laboratory, and 64 a tenth of `forks:16`.
const MOST_SEARCHERS: usize = 8;

/// What the protocol needs to know of the pool around it.
pub(crate) trait Field {
    /// Whether some queue holds a run that a worker could take.
    fn has_visible_work(&self) -> bool;
    /// Asks every thread to expose some of its private work.
    fn arm_all(&self);
    /// Wakes a worker that has joined the sleepers, or starts it if it has no thread yet; false if the
    /// thread is refused.
    fn rouse(&self, worker: usize) -> bool;
    /// Has somebody ask for this worker, if it comes on a thread of others: later, or never, and without the place and the
    /// searcher's mark of the caller. False if it is another worker.
    fn want(&self, _worker: usize) -> bool {
        false
    }
    /// Starts a spare worker, which has a place and the searcher's mark; false if it is refused.
    fn start_spare(&self) -> bool;
    /// Sees to it that somebody looks at the pool now and then, because there may be work that nobody can be woken for.
    fn watch(&self) {}
    /// The same, unless no thread can hold such work: see `protocol::watch`.
    fn watch_if_answered(&self) {
        self.watch();
    }
}

#[derive(Default)]
struct Sleepers {
    /// The last is woken first.
    asleep: Vec<usize>,
    /// Workers whose threads the system has refused. One of them is tried again each time that a worker falls
    /// asleep, so that a moment of shortage costs the pool no worker for good.
    without_thread: Vec<usize>,
}

impl Sleepers {
    /// Takes this worker out; false if it is not there.
    fn remove(&mut self, worker: usize) -> bool {
        let at = self.asleep.iter().position(|sleeper| *sleeper == worker);
        at.map(|at| self.asleep.remove(at)).is_some()
    }
}

/// The places and sleepers of one pool.
pub(crate) struct Idle {
    places: usize,
    /// From this many searchers on, nobody is woken: one in a pool of two threads.
    most_searchers: usize,
    most_spares: usize,
    /// `computing`, `searching` and `asleep` lie on a cache line each: a thread that reads one of them is not held up
    /// by those that write the others.
    computing: CachePadded<AtomicUsize>,
    searching: CachePadded<AtomicUsize>,
    asleep: CachePadded<AtomicUsize>,
    absent: AtomicUsize,
    spares: AtomicUsize,
    /// How many spares it is worth asking the system for. Once the system has refused a spare, this
    /// is the number of spares there are, until the next worker leaves. If a worker leaves while a
    /// spare is refused, it may have to wait for the worker after it, too.
    likely_spares: AtomicUsize,
    refused: AtomicBool,
    sleepers: Mutex<Sleepers>,
}

impl Idle {
    pub(crate) fn new(places: usize, most_spares: usize) -> Self {
        Self {
            places,
            most_searchers: places.div_ceil(2).min(MOST_SEARCHERS),
            most_spares,
            computing: CachePadded::default(),
            searching: CachePadded::default(),
            asleep: CachePadded::default(),
            absent: AtomicUsize::new(0),
            spares: AtomicUsize::new(0),
            likely_spares: AtomicUsize::new(most_spares),
            refused: AtomicBool::new(false),
            sleepers: Mutex::default(),
        }
    }

    /// Threads that compute, search, sleep or have not started, are absent, or spare; for people to read.
    pub(crate) fn snapshot(&self) -> [usize; 5] {
        let counts = [
            &*self.computing,
            &*self.searching,
            &*self.asleep,
            &self.absent,
            &self.spares,
        ];
        counts.map(|n| n.load(Ordering::Relaxed))
    }

    /// Takes a place even if none is left.
    pub(crate) fn take_place_anyway(&self) {
        // ORDERING: Relaxed: nothing is concluded from it; surplus is found by polling.
        self.computing.fetch_add(1, Ordering::Relaxed);
        failpoint::reach(Failpoint::PlaceTakenAnyway);
    }

    /// Whether more threads compute than there are places.
    pub(crate) fn is_crowded(&self) -> bool {
        self.computing.load(Ordering::Relaxed) > self.places
    }

    /// The event *vacate*.
    pub(crate) fn vacate(&self, field: &impl Field) {
        self.computing.fetch_sub(1, Ordering::Relaxed);
        failpoint::reach(Failpoint::PlaceGivenUp);
        // ORDERING: SeqCst fence between giving the place back and reading `refused`; partner:
        // the fence in `has_place`. Model: `models::idle_place_passes_on`.
        fence(Ordering::SeqCst);
        if self.refused.load(Ordering::Relaxed) {
            self.hand_over(field);
        }
    }

    #[cold]
    fn hand_over(&self, field: &impl Field) {
        self.refused.store(false, Ordering::Relaxed);
        // ORDERING: SeqCst fence between clearing the flag and looking: a refusal that this
        // clears without having seen its work comes after it. Model: `models::idle_place_passes_on`.
        // No model tells it from Acquire and Release, but it stands between a store and loads, which
        // the proof wants in this order.
        fence(Ordering::SeqCst);
        field.arm_all();
        self.look(field);
    }

    /// The event *leave*.
    pub(crate) fn leave(&self, field: &impl Field) {
        self.count_absent();
        // Its fence stands between leaving and looking; partners: `wake_one` and `is_hungry`. Model:
        // `models::idle_absent_*`.
        self.vacate(field);
        self.look_for_spare(field);
    }

    /// The event *leave*, for a worker that has given its place up before, and now turns out to
    /// wait for long.
    pub(crate) fn note_absent(&self, field: &impl Field) {
        self.count_absent();
        // ORDERING: SeqCst fence between leaving and looking; partners: `wake_one` and `is_hungry`.
        // Model: `models::idle_long_wait_is_noticed`.
        fence(Ordering::SeqCst);
        self.look_for_spare(field);
    }

    /// The event *leave*, for a thread that is blocked and has not said so. `take` says that it still has its place, and
    /// notes that it has not any more. Returns what `take` does.
    pub(crate) fn lend(
        &self,
        field: &impl Field,
        is_worker: bool,
        take: impl FnOnce() -> bool,
    ) -> bool {
        if is_worker {
            // Before the thread can learn of it: it notes its return then.
            self.count_absent();
        }
        let is_taken = take();
        if is_taken {
            // Its fence stands between leaving and looking, as in `leave`.
            self.vacate(field);
            self.look_for_spare(field);
        } else if is_worker {
            self.note_return();
        }
        is_taken
    }

    fn count_absent(&self) {
        self.absent.fetch_add(1, Ordering::Relaxed);
        failpoint::reach(Failpoint::WorkerAbsent);
        self.likely_spares
            .store(self.most_spares, Ordering::Relaxed);
    }

    /// Arms and looks, if a spare may come.
    fn look_for_spare(&self, field: &impl Field) {
        if self.lacks_worker() {
            field.arm_all();
            self.look(field);
        }
    }

    /// Notes that an absent worker is back, and takes a place or has taken one.
    pub(crate) fn note_return(&self) {
        self.absent.fetch_sub(1, Ordering::Relaxed);
        failpoint::reach(Failpoint::WorkerBack);
    }

    /// Whether a spare may stand in for an absent worker.
    fn lacks_worker(&self) -> bool {
        let absent = self.absent.load(Ordering::Relaxed);
        let likely = self.likely_spares.load(Ordering::Relaxed);
        absent > 0 && absent.min(likely) > self.spares.load(Ordering::Relaxed)
    }

    /// Counts one more spare, if one may come.
    fn add_spare(&self) -> bool {
        let more = |now: usize| {
            let absent = self.absent.load(Ordering::Relaxed);
            (now < absent.min(self.most_spares)).then(|| now + 1)
        };
        self.spares
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// The event *retire*, of a spare or helper that has slept for long; false if it was woken meanwhile.
    pub(crate) fn retire(&self, worker: usize, is_spare: bool, field: &impl Field) -> bool {
        let mut sleepers = lock(&self.sleepers);
        if !sleepers.remove(worker) {
            return false;
        }
        if is_spare {
            // In this order: see the proof, 5.
            self.spares.fetch_sub(1, Ordering::Relaxed);
        }
        self.asleep.fetch_sub(1, Ordering::Relaxed);
        drop(sleepers);
        failpoint::reach(Failpoint::SpareRetires);
        // ORDERING: SeqCst fence between leaving the sleepers and looking; partner: `wake_one`,
        // which may have counted on this worker. Models: `models::idle_retired_spare_is_replaced`,
        // `models::helpers_who_leaves_is_replaced`.
        fence(Ordering::SeqCst);
        self.look(field);
        true
    }

    /// How many spares there are.
    pub(crate) fn spares(&self) -> usize {
        self.spares.load(Ordering::Relaxed)
    }

    /// Counts the helpers that do not come as one absent worker.
    pub(crate) fn note_missing(&self) {
        self.count_absent();
    }

    /// Counts one more spare, which has a place and the searcher's mark, whether one may come or not.
    pub(crate) fn add_spare_anyway(&self) {
        self.spares.fetch_add(1, Ordering::Relaxed);
        self.take_place_anyway();
        self.search();
    }

    /// Takes a place if one is left.
    pub(crate) fn try_take_place(&self) -> bool {
        let free = |now: usize| (now < self.places).then(|| now + 1);
        self.computing
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, free)
            .is_ok()
    }

    /// Whether exposing work now would reach somebody. If only a place is missing, the next place
    /// that is given back asks again.
    pub(crate) fn is_hungry(&self) -> bool {
        // ORDERING: SeqCst fence between clearing the own request flag and looking for hunger;
        // partner: `announce`, which counts itself asleep before it arms. Model:
        // `models::idle_request_is_answered`.
        fence(Ordering::SeqCst);
        self.is_searched() || (self.could_somebody_come() && self.has_place())
    }

    /// Like [`Self::is_hungry`], without a fence, and without asking for the next free place: a hint.
    pub(crate) fn seems_hungry(&self) -> bool {
        self.is_searched() || (self.could_somebody_come() && self.has_free_place())
    }

    /// Whether a worker could come if there is a place for it.
    fn could_somebody_come(&self) -> bool {
        self.asleep.load(Ordering::Relaxed) > 0 || self.lacks_worker()
    }

    /// Whether a place is free; if not, the next place that is given back is handed over.
    fn has_place(&self) -> bool {
        if self.has_free_place() {
            return true;
        }
        self.refused.store(true, Ordering::Relaxed);
        // ORDERING: SeqCst fence between the refusal and the last look; partner: `vacate`.
        fence(Ordering::SeqCst);
        self.has_free_place()
    }

    fn has_free_place(&self) -> bool {
        self.computing.load(Ordering::Relaxed) < self.places
    }

    /// Wakes or starts one worker unless enough of them search already: the second half of *expose*.
    /// True if a worker is on its way now, or a helper that may come.
    pub(crate) fn wake_one(&self, field: &impl Field) -> bool {
        let mut is_wanted = false;
        loop {
            // ORDERING: SeqCst fence between exposing work and looking for sleepers; partner:
            // the fence in `announce`. Model: `models::idle_push_wakes_or_is_seen`. `Core::submit` relies on it, too.
            fence(Ordering::SeqCst);
            if self.asleep.load(Ordering::Relaxed) == 0 && !self.lacks_worker() {
                field.watch();
                return is_wanted;
            }
            if !self.add_searcher() {
                return is_wanted;
            }
            let has_place = self.try_take_place();
            failpoint::reach_if(has_place, Failpoint::PlaceTaken);
            let mut is_refused = false;
            if has_place {
                // The place and the searcher's mark go to the worker.
                while let Some(worker) = self.pop_sleeper() {
                    if field.want(worker) {
                        is_wanted = true;
                        continue;
                    }
                    if field.rouse(worker) {
                        return true;
                    }
                    lock(&self.sleepers).without_thread.push(worker);
                    is_refused = true;
                }
                if self.add_spare() {
                    if field.start_spare() {
                        return true;
                    }
                    failpoint::reach(Failpoint::SpareRefused);
                    let left = self.spares.fetch_sub(1, Ordering::Relaxed) - 1;
                    self.likely_spares.store(left, Ordering::Relaxed);
                    is_refused = true;
                }
            }
            self.searching.fetch_sub(1, Ordering::Relaxed);
            if has_place {
                self.vacate(field);
            }
            // ORDERING: SeqCst fence between leaving the search and looking again (proof, 2).
            fence(Ordering::SeqCst);
            let is_hopeless =
                is_refused && self.asleep.load(Ordering::Relaxed) == 0 && !self.lacks_worker();
            if is_hopeless || !(field.has_visible_work() && self.has_place()) {
                field.watch();
                return is_wanted;
            }
        }
    }

    /// Whether a worker may be woken to search beside this many: while fewer than half of the threads that have a
    /// place search. So each thread that wakes can wake another, and their number doubles in the time
    /// of one wake-up.
    fn has_room_for_searchers(&self, searching: usize) -> bool {
        searching == 0
            || (searching < self.most_searchers
                && 2 * searching < self.computing.load(Ordering::Relaxed))
    }

    /// Counts one more searcher, if there is room for it.
    fn add_searcher(&self) -> bool {
        let add_to = |now| {
            self.searching
                .compare_exchange(now, now + 1, Ordering::Relaxed, Ordering::Relaxed)
        };
        // It tries once only: a thread that comes or leaves in between looks for itself (proof, 2).
        match add_to(0) {
            Ok(_) => true,
            Err(now) => self.has_room_for_searchers(now) && add_to(now).is_ok(),
        }
    }

    /// Whether a worker searches, or is on its way to a search.
    pub(crate) fn is_searched(&self) -> bool {
        self.searching.load(Ordering::Relaxed) > 0
    }

    /// Notes that a worker with a place has run dry and searches.
    pub(crate) fn search(&self) {
        self.searching.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether this searcher is the only one.
    pub(crate) fn is_only_searcher(&self) -> bool {
        self.searching.load(Ordering::Relaxed) == 1
    }

    /// The event *find*: a searcher has found something. If there is room for another searcher
    /// then, it looks whether there is more, and asks for more if it sees none. The last searcher
    /// always does.
    pub(crate) fn found(&self, field: &impl Field) {
        if self.leave_search(field) {
            field.watch();
        }
    }

    /// The same, of a searcher that has found a job. A job that is taken says nothing of what threads hide: in a pool
    /// that was idle, nobody has to be woken to look for that.
    pub(crate) fn found_job(&self, field: &impl Field) {
        if self.leave_search(field) {
            field.watch_if_answered();
        }
    }

    /// Returns whether the searcher was the last.
    fn leave_search(&self, field: &impl Field) -> bool {
        let left = self.searching.fetch_sub(1, Ordering::Relaxed) - 1;
        if self.has_room_for_searchers(left) {
            // ORDERING: SeqCst fence between leaving the search and looking again (proof, 2), or
            // asking (proof, 4). Models: `models::idle_last_searcher_looks_again`,
            // `models::idle_searcher_that_finds_asks_again`.
            fence(Ordering::SeqCst);
            if field.has_visible_work() {
                self.wake_one(field);
            } else if self.could_somebody_come() {
                field.arm_all();
            }
        }
        left == 0
    }

    /// Adds a worker to the sleepers, and with it one that was refused before.
    pub(crate) fn enlist(&self, worker: usize) {
        let mut sleepers = lock(&self.sleepers);
        sleepers.asleep.push(worker);
        self.asleep.fetch_add(1, Ordering::Relaxed);
        if let Some(again) = sleepers.without_thread.pop() {
            sleepers.asleep.insert(0, again);
            self.asleep.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The event *announce*: a searcher gives up. The caller then waits to be roused.
    pub(crate) fn announce(&self, worker: usize, field: &impl Field) {
        self.enlist(worker);
        failpoint::reach(Failpoint::WorkerAnnounced);
        self.searching.fetch_sub(1, Ordering::Relaxed);
        // ORDERING: SeqCst fence between announcing and arming; partner: `is_hungry`.
        fence(Ordering::SeqCst);
        field.arm_all();
        // Its fence also stands between announcing and the last look; partner: `wake_one`.
        self.vacate(field);
        self.look(field);
        field.watch();
    }

    /// The event *stand aside*: a new worker leaves the search and gives its place back, and is not among
    /// the sleepers yet: until it [joins them](Self::join_sleepers) nobody wakes it.
    pub(crate) fn stand_aside(&self, field: &impl Field) {
        self.found(field);
        self.vacate(field);
    }

    /// The second half of *stand aside*. The caller then waits to be roused.
    pub(crate) fn join_sleepers(&self, worker: usize, field: &impl Field) {
        self.enlist(worker);
        failpoint::reach(Failpoint::WorkerAnnounced);
        // ORDERING: SeqCst fence between announcing and arming, and between announcing and the
        // last look; partners: `is_hungry` and `wake_one`. Model: `models::idle_aside_*`.
        fence(Ordering::SeqCst);
        field.arm_all();
        self.look(field);
    }

    /// The event *offer*: a helper that may be asked for joins the sleepers, as the one that is roused last.
    pub(crate) fn offer(&self, worker: usize, field: &impl Field) {
        let mut sleepers = lock(&self.sleepers);
        sleepers.asleep.insert(0, worker);
        self.asleep.fetch_add(1, Ordering::Relaxed);
        drop(sleepers);
        // ORDERING: SeqCst fence between offering and arming, and between offering and the last look; partners:
        // `is_hungry` and `wake_one`. Model: `models::helpers_who_leaves_is_replaced`.
        fence(Ordering::SeqCst);
        field.arm_all();
        self.look(field);
    }

    // So that a model can make one look of all find nothing.
    #[cfg_attr(hatchery_loom, track_caller)]
    fn look(&self, field: &impl Field) {
        if field.has_visible_work() {
            self.wake_one(field);
        }
    }

    fn pop_sleeper(&self) -> Option<usize> {
        let mut sleepers = lock(&self.sleepers);
        let worker = sleepers.asleep.pop();
        if worker.is_some() {
            self.asleep.fetch_sub(1, Ordering::Relaxed);
        }
        worker
    }

    /// Rouses or starts one sleeper, place or not; false if there is none.
    pub(crate) fn rouse_one_anyway(&self, field: &impl Field) -> bool {
        let Some(worker) = self.pop_sleeper() else {
            return false;
        };
        self.take_place_anyway();
        self.search();
        if !field.rouse(worker) {
            lock(&self.sleepers).without_thread.push(worker);
            self.searching.fetch_sub(1, Ordering::Relaxed);
            // Its fence stands between leaving the search and looking again (proof, 2).
            self.vacate(field);
            self.look(field);
        }
        true
    }

    /// Rouses this worker, place or not, if it is among the sleepers; false if it is not. The worker has a thread, or
    /// is waited for.
    pub(crate) fn rouse_this(&self, worker: usize, field: &impl Field) -> bool {
        let mut sleepers = lock(&self.sleepers);
        if !sleepers.remove(worker) {
            return false;
        }
        self.asleep.fetch_sub(1, Ordering::Relaxed);
        drop(sleepers);
        self.take_place_anyway();
        self.search();
        let is_roused = field.rouse(worker);
        debug_assert!(is_roused, "nobody is refused");
        true
    }

    /// Rouses every sleeper, place or not: the pool shuts down.
    pub(crate) fn rouse_all(&self, field: &impl Field) {
        while let Some(worker) = self.pop_sleeper() {
            self.take_place_anyway();
            self.search();
            if !field.rouse(worker) {
                // It has not started, and will not.
                self.searching.fetch_sub(1, Ordering::Relaxed);
                self.computing.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
