//! Scopes: any number of closures that end before the call does.
//!
//! A scope of a worker is a nursery. What is spawned into it is a child; the children of a [`Scope`] begin with the newest
//! closure, whichever child comes to it, because rayon does so.
//!
//! A scope of any other thread is no nursery, since its thread must run none of the children. Its closures are jobs, each
//! with a scope of its own for what it spawns itself, and the thread waits for all jobs. The shares of a broadcast are such
//! jobs in both kinds of scopes.
#![allow(
    unsafe_code,
    reason = "from a scope to its nursery, and from a closure to its scope"
)]

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use hatchery::Nursery;

use crate::broadcast::BroadcastContext;
use crate::erase::erase;
use crate::latch::{Latch, lock};
use crate::lineage::{self, Line};
use crate::mailbox::Mailbox;
use crate::registry::{Payload, Registry};
use crate::worker::{self, Role, Worker};

/// A scope; [`scope`] makes one.
pub struct Scope<'scope> {
    base: Base<'scope>,
    /// What was spawned and has not begun.
    bodies: Mutex<Vec<Body<'scope>>>,
}

type Body<'scope> = Box<dyn FnOnce(&Scope<'scope>) + Send + 'scope>;

/// A scope whose closures begin in the order in which they were spawned; [`scope_fifo`] makes one.
pub struct ScopeFifo<'scope> {
    base: Base<'scope>,
}

struct Base<'scope> {
    registry: Arc<Registry>,
    /// The nursery, while it is open. Null if there is none.
    nursery: AtomicPtr<()>,
    /// Counts the scope itself and the jobs that belong to it, if there are any.
    jobs: OnceLock<Arc<Latch>>,
    /// Where the thread waits that has opened the scope.
    mailbox: Option<Arc<Mailbox>>,
    /// Whose work the jobs are.
    line: Line,
    /// The panic that came first.
    panic: Mutex<Option<Payload>>,
    /// `'scope` is invariant, as what is spawned takes scopes of it.
    marker: PhantomData<fn(&Scope<'scope>)>,
}

/// A scope that is there until what holds the pointer is done.
struct ScopeRef<T>(*const T);

// SAFETY: it is a shared reference, but for its lifetime.
unsafe impl<T: Sync> Send for ScopeRef<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for ScopeRef<T> {}

impl<T> ScopeRef<T> {
    fn to(scope: &T) -> Self {
        Self(scope)
    }

    fn get(&self) -> &T {
        // SAFETY: a scope waits for its children and its jobs, and only these have such pointers.
        unsafe { &*self.0 }
    }
}

impl<'scope> Base<'scope> {
    fn new(registry: &Arc<Registry>, caller: Option<&Worker>) -> Self {
        Self {
            registry: Arc::clone(registry),
            nursery: AtomicPtr::new(ptr::null_mut()),
            jobs: OnceLock::new(),
            mailbox: caller.map(|worker| Arc::clone(worker.mailbox())),
            line: match caller {
                Some(worker) if !worker.is_of(registry) => lineage::below(worker),
                _ => lineage::here(),
            },
            panic: Mutex::new(None),
            marker: PhantomData,
        }
    }

    /// Calls `op` and waits for all that belongs to the scope. `is_home` says that the calling thread is a worker of the
    /// pool.
    fn complete<R>(&self, is_home: bool, op: impl FnOnce() -> R) -> R {
        let value = if is_home {
            self.in_nursery(|| self.catch(op))
        } else {
            self.catch(op)
        };
        if let Some(jobs) = self.jobs.get() {
            jobs.count_down();
            jobs.wait();
        }
        let payload = lock(&self.panic).take();
        match (value, payload) {
            (_, Some(payload)) => resume_unwind(payload),
            (Some(value), None) => value,
            (None, None) => unreachable!("it has returned or panicked"),
        }
    }

