//! What failed first in a nursery, for people who look while the nursery is still open.
//!
//! The failure itself goes to the task that joins the child, or stays in the child's record. So the nursery notes what
//! can be said of the failure when the failure happens.

use std::any::Any;
use std::fmt;

use crate::platform::sync::lock;
use crate::scope::panics::Panics;
use crate::scope::{ChildId, Payload, Scope};

/// The most characters that are kept of a message, and written of the name of a type.
const MOST: usize = 200;

/// The text of a panic, if its payload is a `&'static str` or a `String`.
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// What failed.
pub(crate) enum Who {
    Body,
    Child(ChildId),
    /// A child of a total nursery, where children have no ids.
    SomeChild,
    /// The destructor of a value that nobody took.
    Destructor,
}

/// In which way it failed.
pub(crate) enum How {
    /// With a message, or the beginning of it.
    Panicked(Option<Box<str>>),
    /// With an error of this type. Nothing says how to write the error.
    ReturnedError(&'static str),
    /// A nursery in it failed.
    Nested,
}

impl How {
    /// A panic with this message.
    pub(crate) fn panicked(message: Option<&str>) -> Self {
        // One character more shows that it was cut.
        Self::Panicked(message.map(|text| text.chars().take(MOST + 1).collect()))
    }
}

/// The first failure.
pub(super) struct First {
    who: Who,
    how: How,
}

impl fmt::Display for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Body => f.write_str("the body"),
            Who::Child(id) => write!(f, "child {id}"),
            Who::SomeChild => f.write_str("a child"),
            Who::Destructor => f.write_str("the destructor of a value"),
        }?;
        match &self.how {
            How::Panicked(None) => f.write_str(" panicked"),
            How::Panicked(Some(message)) => {
                let (message, rest) = beginning_of(message);
                write!(f, " panicked: {message:?}{rest}")
            }
            How::ReturnedError(name) => {
                let (name, rest) = beginning_of(name);
                write!(f, " returned an error of the type {name}{rest}")
            }
            How::Nested => f.write_str(" failed: a nursery in it has failed"),
        }
    }
}

/// The beginning of a text, and dots if that is not all of it.
fn beginning_of(text: &str) -> (&str, &'static str) {
    match text.char_indices().nth(MOST) {
        None => (text, ""),
        Some((end, _)) => (&text[..end], "..."),
    }
}

impl Scope {
    /// Notes a failure, if it is the first.
    #[cold]
    pub(super) fn note_failed(&self, who: Who, how: impl FnOnce() -> How) {
        let mut kept = lock(&self.panics().kept);
        if kept.failed_first.is_none() {
            kept.failed_first = Some(First { who, how: how() });
        }
    }

    /// Notes the panic of the body.
    #[cold]
    pub(super) fn note_panic_of_body(&self, payload: &Payload) {
        self.note_failed(Who::Body, || How::panicked(message_of(&**payload)));
    }

    /// What failed first, if anything has failed.
    pub(super) fn failed_first(&self) -> Option<String> {
        let panics: &Panics = self.node.above()?.downcast_ref()?;
        let kept = lock(&panics.kept);
        kept.failed_first.as_ref().map(First::to_string)
    }
}
