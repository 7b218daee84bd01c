//! What the threads of one pool have in common, from its first child to its shutdown.

use std::time::Duration;

use crate::engine::blocking::Blocking;
use crate::engine::context::Context;
use crate::engine::crew::Crew;
use crate::engine::hooks::{self, Hooks};
use crate::engine::jobs::Jobs;
use crate::engine::node::Node;
use crate::engine::report::{Answers, Facts};
use crate::engine::shared::{Doing, Run, Slot};
use crate::engine::special::Special;
use crate::engine::stop::Stop;
use crate::engine::tally::{Common, Numbers};
use crate::engine::workers::Workers;
use crate::platform::cpus;
use crate::platform::deque::Worker as Deque;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::process::{self, Process};
use crate::platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::platform::sync::{Arc, OnceLock, Weak};
use crate::platform::thread::{MAY_OUTLIVE_MAIN, Thread};
use crate::protocol::gate::Gate;
use crate::protocol::idle::{Field, Idle};
use crate::protocol::injector::Injector;
use crate::protocol::roster;
use crate::protocol::threads::Threads;
use crate::protocol::watch::Watch;

/// How often to look, and what to do if nothing has moved.
#[derive(Clone, Copy)]
pub(crate) struct Watchdog {
    pub(crate) every: Duration,
    pub(crate) on_stall: fn(&Core, Duration),
}

/// How a pool is worked whose workers' threads somebody else starts: see `by_hand`.
#[derive(Clone, Copy)]
pub(crate) struct ByHand {
    /// The index of the first worker. The places of those before it are for threads that are no workers.
    pub(crate) first: usize,
    /// What a worker calls that was rung. The argument says that it was looking for work, and not waiting in a nursery.
    pub(crate) on_ring: fn(bool),
}

/// What a pool's threads run: the engine's layers above this one.
#[derive(Clone, Copy)]
pub(crate) struct Mains {
    /// A worker's or a spare's, by its index among the sleepers.
    pub(crate) worker: fn(Arc<Core>, usize),
    /// Asks for workers that come on threads of others.
    pub(crate) recruiter: fn(&Arc<Core>),
    pub(crate) watchdog: fn(&Core, Watchdog),
    /// Watches this pool from now on: see `watcher`. False if there is nobody to do so.
    pub(crate) watch: fn(&Arc<Core>) -> bool,
    /// Called when a pool has ended.
    pub(crate) timer_is_not_needed: fn(&Core),
}

/// What a pool is made of.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) threads: usize,
    /// Side threads at a time.
    pub(crate) blocking_threads: usize,
    pub(crate) name: String,
    pub(crate) stack_size: Option<usize>,
    /// Whether threads that run children take the same signals as the thread that starts them.
    pub(crate) inherits_signals: bool,
    /// Whether it is the shared pool, which does not end. Its threads may run on all CPUs of the main
    /// thread, besides the CPUs of the thread that starts them.
    pub(crate) is_shared: bool,
    /// How many callers may compute at a time, if that is limited.
    pub(crate) callers: Option<usize>,
    /// Workers beyond `threads` that may stand in for absent workers.
    pub(crate) spares: usize,
    /// Whether the places of blocked threads are lent that have not said that they block.
    pub(crate) lends_places: bool,
    /// Whether the workers come on threads of others.
    pub(crate) has_crew: bool,
    /// User code that runs on the threads; it belongs to the pool's handle.
    pub(crate) hooks: Weak<Hooks>,
    /// What runs elsewhere takes along, if anything; it belongs to the hooks.
    pub(crate) context: Option<Weak<Context>>,
    /// Tells what the layer above knows about a nursery.
    pub(crate) describe: fn(&Node) -> Facts,
    pub(crate) watchdog: Option<Watchdog>,
    /// If somebody else starts the workers' threads.
    pub(crate) by_hand: Option<ByHand>,
    pub(crate) mains: Mains,
}

/// The slots of a pool, whose private halves are deques.
pub(crate) type Roster = roster::Roster<Slot, Deque<Run>, Numbers>;

impl Roster {
    /// A slot for a new worker or guest: a free one if there is one.
    pub(crate) fn check_in(&self, owner: String) -> (Arc<Slot>, Deque<Run>) {
        // The last holder may have cleared the request flag.
        match self.take_free(|slot| slot.requests.renew()) {
            Some((slot, deque)) => {
                slot.rename(owner);
                (slot, deque)
            }
            None => {
                let deque = Deque::new_lifo();
                self.add_slot(Slot::new(deque.stealer(), owner), deque)
            }
        }
    }

