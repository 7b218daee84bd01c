//! What the threads of one pool have in common, from its first child to its shutdown.

use std::fmt;

use crossbeam_deque::Worker as Deque;

use crate::engine::blocking::Blocking;
use crate::engine::idle::{Field, Idle};
use crate::engine::report::Facts;
use crate::engine::scope_frame::ScopeFrame;
use crate::engine::shared::{Doing, Run, Slot, Strays};
use crate::engine::survey::Answers;
use crate::engine::tally::{Common, Numbers};
use crate::engine::watchdog::{self, Leash, Watchdog};
use crate::engine::worker;
use crate::platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::platform::sync::{Arc, Mutex, OnceLock, RwLock, lock};
use crate::platform::thread;

/// What a pool is made of.
pub(crate) struct Config {
    pub(crate) threads: usize,
    pub(crate) name: String,
    pub(crate) stack_size: Option<usize>,
    pub(crate) hooks: Hooks,
    /// What the layer above knows about a nursery.
    pub(crate) describe: fn(&ScopeFrame) -> Facts,
    pub(crate) watchdog: Option<Watchdog>,
}

type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// User code at the two ends of a pool thread's life; called with the thread's name.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) start: Option<Hook>,
    pub(crate) exit: Option<Hook>,
}

impl Hooks {
    /// Calls the start hook now, and the exit hook when the answer is dropped.
    pub(crate) fn enter(&self) -> impl Drop + '_ {
        struct Exit<'a>(Option<&'a Hook>);
        impl Drop for Exit<'_> {
            fn drop(&mut self) {
                call(self.0);
            }
        }
        fn call(hook: Option<&Hook>) {
            if let Some(hook) = hook {
                let name = thread::current().name().unwrap_or_default().to_owned();
                let hook = std::panic::AssertUnwindSafe(|| hook(&name));
                // The panic hook has reported it; the pool does not shrink for it (law E7).
                if let Err(payload) = std::panic::catch_unwind(hook) {
                    std::mem::forget(payload);
                }
            }
        }
        call(self.start.as_ref());
        Exit(self.exit.as_ref())
    }
}

/// Every slot of a pool: the workers' first, then the guests'.
#[derive(Default)]
pub(crate) struct Roster {
    slots: RwLock<Vec<Arc<Slot>>>,
    /// Slots of guests whose threads have ended.
    free: Mutex<Vec<(Arc<Slot>, Deque<Run>)>>,
}

impl Roster {
    pub(super) fn read<R>(&self, f: impl FnOnce(&[Arc<Slot>]) -> R) -> R {
        let slots = self
            .slots
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        f(&slots)
    }

    fn add(&self, owner: String, asleep: bool) -> (Arc<Slot>, Deque<Run>) {
        let deque = Deque::new_lifo();
        let slot = Arc::new(Slot::new(deque.stealer(), owner, asleep));
        let mut slots = self
            .slots
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        slots.push(Arc::clone(&slot));
        (slot, deque)
    }

    /// A slot for a guest: an old one if there is one.
    pub(crate) fn check_in(&self, owner: String) -> (Arc<Slot>, Deque<Run>) {
        let free = lock(&self.free).pop();
        match free {
            Some((slot, deque)) => {
                slot.rename(owner);
                (slot, deque)
            }
            None => self.add(owner, false),
        }
    }

    /// Takes a guest's slot back.
    pub(crate) fn check_out(&self, slot: Arc<Slot>, deque: Deque<Run>) {
        debug_assert!(deque.is_empty(), "a guest leaves nothing behind");
        slot.rename("free".to_owned());
        lock(&self.free).push((slot, deque));
    }

    /// Has all that are parked look for what they wait for.
    pub(crate) fn unpark_all(&self) {
        self.read(|slots| slots.iter().for_each(|slot| slot.parker.unpark()));
    }

