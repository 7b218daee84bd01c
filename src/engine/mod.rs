//! Which thread runs what: threads and their seats, shared work, waiting, sleeping, blocking.
//!
//! The engine sees a nursery only as a [`node::Node`]: a count, a home, a parent. The
//! layer above decides what follows from the outcome of a child.

pub(crate) mod awaited;
pub(crate) mod blocking;
pub(crate) mod by_hand;
pub(crate) mod context;
pub(crate) mod core;
mod counting;
pub(crate) mod crew;
pub(crate) mod enter;
mod execute;
pub(crate) mod frame;
pub(crate) mod grain;
mod hang;
pub(crate) mod hooks;
pub(crate) mod jobs;
mod lending;
pub(crate) mod limit;
mod links;
pub(crate) mod node;
pub(crate) mod polling;
pub(crate) mod publish;
mod recruiting;
pub(crate) mod report;
mod reporting;
pub(crate) mod revoke;
mod ring;
pub(crate) mod seat;
mod share;
pub(crate) mod shared;
mod side_threads;
pub(crate) mod special;
mod stop;
mod submitting;
pub(crate) mod survey;
pub(crate) mod tally;
pub(crate) mod timer;
pub(crate) mod turns;
pub(crate) mod wait;
pub(crate) mod watchdog;
pub(crate) mod watcher;
mod within;
pub(crate) mod worker;
mod workers;

/// What the threads of a pool run.
pub(crate) const MAINS: core::Mains = core::Mains {
    worker: worker::main,
    recruiter: recruiting::main,
    watchdog: watchdog::main,
    watch: watcher::watch,
    timer_is_not_needed: watcher::dismiss,
};
