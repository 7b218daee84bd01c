//! `for_each`, `map` and `fold`: one function over many items, at next to no cost for an item.

use crate::indexed::{Indexed, Pair, Parts};
use crate::nursery::nursery;
use crate::options::Options;
use crate::pool::Pool;
use crate::scope::{self, Divide, Folding};
use crate::task::owned::{self, Owned, Vacant};

/// Calls a function with each item, possibly on several threads at the same time.
///
/// It is the cheapest way to run one function over many items: nothing is kept for an item, and the items are
/// run by plain loops, which the compiler can vectorise. A loop should take some microseconds. Between two
/// loops the thread looks whether another thread is idle, and gives it half of what is left. So short items
/// cost next to nothing, and long items are shared.
///
/// The length of a loop follows from the items before it. If costly items follow cheap ones, one thread may
/// run a few thousand of the costly items before it shares again. For such items use
/// [`Nursery::spawn_each`](crate::Nursery::spawn_each). Use it also if the items come from an iterator, if items
/// may fail, if a cancellation should skip items, or if you take values while other items still run.
///
/// To get a value for each item, use [`map`]; to get one value in all, [`fold`].
///
/// The items may be numbers, borrowed or owned, or pairs of these: see [`Indexed`]. The pool is chosen as by
/// [`nursery`](crate::nursery()).
///
/// # Blocking
///
/// `for_each` returns when the function has returned for the last item. If other threads have taken items, the
/// calling thread takes some of them back or sleeps, and runs nothing else. If the function blocks, the items
/// behind it in the same loop wait, and no other thread can take them. No item should wait for another one: the
/// items may run one after the other.
///
/// # Panics
///
/// If the function panics, `for_each` goes on with the panic of the first item, in order, for which it panics, as
/// a plain loop would. All items before that one have been run. Some of the items behind it may have been run;
/// the others are dropped.
///
/// # Cancellation
///
/// A `for_each` is no nursery, like a [`join`](crate::join()): all items are run, even in a nursery that is
/// cancelled. In the function [`checkpoint`](crate::checkpoint()) answers for the nursery around the
/// `for_each`, so a function that asks can return at once for the items that are left. Nothing but a panic ends
/// a `for_each` early. If the function may fail, collect its results
/// (`map(items, f).into_iter().collect::<Result<Vec<_>, _>>()`), or use `spawn_each` in a
/// [`try_nursery`](crate::try_nursery()), which stops at the first failure.
///
/// # Examples
///
/// ```
/// let mut prices = vec![100, 250, 75];
/// hatchery::for_each(&mut prices, |price| *price += *price / 10);
/// assert_eq!(prices, [110, 275, 82]);
/// ```
///
/// Two inputs side by side:
///
/// ```
/// let (widths, heights) = ([3, 5, 8], [2, 2, 4]);
/// let mut areas = [0; 3];
/// hatchery::for_each((&mut areas, (&widths, &heights)), |(area, (width, height))| {
///     *area = width * height;
/// });
/// assert_eq!(areas, [6, 10, 32]);
/// ```
pub fn for_each<I, F>(items: I, f: F)
where
    I: Indexed,
    F: Fn(I::Item) + Sync,
{
    fold(items, || (), move |(), item| f(item), |(), ()| ());
}

/// Folds items, possibly on several threads at the same time.
///
/// The items are divided when another thread is idle, so the number of parts differs from run to run. `init` makes a state for each
/// part, `fold` folds the items of the part into the state, one after the other, and `reduce` makes one state of
/// the states of two neighbouring parts. Nothing is kept for an item: see [`for_each`]. If there are no items,
/// `fold` returns the state that `init` makes.
///
/// # Order
///
/// States are reduced in the order of the items: the first argument of `reduce` is always from the items that
/// come just before the items of the second. The result is the same for every division if two things hold.
/// Folding into a new state and then reducing must give what folding on would have given. And `reduce` must be
/// associative. That holds for sums of integers and for lists. Sums of floating-point numbers may differ in
/// their last digits from run to run.
///
/// # Blocking
///
/// `fold` returns when all is folded, see [`for_each`].
///
/// # Panics
///
/// If `fold` panics for an item, see [`for_each`]. A panic of `init` or `reduce` goes on, too; then some items may
/// not have been folded. Unused states and items are dropped.
///
/// # Cancellation
///
/// All items are folded, see [`for_each`].
///
/// # Examples
///
/// ```
/// let numbers: Vec<u64> = (1..=1000).collect();
/// let sum = hatchery::fold(&numbers, || 0, |sum, n| sum + n, |left, right| left + right);
/// assert_eq!(sum, 500_500);
/// ```
///
/// A state may be something that is made once for many items, and kept:
///
/// ```
/// /// The lines that are longer than 70 bytes, in their order.
/// fn long<'a>(lines: &[&'a str]) -> Vec<&'a str> {
///     hatchery::fold(
///         lines,
///         Vec::new,
///         |mut long, line| {
///             if line.len() > 70 {
///                 long.push(*line);
///             }
///             long
///         },
///         |mut left, mut right| {
///             left.append(&mut right);
///             left
///         },
///     )
/// }
/// assert!(long(&["a short line", "and another"]).is_empty());
/// ```
pub fn fold<I, A, N, F, R>(items: I, init: N, fold: F, reduce: R) -> A
where
    I: Indexed,
    A: Send,
    N: Fn() -> A + Sync,
    F: Fn(A, I::Item) -> A + Sync,
    R: Fn(A, A) -> A + Sync,
{
    here(|| fold_in(items, init, fold, reduce))
}

