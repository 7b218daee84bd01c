//! Forks: two closures, or a tuple of them, possibly at once.

use crate::options::Options;
use crate::pool::{self, Pool};
use crate::scope;

/// Runs two closures, possibly at once, and returns both values: the two-way fork.
///
/// `a` runs here; `b` runs here afterwards, unless another thread took it meanwhile. It allocates
/// nothing. The pool is chosen as by [`nursery`](crate::nursery()).
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
/// # Blocking
///
/// Returns when both have ended. If `b` was taken, this thread sleeps rather than run other code.
///
/// # Panics
///
/// Both closures always run to their ends, even if `a` panics before `b` has started, and even in a
/// nursery that is cancelled: unsafe code may rely on that. If one of them panics, its payload goes on
/// from here once the other one has ended. If both do, the payload of `a` goes on, and that of `b` is
/// dropped.
///
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind};
///
/// let mut has_run = false;
/// let joined = catch_unwind(AssertUnwindSafe(|| {
///     hatchery::join(|| -> u32 { panic!("before the other one has started") }, || has_run = true)
/// }));
/// assert!(joined.is_err() && has_run);
/// ```
///
/// # Cancellation
///
/// A `join` is no nursery: a panic of one closure does not tell the other one to stop. What
/// [`checkpoint`](crate::checkpoint()) answers in either closure is about the nursery around.
///
/// # Stack
///
/// A recursion may be deep: each level takes a few hundred bytes of stack in a release build, and what
/// one closure keeps on the stack is gone when the other one runs.
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    scope::fork_here(a, b, |a, b| {
        pool::with_current(|seat| scope::fork(seat, a, b))
    })
}

impl Pool {
    /// Runs two closures, possibly at once, on this pool, see [`join`](crate::join()).
    ///
    /// Outside of the pool it opens a nursery around them, so that what both closures open is of this pool.
    ///
    /// # Panics
    ///
    /// As [`join`](crate::join()): both closures always run to their ends.
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
        self.with_seat(|seat| scope::fork_on(seat, a, b, |a, b| self.nursery(|_| join(a, b))))
    }

    /// Runs a tuple of closures, possibly at once, on this pool, see [`join_all`].
    ///
    /// It opens a nursery around them, so that all of them are of this pool.
    ///
    /// # Panics
    ///
    /// As [`join_all`]: all closures always run to their ends.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.join_all((|| 1, || "two", || 3.0)), (1, "two", 3.0));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn join_all<J: Jobs>(&self, jobs: J) -> J::Output {
        self.nursery(|_| jobs.run())
    }
}

impl Options {
    /// Runs two closures, possibly at once, in a nursery with these options, see [`join`](crate::join()).
    ///
    /// A `join` is no nursery itself. So this opens a total one and joins in its body:
    ///
    /// - The [pool](Self::pool) and the [name](Self::name) are those of that nursery.
    /// - A timeout, a deadline or a token stops neither closure: both always run to their ends. The
    ///   free [`checkpoint`](crate::checkpoint()) tells them, and so do the nurseries that they open.
    ///   A [shield](Self::shield) keeps both from what cancels the nurseries around.
    /// - The [limit](Self::limit) counts the children of nurseries that the closures open, and a closure
    ///   that another thread takes over. It holds back neither closure: the calling thread can run both.
    /// - [`on_failure`](Self::on_failure) means nothing here.
    ///
    /// # Panics
    ///
    /// As [`join`](crate::join()).
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

    /// Runs a tuple of closures, possibly at once, in a nursery with these options, see [`join_all`].
    ///
    /// What the options mean for the closures is the same as in [`join`](Self::join).
    ///
    /// # Panics
    ///
    /// As [`join_all`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Options;
    ///
    /// let options = Options::new().name("three");
    /// assert_eq!(options.join_all((|| 1, || "two", || 3.0)), (1, "two", 3.0));
    /// ```
    pub fn join_all<J: Jobs>(&self, jobs: J) -> J::Output {
        self.nursery(|_| jobs.run())
    }
}

/// A tuple of closures for [`join_all`], of two to eight.
///
/// Sealed: only this crate implements it.
pub trait Jobs: sealed::Sealed {
    /// The tuple of their values.
    type Output: Send;

    /// Runs them, possibly at once.
    #[doc(hidden)]
    fn run(self) -> Self::Output;
}

mod sealed {
    pub trait Sealed {}
}

/// Runs several closures, possibly at once, and returns all values: [`join`] for tuples.
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
///
/// # Blocking
///
/// Returns when all have ended, see [`join`].
///
/// # Panics
///
/// All closures always run to their ends, whichever of them panics. Then the payload of the first one in
/// the tuple that has panicked goes on from here, and the others are dropped, see [`join`].
pub fn join_all<J: Jobs>(jobs: J) -> J::Output {
    jobs.run()
}

/// Runs the head here and offers the rest as one.
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
        impl<$head, $head_value, $($tail, $tail_value),+> Jobs for ($head, $($tail),+)
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
