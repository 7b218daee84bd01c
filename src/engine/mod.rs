//! Who runs what: threads and their seats, shared work, waiting, sleeping, blocking.
//!
//! The engine sees a nursery only as a [`scope_frame::ScopeFrame`]: a count, a home, a parent. What a
//! child is worth when it ends is decided above.

#[cfg(not(loom))]
pub(crate) mod blocking;
#[cfg(not(loom))]
pub(crate) mod core;
pub(crate) mod count;
pub(crate) mod deadlines;
pub(crate) mod epoch;
#[cfg(not(loom))]
pub(crate) mod frame;
pub(crate) mod idle;
#[cfg(not(loom))]
pub(crate) mod limit;
pub(crate) mod mark;
#[cfg(not(loom))]
pub(crate) mod pace;
pub(crate) mod permits;
#[cfg(not(loom))]
pub(crate) mod publish;
#[cfg(not(loom))]
pub(crate) mod report;
pub(crate) mod requests;
pub(crate) mod roster;
#[cfg(not(loom))]
pub(crate) mod scope_frame;
#[cfg(not(loom))]
pub(crate) mod seat;
#[cfg(not(loom))]
pub(crate) mod shared;
pub(crate) mod side;
pub(crate) mod strays;
#[cfg(not(loom))]
pub(crate) mod survey;
#[cfg(not(loom))]
pub(crate) mod tally;
pub(crate) mod threads;
#[cfg(not(loom))]
pub(crate) mod timer;
#[cfg(not(loom))]
pub(crate) mod wait;
#[cfg(not(loom))]
pub(crate) mod watchdog;
#[cfg(not(loom))]
pub(crate) mod worker;
