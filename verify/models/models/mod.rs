//! Model tests: every interleaving (and every allowed reordering) of the protocols.
//!
//! Run by `verify/models/run`. Two threads run unbounded, three threads with up to three preemptions at
//! least, where bugs of depth three still show.
#![allow(unsafe_code, reason = "a cell whose every access the model checks")]

mod absent;
mod biased;
mod count;
mod deque;
mod failures;
mod foreign;
mod fork;
mod gate;
mod harness;
mod helpers;
mod idle;
mod injector;
mod jobs;
mod lazy;
mod leapfrog;
mod limits;
mod mark;
mod nursery;
mod parker;
mod permits;
mod promise;
mod publish;
mod requests;
mod ring;
mod roster;
mod runs;
mod shutdown;
mod side;
mod skipped;
mod slab;
mod spares;
mod split;
mod start;
mod state;
mod timer;
mod tree;
mod woken;

use std::mem::ManuallyDrop;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

use self::harness::{exhaustively, twins, within_bounds};

/// Spawns a thread that calls `run` with what it shares with this thread.
fn spawn_with<P: 'static, T: 'static>(
    shared: &Arc<P>,
    run: impl FnOnce(&P) -> T + 'static,
) -> JoinHandle<T> {
    let shared = Arc::clone(shared);
    thread::spawn(move || run(&shared))
}

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

/// A value that ends when its owner says so, not when the last reference does. The model reports
/// whoever looks at its atomics later, or at the same time.
struct Place<T>(std::cell::UnsafeCell<ManuallyDrop<T>>);

// SAFETY: it is shared, and ended by one thread; `T` has nothing that ends with it but atomics.
unsafe impl<T: Send + Sync> Sync for Place<T> {}

impl<T> Place<T> {
    fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(ManuallyDrop::new(value)))
    }

    fn get(&self) -> &T {
        // SAFETY: the memory stays; that the value does is what the model is about.
        unsafe { &*self.0.get() }
    }

    /// Ends the value; once.
    fn free(&self) {
        // SAFETY: as above.
        let value = unsafe { &mut *self.0.get() };
        // SAFETY: by the condition.
        unsafe { ManuallyDrop::drop(value) };
    }
}

/// Runs `other` on another thread, and `here` on this one, which may lend what it has.
fn beside<R>(other: impl FnOnce(), here: impl FnOnce() -> R) -> R {
    let other: Box<dyn FnOnce() + '_> = Box::new(other);
    // SAFETY: the thread is over before this returns, and a model that unwinds does not go on.
    let other: Box<dyn FnOnce() + 'static> = unsafe { std::mem::transmute(other) };
    let other = loom::thread::spawn(other);
    let result = here();
    other.join().unwrap();
    result
}
