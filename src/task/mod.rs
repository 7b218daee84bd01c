//! One child with its types erased: its record, its state byte, the memory it lives in.
//!
//! Nothing here knows what a nursery or a pool is.

#[cfg(not(hatchery_loom))]
pub(crate) mod arena;
pub(crate) mod chunk;
pub(crate) mod completion;
mod consume;
pub(crate) mod growing;
pub(crate) mod list;
pub(crate) mod memory;
#[cfg(not(hatchery_loom))]
pub(crate) mod owned;
pub(crate) mod placement;
pub(crate) mod private;
mod rank;
pub(crate) mod record;
pub(crate) mod slab;
pub(crate) mod state;
