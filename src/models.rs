//! Model tests: every interleaving (and every allowed reordering) of the protocols.
//!
//! Run with `cargo test --release --manifest-path verify/loom/Cargo.toml`. Two threads run unbounded, three
//! threads with at most three preemptions, where bugs of depth three still show.
#![allow(unsafe_code, reason = "a cell whose every access the model checks")]

mod count;
mod harness;
mod idle;
mod lazy;
mod mark;
mod parker;
mod permits;
mod spares;
mod state;

use loom::cell::UnsafeCell;

use self::harness::{exhaustively, twins, within_bounds};

/// Plain memory, whose races the model reports.
struct Memory<T>(UnsafeCell<T>);

impl<T: Copy> Memory<T> {
    fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn read(&self) -> T {
        // SAFETY: the model fails before a write that races with this.
        self.0.with(|value| unsafe { *value })
    }

    fn write(&self, value: T) {
        // SAFETY: the model fails before any access that races with this.
        self.0.with_mut(|place| unsafe { *place = value });
    }
}
