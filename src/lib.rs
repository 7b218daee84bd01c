//! dev
#![allow(missing_docs)]
mod engine;
mod platform;
#[cfg(not(loom))]
mod scope;
mod task;

#[cfg(all(loom, test))]
mod models;

#[cfg(not(loom))]
mod child;
#[cfg(not(loom))]
mod gather;
#[cfg(not(loom))]
mod nursery;
#[cfg(not(loom))]
mod pool;

#[cfg(not(loom))]
pub use self::{
    child::{Child, Children},
    gather::{Gather, gather},
    nursery::{Nursery, join, nursery},
    pool::{BuildError, Pool, PoolBuilder},
};
