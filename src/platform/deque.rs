//! The deque that work is stolen from.
//!
//! It is made of atomics of its own, which no scheduler of tests sees; so there each operation on it is
//! one step, with a point before it at which other threads may go first. In the laboratory each operation
//! costs what its atomics would.

#[cfg(hatchery_shuttle)]
pub(crate) use super::shuttled::{Stealer, Worker};
pub(crate) use crossbeam_deque::Steal;
#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
pub(crate) use crossbeam_deque::{Stealer, Worker};
#[cfg(hatchery_lab)]
pub(crate) use laboratory::deque::{Stealer, Worker};
