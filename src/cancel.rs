//! Stopping work: tokens, reasons, checks.

use std::fmt;

use crate::scope::{self, Token};
pub use crate::scope::{CancelReason, Cancelled};

/// A switch that cancels nurseries from anywhere.
///
/// From another thread, say, that of a signal handler, or from the timeout of an async runtime. It is
/// off to begin with, and stays on once it was switched. Clones are the same switch.
///
/// ```
/// use hatchery::{CancelToken, Options, CancelReason};
///
/// let token = CancelToken::new();
/// let stopped = Options::new().cancel_on(&token).try_nursery::<(), _, _>(|n| {
///     token.cancel(); // say, on another thread
///     n.spawn(|| Ok(())).join()
/// });
/// assert_eq!(stopped.unwrap_err().cancelled().unwrap().reason(), CancelReason::Token);
/// ```
#[derive(Clone, Default)]
pub struct CancelToken {
    token: Token,
}

impl CancelToken {
    /// A new switch, off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels the nurseries opened with it, now or later; true for exactly one caller.
    #[allow(clippy::must_use_candidate, reason = "cancelling is an effect")]
    pub fn cancel(&self) -> bool {
        self.token.cancel()
    }

    /// Whether it was switched on.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

/// An error if the innermost nursery on this thread is cancelled.
///
/// So `?` ends a child then. It is for children whose error converts from [`Cancelled`], and for code
/// that was not handed the nursery, such as libraries. Outside of any nursery nothing is cancelled.
/// It takes a nanosecond or two, so call it as often as every few microseconds.
///
/// Bodies, and children of [`spawn_body`](crate::TryNursery::spawn_body), return a
/// [`Failure`](crate::Failure). They pass the answer on by
/// [`map_err(Failure::cancelled)?`](crate::Failure::cancelled).
///
/// ```
/// fn search(numbers: &[u64]) -> Result<Option<u64>, hatchery::Cancelled> {
///     for chunk in numbers.chunks(1000) {
///         hatchery::checkpoint()?;
///         if let Some(found) = chunk.iter().find(|n| **n % 1009 == 7) {
///             return Ok(Some(*found));
///         }
///     }
///     Ok(None)
/// }
/// assert_eq!(search(&[1, 2, 1016]), Ok(Some(1016)));
/// ```
///
/// # Errors
///
/// If it is cancelled; an error that the child returns from then on counts as a consequence of that, not
/// as a failure: it is [late](crate::Failures::late).
#[inline]
pub fn checkpoint() -> Result<(), Cancelled> {
    scope::check().map_or(Ok(()), Err)
}