    /// Takes the slot of a guest or spare back.
    pub(crate) fn check_out(&self, slot: Arc<Slot>, deque: Deque<Run>) {
        debug_assert!(deque.is_empty(), "a guest leaves nothing behind");
        self.put_free(slot, deque, |slot, departed| {
            *departed = departed.with([&*slot.tally]);
            slot.tally.clear();
        });
    }

    /// Wakes all parked threads, so that they look for what they wait for.
    pub(crate) fn unpark_all(&self) {
        self.held().for_each(|slot| slot.parker.unpark());
    }

    /// Takes the oldest run of the first thread after `thief` that shares any; returns whose it was, too.
    pub(crate) fn steal(&self, thief: &Slot) -> Option<(Run, &Slot)> {
        self.others(thief)
            .find_map(|victim| Some((victim.steal()?, victim)))
    }

    /// Whether somebody else than the owner of this slot has something to be stolen.
    pub(crate) fn has_work_beyond(&self, slot: &Slot) -> bool {
        self.others(slot).any(Slot::has_work)
    }
}

/// One pool.
pub(crate) struct Core {
    /// Itself, for new threads.
    pub(super) me: Weak<Self>,
    /// The process that the pool's threads belong to.
    process: Process,
    pub(super) config: Config,
    /// If there is a context.
    _special: Option<Special>,
    pub(crate) idle: Idle,
    /// Where callers wait for their turn, if their number is limited.
    pub(super) callers: Option<Gate>,
    pub(crate) roster: Roster,
    pub(crate) injector: Injector<Run>,
    pub(crate) jobs: Jobs,
    pub(crate) blocking: Blocking,
    /// Where workers come from, if they come on threads of others.
    pub(super) crew: Option<Crew>,
    pub(super) workers: Workers,
    /// The index of the next spare.
    next_spare: AtomicUsize,
    all_threads: Threads<Thread>,
    /// How many workers have started, and how often the system has refused one, without spares.
    pub(super) workers_started: AtomicUsize,
    pub(super) workers_refused: AtomicUsize,
    /// Whether somebody has tried to start the first worker.
    has_begun: AtomicBool,
    /// How many times a worker that slept was roused.
    wake_ups: Common,
    /// Whether the watchdog was started, if there is to be one.
    has_watchdog: OnceLock<()>,
    pub(super) stop: Stop,
    /// Where threads wait that have asked all threads what they have open.
    pub(super) answers: Answers,
    /// How many times a spare has stood in for an absent worker.
    pub(super) compensations: Common,
    /// How many times the place of a blocked thread was lent to another.
    pub(super) lent: Common,
    /// How many times children were taken from a thread that held them.
    pub(super) taken: Common,
    /// Whether the watcher looks at this pool.
    pub(super) watch: Watch,
}