/// Calls a function with each item on several threads, and returns the values in order.
///
/// Values are moved to their places in the vector at once, and nothing else is kept for an item: see
/// [`for_each`].
///
/// # Blocking
///
/// `map` returns when the last value is there, see [`for_each`].
///
/// # Panics
///
/// If the function panics, see [`for_each`]; the values made so far are dropped. If there are more items than a
/// vector can hold.
///
/// # Cancellation
///
/// The function is called with all items, see [`for_each`].
///
/// # Examples
///
/// ```
/// let words = ["structured", "concurrency"];
/// assert_eq!(hatchery::map(&words, |word| word.len()), [10, 11]);
/// ```
pub fn map<I, F, T>(items: I, f: F) -> Vec<T>
where
    I: Indexed,
    F: Fn(I::Item) -> T + Sync,
    T: Send,
{
    here(|| map_in(items, f))
}

/// Calls `run` in a frame of the current pool.
fn here<A>(run: impl FnOnce() -> A) -> A {
    if scope::is_inside(|_| true) {
        run()
    } else {
        nursery(|_| run())
    }
}

/// Calls `run` in a frame of this pool.
fn on<A>(pool: &Pool, run: impl FnOnce() -> A) -> A {
    if pool.with_seat(|seat| scope::is_inside(|frame| frame.seat.is(seat))) {
        run()
    } else {
        pool.nursery(|_| run())
    }
}

/// Folds items in the innermost frame.
fn fold_in<I, A, N, F, R>(items: I, init: N, fold: F, reduce: R) -> A
where
    I: Indexed,
    A: Send,
    N: Fn() -> A + Sync,
    F: Fn(A, I::Item) -> A + Sync,
    R: Fn(A, A) -> A + Sync,
{
    let folding = Folding {
        init,
        fold: move |state, stretch: I::Parts<'_>| stretch.take().fold(state, &fold),
        reduce,
    };
    let mut memory = I::Memory::default();
    scope::fold_here(items.parts(&mut memory), &folding)
}

/// Maps items in the innermost frame.
fn map_in<I, F, T>(items: I, f: F) -> Vec<T>
where
    I: Indexed,
    F: Fn(I::Item) -> T + Sync,
    T: Send,
{
    let mut memory = I::Memory::default();
    let items = items.parts(&mut memory);
    owned::filled(items.len(), |places| map_into(places, items, &f))
}

/// Maps items into these places, of which there are as many; no items leave nothing.
fn map_into<'a, P, F, T>(places: Vacant<'a, T>, items: P, f: &F) -> Option<Owned<'a, T>>
where
    P: Parts,
    F: Fn(P::Item) -> T + Sync,
    T: Send,
{
    let join = |left: Option<Owned<'a, T>>, right: Option<Owned<'a, T>>| match (left, right) {
        (Some(left), Some(right)) => Some(left.then(right)),
        (left, right) => left.or(right),
    };
    let folding = Folding {
        init: || None,
        fold: |before, Pair(items, places): Pair<P, Vacant<'a, T>>| {
            join(before, Some(places.fill(items.take().map(f))))
        },
        reduce: join,
    };
    scope::fold_here(Pair(items, places), &folding)
}

impl Pool {
    /// Calls a function with each item on this pool, see [`for_each`](crate::for_each()).
    ///
    /// On a thread that is not computing for this pool, it opens a nursery on the pool.
    ///
    /// # Panics
    ///
    /// If the function panics, with the panic of the first item for which it does.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let mut squares = [0; 5];
    /// pool.for_each((0.., &mut squares), |(i, square)| *square = i * i);
    /// assert_eq!(squares, [0, 1, 4, 9, 16]);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn for_each<I, F>(&self, items: I, f: F)
    where
        I: Indexed,
        F: Fn(I::Item) + Sync,
    {
        self.fold(items, || (), move |(), item| f(item), |(), ()| ());
    }

