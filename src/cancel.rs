//! Stopping work: tokens, guards, reasons, checks.

use std::fmt;

use crate::scope::{self, Token};
pub use crate::scope::{CancelReason, Cancelled};

/// A switch that cancels nurseries from outside.
///
/// A token belongs to no nursery, so any thread may cancel it: one that waits for a signal, or one that
/// serves an async runtime. [`Options::cancel_on`](crate::Options::cancel_on) opens nurseries that heed it.
/// A token that has been cancelled stays cancelled. Clones of a token are the same switch. A
/// [child token](Self::child_token) is cancelled with its parent, or alone. A [guard](Self::drop_guard) cancels
/// the token at the end of a scope.
///
/// # Ctrl-C
///
/// With the crate [`ctrlc`](https://docs.rs/ctrlc), Ctrl-C cancels a token. The handler runs on a thread of its
/// own. Here a second Ctrl-C ends the program at once:
///
/// ```
/// use hatchery::{CancelToken, Options};
///
/// let interrupt = CancelToken::new();
/// let token = interrupt.clone();
/// ctrlc::set_handler(move || {
///     if !token.cancel() {
///         std::process::exit(130); // it was cancelled already
///     }
/// })?;
/// let result = Options::new().cancel_on(&interrupt).try_nursery(|n| n.spawn(|| {
///     (0..1000).try_fold(0, |sum, i| hatchery::checkpoint().map(|()| sum + i))
/// }).join());
/// assert_eq!(result.unwrap(), 499_500); // or, after Ctrl-C, failures with the reason `Token`
/// # Ok::<(), ctrlc::Error>(())
/// ```
///
/// The example `mandelbrot` keeps its best picture that way.
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
    /// The nurseries may be open already, or be opened later. The call waits for none of them. It cancels the
    /// [child tokens](Self::child_token), too, however many there are, in the same time. For a child whose parent
    /// was cancelled before, it returns `false`.
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

    /// Returns whether the token has been cancelled, alone or with its parent.
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

    /// Makes a token that is cancelled when this one is, or alone.
    ///
    /// Cancelling the child leaves its parent as it is. A child of a token that has been cancelled is cancelled
    /// from the start. Children may have children.
    ///
    /// A child that is dropped leaves nothing behind, so a server may make one for each request from one token
    /// that it keeps. A child keeps a few words of its parent in memory while it is there itself, and asking it
    /// takes a step for each of its ancestors. So a loop without an end should make each child of the same token,
    /// and not of the child before.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelToken, Options};
    ///
    /// let shutdown = CancelToken::new();
    /// let requests = [(); 2].map(|()| shutdown.child_token());
    /// requests[0].cancel(); // its client has gone
    /// assert!(!requests[1].is_cancelled() && !shutdown.is_cancelled());
    ///
    /// shutdown.cancel();
    /// let told = Options::new().cancel_on(&requests[1]).nursery(|_| hatchery::checkpoint());
    /// assert!(told.is_err());
    /// ```
    #[must_use]
    pub fn child_token(&self) -> Self {
        Self {
            token: self.token.child(),
        }
    }

    /// Makes a guard that cancels the token when it is dropped.
    ///
    /// It does so however the scope is left: at its end, with `?`, or by a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// let result = (|| -> Result<u32, std::num::ParseIntError> {
    ///     let _guard = token.clone().drop_guard();
    ///     "seven".parse()
    /// })();
    /// assert!(result.is_err());
    /// assert!(token.is_cancelled());
    /// ```
    pub fn drop_guard(self) -> CancelGuard {
        CancelGuard {
            token: self,
            is_armed: true,
        }
    }

    /// Returns whether the two are the same switch: clones of one token.
    ///
    /// A child token and its parent are not.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// assert!(token.same_as(&token.clone()));
    /// assert!(!token.same_as(&token.child_token()));
    /// assert!(!token.same_as(&CancelToken::new()));
    /// ```
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.token.is(&other.token)
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

/// Cancels its token when it is dropped; made by [`CancelToken::drop_guard`].
///
/// The drop waits for nothing, as [`CancelToken::cancel`] does.
///
/// # Examples
///
/// Work on another thread ends with the function that began it:
///
/// ```
/// use hatchery::{CancelToken, Options};
///
/// let token = CancelToken::new();
/// std::thread::scope(|scope| {
///     let _guard = token.clone().drop_guard();
///     scope.spawn(|| {
///         let options = Options::new().cancel_on(&token);
///         options.nursery(|_| while hatchery::checkpoint().is_ok() {})
///     });
/// });
/// assert!(token.is_cancelled());
/// ```
#[must_use = "a guard that is dropped at once cancels its token at once"]
pub struct CancelGuard {
    token: CancelToken,
    is_armed: bool,
}

impl CancelGuard {
    /// Returns the token, which the guard does not cancel any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::CancelToken;
    ///
    /// let guard = CancelToken::new().drop_guard();
    /// let token = guard.disarm();
    /// assert!(!token.is_cancelled());
    /// ```
    #[must_use = "without the token nobody can cancel it, unless it has clones"]
    pub fn disarm(mut self) -> CancelToken {
        self.is_armed = false;
        self.token.clone()
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if self.is_armed {
            self.token.cancel();
        }
    }
}

impl fmt::Debug for CancelGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelGuard")
            .field("is_cancelled", &self.token.is_cancelled())
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
