//! What a frame says in a report: see `engine::report`.
#![allow(unsafe_code, reason = "follows a frame to its open nursery")]

use super::{Frame, Part};
use crate::engine::node::Node;

impl Frame<'_> {
    /// The nursery of the children in the list, if there is one.
    pub(crate) fn nursery(&self) -> Option<&Node> {
        // SAFETY: null, or the nursery of an entered frame, which is open.
        unsafe { self.scope.get().as_ref() }
    }

    pub(crate) fn part(&self) -> Part {
        self.part.get()
    }
}
