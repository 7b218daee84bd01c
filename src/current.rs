//! The current nursery, for code on threads that know nothing of it.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::nursery::Nursery;
use crate::scope::{self, Host};
use crate::try_nursery::TryNursery;

/// The nursery that is the innermost one on some thread, as a handle for other threads; [`current()`] lends one.
///
/// Beware of threads that run foreign code while they wait, such as rayon's: if the code that enters the nursery waits for
/// rayon jobs of its own, rayon may run any other job on top of it, and that job is in the nursery, too.
///
/// # Examples
///
/// ```
/// let told = hatchery::nursery(|n| {
///     n.cancel();
///     hatchery::current(|current| {
///         let current = current.unwrap(); // it is in a nursery
///         let (sum, told) = rayon::join(|| 1 + 1, || current.enter(hatchery::checkpoint));
///         assert_eq!(sum, 2);
///         told
///     })
/// });
/// assert!(told.is_err());
/// ```
pub struct Current<'a> {
    host: &'a Host<'a>,
}

/// Calls `f` with the innermost nursery on this thread, so that code on threads that `f` starts can be part of it.
///
/// A thread that a child or body starts, or the thread of another pool that works for it, knows nothing of the nursery:
/// there the free [`checkpoint`](crate::checkpoint()) returns `Ok`, and nurseries have no nursery around them.
/// [`Current::enter`] makes code part of the nursery. So a library that uses threads of its own, or rayon, can obey the
/// deadline of a caller that it knows nothing of. `f` must wait for these threads: the handle does not outlive the call.
///
/// Outside of any nursery, `f` is called with `None`. A function that has a [`Nursery`] or [`TryNursery`] at hand needs no
/// handle: they have methods [`enter`](Nursery::enter).
///
/// # Cancellation
///
/// If code that enters the nursery is told of a cancellation, the task that has called `current` counts as told when `f`
/// has returned: an error that it returns later is [late](crate::Failures::late).
///
/// # Panics
///
/// If `f` panics.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use std::time::Duration;
///
/// /// Knows nothing of its callers.
/// fn searched_by_two_threads() -> Result<(), hatchery::Cancelled> {
///     hatchery::current(|current| {
///         let search = || match current {
///             Some(current) => current.enter(|| hatchery::checkpoint()),
///             None => hatchery::checkpoint(),
///         };
///         thread::scope(|s| {
///             let [a, b] = [s.spawn(search), s.spawn(search)];
///             a.join().unwrap().and(b.join().unwrap())
///         })
///     })
/// }
///
/// assert!(searched_by_two_threads().is_ok());
/// let over = hatchery::Options::new().timeout(Duration::ZERO);
/// assert!(over.nursery(|_| searched_by_two_threads()).is_err());
/// ```
pub fn current<F, R>(f: F) -> R
where
    F: FnOnce(Option<&Current<'_>>) -> R,
{
    scope::with_host(|host| match host {
        Some(host) => f(Some(&Current { host })),
        None => f(None),
    })
}

impl Current<'_> {
    /// Calls `f` on this thread as a part of the nursery.
    ///
    /// While `f` runs,
    ///
    /// - the free [`checkpoint`](crate::checkpoint()) answers for the nursery;
    /// - nurseries that `f` opens run on the nursery's pool, and inherit its cancellation, its deadline and its limit;
    /// - [`Pool::dump`](crate::Pool::dump) shows this thread as one that runs a child;
    /// - the thread has the pool's [context](crate::PoolBuilder::context).
    ///
    /// `f` is no child: nobody catches its panic, and it needs no permit of a [limit](crate::Options::limit). What it
    /// opens does: so a child of a nursery with a limit of 1 must not wait for the children of a nursery that another
    /// thread opens for it.
    ///
    /// On a thread whose innermost nursery is this one, and in a process that was forked meanwhile, `enter` only calls
    /// `f`.
    ///
    /// # Panics
    ///
    /// If `f` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    ///
    /// let told = hatchery::nursery(|n| {
    ///     n.cancel();
    ///     hatchery::current(|current| {
    ///         let (outside, inside) = (hatchery::checkpoint, || current.unwrap().enter(hatchery::checkpoint));
    ///         thread::scope(|s| [s.spawn(outside).join().unwrap(), s.spawn(inside).join().unwrap()])
    ///     })
    /// });
    /// assert_eq!(told.map(|told| told.is_err()), [false, true]);
    /// ```
    pub fn enter<F, R>(&self, f: F) -> R
    where
        F: FnOnce() -> R,
    {
        self.host.visit(f)
    }
}

impl Nursery<'_, '_> {
    /// Calls `f` on this thread as a part of the nursery: see [`Current::enter`].
    ///
    /// It is for threads that run no child of the nursery and have a reference to it. No task of the nursery counts as
    /// told of what `f` is told.
    ///
    /// # Panics
    ///
    /// If `f` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// let told = hatchery::nursery(|n| {
    ///     n.cancel();
    ///     std::thread::scope(|s| s.spawn(|| n.enter(hatchery::checkpoint)).join())
    /// });
    /// assert!(told.unwrap().is_err());
    /// ```
    pub fn enter<F, R>(&self, f: F) -> R
    where
        F: FnOnce() -> R,
    {
        self.scope().visit(f)
    }
}

impl<E> TryNursery<'_, '_, E> {
    /// Calls `f` on this thread as a part of the nursery: see [`Current::enter`].
    ///
    /// It is for threads that run no child of the nursery and have a reference to it. No task of the nursery counts as
    /// told of what `f` is told.
    ///
    /// # Panics
    ///
    /// If `f` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// let stopped = hatchery::try_nursery::<(), _, _>(|n| {
    ///     n.cancel();
    ///     let told = std::thread::scope(|s| s.spawn(|| n.enter(hatchery::checkpoint)).join());
    ///     assert!(told.unwrap().is_err());
    ///     Ok(())
    /// });
    /// assert!(stopped.is_ok());
    /// ```
    pub fn enter<F, R>(&self, f: F) -> R
    where
        F: FnOnce() -> R,
    {
        self.scope().visit(f)
    }
}

// As for the nursery itself.
impl UnwindSafe for Current<'_> {}
impl RefUnwindSafe for Current<'_> {}

impl fmt::Debug for Current<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)
    }
}
