//! Forks of more than two.

use crate::nursery::join;

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