    /// Takes the oldest run of the first thread after `thief` that shares any.
    pub(crate) fn steal(&self, thief: &Slot) -> Option<Run> {
        self.read(|slots| {
            let own = slots
                .iter()
                .position(|slot| std::ptr::eq(&**slot, thief))
                .unwrap_or(0);
            let (before, after) = slots.split_at(own);
            let mut others = after.iter().skip(1).chain(before);
            others.find_map(|slot| slot.steal())
        })
    }
}

/// One pool.
pub(crate) struct Core {
    config: Config,
    pub(crate) idle: Idle,
    pub(crate) roster: Roster,
    pub(crate) strays: Strays,
    pub(crate) blocking: Blocking,
    pub(crate) hooks: Hooks,
    /// The workers' slots, by their index among the sleepers; set by the first child.
    workers: OnceLock<Vec<Arc<Slot>>>,
    handles: Mutex<Vec<thread::JoinHandle<()>>>,
    living: AtomicUsize,
    is_shut_down: AtomicBool,
    /// How many times a worker was roused.
    wake_ups: Common,
    /// Whether the watchdog was started, if there is to be one.
    is_watched: OnceLock<()>,
    pub(super) leash: Leash,
    /// Where those wait who have asked all threads what they have open.
    pub(super) answers: Answers,
    /// How many times a spare thread took over for one that blocks.
    compensations: Common,
}