    /// Calls `op` in a nursery, which is this scope's then.
    fn in_nursery<R>(&self, op: impl FnOnce() -> R) -> R {
        let body = |nursery: &Nursery<'_, '_>| {
            let nursery = ptr::from_ref(nursery).cast_mut();
            // ORDERING: Relaxed: whoever spawns has got the scope from `op`, directly or not.
            self.nursery.store(nursery.cast(), Ordering::Relaxed);
            op()
        };
        match worker::role() {
            Role::Worker => hatchery::nursery(body),
            _ => self.registry.inside().nursery(body),
        }
    }

    fn nursery(&self) -> Option<&'scope Nursery<'scope, 'scope>> {
        let nursery = self.nursery.load(Ordering::Relaxed);
        // SAFETY: it is open while somebody has this scope: its body, or a child of it. `'scope` outlives it, which
        // `spawn_child` allows for.
        unsafe { nursery.cast::<Nursery<'scope, 'scope>>().as_ref() }
    }

    /// Spawns a child, or a job if there is no nursery. The closure does not unwind.
    fn spawn(&self, closure: impl FnOnce() + Send + 'scope) {
        match self.nursery() {
            // What the closure borrows outlives the call of `scope`, and so the nursery.
            Some(nursery) => drop(nursery.spawn(closure)),
            None => {
                let job = self.job(closure);
                self.registry.run_soon(job);
            }
        }
    }

    /// A closure that the scope waits for. The closure does not unwind.
    fn job(&self, closure: impl FnOnce() + Send + 'scope) -> Box<dyn FnOnce() + Send> {
        let jobs = self
            .jobs
            .get_or_init(|| Latch::new(1, self.mailbox.as_ref()));
        jobs.add();
        let jobs = Arc::clone(jobs);
        let line = self.line.clone();
        let job = Box::new(move || {
            let line = lineage::enter(line);
            closure();
            drop(line);
            jobs.count_down();
        });
        // SAFETY: the scope waits for the latch, and what `'scope` borrows outlives the scope.
        unsafe { erase(job) }
    }

    fn catch<R>(&self, op: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(op)) {
            Ok(value) => Some(value),
            Err(payload) => {
                self.panicked(payload);
                None
            }
        }
    }

    fn panicked(&self, payload: Payload) {
        let mut first = lock(&self.panic);
        if first.is_none() {
            *first = Some(payload);
        } else {
            drop(first);
            drop(payload);
        }
    }

    fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("pool_id", &self.registry.id())
            .field("panicked", &lock(&self.panic).is_some())
            .finish_non_exhaustive()
    }
}

impl<'scope> Scope<'scope> {
    fn new(registry: &Arc<Registry>, caller: Option<&Worker>) -> Self {
        Self {
            base: Base::new(registry, caller),
            bodies: Mutex::default(),
        }
    }

    /// Spawns a closure into the scope. Closures that no other thread takes begin with the newest.
    ///
    /// Its panic is raised at the end of the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut halves = [0, 0];
    /// let [left, right] = &mut halves;
    /// rayon_core::scope(|s| {
    ///     s.spawn(|_| *left = 1);
    ///     s.spawn(|_| *right = 2);
    /// });
    /// assert_eq!(halves, [1, 2]);
    /// ```
    pub fn spawn<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        lock(&self.bodies).push(Box::new(body));
        let scope = ScopeRef::to(self);
        self.base.spawn(move || scope.get().run_newest());
    }

    /// Spawns a closure that each thread of the pool calls once.
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&Scope<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let registry = &self.base.registry;
        let body = Arc::new(body);
        for index in 0..registry.num_threads() {
            let (scope, body) = (ScopeRef::to(self), Arc::clone(&body));
            let share = move || {
                scope.get().run_apart(|inner| {
                    BroadcastContext::with(|context| body(inner, context));
                });
                // Before the scope knows of the end.
                drop(body);
            };
            registry.send(index, None, self.base.job(share));
        }
    }

    /// Runs the closure that was spawned last. There is one for each call.
    fn run_newest(&self) {
        let Some(body) = lock(&self.bodies).pop() else {
            return;
        };
        if self.base.nursery().is_some() {
            self.base.catch(|| body(self));
        } else {
            self.run_apart(|inner| body(inner));
        }
    }

    /// Calls `body` with a scope of its own on this worker, and waits for that.
    fn run_apart(&self, body: impl FnOnce(&Scope<'scope>)) {
        let worker = worker::current();
        let inner = Scope::<'scope>::new(&self.base.registry, worker.as_deref());
        self.base
            .catch(|| inner.base.complete(true, || body(&inner)));
    }
}