impl Core {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        let idle = Idle::new(config.threads, config.spares);
        // Workers that have not started are sleepers. The first of them is started first. Helpers are offered one by one.
        let first = config.by_hand.map_or(0, |by_hand| by_hand.first);
        let offered = if config.has_crew { 1 } else { config.threads };
        (first..offered)
            .rev()
            .for_each(|worker| idle.enlist(worker));
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            process: Process::this(),
            idle,
            callers: config.callers.map(Gate::new),
            roster: Roster::default(),
            injector: Injector::new(),
            jobs: Jobs::new(),
            blocking: Blocking::new(config.blocking_threads),
            crew: config.has_crew.then(|| Crew::new(config.threads)),
            workers: Workers::default(),
            next_spare: AtomicUsize::new(config.threads),
            all_threads: Threads::new(),
            workers_started: AtomicUsize::new(0),
            workers_refused: AtomicUsize::new(0),
            has_begun: AtomicBool::new(false),
            _special: config.context.is_some().then(Special::new),
            config,
            wake_ups: Common::default(),
            has_watchdog: OnceLock::new(),
            stop: Stop::default(),
            answers: Answers::default(),
            compensations: Common::default(),
            lent: Common::default(),
            taken: Common::default(),
            watch: Watch::new(),
        })
    }

    /// Makes the same pool again, in a process that was forked from the pool's own.
    pub(crate) fn reborn(&self) -> Arc<Self> {
        let new = Self::new(self.config.clone());
        if self.is_shut_down() {
            new.shut_down();
        }
        new
    }

    /// Whether the pool's threads belong to a process that this one was forked from: none of them
    /// is here, and what they had locked stays locked.
    #[inline]
    pub(crate) fn is_orphan(&self) -> bool {
        !self.process.is_this()
    }

    /// Ends the process rather than have it wait for threads that are not here.
    #[inline]
    pub(crate) fn check_process(&self) {
        if self.is_orphan() {
            process::abort();
        }
    }

    pub(crate) fn hooks(&self) -> &Weak<Hooks> {
        &self.config.hooks
    }

    pub(crate) fn context(&self) -> Option<&Weak<Context>> {
        self.config.context.as_ref()
    }

    pub(crate) fn has_context(&self) -> bool {
        self.config.context.is_some()
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn threads(&self) -> usize {
        self.config.threads
    }

    /// Asks the layer above what it knows about a nursery that is open.
    pub(crate) fn describe(&self, scope: &Node) -> Facts {
        (self.config.describe)(scope)
    }

    /// Tries to start the first worker, if nobody has done so; returns whether it is on its way. If a place is free,
    /// the pool thus learns before it exposes anything that all threads are refused.
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        !self.has_begun.load(Ordering::Relaxed) && self.begin_now()
    }

    #[cold]
    fn begin_now(&self) -> bool {
        if self.is_over() || self.has_begun.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.idle.wake_one(self)
    }

    /// Whether there are workers in this process that have started, or could start.
    pub(crate) fn has_workers(&self) -> bool {
        let could_start = || self.workers_refused.load(Ordering::Relaxed) < self.threads();
        (self.workers_started() > 0 || could_start()) && !self.is_orphan()
    }

    /// How many workers have started, without spares.
    pub(crate) fn workers_started(&self) -> usize {
        self.workers_started.load(Ordering::Relaxed)
    }

    /// What the pool's threads have done so far.
    pub(crate) fn numbers(&self) -> Numbers {
        self.roster
            .read_with_departed(|slots, all| all.with(slots.iter().map(|slot| &*slot.tally)))
    }

    /// How often sleeping workers were woken, spares stood in, places were lent and children were taken.
    pub(crate) fn wakes(&self) -> [u64; 4] {
        [&self.wake_ups, &self.compensations, &self.lent, &self.taken].map(Common::get)
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.all_threads.is_closed()
    }

    /// Whether it has no more threads, and will have none.
    pub(crate) fn is_over(&self) -> bool {
        self.is_shut_down() || self.is_orphan()
    }

    /// Starts a thread of the pool; the end of the pool waits for it. None if the pool is over or
    /// the system refuses the thread.
    #[must_use]
    pub(crate) fn start_thread(
        &self,
        name: String,
        main: impl FnOnce() + Send + 'static,
    ) -> Option<()> {
        let Config {
            stack_size,
            inherits_signals,
            is_shared,
            ..
        } = self.config;
        self.start_on(stack_size, inherits_signals, name, move || {
            if is_shared {
                cpus::add_those_of_process();
            }
            main();
        })
    }

    pub(super) fn start_on(
        &self,
        stack_size: Option<usize>,
        inherits_signals: bool,
        name: String,
        main: impl FnOnce() + Send + 'static,
    ) -> Option<()> {
        if self.is_orphan() {
            // A thread that is not here may hold the lock.
            return None;
        }
        if self.config.is_shared && !MAY_OUTLIVE_MAIN {
            return None;
        }
        let start = || {
            let started = if inherits_signals {
                Thread::start(name, stack_size, main)
            } else {
                Thread::start_without_signals(name, stack_size, main)
            };
            started.ok()
        };
        self.all_threads.start(start, Thread::is_over)
    }

    /// Starts the worker or spare with this index. Its place and its searcher's mark are taken already. The pool
    /// does without a thread that is refused.
    #[cold]
    fn start_worker(&self, index: usize) -> Option<()> {
        let core = self.me.upgrade()?;
        failpoint::reach(Failpoint::WorkerStarts);
        let name = match index.checked_sub(self.threads()) {
            None => format!("{}-{index}", self.name()),
            Some(spare) => format!("{}-spare-{}", self.name(), spare + 1),
        };
        let main = self.config.mains.worker;
        let started = self.start_thread(name, move || main(core, index));
        failpoint::reach_if(started.is_none(), Failpoint::WorkerRefused);
        started
    }

    /// Starts a spare; its index if it is refused.
    pub(super) fn start_spare_anyway(&self) -> Result<(), usize> {
        let index = self.next_spare.fetch_add(1, Ordering::Relaxed);
        self.start_worker(index).ok_or(index)
    }

    /// Starts the watchdog, once, if there is to be one. The pool does without it if it is refused.
    pub(crate) fn start_watchdog(&self) {
        let Some(watchdog) = self.config.watchdog else {
            return;
        };
        if self.is_over() {
            return;
        }
        self.has_watchdog.get_or_init(|| {
            let Some(core) = self.me.upgrade() else {
                return;
            };
            let main = self.config.mains.watchdog;
            let name = format!("{}-watchdog", self.config.name);
            // Not on a stack of the children's size: it runs none.
            let _done_without = self.start_on(None, false, name, move || main(&core, watchdog));
        });
    }

    /// Whether a nursery, fork or loop of the pool is open, whatever its thread does. The outermost one was opened
    /// by a thread that is no worker, and that thread is not away before it ends. A worker says nothing: it may
    /// have taken nothing yet.
    pub(super) fn is_anything_open(&self) -> bool {
        if self.jobs.waiting() > 0 || self.jobs.running() > 0 {
            return true;
        }
        let mut slots = self.roster.held();
        slots.any(|slot| slot.doing() != Doing::Away && !self.workers.have(slot))
    }

    /// Ends the workers and side threads and waits for them, destructors of their thread-locals
    /// included; a caller that is one of them ends later, by itself.
    pub(crate) fn shut_down(&self) {
        self.end_jobs();
        self.all_threads.close();
        failpoint::reach(Failpoint::ShutdownBegun);
        self.idle.rouse_all(self);
        self.stop.end();
        self.blocking.close();
        self.close_crew();
        self.all_threads.take().into_iter().for_each(Thread::join);
        self.wait_for_helpers();
        (self.config.mains.timer_is_not_needed)(self);
        failpoint::reach(Failpoint::ShutdownEnded);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.is_orphan() {
            // In this process these handles mean nothing to the system, or something else.
            self.all_threads.forget();
        }
    }
}

