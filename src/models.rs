//! Model tests: every interleaving (and every allowed reordering) of the protocols.
//!
//! Run with `cargo test --release --manifest-path verify/loom/Cargo.toml`. Two threads run unbounded, three
//! threads with at most three preemptions, where bugs of depth three still show.
#![allow(unsafe_code, reason = "a cell whose every access the model checks")]

mod count;
mod idle;
mod lazy;
mod mark;
mod parker;
mod permits;
mod spares;
mod state;

use loom::cell::UnsafeCell;
use loom::model::Builder;

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

/// Explores a model of up to two threads without bound.
fn exhaustively(model: impl Fn() + Sync + Send + 'static) {
    Builder::new().check(model);
}

/// Explores a model of more threads up to three preemptions.
fn within_bounds(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}
