//! One erased "run me once": its record, its state byte, the memory it lives in.
//!
//! Nothing here knows what a nursery or a pool is.

#[cfg(not(loom))]
pub(crate) mod arena;
#[cfg_attr(loom, allow(dead_code, reason = "models use some of it"))]
pub(crate) mod chunk;
#[cfg(not(loom))]
mod consume;
#[cfg_attr(loom, allow(dead_code, reason = "models use some of it"))]
pub(crate) mod list;
#[cfg_attr(loom, allow(dead_code, reason = "models use some of it"))]
pub(crate) mod record;
#[cfg(not(loom))]
pub(crate) mod room;
#[cfg(not(loom))]
pub(crate) mod slab;
pub(crate) mod state;
