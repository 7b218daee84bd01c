//! Forks: `join` for two closures, `join_all` for a tuple of closures.

use crate::options::Options;
use crate::pool::{self, Pool};
use crate::scope;

/// Runs two closures, possibly at the same time, and returns both values.
///
/// `a` runs on the calling thread. Then `b` runs there too, unless another thread has taken it meanwhile. `join`
/// allocates no memory. The pool is chosen as by [`nursery`](crate::nursery()).
///
/// # Blocking
///
/// `join` returns when both closures have ended. If another thread has taken `b`, the calling thread sleeps and
/// runs no other code. `b` is no child, and may start only when `a` has ended: `a` must not wait for `b`. If they wait
/// for each other, [spawn](crate::Nursery::spawn) them.
///
/// # Panics
///
/// Both closures always run to their ends, even if `a` panics before `b` has started, and even in a
/// nursery that is cancelled. Unsafe code may rely on that. If one closure panics, `join` goes on with its
/// payload once the other closure has ended. If both panic, `join` goes on with the payload of `a`, and drops the
/// payload of `b`.
///
/// # Cancellation
///
/// A `join` is no nursery: a panic of one closure does not tell the other closure to stop. In both closures
/// [`checkpoint`](crate::checkpoint()) answers for the nursery around the `join`.
///
/// # Stack
///
/// A recursion may be deep: each level takes a few hundred bytes of stack in a release build. The two closures of
/// a `join` use the same part of the stack, one after the other.
///
/// # Examples
///
/// ```
/// fn fib(n: u32) -> u64 {
///     if n < 2 {
///         return n.into();
///     }
///     let (a, b) = hatchery::join(|| fib(n - 1), || fib(n - 2));
///     a + b
/// }
/// assert_eq!(fib(20), 6765);
/// ```
///
/// Both closures run although one panics:
///
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind};
///
/// let mut has_run = false;
/// let joined = catch_unwind(AssertUnwindSafe(|| {
///     hatchery::join(|| -> u32 { panic!("before the other closure has started") }, || has_run = true)
/// }));
/// assert!(joined.is_err() && has_run);
/// ```
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let elsewhere = |a, b| pool::with_current(|seat| scope::fork_first(seat, a, b));
    scope::fork_here(a, b, |_| true, elsewhere)
}

impl Pool {
    /// Runs two closures, possibly at the same time, on this pool, see [`join`](crate::join()).
    ///
    /// On a thread that is not computing for this pool, it opens a nursery around the closures, so that the
    /// nurseries that they open run on this pool.
    ///
    /// # Panics
    ///
    /// If a closure panics. Both closures always run to their ends.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.join(|| 1 + 1, || "two"), (2, "two"));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        // No fork on another seat than the innermost frame's: its frame would be gone when `b` runs
        // here, and what `b` opens would find the other seat.
        let elsewhere = |a, b| self.nursery(|_| join(a, b));
        self.with_seat(|seat| scope::fork_here(a, b, |frame| frame.seat.is(seat), elsewhere))
    }

    /// Runs a tuple of closures, possibly at the same time, on this pool, see [`join_all`].
    ///
    /// It opens a nursery on this pool around the closures.
    ///
    /// # Panics
    ///
    /// If a closure panics. All closures always run to their ends.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.join_all((|| 1, || "two", || 3.0)), (1, "two", 3.0));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn join_all<C: Closures>(&self, closures: C) -> C::Output {
        self.nursery(|_| closures.run())
    }
}

impl Options {
    /// Runs two closures, possibly at the same time, in a nursery with these options, see
    /// [`join`](crate::join()).
    ///
    /// A `join` is no nursery itself. So this method opens a total nursery, and joins in its body:
    ///
    /// - The nursery has the [pool](Self::pool) and the [name](Self::name).
    /// - The [limit](Self::limit) counts the children of nurseries that the closures open, and a closure
    ///   that another thread takes over. It holds back neither closure: the calling thread can run both.
    /// - [`on_failure`](Self::on_failure) has no effect.
    ///
    /// # Cancellation
    ///
    /// A timeout, a deadline or a token stops neither closure: both always run to their ends. The closures
    /// learn of it from the free [`checkpoint`](crate::checkpoint()), and the nurseries that they open are
    /// cancelled. A [shield](Self::shield) keeps both closures from cancellations of the nurseries around.
    ///
    /// # Panics
    ///
    /// If a closure panics. Both closures always run to their ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelToken, Options};
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let check = || hatchery::checkpoint().is_err();
    /// let told = Options::new().cancel_on(&token).join(check, check);
    /// assert_eq!(told, (true, true));
    /// ```
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.nursery(|_| join(a, b))
    }

    /// Runs a tuple of closures, possibly at the same time, in a nursery with these options, see
    /// [`join_all`].
    ///
    /// The options mean the same for these closures as in [`Options::join`].
    ///
    /// # Panics
    ///
    /// If a closure panics. All closures always run to their ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Options;
    ///
    /// let options = Options::new().name("three");
    /// assert_eq!(options.join_all((|| 1, || "two", || 3.0)), (1, "two", 3.0));
    /// ```
    pub fn join_all<C: Closures>(&self, closures: C) -> C::Output {
        self.nursery(|_| closures.run())
    }
}

