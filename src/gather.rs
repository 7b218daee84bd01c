//! Results in the order of the calls, no handles kept.

use std::cell::RefCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::child::Child;
use crate::failure::{Failure, Failures};
use crate::nursery::{Nursery, nursery};
use crate::options::Options;
use crate::pool::Pool;
use crate::stats::NurseryStats;
use crate::try_nursery::{TryNursery, try_nursery};

/// A nursery whose children all return a `T`; [`gather`] opens one.
///
/// Only the body spawns into it, so the order of the results is that of the calls.
pub struct Gather<'scope, 'env: 'scope, T> {
    nursery: &'scope Nursery<'scope, 'env>,
    children: RefCell<Vec<Child<'scope, T>>>,
}

type TryChild<'scope, T, E> = Child<'scope, Result<T, Failure<E>>>;

/// A nursery whose children all return a `Result<T, E>`; [`try_gather`] opens one.
///
/// Only the body spawns into it, so the order of the results is that of the calls.
pub struct TryGather<'scope, 'env: 'scope, T, E> {
    nursery: &'scope TryNursery<'scope, 'env, E>,
    children: RefCell<Vec<TryChild<'scope, T, E>>>,
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
    nursery(|n| gather_in(n, body))
}

/// Opens a partial nursery, and returns the values of all children in the order they were spawned.
///
/// It is [`gather`] for children that may fail: all values come back, or all failures. The first failure
/// cancels the rest, as in a [`try_nursery`]. The body returns nothing but `Ok(())`, or a failure of its
/// own.
///
/// # Errors
///
/// If a child or the body fails or panics, or if a child was not started because the nursery was
/// cancelled: as [`try_nursery`]. There is no result with a gap in it.
///
/// # Blocking
///
/// As [`nursery`](crate::nursery()).
///
/// # Cancellation
///
/// As [`try_nursery`].
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
/// use hatchery::Failures;
///
/// fn parse(lines: &[&str]) -> Result<Vec<i32>, Failures<ParseIntError>> {
///     hatchery::try_gather(|g| {
///         for line in lines {
///             g.spawn(move || line.parse());
///         }
///         Ok(())
///     })
/// }
/// assert_eq!(parse(&["1", "2", "3"]).unwrap(), [1, 2, 3]);
/// assert_eq!(
///     parse(&["1", "two"]).unwrap_err().to_string(),
///     "child 1: invalid digit found in string",
/// );
/// ```
pub fn try_gather<'env, E, T, F>(body: F) -> Result<Vec<T>, Failures<E>>
where
    F: for<'scope> FnOnce(&TryGather<'scope, 'env, T, E>) -> Result<(), Failure<E>>,
    T: Send + 'env,
    E: Send + 'env,
{
    try_nursery(|n| try_gather_in(n, body))
}

impl Pool {
    /// Gathers results on this pool, see [`gather`](crate::gather()).
    ///
    /// # Panics
    ///
    /// As [`gather`](crate::gather()).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let squares = pool.gather(|g| (1..=4).for_each(|i| g.spawn(move || i * i)));
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn gather<'env, F, T>(&self, body: F) -> Vec<T>
    where
        F: for<'scope> FnOnce(&Gather<'scope, 'env, T>),
        T: Send + 'env,
    {
        self.nursery(|n| gather_in(n, body))
    }

    /// Gathers results of children that may fail on this pool, see [`try_gather`](crate::try_gather()).
    ///
    /// # Errors
    ///
    /// As [`try_gather`](crate::try_gather()).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let parsed = pool.try_gather(|g| {
    ///     g.spawn(|| "1".parse::<i32>());
    ///     g.spawn(|| "2".parse());
    ///     Ok(())
    /// });
    /// assert_eq!(parsed.unwrap(), [1, 2]);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn try_gather<'env, E, T, F>(&self, body: F) -> Result<Vec<T>, Failures<E>>
    where
        F: for<'scope> FnOnce(&TryGather<'scope, 'env, T, E>) -> Result<(), Failure<E>>,
        T: Send + 'env,
        E: Send + 'env,
    {
        self.try_nursery(|n| try_gather_in(n, body))
    }
}

