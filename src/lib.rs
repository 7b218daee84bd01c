//! dev
#![allow(missing_docs)]
mod engine;
mod platform;
mod scope;
mod task;

mod child;
mod gather;
mod nursery;
mod pool;

pub use child::{Child, Children};
pub use gather::{Gather, gather};
pub use nursery::{Nursery, join, nursery};
pub use pool::{BuildError, Pool, PoolBuilder};
