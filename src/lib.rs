//! Nurseries (structured concurrency) for CPU-bound work on a shared work-stealing pool.
//!
//! A [`nursery()`] opens in place, on any thread. Its children borrow from the enclosing frame, run
//! on the pool, and each of them returns a typed value. Nobody outlives the closing brace: the end
//! of the nursery waits for every child, and *helps* while it waits.
//!
//! ```
//! let words = ["structured", "concurrency"];
//! let (letters, longest) = hatchery::nursery(|n| {
//!     let letters = n.spawn(|| words.iter().map(|w| w.len()).sum::<usize>());
//!     let longest = n.spawn(|| words.iter().map(|w| w.len()).max());
//!     (letters.join(), longest.join())
//! }); // nobody outlives this line
//! assert_eq!((letters, longest), (21, Some(11)));
//! ```
//!
//! # What to use
//!
//! | to do | use |
//! |-------|-----|
//! | run a few different things and get their values | [`nursery()`], [`Nursery::spawn`], [`Child::join`] |
//! | run one function over many items | [`Nursery::spawn_each`] |
//! | collect results in the order of the calls | [`gather()`] |
//! | split in two, recursively | [`join`] |
//! | wait for I/O, sleep, take a lock, talk to a sibling | [`Nursery::spawn_blocking`] |
//! | use other threads than the shared ones | [`Pool`] |
//!
//! # While a thread waits
//!
//! A thread that waits in a nursery runs children of that nursery and their descendants, and
//! nothing else. So a lock, a borrow or a `OnceLock` held *around a whole* [`nursery()`] or [`join`]
//! call never meets foreign code on its own stack, and the stack is never deeper than the nesting
//! of tasks times a constant. Two programs can still hang, and so they would with any pool; see
//! [`Nursery::spawn`] and [`Child::join`].
//!
//! # Panics
//!
//! A panic in a child or in the body cancels the nursery: children not yet started are dropped
//! unrun, running ones are waited for. Then the panic goes on, its payload unchanged. See
//! [`nursery()`].

// Under the model checker only the protocols are compiled: see `models`.
mod engine;
mod platform;
mod task;

#[cfg(all(loom, test))]
mod models;

#[cfg(not(loom))]
mod cancel;
#[cfg(not(loom))]
mod child;
#[cfg(not(loom))]
mod failure;
#[cfg(not(loom))]
mod gather;
#[cfg(not(loom))]
mod jobs;
#[cfg(not(loom))]
mod nursery;
#[cfg(not(loom))]
mod options;
#[cfg(not(loom))]
mod outcome;
#[cfg(not(loom))]
mod pool;
#[cfg(not(loom))]
mod race;
#[cfg(not(loom))]
mod scope;
#[cfg(not(loom))]
mod try_nursery;

#[cfg(not(loom))]
pub use self::{
    cancel::{CancelToken, Cancelled, Reason, checkpoint},
    child::{Child, Children},
    failure::{Failure, Failures, Kind, Panic},
    gather::{Gather, gather},
    jobs::{Jobs, join_all},
    nursery::{Nursery, join, nursery},
    options::{OnFailure, Options},
    pool::{BuildError, Pool, PoolBuilder},
    race::{Race, race, race_each},
    scope::ChildId,
    try_nursery::{TryNursery, try_nursery},
};