/// A tuple of two to eight closures, for [`join_all`].
///
/// The trait is sealed: only this crate implements it.
///
/// # Examples
///
/// ```
/// use hatchery::Closures;
///
/// fn timed<C: Closures>(closures: C) -> C::Output {
///     let started = std::time::Instant::now();
///     let values = hatchery::join_all(closures);
///     println!("all closures took {:?}", started.elapsed());
///     values
/// }
/// assert_eq!(timed((|| 1, || "two", || 3.0)), (1, "two", 3.0));
/// ```
pub trait Closures: sealed::Sealed {
    /// The tuple of the closures' values.
    type Output: Send;

    /// Runs the closures, possibly at the same time.
    #[doc(hidden)]
    fn run(self) -> Self::Output;
}

mod sealed {
    pub trait Sealed {}
}

/// Runs a tuple of closures, possibly at the same time, and returns the tuple of their values.
///
/// It is [`join`] for two to eight closures of different types.
///
/// # Blocking
///
/// `join_all` returns when all closures have ended, see [`join`].
///
/// # Panics
///
/// All closures always run to their ends, whichever of them panics. Then `join_all` goes on with the payload of
/// the first closure in the tuple that panicked, and drops the payloads of others, see [`join`].
///
/// # Cancellation
///
/// A `join_all` is no nursery, see [`join`].
///
/// # Examples
///
/// ```
/// let words = ["spam", "eggs", "bacon"];
/// let (count, letters, longest) = hatchery::join_all((
///     || words.len(),
///     || words.iter().map(|word| word.len()).sum::<usize>(),
///     || words.iter().map(|word| word.len()).max(),
/// ));
/// assert_eq!((count, letters, longest), (3, 13, Some(5)));
/// ```
pub fn join_all<C: Closures>(closures: C) -> C::Output {
    closures.run()
}

/// Implements `Closures` for one size of tuple: it runs the first closure, and offers the rest as one.
macro_rules! tuple {
    ($head:ident $head_value:ident $(, $tail:ident $tail_value:ident)+) => {
        impl<$head, $head_value, $($tail, $tail_value),+> sealed::Sealed for ($head, $($tail),+)
        where
            $head: FnOnce() -> $head_value + Send,
            $head_value: Send,
            $($tail: FnOnce() -> $tail_value + Send, $tail_value: Send),+
        {
        }

        #[allow(non_snake_case, reason = "a closure is named like its type")]
        impl<$head, $head_value, $($tail, $tail_value),+> Closures for ($head, $($tail),+)
        where
            $head: FnOnce() -> $head_value + Send,
            $head_value: Send,
            $($tail: FnOnce() -> $tail_value + Send, $tail_value: Send),+
        {
            type Output = ($head_value, $($tail_value),+);

            fn run(self) -> Self::Output {
                let ($head, $($tail),+) = self;
                let ($head_value, tuple!(@nest $($tail_value),+)) =
                    join($head, || tuple!(@run $($tail),+));
                ($head_value, $($tail_value),+)
            }
        }
    };
    (@nest $last:ident) => { $last };
    (@nest $first:ident, $($rest:ident),+) => { ($first, tuple!(@nest $($rest),+)) };
    (@run $last:ident) => { $last() };
    (@run $first:ident, $($rest:ident),+) => { join($first, || tuple!(@run $($rest),+)) };
}

tuple!(A RA, B RB);
tuple!(A RA, B RB, C RC);
tuple!(A RA, B RB, C RC, D RD);
tuple!(A RA, B RB, C RC, D RD, E RE);
tuple!(A RA, B RB, C RC, D RD, E RE, F RF);
tuple!(A RA, B RB, C RC, D RD, E RE, F RF, G RG);
tuple!(A RA, B RB, C RC, D RD, E RE, F RF, G RG, H RH);