impl Core {
    pub(crate) fn new(mut config: Config) -> Self {
        Self {
            hooks: std::mem::take(&mut config.hooks),
            idle: Idle::new(config.threads),
            config,
            roster: Roster::default(),
            strays: Strays::default(),
            blocking: Blocking::default(),
            workers: OnceLock::new(),
            handles: Mutex::new(Vec::new()),
            living: AtomicUsize::new(0),
            is_shut_down: AtomicBool::new(false),
            wake_ups: Common::default(),
            is_watched: OnceLock::new(),
            leash: Leash::default(),
            answers: Answers::default(),
            compensations: Common::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn threads(&self) -> usize {
        self.config.threads
    }

    /// What the layer above knows about a nursery that is open.
    pub(crate) fn describe(&self, scope: &ScopeFrame) -> Facts {
        (self.config.describe)(scope)
    }

    /// Whether a worker was ever started.
    pub(crate) fn has_workers(&self) -> bool {
        self.workers_started() > 0
    }

    pub(crate) fn workers_started(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    /// What the pool's threads have done so far.
    pub(crate) fn numbers(&self) -> Numbers {
        self.roster
            .read(|slots| Numbers::of(slots.iter().map(|slot| &*slot.tally)))
    }

    /// Workers roused and blocked threads replaced so far.
    pub(crate) fn wakes(&self) -> [u64; 2] {
        [self.wake_ups.get(), self.compensations.get()]
    }

    /// A spare thread takes over for one that blocks.
    #[allow(dead_code, reason = "for those who make spare threads")]
    pub(crate) fn note_compensation(&self) {
        self.compensations.add(1);
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        // ORDERING: Acquire; partner: `shut_down`. A worker that enlists after the last rousing
        // reads it behind the lock of the sleepers.
        self.is_shut_down.load(Ordering::Acquire)
    }

    /// A builder for one of the pool's threads.
    pub(crate) fn thread(&self, name: String) -> thread::Builder {
        let builder = thread::Builder::new().name(name);
        match self.config.stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        }
    }

    /// Starts the workers, once. A thread that is refused is done without.
    pub(crate) fn start_workers(self: &Arc<Self>) {
        if self.workers.get().is_none() {
            self.start_workers_now();
        }
    }

    #[cold]
    fn start_workers_now(self: &Arc<Self>) {
        let mut deques = Vec::new();
        self.workers.get_or_init(|| {
            let names = (0..self.config.threads).map(|index| self.worker_name(index));
            let (slots, new) = names.map(|name| self.roster.add(name, true)).unzip();
            deques = new;
            slots
        });
        // Only the caller that made the slots has deques to hand out.
        for (index, deque) in deques.into_iter().enumerate() {
            let core = Arc::clone(self);
            let slot = Arc::clone(self.worker(index));
            let started = self
                .thread(self.worker_name(index))
                .spawn(move || worker::main(core, slot, deque, index));
            match started {
                Ok(handle) => {
                    self.living.fetch_add(1, Ordering::Relaxed);
                    lock(&self.handles).push(handle);
                    self.idle.enlist(index);
                }
                Err(_) => {
                    self.worker(index).rename("refused".to_owned());
                    self.worker(index).set_doing(Doing::Away);
                }
            }
        }
        // They are asleep now, and have asked nobody.
        self.arm_all();
        self.start_watchdog();
    }

    /// Starts the watchdog, once, if there is to be one. If it is refused, it is done without.
    pub(crate) fn start_watchdog(self: &Arc<Self>) {
        let Some(watchdog) = self.config.watchdog else {
            return;
        };
        self.is_watched.get_or_init(|| {
            let core = Arc::clone(self);
            // Not on a stack of the children's size: it runs none.
            let builder = thread::Builder::new().name(format!("{}-watchdog", self.config.name));
            if let Ok(handle) = builder.spawn(move || watchdog::main(&core, watchdog)) {
                lock(&self.handles).push(handle);
            }
        });
    }

    /// Whether some thread is parked in a nursery.
    pub(super) fn is_anybody_waiting(&self) -> bool {
        let waits = |slot: &Arc<Slot>| slot.doing() == Doing::Waiting;
        self.roster.read(|slots| slots.iter().any(waits))
    }

    fn worker_name(&self, index: usize) -> String {
        format!("{}-{index}", self.config.name)
    }

    fn worker(&self, index: usize) -> &Arc<Slot> {
        &self.workers.get().expect("set before any worker is named")[index]
    }

    /// Ends the workers and side threads and waits for them; a caller that is one of them ends
    /// later, by itself.
    pub(crate) fn shut_down(&self) {
        // ORDERING: Release; partner: `is_shut_down`.
        self.is_shut_down.store(true, Ordering::Release);
        self.idle.rouse_all(self);
        self.leash.end();
        let mut handles = std::mem::take(&mut *lock(&self.handles));
        handles.extend(self.blocking.close());
        let me = thread::current().id();
        for handle in handles {
            if handle.thread().id() != me {
                // Pool threads catch what they run, so there is no panic to pass on.
                let _ = handle.join();
            }
        }
    }
}

impl Field for Core {
    fn has_visible_work(&self) -> bool {
        self.strays.len() > 0 || self.roster.read(|slots| slots.iter().any(|s| s.has_work()))
    }

    fn arm_all(&self) {
        self.roster
            .read(|slots| slots.iter().for_each(|slot| slot.arm()));
    }

    fn rouse(&self, worker: usize) {
        self.wake_ups.add(1);
        let slot = self.worker(worker);
        // ORDERING: Release; partner: the Acquire in `worker::sleep`.
        slot.asleep.store(false, Ordering::Release);
        slot.parker.unpark();
    }
}

/// What waits, for a person who looks at a hang.
impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [computing, searching, asleep] = self.idle.snapshot();
        let [queued, ready, living] = self.blocking.snapshot();
        let mut out = f.debug_struct("Pool");
        out.field("name", &self.config.name)
            .field("threads", &self.config.threads)
            .field("workers_started", &self.living.load(Ordering::Relaxed))
            .field("computing", &computing)
            .field("searching", &searching)
            .field("asleep", &asleep)
            .field("stray_children", &self.strays.len())
            .field("blocking_children_queued", &queued)
            .field("side_threads", &living)
            .field("side_threads_ready", &ready);
        self.roster.read(|slots| out.field("seats", &slots));
        out.finish()
    }
}
