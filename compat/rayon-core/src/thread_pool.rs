//! Pools of one's own.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

use crate::broadcast::{self, BroadcastContext};
use crate::registry::Kept;
use crate::scope::{self, Scope, ScopeFifo};
use crate::spawned::Order;
use crate::worker::{self, Worker};
use crate::yielding::Yield;
use crate::{ThreadPoolBuildError, join};

/// A pool; [`ThreadPoolBuilder`](crate::ThreadPoolBuilder) makes one.
///
/// The methods do what the functions of the same name do, in this pool. Dropping a pool does not wait: its threads end when
/// all jobs have ended that were spawned.
pub struct ThreadPool {
    kept: Kept,
}

impl ThreadPool {
    pub(crate) fn new_from(kept: Kept) -> Self {
        Self { kept }
    }

    /// Use [`ThreadPoolBuilder::build`](crate::ThreadPoolBuilder::build).
    ///
    /// # Errors
    ///
    /// As there.
    #[deprecated(note = "Use `ThreadPoolBuilder::build`")]
    #[allow(deprecated, reason = "it is deprecated itself")]
    pub fn new(configuration: crate::Configuration) -> Result<Self, Box<dyn Error>> {
        let built: Result<_, ThreadPoolBuildError> = configuration.into_builder().build();
        built.map_err(Box::from)
    }

    /// Calls `op` on a thread of the pool, where functions without a pool use this one.
    ///
    /// # Panics
    ///
    /// If `op` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = rayon_core::ThreadPoolBuilder::new().num_threads(3).build()?;
    /// let (index, threads) = pool.install(|| (rayon_core::current_thread_index(), rayon_core::current_num_threads()));
    /// assert!(index.unwrap() < threads);
    /// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
    /// ```
    pub fn install<OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce() -> R + Send,
        R: Send,
    {
        self.kept.registry().in_worker(|_| op())
    }

    /// As [`broadcast`](crate::broadcast()).
    ///
    /// # Panics
    ///
    /// As there.
    pub fn broadcast<OP, R>(&self, op: OP) -> Vec<R>
    where
        OP: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        broadcast::broadcast_in(self.kept.registry(), op)
    }

    /// Returns the number of threads of the pool.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn current_num_threads(&self) -> usize {
        self.kept.registry().num_threads()
    }

    fn current_worker(&self) -> Option<Rc<Worker>> {
        worker::current().filter(|worker| worker.is_of(self.kept.registry()))
    }

    /// Returns the index of this thread, if it is of this pool.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn current_thread_index(&self) -> Option<usize> {
        self.current_worker().map(|worker| worker.index)
    }

    /// As [`current_thread_has_pending_tasks`](crate::current_thread_has_pending_tasks), if this thread is of this pool.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn current_thread_has_pending_tasks(&self) -> Option<bool> {
        self.current_worker()
            .map(|worker| worker.has_pending_tasks())
    }

    /// As [`join`](crate::join()).
    ///
    /// # Panics
    ///
    /// As there.
    pub fn join<A, B, RA, RB>(&self, oper_a: A, oper_b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.install(|| join(oper_a, oper_b))
    }

    /// As [`scope`](crate::scope()).
    ///
    /// # Panics
    ///
    /// As there.
    pub fn scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.install(|| scope::scope(op))
    }

    /// As [`scope_fifo`](crate::scope_fifo).
    ///
    /// # Panics
    ///
    /// As there.
    pub fn scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        self.install(|| scope::scope_fifo(op))
    }

    /// As [`in_place_scope`](crate::in_place_scope).
    ///
    /// # Panics
    ///
    /// As there.
    pub fn in_place_scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        scope::in_place_scope_in(self.kept.registry(), op)
    }

    /// As [`in_place_scope_fifo`](crate::in_place_scope_fifo).
    ///
    /// # Panics
    ///
    /// As there.
    pub fn in_place_scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        scope::in_place_scope_fifo_in(self.kept.registry(), op)
    }

    /// As [`spawn`](crate::spawn()).
    pub fn spawn<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        self.kept.registry().spawn(op, Order::NewestFirst);
    }

    /// As [`spawn_fifo`](crate::spawn_fifo).
    pub fn spawn_fifo<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        self.kept.registry().spawn(op, Order::OldestFirst);
    }

    /// As [`spawn_broadcast`](crate::spawn_broadcast).
    pub fn spawn_broadcast<OP>(&self, op: OP)
    where
        OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        broadcast::spawn_broadcast_in(self.kept.registry(), op);
    }

    /// As [`yield_now`](crate::yield_now), if this thread is of this pool.
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn yield_now(&self) -> Option<Yield> {
        self.current_worker().map(Worker::yield_now)
    }

    /// As [`yield_local`](crate::yield_local), if this thread is of this pool.
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn yield_local(&self) -> Option<Yield> {
        self.current_worker().map(Worker::yield_local)
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("num_threads", &self.current_num_threads())
            .field("id", &self.kept.registry().id())
            .finish()
    }
}
