//! Workers on threads of others.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::engine::crew::Asked;

/// A worker of a pool that waits for a thread.
///
/// A pool that is built with [`PoolBuilder::threads_by`](crate::PoolBuilder::threads_by) hands it out when it
/// wants a worker. The thread that calls [`run`](Self::run) becomes the worker, and is its owner's again afterwards.
/// If the helper is dropped instead, the pool does without it, as without a thread that the system refuses, and asks
/// again after a while: after a millisecond, or after up to a second if nobody comes all the time.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use std::thread;
///
/// // One thread that works for whoever sends it something.
/// let (sender, helpers) = mpsc::channel::<hatchery::Helper>();
/// let thread = thread::spawn(move || helpers.into_iter().for_each(hatchery::Helper::run));
///
/// let builder = hatchery::Pool::builder().threads(2);
/// let pool = builder.threads_by(move |helper| sender.send(helper).map_err(std::io::Error::other)).build()?;
/// assert_eq!(pool.install(|| 6 * 7), 42);
///
/// pool.shutdown(); // with the function and its sender
/// thread.join().unwrap();
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[must_use = "a helper that is dropped counts as refused"]
pub struct Helper(pub(crate) Box<dyn Asked>);

impl Helper {
    /// Works for the pool on this thread, and returns when there has been nothing to do for about a millisecond, or
    /// when the pool ends.
    ///
    /// It returns at once if the pool has ended. It also returns at once, as if it had been dropped, on a thread that is
    /// in a body or child of a nursery, of whatever pool: what it would run there could need a lock that the body or
    /// child has, and the body or child would wait for it.
    ///
    /// # Blocking
    ///
    /// It blocks while there is something to do. What runs meanwhile are children and jobs, and the hooks of the pool.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = hatchery::Pool::builder().threads(2);
    /// let pool = builder.threads_by(|helper| {
    ///     std::thread::spawn(move || helper.run());
    ///     Ok(())
    /// });
    /// assert_eq!(pool.build()?.install(|| 6 * 7), 42);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn run(self) {
        self.0.run();
    }

    /// Returns the number of the worker, from 0 to one less than the number of
    /// [threads](crate::PoolBuilder::threads).
    ///
    /// No two helpers that run at a time have the same number.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = hatchery::Pool::builder().threads(1);
    /// let pool = builder.threads_by(|helper| {
    ///     assert_eq!(helper.number(), 0);
    ///     std::thread::spawn(move || helper.run());
    ///     Ok(())
    /// });
    /// assert_eq!(pool.build()?.install(|| 6 * 7), 42);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    #[must_use]
    pub fn number(&self) -> usize {
        self.0.number()
    }

    /// Returns the name of the worker: the name that a thread of the pool's own would have.
    ///
    /// The hooks of the pool are called with this name.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = hatchery::Pool::builder().threads(2).name("search");
    /// let pool = builder.threads_by(|helper| {
    ///     let thread = std::thread::Builder::new().name(helper.name().to_owned());
    ///     thread.spawn(move || helper.run()).map(drop)
    /// });
    /// assert_eq!(pool.build()?.install(|| 6 * 7), 42); // on a thread named search-0
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Returns the [stack size](crate::PoolBuilder::stack_size) that the pool was built with, in bytes, if it has one.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = hatchery::Pool::builder().threads(2).stack_size(8 << 20);
    /// let pool = builder.threads_by(|helper| {
    ///     let thread = std::thread::Builder::new().stack_size(helper.stack_size().unwrap());
    ///     thread.spawn(move || helper.run()).map(drop)
    /// });
    /// assert_eq!(pool.build()?.install(|| 6 * 7), 42);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.0.stack_size()
    }
}

// What it runs catches all panics.
impl UnwindSafe for Helper {}
impl RefUnwindSafe for Helper {}

impl fmt::Debug for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helper")
            .field("name", &self.name())
            .field("number", &self.number())
            .field("stack_size", &self.stack_size())
            .finish()
    }
}
