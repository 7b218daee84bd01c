//! The deque that work is stolen from.
//!
//! It is made of atomics of its own, which no scheduler of tests sees; so there each operation on it is
//! one step, with a point before it at which other threads may go first. In the laboratory each operation
//! costs what its atomics would.
//!
//! A thief copies a value before it knows whether the value is its own. Miri calls that what it is, a data race; so
//! programs that Miri runs have a queue under a lock.

#[cfg(hatchery_shuttle)]
pub(crate) use super::shuttled::{Stealer, Worker};
pub(crate) use crossbeam_deque::Steal;
#[cfg(not(any(hatchery_shuttle, hatchery_lab, miri)))]
pub(crate) use crossbeam_deque::{Stealer, Worker};
#[cfg(hatchery_lab)]
pub(crate) use laboratory::deque::{Stealer, Worker};
#[cfg(all(miri, not(any(hatchery_shuttle, hatchery_lab))))]
pub(crate) use locked::{Stealer, Worker};

#[cfg(all(miri, not(any(hatchery_shuttle, hatchery_lab))))]
mod locked {
    use std::collections::VecDeque;

    use super::Steal;
    use crate::platform::sync::{Arc, Mutex, lock};

    type Values<T> = Arc<Mutex<VecDeque<T>>>;

    /// The owner's end.
    pub(crate) struct Worker<T>(Values<T>);

    impl<T> Worker<T> {
        pub(crate) fn new_lifo() -> Self {
            Self(Arc::default())
        }

        pub(crate) fn stealer(&self) -> Stealer<T> {
            Stealer(Arc::clone(&self.0))
        }

        pub(crate) fn push(&self, value: T) {
            lock(&self.0).push_back(value);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            lock(&self.0).pop_back()
        }

        pub(crate) fn is_empty(&self) -> bool {
            lock(&self.0).is_empty()
        }
    }

    /// The thieves' end.
    pub(crate) struct Stealer<T>(Values<T>);

    impl<T> Stealer<T> {
        pub(crate) fn steal(&self) -> Steal<T> {
            let oldest = lock(&self.0).pop_front();
            oldest.map_or(Steal::Empty, Steal::Success)
        }

        pub(crate) fn is_empty(&self) -> bool {
            lock(&self.0).is_empty()
        }

        pub(crate) fn len(&self) -> usize {
            lock(&self.0).len()
        }
    }
}
