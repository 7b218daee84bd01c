//! The layers of the crate that know no thread's stack, compiled for the model checker, and their models.
#![allow(dead_code, reason = "most of the callers are in layers above")]

mod engine;
#[path = "../../src/platform/mod.rs"]
mod platform;
#[path = "../../src/protocol/mod.rs"]
mod protocol;
#[path = "../../src/task/mod.rs"]
mod task;

#[cfg(test)]
mod models;
