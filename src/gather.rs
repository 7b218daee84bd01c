//! Nurseries that return the values of all children, in the order of the spawns.

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
/// A `Gather` is not `Sync`: only the body spawns into it, so the order of the results is the order of the
/// calls of [`spawn`](Self::spawn).
///
/// # Examples
///
/// ```
/// use hatchery::Gather;
///
/// fn corners<'s>(g: &Gather<'s, '_, String>, names: &'s [&str]) {
///     names.iter().for_each(|name| g.spawn(move || format!("{name} corner")));
/// }
/// let gathered = hatchery::gather(|g| corners(g, &["left", "right"]));
/// assert_eq!(gathered, ["left corner", "right corner"]);
/// ```
pub struct Gather<'scope, 'env: 'scope, T> {
    nursery: &'scope Nursery<'scope, 'env>,
    children: RefCell<Vec<Child<'scope, T>>>,
}

type TryChild<'scope, T, E> = Child<'scope, Result<T, Failure<E>>>;

/// A nursery whose children all return a `Result<T, E>`; [`try_gather`] opens one.
///
/// A `TryGather` is not `Sync`: only the body spawns into it, so the order of the results is the order of the
/// calls of [`spawn`](Self::spawn).
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
/// use hatchery::TryGather;
///
/// fn numbers<'s>(g: &TryGather<'s, '_, i32, ParseIntError>, lines: &'s [&str]) {
///     lines.iter().for_each(|line| g.spawn(move || line.parse()));
/// }
/// let gathered = hatchery::try_gather(|g| Ok(numbers(g, &["7", "8"])));
/// assert_eq!(gathered.unwrap(), [7, 8]);
/// ```
pub struct TryGather<'scope, 'env: 'scope, T, E> {
    nursery: &'scope TryNursery<'scope, 'env, E>,
    children: RefCell<Vec<TryChild<'scope, T, E>>>,
}

/// Opens a nursery, and returns the values of all children in the order in which they were spawned.
///
/// # Blocking
///
/// `gather` returns when the last child has ended, and runs children until then, as
/// [`nursery`](crate::nursery()) does.
///
/// # Panics
///
/// If the body or a child panics, see [`nursery`](crate::nursery()). There is never a result with a gap in it.
///
/// # Examples
///
/// ```
/// let lengths = hatchery::gather(|g| {
///     for word in ["one", "three", "four"] {
///         g.spawn(move || word.len());
///     }
/// });
/// assert_eq!(lengths, [3, 5, 4]);
/// ```
pub fn gather<'env, F, T>(body: F) -> Vec<T>
where
    F: for<'scope> FnOnce(&Gather<'scope, 'env, T>),
    T: Send + 'env,
{
    nursery(|n| gather_in(n, body))
}

/// Opens a partial nursery, and returns the values of all children in the order in which they were spawned.
///
/// It is [`gather`] for children that may fail: it returns all values, or all failures. The first failure
/// cancels the other children, as in a [`try_nursery`]. The body returns `Ok(())`, or a failure of its own.
///
/// # Errors
///
/// If a child or the body fails or panics, or if a child was not started because the nursery was cancelled: see
/// [`try_nursery`]. There is never a result with a gap in it.
///
/// # Blocking
///
/// `try_gather` returns when the last child has ended, and runs children until then, as
/// [`nursery`](crate::nursery()) does.
///
/// # Cancellation
///
/// The nursery is cancelled by its first failure, and with the nursery it was opened in.
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
    /// If the body or a child panics.
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
    /// If a child or the body fails or panics, or a child was not started: see
    /// [`try_gather`](crate::try_gather()).
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
    /// # Cancellation
    ///
    /// The nursery is total: a token or a deadline keeps no child from starting, see [`Options::nursery`].
    ///
    /// # Panics
    ///
    /// If the body or a child panics.
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

    /// Gathers results of children that may fail, in a nursery with these options, see
    /// [`try_gather`](crate::try_gather()).
    ///
    /// # Errors
    ///
    /// If a child or the body fails or panics, or a child was not started: see
    /// [`try_gather`](crate::try_gather()).
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
    /// assert_eq!(parsed.unwrap_err().len(), 2); // every failure, and not only the first
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

