use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::vec;

use crate::scope::{self, Handle};

pub struct Child<'scope, T> {
    /// Taken by `join`.
    handle: Option<Handle<T>>,
    _scope: PhantomData<&'scope ()>,
    _joined_by: OnlyItsSpawnerMayJoinAChild,
}

/// Waits point from spawner to spawned, so they cannot form a cycle.
struct OnlyItsSpawnerMayJoinAChild(PhantomData<*const ()>);

// A panic leaves the state of a child as it is: finished, or not.
impl<T> UnwindSafe for Child<'_, T> {}
impl<T> RefUnwindSafe for Child<'_, T> {}

impl<T> Child<'_, T> {
    pub(crate) fn new(handle: Handle<T>) -> Self {
        Self {
            handle: Some(handle),
            _scope: PhantomData,
            _joined_by: OnlyItsSpawnerMayJoinAChild(PhantomData),
        }
    }

    pub fn join(mut self) -> T {
        let handle = self.handle.take().expect("joined once");
        scope::join(handle)
    }

    pub fn is_finished(&self) -> bool {
        self.handle
            .as_ref()
            .is_some_and(|handle| handle.outcome().is_some())
    }
}

impl<T> Drop for Child<'_, T> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            scope::abandon(handle);
        }
    }
}

impl<T> fmt::Debug for Child<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

pub struct Children<'scope, T> {
    unjoined: vec::IntoIter<Child<'scope, T>>,
}

impl<'scope, T> Children<'scope, T> {
    pub(crate) fn new(children: Vec<Child<'scope, T>>) -> Self {
        Self {
            unjoined: children.into_iter(),
        }
    }
}

impl<T> Iterator for Children<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.unjoined.next().map(Child::join)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.unjoined.size_hint()
    }
}

impl<T> ExactSizeIterator for Children<'_, T> {}
impl<T> FusedIterator for Children<'_, T> {}

impl<T> fmt::Debug for Children<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unjoined = self.unjoined.as_slice();
        f.debug_struct("Children")
            .field("unjoined", &unjoined.len())
            .field(
                "finished",
                &unjoined.iter().filter(|child| child.is_finished()).count(),
            )
            .finish()
    }
}