    /// Calls a function with each item on this pool, and returns the values, see [`map`](crate::map()).
    ///
    /// # Panics
    ///
    /// If the function panics, with the panic of the first item for which it does.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.map(0..5, |i| i * i), [0, 1, 4, 9, 16]);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn map<I, F, T>(&self, items: I, f: F) -> Vec<T>
    where
        I: Indexed,
        F: Fn(I::Item) -> T + Sync,
        T: Send,
    {
        on(self, || map_in(items, f))
    }

    /// Folds items on this pool, see [`fold`](crate::fold()).
    ///
    /// # Panics
    ///
    /// If one of the functions panics.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let sum = pool.fold(1..=1000_u64, || 0, |sum, n| sum + n, |left, right| left + right);
    /// assert_eq!(sum, 500_500);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn fold<I, A, N, F, R>(&self, items: I, init: N, fold: F, reduce: R) -> A
    where
        I: Indexed,
        A: Send,
        N: Fn() -> A + Sync,
        F: Fn(A, I::Item) -> A + Sync,
        R: Fn(A, A) -> A + Sync,
    {
        on(self, || fold_in(items, init, fold, reduce))
    }
}

impl Options {
    /// Calls a function with each item, in a nursery with these options, see
    /// [`for_each`](crate::for_each()).
    ///
    /// The nursery has the [pool](Self::pool) and the [name](Self::name). The [limit](Self::limit) counts each part
    /// that another thread takes over, and not the part that the calling thread runs.
    /// [`on_failure`](Self::on_failure) has no effect.
    ///
    /// # Cancellation
    ///
    /// A timeout, a deadline or a token keeps no item from being run. The function learns of it from the
    /// free [`checkpoint`](crate::checkpoint()).
    ///
    /// # Panics
    ///
    /// If the function panics, with the panic of the first item for which it does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// use hatchery::{CancelToken, Options};
    ///
    /// let (token, run) = (CancelToken::new(), AtomicU32::new(0));
    /// token.cancel();
    /// Options::new().cancel_on(&token).for_each(0..100, |_| {
    ///     if hatchery::checkpoint().is_ok() {
    ///         run.fetch_add(1, Relaxed);
    ///     }
    /// });
    /// assert_eq!(run.into_inner(), 0);
    /// ```
    pub fn for_each<I, F>(&self, items: I, f: F)
    where
        I: Indexed,
        F: Fn(I::Item) + Sync,
    {
        self.fold(items, || (), move |(), item| f(item), |(), ()| ());
    }

    /// Calls a function with each item, in a nursery with these options, and returns the values, see
    /// [`map`](crate::map()).
    ///
    /// The options mean the same as for [`for_each`](Options::for_each).
    ///
    /// # Cancellation
    ///
    /// The function is called with all items, see [`for_each`](Options::for_each).
    ///
    /// # Panics
    ///
    /// If the function panics, with the panic of the first item for which it does.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Options;
    ///
    /// assert_eq!(Options::new().name("squares").map(0..5, |i| i * i), [0, 1, 4, 9, 16]);
    /// ```
    pub fn map<I, F, T>(&self, items: I, f: F) -> Vec<T>
    where
        I: Indexed,
        F: Fn(I::Item) -> T + Sync,
        T: Send,
    {
        self.nursery(|_| map_in(items, f))
    }

    /// Folds items in a nursery with these options, see [`fold`](crate::fold()).
    ///
    /// The options mean the same as for [`for_each`](Options::for_each).
    ///
    /// # Cancellation
    ///
    /// All items are folded, see [`for_each`](Options::for_each).
    ///
    /// # Panics
    ///
    /// If one of the functions panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Options;
    ///
    /// let longest = Options::new().name("longest").fold(
    ///     &["three", "four"],
    ///     || 0,
    ///     |longest, word| word.len().max(longest),
    ///     usize::max,
    /// );
    /// assert_eq!(longest, 5);
    /// ```
    pub fn fold<I, A, N, F, R>(&self, items: I, init: N, fold: F, reduce: R) -> A
    where
        I: Indexed,
        A: Send,
        N: Fn() -> A + Sync,
        F: Fn(A, I::Item) -> A + Sync,
        R: Fn(A, A) -> A + Sync,
    {
        self.nursery(|_| fold_in(items, init, fold, reduce))
    }
}
