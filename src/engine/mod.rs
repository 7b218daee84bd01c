//! Which thread runs what: threads and their seats, shared work, waiting, sleeping, blocking.
//!
//! The engine sees a nursery only as a [`node::Node`]: a count, a home, a parent. The
//! layer above decides what follows from the outcome of a child.

mod awaited;
pub(crate) mod blocking;
pub(crate) mod core;
pub(crate) mod frame;
pub(crate) mod grain;
pub(crate) mod hooks;
pub(crate) mod limit;
pub(crate) mod node;
mod opener;
pub(crate) mod publish;
pub(crate) mod report;
pub(crate) mod seat;
pub(crate) mod shared;
pub(crate) mod survey;
pub(crate) mod tally;
pub(crate) mod timer;
pub(crate) mod turns;
pub(crate) mod wait;
pub(crate) mod watchdog;
pub(crate) mod worker;
