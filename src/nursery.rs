//! The total nursery: every child runs, panics propagate.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::buffered::{Buffered, Function};
use crate::child::{Child, Children};
use crate::options::Options;
use crate::pool::{self, Pool};
use crate::scope::{Cancelled, Class, Nest, Scope, Seat, Told};
use crate::stats::NurseryStats;

/// A scope whose children run on a pool; [`nursery`] opens one.
///
/// A nursery is `Send` and `Sync`, so children may capture a reference to it and spawn siblings. Its end waits
/// for all children.
///
/// # Examples
///
/// ```
/// let text = "north east south";
/// let (words, letters) = hatchery::nursery(|n| {
///     let words = n.spawn(|| text.split(' ').count());
///     let letters = n.spawn(|| text.chars().filter(|c| c.is_alphabetic()).count());
///     (words.join(), letters.join())
/// });
/// assert_eq!((words, letters), (3, 14));
/// ```
///
/// # Lifetimes
///
/// - `'scope` is the time from the opening of the nursery to its end. Children borrow for `'scope`, so
///   all that a child borrows must outlive the nursery.
/// - `'env` is a time that is longer than `'scope`: the variables around the call of [`nursery`] live
///   for it, and the body may borrow them.
///
/// The two lifetimes exist because of the bound `'env: 'scope`: without it a body would have to work for
/// every `'scope`, even one that is longer than the lives of the variables which its children borrow.
///
/// A local variable of the body does not live long enough. Declare it before the nursery, or move it
/// into the child:
///
/// ```compile_fail,E0373
/// hatchery::nursery(|n| {
///     let local = 1;
///     n.spawn(|| local + 1);
/// });
/// ```
///
/// **A function that spawns into the nursery of its caller** names `'scope` once for the reference to the
/// nursery, once inside the type, and once for each argument that children borrow. It does not need the
/// name of `'env`:
///
/// ```
/// use hatchery::Nursery;
///
/// fn stage<'s>(n: &'s Nursery<'s, '_>, words: &'s [String]) {
///     n.spawn(|| assert!(words.iter().all(|word| !word.is_empty())));
/// }
///
/// let words = ["north".to_string(), "east".to_string()];
/// hatchery::nursery(|n| stage(n, &words));
/// ```
///
/// The compiler leads astray here. For `fn stage(n: &Nursery, words: &[String])` it suggests one name for all:
/// `n: &'a Nursery<'a, 'a>`. That makes `'env` as short as `'scope`. The function compiles, but nobody
/// can call it, because in each body `'env` is the longer one:
///
/// ```compile_fail,E0521
/// # use hatchery::Nursery;
/// fn stage<'a>(n: &'a Nursery<'a, 'a>, words: &'a [String]) {
///     n.spawn(|| assert!(words.iter().all(|word| !word.is_empty())));
/// }
///
/// # let words = ["north".to_string(), "east".to_string()];
/// hatchery::nursery(|n| stage(n, &words)); // error: `n` escapes the closure body
/// ```
///
/// **A borrow ends with the nursery**, even if the child was joined before. To use the data in between, open
/// one nursery for each stage:
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
/// The nursery is *total*: all of its children run, and it returns the value of the body. Only a panic
/// keeps children from running. For children that may fail there is [`try_nursery`](crate::try_nursery()).
///
/// The children run on the pool of the innermost nursery that is open on this thread. If none is open and this
/// is a thread of a pool, they run on that pool, else on [`Pool::shared`](crate::Pool::shared).
///
/// The body runs on the calling thread, so it need not be `Send`. A nursery without children costs a
/// few stores to memory.
///
/// # Blocking
///
/// `nursery` returns when the last child has ended. Until then it runs children of this nursery, and of
/// nurseries that these open, on this thread, oldest first. It runs no other code.
///
/// # Panics
///
/// A panic of the body or of a child cancels the nursery. Children that have not started are dropped unrun, and
/// the nursery waits for the children that run. Then it goes on with one panic, whose payload is unchanged:
/// the panic of the body, or else the panic of the first child in spawn order that nobody joined.
/// The payloads of other panics are dropped. A panic in the destructor of a child's captures or of its value
/// counts as a panic of the child.
///
/// A panic counts as handled if the child was joined and the panic of [`join`](Child::join) was caught. Then
/// the nursery returns a value if every other child has run to its end or was joined. Otherwise
/// it panics, and the message says how many children were dropped unrun.
///
/// # Cancellation
///
/// The nursery is cancelled by [`Nursery::cancel`], by a panic in it, and with the nursery it was opened in. A
/// nursery that is cancelled without a panic runs its children all the same, and tells those that call
/// [`checkpoint`](crate::checkpoint()).
///
/// # Examples
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
    /// It blocks until all children have ended, and panics, as [`nursery`](crate::nursery()) does.
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
    /// It blocks until all children have ended, and panics, as [`nursery`](crate::nursery()) does.
    ///
    /// # Cancellation
    ///
    /// A total nursery runs all of its children. So a token or a deadline keeps no child from starting:
    /// [`checkpoint`](Nursery::checkpoint) tells the children of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelToken, Options};
    ///
    /// let token = CancelToken::new();
    /// let told = Options::new().cancel_on(&token).nursery(|n| {
    ///     token.cancel();
    ///     n.spawn(|| n.checkpoint().is_err()).join() // the child runs, and is told
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
    /// `spawn` never blocks and never runs user code. The child starts on another thread, or on this thread
    /// when it waits. One thread starts children in the order of the serial program: oldest first, and
    /// the children that a child spawns before the next sibling of that child.
    ///
    /// # Children that wait for each other
    ///
    /// A child may wait for its siblings, and the body for its children, through a channel, a lock, a barrier or a
    /// condition variable. A thread that blocks leaves its place to another one after some milliseconds:
    ///
    /// ```
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let received = hatchery::nursery(|n| {
    ///     let received = n.spawn(move || receiver.recv()); // may block the only thread
    ///     n.spawn(move || sender.send(1));
    ///     received.join()
    /// });
    /// assert_eq!(received, Ok(1));
    /// ```
    ///
    /// It costs nothing to return the value from one child and [`join`](Child::join) it. And
    /// [`spawn_blocking`](Self::spawn_blocking) is quicker for a child that waits.
    /// [What a child may wait for](crate#what-a-child-may-wait-for) says how long such waits take, and which may still
    /// hang.
    ///
    /// # Children that may fail
    ///
    /// The value of a child that nobody joins is dropped. If the value is a `Result`, its error is lost, and
    /// neither the compiler nor this crate warns of that. Join such children, or open the nursery with
    /// [`try_nursery`](crate::try_nursery()), which returns the failures of children that nobody joined:
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
    ///
    /// # Examples
    ///
    /// ```
    /// let total = hatchery::nursery(|n| {
    ///     let child = n.spawn(|| n.spawn(|| 20).join() + 1); // children spawn siblings
    ///     child.join() * 2
    /// });
    /// assert_eq!(total, 42);
    /// ```
    #[inline]
    pub fn spawn<F, T>(&'scope self, f: F) -> Child<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Child::new(self.nest.spawn(Class::Compute, f))
    }

    /// Spawns one child per item, and returns an iterator over their values.
    ///
    /// `spawn_each` is eager: it takes all items before it returns, so the iterator `items` must end. An item is a
    /// child as soon as the iterator has returned it. So other threads may run the first children while the iterator
    /// goes on or blocks, and the iterator may wait for them. `spawn_each` runs no items itself, so its caller may hold a
    /// lock that they take. If many items are waiting and nobody runs them, another thread does, also on a pool of one
    /// thread. (If the system refuses all threads, `spawn_each` runs some after all.) An error in a value that nobody takes
    /// is lost, see [`spawn`](Self::spawn).
    ///
    /// # Batches
    ///
    /// Items are cheap: they are spawned in batches, and a batch costs about as much as one child. Batches grow, but
    /// each remains a small part of all items. A slow iterator gets small batches, so that the first children start
    /// while it goes on; and once items have turned out to take long, those that follow get a batch each. The items of
    /// a batch run one after the other; when another thread is idle, the rest of the batch is split in two between two
    /// items. So an item must not wait for another item: spawn items that do with [`spawn`](Self::spawn). If the items
    /// are numbers, a slice or a `Vec`, and you need no children, [`for_each`](crate::for_each()),
    /// [`map`](crate::map()) and [`fold`](crate::fold()) cost less for an item.
    ///
    /// Each item is a child nevertheless: it panics, is dropped unrun and is joined on its own. There is one
    /// exception. If a whole batch is dropped unrun, and destructors of its items panic, the panic belongs to the
    /// first item of the batch.
    ///
    /// # Panics
    ///
    /// If the iterator panics. The children that were spawned before are children of the nursery like any other.
    ///
    /// # Examples
    ///
    /// ```
    /// let squares: Vec<u64> = hatchery::nursery(|n| n.spawn_each(1..=4, |i| i * i).collect());
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// ```
    ///
    /// The children may change the items in place:
    ///
    /// ```
    /// let mut prices = [100, 250, 75];
    /// hatchery::nursery(|n| _ = n.spawn_each(&mut prices, |price| *price += *price / 10));
    /// assert_eq!(prices, [110, 275, 82]);
    /// ```
    pub fn spawn_each<I, F, T>(&'scope self, items: I, f: F) -> Children<'scope, T>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        Children::new(self.nest.spawn_each(items.into_iter(), f))
    }

    /// Spawns one child per item as values are taken, with at most `most` items outstanding at a time.
    ///
    /// The returned iterator is lazy. Each call of `next` takes items, and spawns a child for each, until `most`
    /// items are outstanding: taken, but without their value handed out. Then it joins the oldest child and returns
    /// its value. So the values come in the order of the items, the iterator `items` need not end, and the nursery
    /// keeps memory for `most` items and values only. `0` means `1`.
    ///
    /// Between two calls of `next` no items are taken, and the children that are outstanding may run. Let
    /// `most` be a few times the number of [`threads`](crate::threads()), and larger if the items differ much in
    /// how long they take: behind a long item at most `most` values wait.
    ///
    /// Items are not spawned in batches. If all of them are there and their values fit into memory,
    /// [`spawn_each`](Self::spawn_each) costs less for an item.
    ///
    /// If the returned iterator is dropped early, it takes no more items. The children that it has spawned are
    /// children of the nursery like any other.
    ///
    /// # Blocking
    ///
    /// Each call of `next` may call `items`, and waits as [`Child::join`] does.
    ///
    /// # Panics
    ///
    /// `next` panics as [`Child::join`] does, if the oldest child panicked or was dropped unrun. The following calls
    /// go on with the following items.
    ///
    /// `next` panics if the iterator `items` panics. Then `items` is dropped and not asked again. The children that
    /// were spawned before are outstanding, and the following calls return their values.
    ///
    /// # Cancellation
    ///
    /// A total nursery runs its children although it is cancelled, so the iterator goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// let first = hatchery::nursery(|n| {
    ///     let squares = n.spawn_buffered(8, 0_u64.., |i| i * i); // without an end
    ///     squares.filter(|square| square % 1000 == 444).take(2).collect::<Vec<_>>()
    /// });
    /// assert_eq!(first, [38 * 38, 462 * 462]);
    /// ```
    pub fn spawn_buffered<I, F, T>(
        &'scope self,
        most: usize,
        items: I,
        f: F,
    ) -> Buffered<'scope, I::IntoIter, T>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let function = Function::new(f);
        Buffered::total(most, items.into_iter(), move |item| {
            let call = function.with(item);
            self.spawn(|| call.run())
        })
    }

    /// Spawns a child that blocks for long or often: on I/O, in a sleep, on a lock, or on a sibling.
    ///
    /// Any child [may block](crate#what-a-child-may-wait-for), but then it keeps its place in the pool for some
    /// milliseconds. A child of `spawn_blocking` never has a place, and need not wait for one.
    ///
    /// The child runs on a *side thread*, which does not count among the threads that compute for the pool. A pool
    /// starts side threads on demand, up to the number set by
    /// [`blocking_threads`](crate::PoolBuilder::blocking_threads), and ends them when they have been idle
    /// for a while. Further blocking children are queued. A thread that waits for a queued one runs it itself.
    /// The same happens if the system refuses to start a thread. So let no more children depend on
    /// each other than there may be side threads.
    ///
    /// Code that blocks often fails as well: an error in a value that nobody joins is lost, see
    /// [`spawn`](Self::spawn).
    ///
    /// # Cancellation
    ///
    /// Cancelling the nursery interrupts no system call. To stop a blocking child early, end what it waits
    /// for, or let it wait for a short time and call [`checkpoint`](Self::checkpoint) in between.
    ///
    /// # Examples
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
    pub(crate) fn scope(&self) -> &Scope {
        self.nest.scope()
    }

    /// Returns whether the nursery is cancelled.
    ///
    /// A nursery is cancelled by a panic in it, by [`cancel`](Self::cancel), by its token or deadline, or with
    /// a nursery around it. Only a panic keeps children from starting. The call takes a nanosecond or two
    /// and has no effect: unlike [`checkpoint`](Self::checkpoint) it does not *tell* the calling task, see
    /// [`TryNursery::is_cancelled`](crate::TryNursery::is_cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// hatchery::nursery(|n| {
    ///     assert!(!n.is_cancelled());
    ///     n.cancel();
    ///     assert!(n.is_cancelled());
    /// });
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.nest.scope().poll()
    }

    /// Cancels the nursery and the nurseries inside it.
    ///
    /// It returns whether this call has cancelled the nursery: `false` if the nursery was cancelled already. A
    /// total nursery must come to a value, so all of its children run nevertheless, also those that have not
    /// started or are spawned later. Children that call [`checkpoint`](Self::checkpoint) or
    /// [`is_cancelled`](Self::is_cancelled) learn of the cancellation, and decide what to leave out. Partial
    /// nurseries inside are [cancelled](crate::TryNursery::cancel) too.
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

    /// Returns an error if the nursery is cancelled, so that `?` ends a child.
    ///
    /// # Errors
    ///
    /// If the nursery is cancelled, see [`is_cancelled`](Self::is_cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Cancelled;
    ///
    /// let sum: Result<u32, Cancelled> = hatchery::nursery(|n| {
    ///     n.cancel(); // say, in another child
    ///     let child = n.spawn(|| {
    ///         n.checkpoint()?;
    ///         Ok((1..=1000).sum())
    ///     });
    ///     child.join()
    /// });
    /// assert!(sum.is_err());
    /// ```
    #[inline]
    pub fn checkpoint(&self) -> Result<(), Cancelled> {
        self.nest.scope().ask(Told::AsError).map_or(Ok(()), Err)
    }

    /// Returns the nursery's numbers so far: children spawned, run, dropped unrun and so on.
    ///
    /// Any thread may ask, as often as it likes. A thread of the nursery that asks again and again, and does nothing
    /// else, leaves its unstarted children to other threads at once, and its place
    /// [after 1 ms](Pool#threads-that-block).
    ///
    /// # Examples
    ///
    /// ```
    /// hatchery::nursery(|n| {
    ///     n.spawn_each(0..10, |i| i * i);
    ///     assert_eq!(n.stats().spawned, 10);
    /// });
    /// ```
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        NurseryStats::new(self.nest.scope().poll_numbers())
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
