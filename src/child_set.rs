//! Children spawned one by one, joined in the order in which they end.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::child::Child;
use crate::failure::Failure;
use crate::nursery::Nursery;
use crate::scope::{Announcement, Set};
use crate::try_nursery::TryNursery;

/// Children of a nursery that are spawned one by one, and joined in the order in which they end.
///
/// [`Nursery::set`] and [`TryNursery::set`] make an empty set. The set is an iterator over the values of its children:
/// each call of `next` joins a child that has ended, and waits for one if there is none. Between two calls more children
/// may be spawned, also after `next` has returned `None`: it does so while the set is empty.
///
/// # Numbers
///
/// The children of a set have numbers, in the order of their spawns, from 0: [`spawn`](Self::spawn) returns the number,
/// and `next` returns it with the value. (A [`ChildId`](crate::ChildId) is the name of a child among all tasks of a
/// partial nursery, and a total nursery has none.)
///
/// # Dropping and cancelling
///
/// The set collects children, and is no nursery of its own. If it is dropped early, its children go on as those of a
/// dropped [`Child`] do: the nursery waits for them. To leave children out that have not started, cancel
/// the partial nursery that the set was made in; in a total nursery, open a partial one for the set:
///
/// ```
/// let roots = [1, 2, 3, 4, 5_u64];
/// let found = hatchery::try_nursery::<(), _, _>(|n| {
///     let mut set = n.set();
///     for root in roots {
///         set.spawn(move || Ok(root * root));
///     }
///     for (number, square) in set {
///         if square? == 9 {
///             n.cancel(); // the children that have not started are dropped unrun
///             return Ok(Some(roots[number]));
///         }
///     }
///     Ok(None)
/// });
/// assert_eq!(found.unwrap(), Some(3));
/// ```
///
/// # Cost
///
/// A child of a set costs 0.1 to 0.2 microseconds more than one that is joined by its [`Child`], however many there
/// are. The set keeps memory for the children that were not joined, and none for the others. For
/// items that are all there, `spawn_each` with [`by_completion`](crate::Children::by_completion) costs less.
///
/// # Threads
///
/// A set is neither `Send` nor `Sync`, see [`Child`]. The children of a set may spawn siblings into its
/// nursery, but not into the set.
///
/// # Examples
///
/// Pages are fetched as links to them are found:
///
/// ```
/// let links = [vec![1, 2], vec![3], vec![3], vec![]]; // from each page
/// let order = hatchery::nursery(|n| {
///     let (mut set, mut is_known) = (n.set(), [true, false, false, false]);
///     set.spawn(|| (0, &links[0]));
///     let mut fetched = Vec::new();
///     while let Some((_, (page, found))) = set.next() {
///         fetched.push(page);
///         for &link in found {
///             if !std::mem::replace(&mut is_known[link], true) {
///                 let links = &links;
///                 set.spawn(move || (link, &links[link]));
///             }
///         }
///     }
///     fetched
/// });
/// assert_eq!((order.len(), order[0]), (4, 0));
/// ```
#[doc(alias = "JoinSet")]
#[doc(alias = "FuturesUnordered")]
pub struct ChildSet<'scope, N, T> {
    nursery: &'scope N,
    set: Set<'scope, T>,
}

/// A set of children of a partial nursery.
type TrySet<'scope, 'env, T, E> =
    ChildSet<'scope, TryNursery<'scope, 'env, E>, Result<T, Failure<E>>>;

/// Calls `f`; the child is announced when all of it is gone.
struct Announced<F> {
    f: F,
    announcement: Announcement,
}

impl<F> Announced<F> {
    fn call<R>(self) -> R
    where
        F: FnOnce() -> R,
    {
        let Self { f, announcement } = self;
        let _announcement = announcement;
        f()
    }
}

