//! Results in the order of the calls, no handles kept.

use std::cell::RefCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::child::Child;
use crate::nursery::{self, Nursery};
use crate::pool;
use crate::scope::Seat;
use crate::stats::NurseryStats;

/// A nursery whose children all return a `T`; [`gather`] opens one.
///
/// Only the body spawns into it, so the order of the results is that of the calls.
pub struct Gather<'scope, 'env: 'scope, T> {
    nursery: &'scope Nursery<'scope, 'env>,
    children: RefCell<Vec<Child<'scope, T>>>,
}

/// Opens a nursery, and returns the values of all children in the order they were spawned.
///
/// ```
/// let lengths = hatchery::gather(|g| {
///     for word in ["one", "three", "four"] {
///         g.spawn(move || word.len());
///     }
/// });
/// assert_eq!(lengths, [3, 5, 4]);
/// ```
///
/// # Blocking
///
/// As [`nursery`](crate::nursery()).
///
/// # Panics
///
/// As [`nursery`](crate::nursery()): there is no result with a gap in it.
pub fn gather<'env, F, T>(body: F) -> Vec<T>
where
    F: for<'scope> FnOnce(&Gather<'scope, 'env, T>),
    T: Send + 'env,
{
    pool::with_current(|seat| open(seat, body))
}

pub(crate) fn open<'env, F, T>(seat: &Seat, body: F) -> Vec<T>
where
    F: for<'scope> FnOnce(&Gather<'scope, 'env, T>),
    T: Send + 'env,
{
    nursery::open(seat, |nursery| {
        let gather = Gather {
            nursery,
            children: RefCell::new(Vec::new()),
        };
        body(&gather);
        let children = gather.children.into_inner();
        children.into_iter().map(Child::join).collect()
    })
}

impl<'scope, T: Send + 'scope> Gather<'scope, '_, T> {
    /// Spawns a child onto the pool, see [`Nursery::spawn`].
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.children.borrow_mut().push(self.nursery.spawn(f));
    }

    /// Spawns a child that may block, see [`Nursery::spawn_blocking`].
    pub fn spawn_blocking<F>(&self, f: F)
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.children
            .borrow_mut()
            .push(self.nursery.spawn_blocking(f));
    }

    /// What has happened in the nursery so far, see [`Nursery::stats`].
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        self.nursery.stats()
    }
}

// As the nursery: what a panic interrupts is no spawn.
impl<T> UnwindSafe for Gather<'_, '_, T> {}
impl<T> RefUnwindSafe for Gather<'_, '_, T> {}

impl<T> fmt::Debug for Gather<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("children", &self.children.borrow().len())
            .finish()
    }
}
