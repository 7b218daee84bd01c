//! What a thread can wait for: a child, the end of a nursery, the first end of several children. Sets of children are
//! in the layer above.

use crate::engine::frame::Frame;
use crate::engine::node::Node;
use crate::engine::report::{Id, WaitsFor};
use crate::task::record::{Class, Handle, Running};

/// What a thread waits for.
pub(crate) trait Awaited {
    fn is_over(&self) -> bool;

    /// Arranges that this thread is unparked when the wait is over; false if that comes too late.
    fn ask_for_wake(&self) -> bool;

    /// Whether `claim` may give anything. This is asked first, because permits that are taken for
    /// nothing are kept from others.
    fn is_unclaimed(&self, class: Class) -> bool;

    /// Claims an awaited child of this class that nobody has started.
    fn claim(&self, class: Class) -> Option<Running>;

    /// Describes the wait, for a report.
    fn describe(&self) -> WaitsFor;
}

impl Awaited for Handle<()> {
    fn is_over(&self) -> bool {
        self.outcome().is_some()
    }

    fn ask_for_wake(&self) -> bool {
        Handle::ask_for_wake(self)
    }

    fn is_unclaimed(&self, class: Class) -> bool {
        self.class() == class && !self.is_started()
    }

    fn claim(&self, class: Class) -> Option<Running> {
        (self.class() == class).then(|| Handle::claim(self))?
    }

    fn describe(&self) -> WaitsFor {
        WaitsFor::Child {
            id: Id::of(self.address()),
            class: self.class(),
            is_started: self.is_started(),
        }
    }
}

/// The end of a nursery, seen from its body's frame.
pub(super) struct End<'a>(pub(super) &'a Frame<'a>, pub(super) &'a Node);

impl Awaited for End<'_> {
    fn is_over(&self) -> bool {
        self.0.list.is_empty() && self.1.count.is_zero()
    }

    fn ask_for_wake(&self) -> bool {
        // The thread that releases the last unit always unparks the home.
        true
    }

    fn is_unclaimed(&self, _class: Class) -> bool {
        false
    }

    fn claim(&self, _class: Class) -> Option<Running> {
        None
    }

    fn describe(&self) -> WaitsFor {
        WaitsFor::End
    }
}

/// The moment at which the first of several children ends.
pub(super) struct Any<'a, C>(pub(super) &'a C);

impl<'a, T: 'a, I, C> Awaited for Any<'_, C>
where
    C: Fn() -> I,
    I: Iterator<Item = &'a Handle<T>>,
{
    fn is_over(&self) -> bool {
        (self.0)().any(|child| child.outcome().is_some())
    }

    fn ask_for_wake(&self) -> bool {
        (self.0)().all(Handle::ask_for_wake)
    }

    fn is_unclaimed(&self, class: Class) -> bool {
        (self.0)().any(|child| Awaited::is_unclaimed(child.untyped(), class))
    }

    fn claim(&self, class: Class) -> Option<Running> {
        (self.0)().find_map(|child| Awaited::claim(child.untyped(), class))
    }

    fn describe(&self) -> WaitsFor {
        WaitsFor::Any
    }
}
