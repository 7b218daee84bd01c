//! Scoped threads as in [`std::thread`], on the pool: a program moves by changing the path.
//!
//! [`scope`], [`Scope`], [`ScopedJoinHandle`] and [`Builder`] have the signatures of their counterparts in std. What std
//! starts a thread for is a child of a nursery here. So a thousand of them cost what a few cost in std, and what waits
//! helps.
//!
//! ```
//! use hatchery::thread; // was: use std::thread;
//!
//! let mut numbers = vec![1, 2, 3];
//! let mut largest = 0;
//! thread::scope(|s| {
//!     s.spawn(|| println!("there are {}", numbers.len()));
//!     s.spawn(|| largest = *numbers.iter().max().unwrap());
//! });
//! numbers.push(largest + 1);
//! assert_eq!(numbers, [1, 2, 3, 4]);
//! ```
//!
//! # What differs
//!
//! - A child starts when a thread of the pool is free, at the latest some milliseconds later. Children may wait for
//!   each other as threads do, see [What a child may wait for](crate#what-a-child-may-wait-for).
//! - Several children run on one thread, one after the other. So they share its thread-locals, and
//!   [`std::thread::current`] names the pool's thread.
//! - A handle is joined by the task that has spawned the child: it is neither `Send` nor `Sync`. Therefore waits cannot
//!   form a cycle, and a thread that waits may run what it waits for.
//! - [`ScopedJoinHandle`] has no `thread` method, since there is none.
//!
//! For values, failures and cancellation, see [`nursery`](crate::nursery()) and [`try_nursery`](crate::try_nursery()).

use std::fmt;
use std::io;
use std::panic::resume_unwind;

use crate::child::Child;
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::pool;
use crate::scope::{Class, Nest, Payload, catching};

/// What a child of a scope leaves: its value, or what it has panicked with.
pub type Result<T> = std::result::Result<T, Payload>;

/// A scope to spawn children in, see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    nest: Nest<'scope, 'env>,
    /// Whether a child has panicked that nobody has joined.
    has_panicked: AtomicBool,
}

/// Calls `f` with a scope for children that may borrow from outside, and waits for all of them; see
/// [`std::thread::scope`].
///
/// It uses the pool that [`nursery`](crate::nursery()) would use. All children run to their ends, even if `f` or another
/// child panics.
///
/// # Blocking
///
/// It returns when `f` has returned and all children have ended. While it waits, it runs children of the scope.
///
/// # Panics
///
/// With the payload of `f` if `f` panics, once all children have ended. Else, if a child panicked and was not joined.
///
/// # Examples
///
/// ```
/// use hatchery::thread;
///
/// let words = ["to", "be"];
/// let letters: usize = thread::scope(|s| {
///     let counts: Vec<_> = words.iter().map(|word| s.spawn(|| word.len())).collect();
///     counts.into_iter().map(|count| count.join().unwrap()).sum()
/// });
/// assert_eq!(letters, 4);
/// ```
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    pool::with_current(|seat| {
        let scope = Scope {
            nest: Nest::new(seat),
            has_panicked: AtomicBool::new(false),
        };
        // A panic of `f` must not keep children from running, so the nursery does not see it.
        let result = scope.nest.run(seat, || catching(|| f(&scope)));
        match result {
            Err(payload) => resume_unwind(payload),
            // ORDERING: Relaxed: all children have ended.
            Ok(_) if scope.has_panicked.load(Ordering::Relaxed) => {
                panic!("a scoped child panicked")
            }
            Ok(value) => value,
        }
    })
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns a child, and returns a handle to join it with; see [`std::thread::Scope::spawn`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::thread;
    ///
    /// let sum = thread::scope(|s| {
    ///     let outer = s.spawn(|| {
    ///         let inner = s.spawn(|| 1); // children spawn siblings
    ///         inner.join().unwrap() + 1
    ///     });
    ///     outer.join().unwrap()
    /// });
    /// assert_eq!(sum, 2);
    /// ```
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let run = move || Packet {
            result: Some(catching(f)),
            has_panicked: &self.has_panicked,
        };
        ScopedJoinHandle {
            child: Child::new(self.nest.spawn(Class::Compute, run)),
        }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// The result of a child, until it is taken.
struct Packet<'scope, T> {
    result: Option<Result<T>>,
    has_panicked: &'scope AtomicBool,
}

/// On drop, notes a panic that nobody has taken.
impl<T> Drop for Packet<'_, T> {
    fn drop(&mut self) {
        if matches!(self.result, Some(Err(_))) {
            // ORDERING: Relaxed: it is read when all children have ended.
            self.has_panicked.store(true, Ordering::Relaxed);
        }
    }
}

/// A handle to a child of a [`Scope`].
///
/// A handle may be dropped without joining: the scope waits for the child all the same. The task that has spawned a child
/// joins it: a handle is neither `Send` nor `Sync`.
pub struct ScopedJoinHandle<'scope, T> {
    child: Child<'scope, Packet<'scope, T>>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the child and returns its value, or what it has panicked with; see
    /// [`std::thread::ScopedJoinHandle::join`].
    ///
    /// # Errors
    ///
    /// The payload of the child's panic.
    ///
    /// # Blocking
    ///
    /// As [`Child::join`](crate::Child::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::thread;
    ///
    /// thread::scope(|s| {
    ///     let child = s.spawn(|| panic!("oh no"));
    ///     assert!(child.join().is_err());
    /// });
    /// ```
    pub fn join(self) -> Result<T> {
        let mut packet = self.child.join();
        let result = packet.result.take();
        result.unwrap_or_else(|| unreachable!("set by the child"))
    }

    /// Returns whether the child has ended, so that [`join`](Self::join) does not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.child.is_finished()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").finish_non_exhaustive()
    }
}

/// What std sets for a scoped thread: a name and the size of a stack. Both have no effect here.
///
/// A child has no thread of its own. The pool's threads have a stack size that
/// [`PoolBuilder::stack_size`](crate::PoolBuilder::stack_size) sets, and names that begin with the pool's name.
///
/// # Examples
///
/// ```
/// use hatchery::thread::{self, Builder};
///
/// thread::scope(|s| {
///     let child = Builder::new().name("first".to_owned()).spawn_scoped(s, || 7)?;
///     assert_eq!(child.join().unwrap(), 7);
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder spawns nothing until `spawn_scoped`"]
pub struct Builder(());

impl Builder {
    /// Makes a builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a name, which has no effect.
    pub fn name(self, _name: String) -> Self {
        self
    }

    /// Takes the size of a stack, which has no effect.
    pub fn stack_size(self, _size: usize) -> Self {
        self
    }

    /// Spawns a child as [`Scope::spawn`] does.
    ///
    /// # Errors
    ///
    /// None: a child needs no thread.
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Ok(scope.spawn(f))
    }
}
