//! Two closures, of which another thread may run the second.

use std::marker::PhantomData;

use crate::cancel;
use crate::registry::Registry;
use crate::worker::{self, Role};

/// Tells a closure of [`join_context`] where it runs.
#[derive(Debug)]
pub struct FnContext {
    migrated: bool,
    /// Neither `Send` nor `Sync`, as in rayon-core.
    marker: PhantomData<*mut ()>,
}

impl FnContext {
    #[inline]
    fn new(migrated: bool) -> Self {
        Self {
            migrated,
            marker: PhantomData,
        }
    }

    /// Returns whether the closure runs on another thread than the one that called `join_context`.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn migrated(&self) -> bool {
        self.migrated
    }
}

/// Calls both closures, perhaps at the same time, and returns both values.
///
/// Both run to their ends, even if one panics.
///
/// # Panics
///
/// If one of the closures panics; if both do, with the panic of the first.
///
/// # Examples
///
/// ```
/// assert_eq!(rayon_core::join(|| 1 + 1, || 2 + 2), (2, 4));
/// ```
#[inline]
pub fn join<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    match worker::role() {
        Role::Worker => hatchery::join(oper_a, oper_b),
        _ => elsewhere(|_| oper_a(), |_| oper_b()),
    }
}

/// Like [`join`], and tells the closures where they run.
///
/// # Panics
///
/// As [`join`].
#[inline]
pub fn join_context<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    match worker::role() {
        Role::Worker => {
            cancel::stop_if_it_may::<A>();
            fork(oper_a, oper_b, false)
        }
        _ => elsewhere(oper_a, oper_b),
    }
}

/// Runs both in the pool of the innermost nursery. `is_elsewhere` says that this is another thread than the caller's.
#[inline]
fn fork<A, B, RA, RB>(oper_a: A, oper_b: B, is_elsewhere: bool) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    let home = worker::thread_number();
    // rayon's iterators fork few times, and then stay in a leaf for long, where a thread answers nobody.
    hatchery::by_hand::join_shown(
        move || oper_a(FnContext::new(is_elsewhere)),
        move || {
            oper_b(FnContext::new(
                is_elsewhere || worker::thread_number() != home,
            ))
        },
    )
}

/// The same on a thread that is no worker, or is lent to its pool.
#[cold]
#[inline(never)]
fn elsewhere<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    let registry = Registry::current();
    registry.in_worker(|is_elsewhere| {
        if worker::role() == Role::Lent {
            let inside = registry.inside();
            inside.nursery(|_| fork(oper_a, oper_b, is_elsewhere))
        } else {
            fork(oper_a, oper_b, is_elsewhere)
        }
    })
}