/// An orphan has nobody to ask or to wake.
impl Field for Core {
    fn has_visible_work(&self) -> bool {
        if self.is_orphan() {
            return false;
        }
        self.injector.len() > 0 || self.jobs.waiting() > 0 || self.roster.held().any(Slot::has_work)
    }

    fn arm_all(&self) {
        if self.is_orphan() {
            return;
        }
        self.roster.held().for_each(|slot| slot.requests.arm());
        failpoint::reach(Failpoint::RequestSet);
    }

    fn rouse(&self, worker: usize) -> bool {
        let slot = self.workers.slot(worker);
        let slot = slot.or_else(|| self.await_worker(worker));
        let Some(slot) = slot else {
            if self.is_by_hand(worker) {
                return true;
            }
            if self.is_over() {
                return false;
            }
            let is_started = self.crew.is_none() && self.start_worker(worker).is_some();
            let count = if is_started {
                &self.workers_started
            } else {
                &self.workers_refused
            };
            count.fetch_add(1, Ordering::Relaxed);
            return is_started;
        };
        self.wake_ups.add(1);
        failpoint::reach(Failpoint::WorkerRoused);
        if worker >= self.threads() {
            self.note_compensation();
        }
        // ORDERING: Release; partner: the Acquire in `worker::sleep`. No model: the token orders
        // the same, except for a sleeper that an old token has woken.
        slot.asleep.store(false, Ordering::Release);
        slot.parker.unpark();
        true
    }

    fn want(&self, worker: usize) -> bool {
        let crew = self.crew.as_ref();
        crew.is_some_and(|crew| self.want_helper(crew, worker))
    }

    #[cold]
    fn start_spare(&self) -> bool {
        if self.start_spare_anyway().is_err() {
            return false;
        }
        if !hooks::have_start(self.hooks()) {
            // A spare with a hook has to be roused after the hook: then it is counted.
            self.note_compensation();
        }
        failpoint::reach(Failpoint::SpareStarted);
        true
    }

    #[inline]
    fn watch(&self) {
        if !self.watch.is_on() {
            self.watch_now();
        }
    }

    fn watch_if_answered(&self) {
        if self.watch.has_answers() {
            self.watch();
        }
    }
}
