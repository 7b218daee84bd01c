//! Handles: with them a task joins the children that it spawned.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::scope::{Batches, Handle, Held};

/// A handle to a spawned child; the task that spawned the child joins it with this handle.
///
/// A handle may be dropped without joining: the nursery waits for the child all the same, and drops its
/// value. If the value is a `Result`, a total nursery loses the error in it; a
/// [partial](crate::try_nursery()) nursery returns the error as a failure. A handle that is forgotten
/// ([`std::mem::forget`]) leaks the value.
///
/// A `Child` is neither `Send` nor `Sync`: only the task that spawned a child can wait for it. Therefore waits
/// point from spawner to spawned, and cannot form a cycle.
///
/// # Examples
///
/// ```
/// let orders = vec![30, 12];
/// let total = hatchery::nursery(|n| {
///     let sum = n.spawn(|| orders.iter().sum::<u32>());
///     let most = n.spawn(|| orders.iter().copied().max());
///     drop(most); // runs all the same
///     sum.join()
/// });
/// assert_eq!(total, 42);
/// ```
pub struct Child<'scope, T> {
    held: Held<T>,
    _scope: PhantomData<&'scope ()>,
}

// A panic leaves the state of a child as it is: finished, or not.
impl<T> UnwindSafe for Child<'_, T> {}
impl<T> RefUnwindSafe for Child<'_, T> {}

impl<T> Child<'_, T> {
    #[inline]
    pub(crate) fn new(handle: Handle<T>) -> Self {
        Self {
            held: Held::new(handle),
            _scope: PhantomData,
        }
    }

    pub(crate) fn into_held(self) -> Held<T> {
        self.held
    }

    /// Waits for the child and returns its value.
    ///
    /// A child that no thread has started yet runs on the calling thread.
    ///
    /// # Blocking
    ///
    /// In the body of the nursery, `join` runs other children of this nursery while it waits, one at a time.
    /// It returns when the awaited child has ended, or one other child later. In a child, `join` runs
    /// the awaited child or sleeps.
    ///
    /// So do not hold a lock across `join` in a body. The same thread may run a sibling that takes the lock,
    /// and then it waits for itself:
    ///
    /// ```no_run
    /// let lock = std::sync::Mutex::new(0);
    /// hatchery::nursery(|n| {
    ///     let child = n.spawn(|| 1);
    ///     n.spawn(|| *lock.lock().unwrap() += 1);
    ///     let mut guard = lock.lock().unwrap();
    ///     *guard += child.join(); // may run the sibling, which waits for the guard
    /// });
    /// ```
    ///
    /// Join first and lock afterwards, or hold the lock around the whole nursery. It is the same with everything
    /// that a sibling may wait for: what the body does after the `join` comes too late for it. Let the body do that
    /// first, or spawn such a sibling with [`spawn_blocking`](crate::Nursery::spawn_blocking).
    ///
    /// # Panics
    ///
    /// If the child panicked, `join` panics with the payload of the child. The panic then counts as handled:
    /// the end of the nursery does not raise it again.
    ///
    /// If a total nursery dropped the child unrun because a sibling panicked, `join` panics too, with a payload
    /// of this crate that has no text. The end of the nursery then raises the panic of the sibling. If
    /// that was handled by a `join`, the end of the nursery raises a panic that says what was dropped.
    ///
    /// In a partial nursery `join` returns a child's panic in its `Err`, and does not panic.
    ///
    /// # Cancellation
    ///
    /// Cancelling a nursery does not interrupt `join`. In a partial nursery `join` returns
    /// [`FailureKind::Cancelled`](crate::FailureKind::Cancelled) for a child that was dropped unrun.
    ///
    /// # Examples
    ///
    /// ```
    /// let (fetched, parsed) = hatchery::nursery(|n| {
    ///     let fetched = n.spawn(|| "7 apples");
    ///     let parsed = n.spawn(|| "7".parse::<u32>());
    ///     (fetched.join(), parsed.join())
    /// });
    /// assert_eq!((fetched, parsed), ("7 apples", Ok(7)));
    /// ```
    ///
    /// A panic that is handled where the child is joined:
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// let count = hatchery::nursery(|n| {
    ///     let child = n.spawn(|| -> u32 { panic!("no such table") });
    ///     catch_unwind(AssertUnwindSafe(|| child.join())).unwrap_or(0)
    /// });
    /// assert_eq!(count, 0);
    /// ```
    #[allow(clippy::must_use_candidate, reason = "waiting is an effect")]
    #[inline]
    pub fn join(self) -> T {
        self.held.join()
    }

    /// Returns whether the child has ended, so that [`join`](Self::join) would not wait.
    ///
    /// It never blocks and runs no child. A loop may wait for `true`, for example to show progress: once the answer is
    /// `false`, other threads can take all children that this thread has not started, and after 1 ms of such answers
    /// another thread takes [the place](crate::Pool#threads-that-block) of this one. To wait and do nothing else,
    /// [`join`](Self::join) is quicker.
    ///
    /// # Memory ordering
    ///
    /// If it returns `true`, all that the child did happens before all that the caller does afterwards.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Child;
    ///
    /// hatchery::nursery(|n| {
    ///     let pages = (1..=3).map(|page| n.spawn(move || page * 10));
    ///     let pages: Vec<Child<u32>> = pages.collect();
    ///     let (ended, others): (Vec<_>, Vec<_>) = pages.into_iter().partition(Child::is_finished);
    ///     let in_a_good_order = ended.into_iter().chain(others);
    ///     assert_eq!(in_a_good_order.map(Child::join).sum::<u32>(), 60);
    /// });
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.held.is_finished()
    }
}

