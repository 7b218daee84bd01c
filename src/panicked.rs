//! A panic as a failure: its payload, what that says, where it comes from.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{Location, resume_unwind};

use crate::platform::sync::{Mutex, PoisonError};
use crate::scope::{Payload, discard};

/// A panic that was caught.
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
        let text = |payload: &(dyn Any + Send)| {
            let text = payload.downcast_ref::<&str>().copied();
            text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
                .map(str::to_owned)
        };
        Self {
            inner: Box::new(Caught {
                message: text(&*payload),
                payload: Mutex::new(Some(payload)),
                spawned_at,
            }),
        }
    }

    /// The text it was raised with, if that was a text.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.inner.message.as_deref()
    }

    /// Where the child was spawned; none if the body panicked, or a destructor.
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.inner.spawned_at
    }

    /// Goes on with the panic, its payload unchanged.
    pub fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }

    /// What it was raised with.
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
    /// It may panic on drop.
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
