//! What each thread of a pool calls once.
#![allow(unsafe_code, reason = "it waits for what it lends")]

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::erase::erase;
use crate::latch::Latch;
use crate::lineage;
use crate::registry::{Kept, Registry};
use crate::worker::{self, Worker};

/// Tells a closure that all threads of a pool call on which of them it runs.
pub struct BroadcastContext<'a> {
    index: usize,
    num_threads: usize,
    marker: PhantomData<&'a mut dyn Fn()>,
}

impl BroadcastContext<'_> {
    /// Calls `f` with the context of this worker.
    pub(crate) fn with<R>(f: impl FnOnce(BroadcastContext<'_>) -> R) -> R {
        let here = (worker::index(), worker::num_threads());
        let (Some(index), Some(num_threads)) = here else {
            unreachable!("errands are run by workers")
        };
        f(BroadcastContext {
            index,
            num_threads,
            marker: PhantomData,
        })
    }

    /// Returns the index of the thread in its pool.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the number of threads of the pool, all of which call the closure.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn num_threads(&self) -> usize {
        self.num_threads
    }
}

impl fmt::Debug for BroadcastContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastContext")
            .field("index", &self.index)
            .field("num_threads", &self.num_threads)
            .finish_non_exhaustive()
    }
}

/// Has each thread of the current pool call `op`, and returns all values, by the threads' indices.
///
/// A thread calls it when it has nothing else to do, or on top of what it waits for.
///
/// # Panics
///
/// If a call panics, when all have ended.
///
/// # Examples
///
/// ```
/// let indices = rayon_core::broadcast(|context| context.index());
/// assert!(indices.into_iter().eq(0..rayon_core::current_num_threads()));
/// ```
pub fn broadcast<OP, R>(op: OP) -> Vec<R>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    broadcast_in(&Registry::current(), op)
}

/// Has each thread of the current pool call `op` sooner or later. A panic goes to the panic handler.
pub fn spawn_broadcast<OP>(op: OP)
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    spawn_broadcast_in(&Registry::current(), op);
}

pub(crate) fn broadcast_in<OP, R>(registry: &Arc<Registry>, op: OP) -> Vec<R>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    let threads = registry.num_threads();
    let caller = worker::current();
    let line = match caller.as_deref() {
        Some(worker) if !worker.is_of(registry) => lineage::below(worker),
        _ => lineage::here(),
    };
    let latch = Latch::new(threads, caller.as_deref().map(Worker::mailbox));
    let mut left: Vec<_> = (0..threads).map(|_| None).collect();
    for (index, left) in left.iter_mut().enumerate() {
        let (op, done) = (&op, Arc::clone(&latch));
        let share = Box::new(move || {
            *left = Some(catch_unwind(AssertUnwindSafe(|| {
                BroadcastContext::with(op)
            })));
            done.count_down();
        });
        // SAFETY: this waits for the latch, and each share counts it down last.
        let share = unsafe { erase(share) };
        registry.send(index, line.clone(), share);
    }
    latch.wait();
    let values = left.into_iter().map(|left| match left {
        Some(Ok(value)) => value,
        Some(Err(payload)) => resume_unwind(payload),
        None => unreachable!("it was waited for"),
    });
    values.collect()
}

pub(crate) fn spawn_broadcast_in<OP>(registry: &Arc<Registry>, op: OP)
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    let op = Arc::new(op);
    for index in 0..registry.num_threads() {
        let (kept, op) = (Kept::new(registry), Arc::clone(&op));
        let share = move || {
            let registry = kept.registry();
            registry.catch_unwind(|| BroadcastContext::with(|context| op(context)));
            registry.catch_unwind(|| drop(op));
        };
        registry.send(index, None, Box::new(share));
    }
}
