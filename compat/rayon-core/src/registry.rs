//! A pool of this crate: a pool of hatchery that is worked by hand, and what hatchery does not know of it.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use hatchery::by_hand::{self, Hand};
use hatchery::{Options, Pool};

use crate::builder::{ErrorKind, Plan, ThreadPoolBuildError, ThreadPoolBuilder};
use crate::erase::erase;
use crate::latch::{Latch, lock};
use crate::lineage::{self, Line};
use crate::mailbox::{Errand, Mailbox};
use crate::spawned::{Order, Spawned};
use crate::start::{ThreadBuilder, ThreadSpawn};
use crate::worker::{self, Role, Worker};

pub(crate) type Payload = Box<dyn Any + Send>;
pub(crate) type PanicHandler = dyn Fn(Payload) + Send + Sync;
/// Called with the index of a thread.
pub(crate) type Handler = dyn Fn(usize) + Send + Sync;

pub(crate) struct Registry {
    /// Until the pool ends.
    pool: Mutex<Option<Pool>>,
    hand: Hand,
    /// For nurseries that are part of what is around them.
    inside: Options,
    /// For nurseries that have nothing to do with what is around them.
    apart: Options,
    num_threads: usize,
    /// Whether threads work for the pool, besides one that was lent to it.
    has_workers: bool,
    pub(crate) spawned: Spawned,
    /// How many calls of `run_spawned` are waiting to begin.
    waiting: AtomicUsize,
    mailboxes: Box<[Arc<Mailbox>]>,
    /// What keeps the pool from ending: its handle, and jobs that nobody waits for.
    kept: AtomicUsize,
    /// Counts workers that have started.
    primed: Arc<Latch>,
    panic_handler: Option<Box<PanicHandler>>,
    start_handler: Option<Box<Handler>>,
    exit_handler: Option<Box<Handler>>,
}

/// The pool of threads that belong to none.
static GLOBAL: OnceLock<Arc<Registry>> = OnceLock::new();
/// Held while somebody builds it.
static GLOBAL_IS_BUILT: Mutex<()> = Mutex::new(());

/// How many jobs a worker runs before it looks for something else.
const AT_A_TIME: usize = 64;

/// Keeps a pool from ending.
pub(crate) struct Kept(Arc<Registry>);

impl Kept {
    /// Keeps a pool that is kept by something else as well.
    pub(crate) fn new(registry: &Arc<Registry>) -> Self {
        // ORDERING: Relaxed: it does not end meanwhile.
        registry.kept.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(registry))
    }

    /// The first one, of a new pool.
    fn first(registry: Arc<Registry>) -> Self {
        Self(registry)
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // ORDERING: AcqRel: the last one ends the pool after what the others did.
        if self.0.kept.fetch_sub(1, Ordering::AcqRel) == 1 {
            let pool = lock(&self.0.pool).take();
            drop(pool);
        }
    }
}

impl Registry {
    /// Builds a pool and has its threads start.
    pub(crate) fn build<S: ThreadSpawn>(
        builder: ThreadPoolBuilder<S>,
    ) -> Result<Kept, ThreadPoolBuildError> {
        let mut plan = builder.into_plan();
        if plan.use_current_thread && worker::role() != Role::Outside {
            return Err(ThreadPoolBuildError::new(
                ErrorKind::CurrentThreadAlreadyInPool,
            ));
        }
        let first = usize::from(plan.use_current_thread);
        // It ends if what follows fails or panics.
        let kept = Kept::first(Arc::new(Self::new(&mut plan, first)));
        for index in 0..plan.num_threads {
            let name = plan.thread_name.as_mut().map(|name| name(index));
            let registry = Arc::clone(kept.registry());
            if index < first {
                registry.primed.count_down();
                let lent = Rc::new(Worker { registry, index });
                // The thread remains what it is now: nobody says when it is to leave the pool.
                mem::forget(worker::become_worker(lent, Role::Lent));
                continue;
            }
            let thread = ThreadBuilder::new(name, plan.stack_size, registry, index);
            let started = plan.spawn.spawn(thread);
            started.map_err(|error| ThreadPoolBuildError::new(ErrorKind::IOError(error)))?;
        }
        Ok(kept)
    }