impl<T> fmt::Debug for Child<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// The children of one `spawn_each`, as an iterator over their values in spawn order.
///
/// [`Nursery::spawn_each`](crate::Nursery::spawn_each) and
/// [`TryNursery::spawn_each`](crate::TryNursery::spawn_each) return it. Each call of `next` joins one child,
/// see [`Child::join`]; it blocks and panics as `join` does. The iterator may be dropped early: the nursery
/// waits for the other children, and drops their values.
///
/// # Examples
///
/// ```
/// let words = ["north", "east"];
/// let lengths = hatchery::nursery(|n| {
///     let children = n.spawn_each(words, |word| word.len());
///     assert_eq!(children.len(), 2);
///     children.collect::<Vec<_>>()
/// });
/// assert_eq!(lengths, [5, 4]);
/// ```
pub struct Children<'scope, T> {
    batches: Box<Batches<'scope, T>>,
}

impl<'scope, T> Children<'scope, T> {
    pub(crate) fn new(batches: Box<Batches<'scope, T>>) -> Self {
        Self { batches }
    }

    /// Returns an iterator over the values in the order in which the children end.
    ///
    /// Each value comes with its place in spawn order. Items that ran as one batch come together, when the last of them
    /// has ended: see [`Nursery::spawn_each`](crate::Nursery::spawn_each). If items take long and each value should come
    /// at once, spawn them into a [set](crate::Nursery::set).
    ///
    /// # Blocking
    ///
    /// While no child has ended, `next` waits as [`Child::join`] does.
    ///
    /// # Panics
    ///
    /// `next` panics as [`Child::join`] does, at the child that panicked or was dropped unrun.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut seen = [false; 100];
    /// hatchery::nursery(|n| {
    ///     for (i, square) in n.spawn_each(0..100, |i| i * i).by_completion() {
    ///         assert_eq!(square, i * i);
    ///         seen[i] = true;
    ///     }
    /// });
    /// assert_eq!(seen, [true; 100]);
    /// ```
    pub fn by_completion(self) -> ByCompletion<'scope, T> {
        ByCompletion {
            batches: self.batches,
        }
    }
}

// A panic leaves the children as they are: finished, or not.
impl<T> UnwindSafe for Children<'_, T> {}
impl<T> RefUnwindSafe for Children<'_, T> {}

impl<T> Iterator for Children<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.batches.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.batches.len(), Some(self.batches.len()))
    }

    #[inline]
    fn fold<A, F: FnMut(A, T) -> A>(mut self, init: A, f: F) -> A {
        self.batches.fold(init, f)
    }
}

impl<T> ExactSizeIterator for Children<'_, T> {}
impl<T> FusedIterator for Children<'_, T> {}

impl<T> fmt::Debug for Children<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children")
            .field("unjoined", &self.batches.len())
            .finish()
    }
}

/// An iterator over the values of one `spawn_each`, in the order in which the children end.
///
/// [`Children::by_completion`] returns it. Its items are pairs of a value's place in spawn order and the value.
/// The iterator may be dropped early: the nursery waits for the other children, and drops their values.
///
/// # Examples
///
/// ```
/// use hatchery::ByCompletion;
///
/// /// The first few values, whichever children have them.
/// struct First<'scope> {
///     children: ByCompletion<'scope, u64>,
///     left: usize,
/// }
///
/// impl Iterator for First<'_> {
///     type Item = u64;
///
///     fn next(&mut self) -> Option<u64> {
///         self.left = self.left.checked_sub(1)?;
///         self.children.next().map(|(_place, value)| value)
///     }
/// }
///
/// let two = hatchery::nursery(|n| {
///     let children = n.spawn_each(0..100, |i| i * i).by_completion();
///     assert_eq!(children.len(), 100);
///     First { children, left: 2 }.count()
/// });
/// assert_eq!(two, 2);
/// ```
#[must_use = "iterators are lazy: the children run, but nobody takes their values"]
pub struct ByCompletion<'scope, T> {
    batches: Box<Batches<'scope, T>>,
}

// A panic leaves the children as they are: finished, or not.
impl<T> UnwindSafe for ByCompletion<'_, T> {}
impl<T> RefUnwindSafe for ByCompletion<'_, T> {}

impl<T> Iterator for ByCompletion<'_, T> {
    type Item = (usize, T);

    #[inline]
    fn next(&mut self) -> Option<(usize, T)> {
        self.batches.next_ended()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.batches.len(), Some(self.batches.len()))
    }
}

impl<T> ExactSizeIterator for ByCompletion<'_, T> {}
impl<T> FusedIterator for ByCompletion<'_, T> {}

impl<T> fmt::Debug for ByCompletion<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByCompletion")
            .field("unjoined", &self.batches.len())
            .finish()
    }
}
