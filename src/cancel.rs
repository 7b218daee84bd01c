//! Stopping work: tokens, reasons, checks.

use std::fmt;

use crate::scope::{self, Token};
pub use crate::scope::{CancelReason, Cancelled};

/// A switch that cancels nurseries from outside.
///
/// A token belongs to no nursery, so any thread may cancel it: one that waits for a signal, or one that
/// serves an async runtime. [`Options::cancel_on`](crate::Options::cancel_on) opens nurseries that heed it.
/// A token that has been cancelled stays cancelled. Clones of a token are the same switch.
///
/// # Examples
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
    /// Makes a token that is not cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// assert!(!token.is_cancelled());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels all nurseries that heed this token, and returns whether this call was the first.
    ///
    /// The nurseries may be open already, or be opened later. The call waits for none of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// let for_the_signal_thread = token.clone();
    /// assert!(for_the_signal_thread.cancel());
    /// assert!(!token.cancel()); // it is cancelled already
    /// ```
    #[allow(clippy::must_use_candidate, reason = "cancelling is an effect")]
    pub fn cancel(&self) -> bool {
        self.token.cancel()
    }

    /// Returns whether the token has been cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// assert!(token.is_cancelled());
    /// ```
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

/// Returns an error if the innermost nursery on this thread is cancelled.
///
/// With `?` it ends a child, or any function that a child calls, once the nursery is cancelled. The function's
/// error type must convert from [`Cancelled`]. Code that was not handed a nursery, such as a library, can
/// call it. Outside of any nursery it returns `Ok`. A call takes a nanosecond or two, so long loops may
/// call it every few microseconds.
///
/// Bodies and children of [`spawn_body`](crate::TryNursery::spawn_body) return a
/// [`Failure`](crate::Failure). They pass a cancellation on with
/// [`map_err(Failure::cancelled)?`](crate::Failure::cancelled).
///
/// # Errors
///
/// If the innermost nursery on this thread is cancelled.
///
/// # Cancellation
///
/// An `Err` *tells* the calling task of the cancellation. If a child of a partial nursery was told, an error
/// that it returns later counts as a consequence of the cancellation and not as a failure: it is
/// [late](crate::Failures::late).
///
/// # Examples
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
#[inline]
pub fn checkpoint() -> Result<(), Cancelled> {
    scope::check().map_or(Ok(()), Err)
}
