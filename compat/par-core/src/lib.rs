//! The API of par-core 2.0 on hatchery's pools.
//!
//! A program puts this crate in the place of par-core by one line of its `Cargo.toml`: see `README.md`. From then on
//! whatever forks by par-core forks on hatchery.

#![forbid(unsafe_code)]

/// Runs two closures, possibly at the same time, and returns both values.
///
/// The closures run on the pool of the innermost nursery around the call, or on the pool of the calling thread, else on the
/// shared pool. Without the feature `parallel` they run here, one after the other.
///
/// # Blocking
///
/// It returns when both have ended. Meanwhile this thread runs nothing but what the two consist of. So a lock may be held
/// around it.
///
/// # Panics
///
/// If one closure panics, the other closure runs all the same. Then the panic goes on. If both panic, the panic of `oper_a`
/// goes on.
/// Without the feature `parallel`, `oper_b` does not run if `oper_a` panics.
///
/// # Examples
///
/// ```
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() <= 100 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = par_core::join(|| sum(left), || sum(right));
///     left + right
/// }
///
/// let numbers: Vec<u64> = (1..=1000).collect();
/// assert_eq!(sum(&numbers), 500_500);
/// ```
#[inline]
pub fn join<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: Send + FnOnce() -> RA,
    B: Send + FnOnce() -> RB,
    RA: Send,
    RB: Send,
{
    #[cfg(feature = "parallel")]
    let both = hatchery::join(oper_a, oper_b);
    #[cfg(not(feature = "parallel"))]
    let both = (oper_a(), oper_b());
    both
}
