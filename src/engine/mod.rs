//! Who runs what: threads and their seats, shared work, waiting, sleeping, blocking.
//!
//! The engine sees a nursery only as a [`scope_frame::ScopeFrame`]: a count, a home, a parent. What a
//! child is worth when it ends is decided above.

#[cfg(not(hatchery_loom))]
mod awaited;
#[cfg(not(hatchery_loom))]
pub(crate) mod blocking;
#[cfg(not(hatchery_loom))]
pub(crate) mod core;
pub(crate) mod count;
pub(crate) mod deadlines;
pub(crate) mod epoch;
#[cfg(not(hatchery_loom))]
pub(crate) mod frame;
#[cfg(not(hatchery_loom))]
pub(crate) mod hooks;
pub(crate) mod idle;
#[cfg(not(hatchery_loom))]
pub(crate) mod limit;
pub(crate) mod mark;
#[cfg(not(hatchery_loom))]
pub(crate) mod pace;
pub(crate) mod permits;
#[cfg(not(hatchery_loom))]
pub(crate) mod publish;
#[cfg(not(hatchery_loom))]
pub(crate) mod report;
pub(crate) mod requests;
pub(crate) mod roster;
#[cfg(not(hatchery_loom))]
pub(crate) mod scope_frame;
#[cfg(not(hatchery_loom))]
pub(crate) mod seat;
#[cfg(not(hatchery_loom))]
pub(crate) mod shared;
pub(crate) mod side;
pub(crate) mod strays;
#[cfg(not(hatchery_loom))]
pub(crate) mod survey;
#[cfg(not(hatchery_loom))]
pub(crate) mod tally;
pub(crate) mod threads;
#[cfg(not(hatchery_loom))]
pub(crate) mod timer;
#[cfg(not(hatchery_loom))]
pub(crate) mod turns;
#[cfg(not(hatchery_loom))]
pub(crate) mod wait;
#[cfg(not(hatchery_loom))]
pub(crate) mod watchdog;
#[cfg(not(hatchery_loom))]
pub(crate) mod worker;