impl<'scope, 'env> Nursery<'scope, 'env> {
    /// Makes an empty set of children, which are joined in the order in which they end.
    ///
    /// # Examples
    ///
    /// ```
    /// let sum = hatchery::nursery(|n| {
    ///     let mut set = n.set();
    ///     for i in 1..=4 {
    ///         set.spawn(move || i * i);
    ///     }
    ///     set.map(|(_, square)| square).sum::<u32>()
    /// });
    /// assert_eq!(sum, 30);
    /// ```
    pub fn set<T>(&'scope self) -> ChildSet<'scope, Self, T> {
        ChildSet {
            nursery: self,
            set: Set::new(self.scope()),
        }
    }
}

impl<'scope, 'env, E: Send> TryNursery<'scope, 'env, E> {
    /// Makes an empty set of children, which are joined in the order in which they end.
    ///
    /// The set yields one `Result` per child, as [`Child::join`] returns it.
    ///
    /// # Cancellation
    ///
    /// When the nursery is cancelled, the set goes on until it is empty: it yields the values of children that have
    /// run, and [`Cancelled`](crate::FailureKind::Cancelled) for children that were dropped unrun.
    ///
    /// # Examples
    ///
    /// ```
    /// let lines = ["1", "two", "3"];
    /// let failed = hatchery::try_nursery(|n| {
    ///     let mut set = n.set();
    ///     for line in lines {
    ///         set.spawn(move || line.parse::<i32>());
    ///     }
    ///     for (number, parsed) in set {
    ///         assert_eq!(lines[number], parsed?.to_string());
    ///     }
    ///     Ok(())
    /// });
    /// assert!(failed.is_err());
    /// ```
    pub fn set<T>(&'scope self) -> ChildSet<'scope, Self, Result<T, Failure<E>>> {
        ChildSet {
            nursery: self,
            set: Set::new(self.scope()),
        }
    }
}

impl<'scope, 'env, T: Send + 'scope> ChildSet<'scope, Nursery<'scope, 'env>, T> {
    /// Spawns a child, and returns its number in the set.
    ///
    /// It does what [`Nursery::spawn`] does, which never blocks and never runs user code.
    ///
    /// # Examples
    ///
    /// ```
    /// hatchery::nursery(|n| {
    ///     let mut set = n.set();
    ///     assert_eq!(set.spawn(|| "north"), 0);
    ///     assert_eq!(set.spawn(|| "east"), 1);
    ///     assert!(set.any(|ended| ended == (1, "east")));
    /// });
    /// ```
    pub fn spawn<F>(&mut self, f: F) -> usize
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        let announced = self.announced(f);
        self.push(self.nursery.spawn(|| announced.call()))
    }

    /// Spawns a child that may block, see [`Nursery::spawn_blocking`]; returns its number in the set.
    ///
    /// # Examples
    ///
    /// ```
    /// hatchery::nursery(|n| {
    ///     let mut set = n.set();
    ///     set.spawn_blocking(|| std::fs::read("/no/such/file").is_ok());
    ///     assert_eq!(set.next(), Some((0, false)));
    /// });
    /// ```
    pub fn spawn_blocking<F>(&mut self, f: F) -> usize
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        let announced = self.announced(f);
        self.push(self.nursery.spawn_blocking(|| announced.call()))
    }
}

