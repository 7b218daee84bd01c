//! A panic as a failure: its payload, its text, and where the child was spawned.

use std::error::Error;
use std::fmt;
use std::panic::{Location, resume_unwind};

use crate::platform::sync::{Mutex, PoisonError};
use crate::scope::{Payload, discard, message_of};

/// A panic of a child or of the body, caught by a partial nursery.
///
/// It stands in a [`FailureKind::Panic`](crate::FailureKind::Panic); the
/// [picture](crate::Failures#how-the-types-relate) at `Failures` shows the types around it.
///
/// # Examples
///
/// ```
/// use hatchery::FailureKind;
///
/// let failed = hatchery::try_nursery::<String, (), _>(|n| {
///     n.spawn(|| -> Result<(), _> { panic!("no such table") });
///     Ok(())
/// });
/// let FailureKind::Panic(panic) = failed.unwrap_err().into_cause().into_kind() else {
///     panic!("not a panic");
/// };
/// assert_eq!(panic.message(), Some("no such table"));
/// assert!(panic.spawned_at().is_some());
/// ```
pub struct Panic {
    inner: Box<Caught>,
}

struct Caught {
    message: Option<String>,
    /// `Sync` by the lock, so that failures can be shared.
    payload: Mutex<Option<Payload>>,
    spawned_at: Option<&'static Location<'static>>,
}

impl Panic {
    pub(crate) fn new(payload: Payload, spawned_at: Option<&'static Location<'static>>) -> Self {
        Self {
            inner: Box::new(Caught {
                message: message_of(&*payload).map(str::to_owned),
                payload: Mutex::new(Some(payload)),
                spawned_at,
            }),
        }
    }

    /// Returns the text of the panic, if its payload is a `&'static str` or a `String`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hatchery::FailureKind;
    /// let failed = hatchery::try_nursery::<String, (), _>(|_| panic!("row {}", 7));
    /// let failures = failed.unwrap_err();
    /// let FailureKind::Panic(panic) = failures.cause().kind() else { panic!("not a panic") };
    /// assert_eq!(panic.message(), Some("row 7"));
    /// ```
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.inner.message.as_deref()
    }

    /// Returns where the child was spawned; `None` if the body or a destructor panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hatchery::FailureKind;
    /// let failed = hatchery::try_nursery::<String, (), _>(|n| {
    ///     n.spawn(|| -> Result<(), _> { panic!("no such table") }); // here
    ///     Ok(())
    /// });
    /// let failures = failed.unwrap_err();
    /// let FailureKind::Panic(panic) = failures.cause().kind() else { panic!("not a panic") };
    /// assert!(panic.spawned_at().unwrap().file().ends_with(".rs"));
    /// ```
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.inner.spawned_at
    }

    /// Goes on with the panic; its payload is unchanged.
    ///
    /// # Panics
    ///
    /// Always.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Failures, FailureKind};
    ///
    /// /// Returns errors, and panics if a child has panicked.
    /// fn cause(failures: Failures<String>) -> String {
    ///     match failures.into_cause().into_kind() {
    ///         FailureKind::Panic(panic) => panic.resume(),
    ///         other => other.to_string(),
    ///     }
    /// }
    /// let failed = hatchery::try_nursery(|n| n.spawn(|| Err::<(), _>("disk full".into())).join());
    /// assert_eq!(cause(failed.unwrap_err()), "disk full");
    /// ```
    pub fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }

    /// Converts the panic into its payload: the value that the panic was raised with.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hatchery::FailureKind;
    /// use std::panic::panic_any;
    ///
    /// let failed = hatchery::try_nursery::<String, (), _>(|_| panic_any(404));
    /// let kind = failed.unwrap_err().into_cause().into_kind();
    /// let FailureKind::Panic(panic) = kind else { panic!("not a panic") };
    /// assert_eq!(panic.into_payload().downcast_ref(), Some(&404));
    /// ```
    #[must_use]
    pub fn into_payload(mut self) -> Payload {
        let payload = self.inner.payload.get_mut();
        let payload = payload.unwrap_or_else(PoisonError::into_inner);
        match payload.take() {
            Some(payload) => payload,
            None => unreachable!("taken once"),
        }
    }
}

impl Drop for Caught {
    /// Drops the payload, which may panic.
    fn drop(&mut self) {
        let payload = self.payload.get_mut();
        discard(payload.unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("panicked")?;
        if let Some(message) = self.message() {
            write!(f, ": {message}")?;
        }
        match self.spawned_at() {
            Some(place) => write!(f, " (spawned at {place})"),
            None => Ok(()),
        }
    }
}

impl Error for Panic {}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("message", &self.message())
            .field("spawned_at", &self.spawned_at())
            .finish_non_exhaustive()
    }
}
