//! Handles: the right of a spawner to its children's values.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::scope::{Batches, Handle, Held};

/// A spawned child, for the task that spawned it.
///
/// Dropping it without joining is fine: the nursery waits for the child, and drops its value. An error in
/// that is lost then, unless the nursery is a [partial](crate::try_nursery()) one. A handle that is
/// forgotten ([`std::mem::forget`]) leaks the value.
///
/// A `Child` is not `Send`: only the task that spawned a child can wait for it. So waits point
/// from spawner to spawned, and cannot form a cycle.
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

    /// Waits for the child and returns its value.
    ///
    /// A child that nobody has started yet runs right here.
    ///
    /// ```
    /// let sum = hatchery::nursery(|n| {
    ///     let (a, b) = (n.spawn(|| 1), n.spawn(|| 2));
    ///     b.join() + a.join()
    /// });
    /// assert_eq!(sum, 3);
    /// ```
    ///
    /// # Blocking
    ///
    /// Called in the nursery's body, it runs other children of this nursery while it waits, one
    /// at a time: it returns at the latest one child after its own has ended. Called in a child,
    /// it runs the awaited child or sleeps.
    ///
    /// So a lock that is held across `join` inside a body may be met again by a sibling, on the
    /// same thread, and hang it:
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
    /// Join first and lock then, or hold the lock around the whole nursery.
    ///
    /// # Panics
    ///
    /// With the child's own payload, if the child panicked: the panic is then handled here, and
    /// the end of the nursery does not raise it again. If the child was dropped unrun because
    /// another one panicked, it unwinds too, with a payload of this crate's that has no text; and the end of
    /// the nursery raises the other's panic, or a panic that says why, if the other's was joined and so
    /// handled.
    #[allow(clippy::must_use_candidate, reason = "waiting is an effect")]
    #[inline]
    pub fn join(self) -> T {
        self.held.join()
    }

    /// Whether the child has ended, so that [`join`](Self::join) would not wait.
    ///
    /// # Memory ordering
    ///
    /// Once it answers true, what the child did happens before what the caller does next.
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

/// The children of one [`spawn_each`](crate::Nursery::spawn_each), in spawn order.
///
/// Iterating joins them one after the other, see [`Child::join`]. Dropping it early is fine: the
/// nursery waits for the rest, and drops their values.
pub struct Children<'scope, T> {
    batches: Batches<'scope, T>,
}

impl<'scope, T> Children<'scope, T> {
    pub(crate) fn new(batches: Batches<'scope, T>) -> Self {
        Self { batches }
    }

    /// Takes the values as they come, each with its place in spawn order.
    ///
    /// Items that ran in one go come together: see [`Nursery::spawn_each`](crate::Nursery::spawn_each).
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
    ///
    /// # Blocking
    ///
    /// While no child has ended, it waits as [`Child::join`] does.
    ///
    /// # Panics
    ///
    /// As [`Child::join`], at the child that panicked or was skipped.
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
    fn fold<A, F: FnMut(A, T) -> A>(self, init: A, f: F) -> A {
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

/// The children of one [`spawn_each`](crate::Nursery::spawn_each) as they end;
/// [`by_completion`](Children::by_completion) makes it.
///
/// Its items are the values, each with its place in spawn order. Dropping it early is fine: the nursery
/// waits for the rest, and drops their values.
///
/// # Examples
///
/// ```
/// use hatchery::ByCompletion;
///
/// /// The first values that come, up to a number of them.
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
    batches: Batches<'scope, T>,
}

// As the children.
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