impl<'scope, 'env, T, E> TrySet<'scope, 'env, T, E>
where
    T: Send + 'scope,
    E: Send,
{
    /// Spawns a child that returns a value or an error, and returns its number in the set.
    ///
    /// It does what [`TryNursery::spawn`] does. If the nursery is cancelled before the child starts, the child is
    /// dropped unrun, and the set yields a cancellation for it.
    ///
    /// # Examples
    ///
    /// ```
    /// let number = hatchery::try_nursery(|n| {
    ///     let mut set = n.set();
    ///     set.spawn(|| "7".parse::<u8>());
    ///     set.next().expect("there is one").1
    /// });
    /// assert_eq!(number.unwrap(), 7);
    /// ```
    #[track_caller]
    pub fn spawn<F>(&mut self, f: F) -> usize
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        let announced = self.announced(f);
        self.push(self.nursery.spawn(|| announced.call()))
    }

    /// Spawns a child whose closure is written like a body, see [`TryNursery::spawn_body`]; returns its number in the
    /// set.
    ///
    /// # Examples
    ///
    /// ```
    /// let sum = hatchery::try_nursery::<std::num::ParseIntError, _, _>(|n| {
    ///     let mut set = n.set();
    ///     set.spawn_body(|| Ok(n.spawn(|| "3".parse::<i32>()).join()? + "4".parse::<i32>()?));
    ///     set.map(|(_, sum)| sum).sum::<Result<i32, _>>()
    /// });
    /// assert_eq!(sum.unwrap(), 7);
    /// ```
    #[track_caller]
    pub fn spawn_body<F>(&mut self, f: F) -> usize
    where
        F: FnOnce() -> Result<T, Failure<E>> + Send + 'scope,
    {
        let announced = self.announced(f);
        self.push(self.nursery.spawn_body(|| announced.call()))
    }

    /// Spawns a child that may block, see [`TryNursery::spawn_blocking`]; returns its number in the set.
    ///
    /// # Cancellation
    ///
    /// Cancelling the nursery does not interrupt the child.
    ///
    /// # Examples
    ///
    /// ```
    /// let read = hatchery::try_nursery(|n| {
    ///     let mut set = n.set();
    ///     set.spawn_blocking(|| std::fs::read("/no/such/file"));
    ///     set.map(|(_, read)| read).collect::<Result<Vec<_>, _>>()
    /// });
    /// assert!(read.is_err());
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> usize
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        let announced = self.announced(f);
        self.push(self.nursery.spawn_blocking(|| announced.call()))
    }

    /// Spawns a child that may block, and whose closure is written like a body, see
    /// [`TryNursery::spawn_blocking_body`]; returns its number in the set.
    ///
    /// # Cancellation
    ///
    /// Cancelling the nursery does not interrupt the child.
    ///
    /// # Examples
    ///
    /// ```
    /// let read = hatchery::try_nursery::<std::io::Error, _, _>(|n| {
    ///     let mut set = n.set();
    ///     set.spawn_blocking_body(|| {
    ///         n.checkpoint()?;
    ///         Ok(std::fs::read("/no/such/file")?)
    ///     });
    ///     set.map(|(_, read)| read).collect::<Result<Vec<_>, _>>()
    /// });
    /// assert!(read.is_err());
    /// ```
    #[track_caller]
    pub fn spawn_blocking_body<F>(&mut self, f: F) -> usize
    where
        F: FnOnce() -> Result<T, Failure<E>> + Send + 'scope,
    {
        let announced = self.announced(f);
        self.push(self.nursery.spawn_blocking_body(|| announced.call()))
    }
}

impl<'scope, N, T> ChildSet<'scope, N, T> {
    fn announced<F>(&self, f: F) -> Announced<F> {
        let announcement = self.set.announcement();
        Announced { f, announcement }
    }

    fn push(&mut self, child: Child<'scope, T>) -> usize {
        self.set.push(child.into_held())
    }
}

// A panic leaves the children as they are: finished, or not.
impl<N, T> UnwindSafe for ChildSet<'_, N, T> {}
impl<N, T> RefUnwindSafe for ChildSet<'_, N, T> {}

impl<N, T> Iterator for ChildSet<'_, N, T> {
    type Item = (usize, T);

    /// Waits until any child of the set has ended, and returns its number and value; none if the set is empty.
    ///
    /// # Blocking
    ///
    /// While no child has ended, `next` waits as [`Child::join`] does: in the body it runs children of the nursery, and in
    /// a child it runs children of the set, oldest first.
    ///
    /// # Panics
    ///
    /// In a total nursery `next` panics as [`Child::join`] does, at the child that panicked or was dropped unrun. That
    /// child is taken then, and the following calls go on with the other children. In a partial nursery the panic is in
    /// the child's `Result`.
    fn next(&mut self) -> Option<(usize, T)> {
        self.set.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.set.len(), Some(self.set.len()))
    }
}

/// The length is the number of children that `next` has not returned.
impl<N, T> ExactSizeIterator for ChildSet<'_, N, T> {}

impl<N, T> fmt::Debug for ChildSet<'_, N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSet")
            .field("spawned", &self.set.spawned())
            .field("unjoined", &self.set.len())
            .finish()
    }
}