    fn new<S>(plan: &mut Plan<S>, first: usize) -> Self {
        let num_threads = plan.num_threads;
        let pool = Pool::builder()
            .threads(num_threads)
            .name("rayon")
            .spare_threads(0)
            .lend_places(false)
            .context(lineage::here, |line: &Line| lineage::enter(line.clone()));
        let pool = by_hand::workers_by_hand(pool, first, worker::on_ring).build();
        let pool = pool.unwrap_or_else(|error| unreachable!("{error}"));
        let inside = Options::new().pool(&pool);
        Self {
            hand: Hand::of(&pool),
            apart: inside.clone().shield(),
            inside,
            pool: Mutex::new(Some(pool)),
            num_threads,
            has_workers: num_threads > first,
            spawned: Spawned::new(num_threads, plan.breadth_first),
            waiting: AtomicUsize::new(0),
            mailboxes: (0..num_threads).map(|_| Arc::default()).collect(),
            kept: AtomicUsize::new(1),
            primed: Latch::new(num_threads, None),
            panic_handler: plan.panic_handler.take(),
            start_handler: plan.start_handler.take(),
            exit_handler: plan.exit_handler.take(),
        }
    }

    /// Makes the global pool, if there is none.
    pub(crate) fn build_global<S: ThreadSpawn>(
        builder: ThreadPoolBuilder<S>,
    ) -> Result<&'static Arc<Self>, ThreadPoolBuildError> {
        let _building = lock(&GLOBAL_IS_BUILT);
        if GLOBAL.get().is_some() {
            return Err(ThreadPoolBuildError::new(
                ErrorKind::GlobalPoolAlreadyInitialized,
            ));
        }
        let kept = Self::build(builder)?;
        let registry = Arc::clone(kept.registry());
        // It lives as long as the process.
        mem::forget(kept);
        Ok(GLOBAL.get_or_init(|| registry))
    }

    /// The global pool.
    pub(crate) fn global() -> &'static Arc<Self> {
        GLOBAL.get().unwrap_or_else(Self::new_global)
    }

    #[cold]
    fn new_global() -> &'static Arc<Self> {
        let by_default = Self::build_global(ThreadPoolBuilder::new());
        let built = by_default.or_else(|error| match GLOBAL.get() {
            Some(global) => Ok(global),
            None if error.is_unsupported() && worker::role() == Role::Outside => {
                let alone = ThreadPoolBuilder::new().num_threads(1);
                Self::build_global(alone.use_current_thread())
            }
            None => Err(error),
        });
        built.expect("the global thread pool could not be built")
    }

    /// The pool of this thread, else the global one.
    pub(crate) fn current() -> Arc<Self> {
        match worker::current() {
            Some(worker) => Arc::clone(&worker.registry),
            None => Arc::clone(Self::global()),
        }
    }

    pub(crate) fn num_threads(&self) -> usize {
        self.num_threads
    }

    pub(crate) fn mailbox(&self, worker: usize) -> &Arc<Mailbox> {
        &self.mailboxes[worker]
    }

    pub(crate) fn hand(&self) -> &Hand {
        &self.hand
    }

    /// Options for nurseries of this pool that are part of what is around them.
    pub(crate) fn inside(&self) -> &Options {
        &self.inside
    }

    /// Runs jobs that nobody waits for, on a worker that may be in the middle of something else.
    pub(crate) fn apart<R>(&self, run: impl FnOnce() -> R) -> R {
        let _line = lineage::enter(None);
        self.apart.nursery(|_| run())
    }

    /// Tells pools apart, for people to read.
    pub(crate) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Waits until all workers have started.
    pub(crate) fn wait_until_primed(&self) {
        self.primed.wait();
    }

    /// Runs a worker on the calling thread until the pool ends.
    pub(crate) fn work(self: Arc<Self>, index: usize) {
        let worker = Rc::new(Worker {
            registry: Arc::clone(&self),
            index,
        });
        let _is_worker = worker::become_worker(worker, Role::Worker);
        self.primed.count_down();
        if let Some(handler) = &self.start_handler {
            self.catch_unwind(|| handler(index));
        }
        self.hand.work(index);
        if let Some(handler) = &self.exit_handler {
            self.catch_unwind(|| handler(index));
        }
    }

    /// Calls what nobody waits for. A panic of it goes to the panic handler, or ends the process.
    pub(crate) fn catch_unwind(&self, f: impl FnOnce()) {
        let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
            return;
        };
        let handler = self.panic_handler.as_ref();
        let is_handled =
            handler.map(|handler| catch_unwind(AssertUnwindSafe(|| handler(payload))).is_ok());
        if is_handled != Some(true) {
            eprintln!("rayon-core on hatchery: a panic that nobody handles; aborting");
            process::abort();
        }
    }

    /// Calls `op` on a worker of this pool: here, if this is one; else the calling thread waits. The argument says whether
    /// it waits.
    pub(crate) fn in_worker<OP, R>(self: &Arc<Self>, op: OP) -> R
    where
        OP: FnOnce(bool) -> R + Send,
        R: Send,
    {
        match worker::current() {
            Some(worker) if worker.is_of(self) => op(false),
            caller => self.hop(caller.as_deref(), || op(true)),
        }
    }

    /// Calls `op` on a worker of this pool, while the calling thread waits, which is none. What `op` does is part of the
    /// caller's nursery.
    #[cold]
    #[allow(unsafe_code, reason = "it waits for what it lends")]
    fn hop<R: Send>(self: &Arc<Self>, caller: Option<&Worker>, op: impl FnOnce() -> R + Send) -> R {
        let mut left = None;
        hatchery::current(|nursery| {
            let line = caller.map_or_else(lineage::here, lineage::below);
            let op = || match nursery {
                None => op(),
                Some(nursery) => nursery.enter(|| {
                    // Inside, because who enters a nursery is in its context; and before the nursery that takes it along.
                    let _line = lineage::enter(line);
                    self.inside.nursery(|_| op())
                }),
            };
            let latch = Latch::new(1, caller.map(Worker::mailbox));
            let done = Arc::clone(&latch);
            let left = &mut left;
            let call = Box::new(move || {
                *left = Some(catch_unwind(AssertUnwindSafe(op)));
                done.count_down();
            });
            // SAFETY: this waits for the latch, and the call counts it down last.
            self.run_soon(unsafe { erase(call) });
            latch.wait();
        });
        match left {
            Some(Ok(value)) => value,
            Some(Err(payload)) => resume_unwind(payload),
            None => unreachable!("it was waited for"),
        }
    }

    /// Has a worker run something that does not unwind: any worker that is free, or the one that waits in another pool for
    /// what the calling thread runs.
    pub(crate) fn run_soon(self: &Arc<Self>, call: Errand) {
        let waiter = lineage::waiter_in(self).or_else(|| (!self.has_workers).then_some(0));
        let Some(waiter) = waiter else {
            return self.apart.submit(call).detach();
        };
        // Whoever comes first.
        let call = Arc::new(Mutex::new(Some(call)));
        let take = move |call: &Mutex<Option<Errand>>| {
            let call = lock(call).take();
            call.into_iter().for_each(|call| call());
        };
        if self.has_workers {
            let call = Arc::clone(&call);
            self.apart.submit(move || take(&call)).detach();
        }
        self.send(waiter, lineage::here(), Box::new(move || take(&call)));
    }

    /// Has this worker run something that does not unwind, for those that wait for it.
    pub(crate) fn send(self: &Arc<Self>, worker: usize, line: Line, errand: Errand) {
        let registry = Arc::downgrade(self);
        let errand = move || {
            let _line = lineage::enter(line);
            match registry.upgrade() {
                Some(registry) => registry.apart.nursery(|_| errand()),
                None => errand(),
            }
        };
        self.mailbox(worker).put(Box::new(errand));
        self.hand.ring(worker);
    }

    /// Spawns a job that nobody waits for.
    pub(crate) fn spawn(self: &Arc<Self>, func: impl FnOnce() + Send + 'static, order: Order) {
        let kept = Kept::new(self);
        let job = Box::new(move || kept.registry().catch_unwind(func));
        match worker::current() {
            Some(worker) if worker.is_of(self) => self.spawned.push(worker.index, job, order),
            _ => self.spawned.push_from_outside(job),
        }
        // ORDERING: Relaxed, here and below: a call looks for jobs after it has been counted as begun, and the lock of the
        // queue with this job is between the two. So either it finds the job, or it is not counted here.
        if self.has_workers && self.waiting.load(Ordering::Relaxed) < self.num_threads {
            self.have_spawned_run();
        }
    }

    /// Has a worker run jobs that nobody waits for.
    fn have_spawned_run(self: &Arc<Self>) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Nobody waits for it.
        let _line = lineage::enter(None);
        let registry = Arc::clone(self);
        self.apart.submit(move || registry.run_spawned()).detach();
    }

    /// Runs jobs that nobody waits for, on a worker that has nothing else to do.
    fn run_spawned(self: &Arc<Self>) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let Some(worker) = worker::current() else {
            return;
        };
        for _ in 0..AT_A_TIME {
            if !self.spawned.run_one(worker.index) {
                return;
            }
        }
        self.have_spawned_run();
    }
}