/// Joins the children that `body` spawns.
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

/// Joins the children that `body` spawns, up to the first failure: the nursery keeps the other failures.
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
    ///
    /// # Examples
    ///
    /// ```
    /// let areas = hatchery::gather(|g| {
    ///     g.spawn(|| 3 * 4);
    ///     g.spawn(|| 5 * 5);
    /// });
    /// assert_eq!(areas, [12, 25]);
    /// ```
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.children.borrow_mut().push(self.nursery.spawn(f));
    }

    /// Spawns a child that may block, see [`Nursery::spawn_blocking`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let gathered = hatchery::gather(|g| {
    ///     g.spawn_blocking(move || receiver.recv().unwrap());
    ///     g.spawn(move || { sender.send(7).unwrap(); 8 });
    /// });
    /// assert_eq!(gathered, [7, 8]);
    /// ```
    pub fn spawn_blocking<F>(&self, f: F)
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.children
            .borrow_mut()
            .push(self.nursery.spawn_blocking(f));
    }

    /// Returns the nursery's numbers so far, see [`Nursery::stats`].
    ///
    /// # Examples
    ///
    /// ```
    /// hatchery::gather(|g| {
    ///     g.spawn(|| "one");
    ///     assert_eq!(g.stats().spawned, 1);
    /// });
    /// ```
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        self.nursery.stats()
    }
}

impl<'scope, T: Send + 'scope, E: Send> TryGather<'scope, '_, T, E> {
    /// Spawns a child onto the pool, see [`TryNursery::spawn`].
    ///
    /// # Examples
    ///
    /// ```
    /// let gathered = hatchery::try_gather(|g| {
    ///     g.spawn(|| "7".parse::<i32>());
    ///     g.spawn(|| "seven".parse::<i32>());
    ///     Ok(())
    /// });
    /// assert!(gathered.is_err());
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        self.children.borrow_mut().push(self.nursery.spawn(f));
    }

    /// Spawns a child that may block, see [`TryNursery::spawn_blocking`].
    ///
    /// # Cancellation
    ///
    /// Cancelling the nursery does not interrupt the child.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs;
    ///
    /// let gathered = hatchery::try_gather(|g| {
    ///     g.spawn_blocking(|| fs::metadata("/no/such/file"));
    ///     Ok(())
    /// });
    /// assert!(gathered.is_err());
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(&self, f: F)
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        self.children
            .borrow_mut()
            .push(self.nursery.spawn_blocking(f));
    }

    /// Returns an error if the nursery is cancelled, see [`TryNursery::checkpoint`].
    ///
    /// With `?` it ends the body. Children call the free [`checkpoint`](crate::checkpoint()).
    ///
    /// # Errors
    ///
    /// If the nursery is cancelled, see [`TryNursery::is_cancelled`].
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

    /// Returns the nursery's numbers so far, see [`TryNursery::stats`].
    ///
    /// # Examples
    ///
    /// ```
    /// let gathered = hatchery::try_gather::<String, _, _>(|g| {
    ///     g.spawn(|| Ok("one"));
    ///     assert_eq!(g.stats().spawned, 1);
    ///     Ok(())
    /// });
    /// assert_eq!(gathered.unwrap(), ["one"]);
    /// ```
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        self.nursery.stats()
    }
}

// A panic of the body leaves the list of children whole: it interrupts no spawn.
impl<T> UnwindSafe for Gather<'_, '_, T> {}
impl<T> RefUnwindSafe for Gather<'_, '_, T> {}

impl<T> fmt::Debug for Gather<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("children", &self.children.borrow().len())
            .finish()
    }
}

// A panic of the body leaves the list of children whole: it interrupts no spawn.
impl<T, E> UnwindSafe for TryGather<'_, '_, T, E> {}
impl<T, E> RefUnwindSafe for TryGather<'_, '_, T, E> {}

impl<T, E> fmt::Debug for TryGather<'_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryGather")
            .field("children", &self.children.borrow().len())
            .finish()
    }
}