impl<'scope> ScopeFifo<'scope> {
    fn new(registry: &Arc<Registry>, caller: Option<&Worker>) -> Self {
        Self {
            base: Base::new(registry, caller),
        }
    }

    /// Spawns a closure into the scope. Closures that no other thread takes begin with the oldest.
    ///
    /// Its panic is raised at the end of the scope.
    pub fn spawn_fifo<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&ScopeFifo<'scope>) + Send + 'scope,
    {
        let scope = ScopeRef::to(self);
        self.base.spawn(move || {
            let scope = scope.get();
            if scope.base.nursery().is_some() {
                scope.base.catch(|| body(scope));
            } else {
                scope.run_apart(|inner| body(inner));
            }
        });
    }

    /// Spawns a closure that each thread of the pool calls once.
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&ScopeFifo<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let registry = &self.base.registry;
        let body = Arc::new(body);
        for index in 0..registry.num_threads() {
            let (scope, body) = (ScopeRef::to(self), Arc::clone(&body));
            let share = move || {
                scope.get().run_apart(|inner| {
                    BroadcastContext::with(|context| body(inner, context));
                });
                // Before the scope knows of the end.
                drop(body);
            };
            registry.send(index, None, self.base.job(share));
        }
    }

    /// Calls `body` with a scope of its own on this worker, and waits for that.
    fn run_apart(&self, body: impl FnOnce(&ScopeFifo<'scope>)) {
        let worker = worker::current();
        let inner = ScopeFifo::<'scope>::new(&self.base.registry, worker.as_deref());
        self.base
            .catch(|| inner.base.complete(true, || body(&inner)));
    }
}

/// Calls `op` on a thread of the current pool with a scope, and waits for all that is spawned into it.
///
/// # Panics
///
/// If `op` panics, or something that was spawned; all of it runs even so.
pub fn scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    Registry::current().in_worker(|_| in_place_scope(op))
}

/// Like [`scope`], with a scope whose closures begin in the order in which they were spawned.
///
/// # Panics
///
/// As [`scope`].
pub fn scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    Registry::current().in_worker(|_| in_place_scope_fifo(op))
}

/// Like [`scope`], but calls `op` on the calling thread.
///
/// # Panics
///
/// As [`scope`].
pub fn in_place_scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    in_place_scope_in(&Registry::current(), op)
}

/// Like [`scope_fifo`], but calls `op` on the calling thread.
///
/// # Panics
///
/// As [`scope`].
pub fn in_place_scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R,
{
    in_place_scope_fifo_in(&Registry::current(), op)
}

pub(crate) fn in_place_scope_in<'scope, OP, R>(registry: &Arc<Registry>, op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    let caller = worker::current();
    let is_home = caller.as_ref().is_some_and(|worker| worker.is_of(registry));
    let scope = Scope::<'scope>::new(registry, caller.as_deref());
    scope.base.complete(is_home, || op(&scope))
}

pub(crate) fn in_place_scope_fifo_in<'scope, OP, R>(registry: &Arc<Registry>, op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R,
{
    let caller = worker::current();
    let is_home = caller.as_ref().is_some_and(|worker| worker.is_of(registry));
    let scope = ScopeFifo::<'scope>::new(registry, caller.as_deref());
    scope.base.complete(is_home, || op(&scope))
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.base.describe("Scope", f)
    }
}

impl fmt::Debug for ScopeFifo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.base.describe("ScopeFifo", f)
    }
}
