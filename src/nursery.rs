//! The total nursery: every child runs, panics propagate.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::child::{Child, Children};
use crate::options::Options;
use crate::pool::{self, Pool};
use crate::scope::{Cancelled, Class, Nest, Seat, Told};
use crate::stats::NurseryStats;

/// A scope whose children run on a pool; [`nursery`] opens one.
///
/// It is `Send` and `Sync`: children may capture it and spawn siblings.
///
/// `'scope` is the life of the nursery and what children borrow lives at least as long, so a
/// local of the body cannot be borrowed:
///
/// ```compile_fail,E0373
/// hatchery::nursery(|n| {
///     let local = 1;
///     n.spawn(|| local + 1);
/// });
/// ```
///
/// What a child borrows stays borrowed until the end of the nursery, even if the child was joined
/// before. To use it in between, give each stage a nursery of its own:
///
/// ```
/// let mut numbers = vec![3, 1, 2];
/// hatchery::nursery(|n| _ = n.spawn(|| numbers.sort()));
/// numbers.push(4); // the borrow has ended with the nursery
/// let sum: i32 = hatchery::nursery(|n| n.spawn(|| numbers.iter().sum()).join());
/// assert_eq!(sum, 10);
/// ```
pub struct Nursery<'scope, 'env: 'scope> {
    nest: Nest<'scope, 'env>,
}

/// Opens a nursery in place, runs `body` in it, and waits for all children.
///
/// It runs on the pool of the innermost nursery open on this thread, else on the pool whose thread
/// this is, else on [`Pool::shared`](crate::Pool::shared). The body runs right here, so it need
/// not be `Send`, and nothing is handed over: until the first child, opening costs a few stores.
///
/// ```
/// let mut counts = [0; 4];
/// hatchery::nursery(|n| {
///     for (i, count) in counts.iter_mut().enumerate() {
///         n.spawn(move || *count = i * i);
///     }
/// });
/// assert_eq!(counts, [0, 1, 4, 9]);
/// ```
///
/// # Blocking
///
/// Returns when the last child has ended. Until then it runs children of this nursery and of
/// nurseries below it on this thread, oldest first, and no other code.
///
/// # Panics
///
/// A panic of the body or of a child cancels the nursery: children not yet started are dropped
/// unrun, running ones are waited for. Then a panic goes on from here, its payload unchanged: the
/// body's own, else that of the first spawned child nobody joined; the others are dropped. A panic
/// in the destructor of a child's captures or result counts as the child's.
///
/// If a joiner has handled the panic, the nursery returns a value only if every child that nobody joined has
/// run to its end. Else it panics, and says how many of those were dropped unrun.
#[inline]
pub fn nursery<'env, F, T>(body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Nursery<'scope, 'env>) -> T,
{
    pool::with_current(|seat| open(seat, body))
}

impl Pool {
    /// Opens a total nursery on this pool, see [`nursery`](crate::nursery()).
    ///
    /// # Panics
    ///
    /// As [`nursery`](crate::nursery()).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let sum: i32 = pool.nursery(|n| n.spawn_each(1..=4, |i| i * i).sum());
    /// assert_eq!(sum, 30);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn nursery<'env, F, T>(&self, body: F) -> T
    where
        F: for<'scope> FnOnce(&'scope Nursery<'scope, 'env>) -> T,
    {
        self.with_seat(|seat| open(seat, body))
    }
}

impl Options {
    /// Opens a total nursery with these options, see [`nursery`](crate::nursery()).
    ///
    /// It must come to a value, so tokens and deadlines keep none of its children from starting:
    /// [`checkpoint`](Nursery::checkpoint) tells the children of them.
    ///
    /// # Panics
    ///
    /// As [`nursery`](crate::nursery()).
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelToken, Options};
    ///
    /// let token = CancelToken::new();
    /// let told = Options::new().cancel_on(&token).nursery(|n| {
    ///     token.cancel();
    ///     n.spawn(|| n.is_cancelled()).join() // it runs, and is told
    /// });
    /// assert!(told);
    /// ```
    pub fn nursery<'env, F, T>(&self, body: F) -> T
    where
        F: for<'scope> FnOnce(&'scope Nursery<'scope, 'env>) -> T,
    {
        let terms = self.terms();
        self.with_seat(|seat| {
            let nursery = Nursery {
                nest: Nest::new(seat),
            };
            nursery.nest.run_on(seat, &terms, || body(&nursery))
        })
    }
}

#[inline]
fn open<'env, F, T>(seat: &Seat, body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Nursery<'scope, 'env>) -> T,
{
    let nursery = Nursery {
        nest: Nest::new(seat),
    };
    nursery.nest.run(seat, || body(&nursery))
}

