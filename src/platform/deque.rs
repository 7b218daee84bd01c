//! The deque that work is stolen from.
//!
//! It is made of atomics of its own, which no scheduler of tests sees; so there each operation on it is
//! one step, with a point before it at which other threads may go first.

#[cfg(hatchery_shuttle)]
pub(crate) use super::shuttled::{Stealer, Worker};
pub(crate) use crossbeam_deque::Steal;
#[cfg(not(hatchery_shuttle))]
pub(crate) use crossbeam_deque::{Stealer, Worker};