impl Options {
    /// Gathers results in a nursery with these options, see [`gather`](crate::gather()).
    ///
    /// Its nursery is total: tokens and deadlines keep none of the children from starting, see
    /// [`Options::nursery`].
    ///
    /// # Panics
    ///
    /// As [`gather`](crate::gather()).
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Options;
    ///
    /// let one_at_a_time = Options::new().limit(1);
    /// let squares = one_at_a_time.gather(|g| (1..=4).for_each(|i| g.spawn(move || i * i)));
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// ```
    pub fn gather<'env, F, T>(&self, body: F) -> Vec<T>
    where
        F: for<'scope> FnOnce(&Gather<'scope, 'env, T>),
        T: Send + 'env,
    {
        self.nursery(|n| gather_in(n, body))
    }

    /// Gathers results of children that may fail in a nursery with these options, see
    /// [`try_gather`](crate::try_gather()).
    ///
    /// # Errors
    ///
    /// As [`try_gather`](crate::try_gather()).
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{OnFailure, Options};
    ///
    /// let options = Options::new().on_failure(OnFailure::Continue);
    /// let parsed = options.try_gather(|g| {
    ///     for line in ["1", "two", "three"] {
    ///         g.spawn(move || line.parse::<i32>());
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(parsed.unwrap_err().iter().count(), 2); // every failure, not the first one only
    /// ```
    pub fn try_gather<'env, E, T, F>(&self, body: F) -> Result<Vec<T>, Failures<E>>
    where
        F: for<'scope> FnOnce(&TryGather<'scope, 'env, T, E>) -> Result<(), Failure<E>>,
        T: Send + 'env,
        E: Send + 'env,
    {
        self.try_nursery(|n| try_gather_in(n, body))
    }
}

/// Joins what `body` spawns.
fn gather_in<'scope, 'env, T, F>(nursery: &'scope Nursery<'scope, 'env>, body: F) -> Vec<T>
where
    F: FnOnce(&Gather<'scope, 'env, T>),
    T: Send + 'env,
{
    let gather = Gather {
        nursery,
        children: RefCell::new(Vec::new()),
    };
    body(&gather);
    let children = gather.children.into_inner();
    children.into_iter().map(Child::join).collect()
}

/// Joins what `body` spawns, up to the first failure: the nursery has the others.
fn try_gather_in<'scope, 'env, T, E, F>(
    nursery: &'scope TryNursery<'scope, 'env, E>,
    body: F,
) -> Result<Vec<T>, Failure<E>>
where
    F: FnOnce(&TryGather<'scope, 'env, T, E>) -> Result<(), Failure<E>>,
    T: Send + 'env,
    E: Send + 'env,
{
    let gather = TryGather {
        nursery,
        children: RefCell::new(Vec::new()),
    };
    body(&gather)?;
    let children = gather.children.into_inner();
    children.into_iter().map(Child::join).collect()
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

impl<'scope, T: Send + 'scope, E: Send> TryGather<'scope, '_, T, E> {
    /// Spawns a child onto the pool, see [`TryNursery::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        self.children.borrow_mut().push(self.nursery.spawn(f));
    }

    /// Spawns a child that may block, see [`TryNursery::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F>(&self, f: F)
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        self.children
            .borrow_mut()
            .push(self.nursery.spawn_blocking(f));
    }

    /// An error if the nursery is cancelled, so that `?` ends the body, see [`TryNursery::checkpoint`].
    ///
    /// Children ask the free [`checkpoint`](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// If the nursery is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// let stopped = hatchery::try_gather(|g| {
    ///     for i in 0.. {
    ///         g.checkpoint()?; // ends the loop once a child has failed
    ///         g.spawn(move || if i < 100 { Ok(i) } else { Err("too large") });
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(stopped.unwrap_err().cause().kind().to_string(), "too large");
    /// ```
    pub fn checkpoint(&self) -> Result<(), Failure<E>> {
        self.nursery.checkpoint()
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

// As the nursery: what a panic interrupts is no spawn.
impl<T, E> UnwindSafe for TryGather<'_, '_, T, E> {}
impl<T, E> RefUnwindSafe for TryGather<'_, '_, T, E> {}

impl<T, E> fmt::Debug for TryGather<'_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryGather")
            .field("children", &self.children.borrow().len())
            .finish()
    }
}