impl<'scope> Nursery<'scope, '_> {
    /// Spawns a child onto the pool.
    ///
    /// It never blocks and never runs user code: the child starts on another thread, or on this
    /// one when it waits. Its place in line is that of the serial program: before what was spawned
    /// later, and a child's own spawns before what stood behind the child.
    ///
    /// ```
    /// let total = hatchery::nursery(|n| {
    ///     let child = n.spawn(|| n.spawn(|| 20).join() + 1); // children spawn siblings
    ///     child.join() * 2
    /// });
    /// assert_eq!(total, 42);
    /// ```
    ///
    /// # Children that wait for each other
    ///
    /// The children of a nursery may run one at a time, on a single thread. So two of them that
    /// talk through a channel, a barrier or a condition variable may hang:
    ///
    /// ```no_run
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// hatchery::nursery(|n| {
    ///     n.spawn(move || receiver.recv()); // may keep the only thread waiting for the sender
    ///     n.spawn(move || sender.send(1));
    /// });
    /// ```
    ///
    /// Let the child that waits be [`spawn_blocking`](Self::spawn_blocking), or return the value
    /// and [`join`](Child::join) the child.
    ///
    /// # Children that may fail
    ///
    /// The value of a child that nobody joins is dropped. If it is a `Result`, the error in it is lost, and
    /// neither the compiler nor this crate warns of that. Join such children, or open the nursery by
    /// [`try_nursery`](crate::try_nursery()), which returns what nobody has joined:
    ///
    /// ```
    /// use std::fs;
    ///
    /// hatchery::nursery(|n| {
    ///     n.spawn(|| fs::read("/no/such/file")); // lost
    /// });
    /// let failed = hatchery::try_nursery(|n| {
    ///     n.spawn(|| fs::read("/no/such/file"));
    ///     Ok(())
    /// });
    /// assert!(failed.is_err());
    /// ```
    #[inline]
    pub fn spawn<F, T>(&'scope self, f: F) -> Child<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Child::new(self.nest.spawn(Class::Compute, f))
    }

    /// Spawns one child per item and returns them as an iterator over their values.
    ///
    /// It is eager: it pulls all items here, before it returns, so the iterator must end. Children run
    /// meanwhile, some of them perhaps on this thread. It pulls the items in batches that grow from 1 to at most 4096
    /// items, a small part of all, and no more at a time than come in 50 us: a slow iterator's
    /// children start as it goes. The items of a batch run one after the other, until a thread is
    /// idle: then what is left splits in two. Each is a child all the same: it panics, is skipped
    /// and is joined by itself. Only if a whole batch is skipped, what the destructors of its items panic
    /// with is raised at the first of them.
    ///
    /// ```
    /// let squares: Vec<u64> = hatchery::nursery(|n| n.spawn_each(1..=4, |i| i * i).collect());
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// ```
    ///
    /// An error in a value that nobody takes is lost, see [`spawn`](Self::spawn).
    ///
    /// # Panics
    ///
    /// If the iterator does; the children spawned so far are children like any other.
    pub fn spawn_each<I, F, T>(&'scope self, items: I, f: F) -> Children<'scope, T>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        Children::new(self.nest.spawn_each(items.into_iter(), f))
    }

    /// Spawns a child that may block: I/O, sleep, locks, waiting for a sibling.
    ///
    /// It runs on a side thread, which does not compute for the pool. A pool starts side threads on
    /// demand, at most as many as [`blocking_threads`](crate::PoolBuilder::blocking_threads) says, and
    /// one that was idle for ten seconds ends. Further blocking children queue up, and a thread that
    /// waits for one of them runs it itself rather than sleep. The same holds if the system refuses the
    /// threads. So do not let more children than that depend on each other.
    ///
    /// What blocks often fails, too: an error in a value that nobody joins is lost, see
    /// [`spawn`](Self::spawn).
    ///
    /// ```
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let received = hatchery::nursery(|n| {
    ///     let received = n.spawn_blocking(move || receiver.recv());
    ///     n.spawn(move || sender.send(7));
    ///     received.join()
    /// });
    /// assert_eq!(received, Ok(7));
    /// ```
    pub fn spawn_blocking<F, T>(&'scope self, f: F) -> Child<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Child::new(self.nest.spawn(Class::Blocking, f))
    }
}

impl Nursery<'_, '_> {
    /// Whether the nursery is cancelled: by a panic in it, by its [`cancel`](Self::cancel), token or
    /// deadline, or with a nursery that it was opened in. It takes a nanosecond or two.
    ///
    /// Only a panic keeps children from starting: a nursery that must come to a value runs them all. To ask
    /// has no effect on anything, see [`TryNursery::is_cancelled`](crate::TryNursery::is_cancelled).
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.nest.scope().cancelled().is_some()
    }

    /// Cancels the nursery and those in it; true for exactly one caller.
    ///
    /// The nursery must come to a value. So every child runs all the same, those that have not started
    /// and those spawned later included: whoever asks is told, and decides what to leave out. Partial
    /// nurseries inside are [cancelled](crate::TryNursery::cancel), too.
    ///
    /// # Examples
    ///
    /// ```
    /// let searched = hatchery::nursery(|n| {
    ///     let children = n.spawn_each(0..100, |i| {
    ///         if n.is_cancelled() {
    ///             return None; // somebody has found it
    ///         }
    ///         (i * i == 49).then(|| {
    ///             n.cancel();
    ///             i
    ///         })
    ///     });
    ///     children.flatten().collect::<Vec<_>>()
    /// });
    /// assert_eq!(searched, [7]);
    /// ```
    #[allow(clippy::must_use_candidate, reason = "cancelling is an effect")]
    pub fn cancel(&self) -> bool {
        self.nest.scope().cancel()
    }

    /// An error if the nursery is cancelled, so that `?` ends a child.
    ///
    /// # Errors
    ///
    /// If the nursery is cancelled.
    #[inline]
    pub fn checkpoint(&self) -> Result<(), Cancelled> {
        self.nest.scope().ask(Told::AsError).map_or(Ok(()), Err)
    }

    /// What has happened in the nursery so far; from any thread, and it takes nanoseconds.
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        NurseryStats::new(self.nest.scope().numbers())
    }
}

// A panic cancels a nursery, which is a state like any other.
impl UnwindSafe for Nursery<'_, '_> {}
impl RefUnwindSafe for Nursery<'_, '_> {}

impl fmt::Debug for Nursery<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nest.fmt(f)
    }
}
