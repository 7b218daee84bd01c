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
//! | call something that blocks, in a child that computes | [`block_in_place`] |
//! | let children fail, and get every failure back | [`try_nursery()`] |
//! | collect results of children that may fail | [`try_gather()`] |
//! | take the first success | [`race()`], [`race_each`] |
//! | stop after some time, on a signal, or run only so many at a time | [`Options`], [`CancelToken`] |
//! | clean up although the nursery is cancelled | [`shield()`] |
//! | use other threads than the shared ones | [`Pool`] |
//! | know how many threads compute here | [`threads`] |
//! | see what is going on, or why nothing is | [`Pool::stats`], [`Pool::dump`], [`PoolBuilder::watchdog`] |
//!
//! # While a thread waits
//!
//! A thread that waits in a nursery runs children of that nursery and their descendants, and
//! nothing else. So a lock, a borrow or a `OnceLock` held *around a whole* [`nursery()`] or [`join`]
//! call never meets foreign code on its own stack, unless something in that call joins a child of a
//! nursery further out: then it waits in that one. The stack is never deeper than the nesting of
//! tasks times a constant. Two programs can still hang, and so they would with any pool; see
//! [`Nursery::spawn`] and [`Child::join`].
//!
//! # On which thread
//!
//! A child runs on a thread of its pool, or on a thread that waits in its nursery or in one around it. The
//! second kind includes the threads that opened those nurseries, which may be any threads of your
//! program. So the thread of a child
//!
//! - may not have run the pool's start hook, nor have the pool's stack size
//!   ([`PoolBuilder::on_thread_start`], [`PoolBuilder::stack_size`]);
//! - may, or may not, have the caller's thread-locals: the context of an async runtime, the current
//!   tracing span, the floating-point mode.
//!
//! Pass a child what it needs in its closure, a runtime's handle for example. Only
//! [`Nursery::spawn_blocking`] promises to stay off the pool's computing threads, and even such a
//! child runs on the waiting thread if no side thread can be had.
//!
//! # Beside rayon and async runtimes
//!
//! A nursery blocks its thread until the last child has ended. In an async task, open it where the
//! runtime allows blocking (`tokio::task::spawn_blocking`). A pool's own threads have no runtime: a child
//! that calls into one captures the runtime's handle and enters it.
//!
//! A thread that waits for another thread pool does not compute for this one. So a child that calls a
//! parallel function of rayon does so in [`block_in_place`], and another thread takes its place. A rayon
//! thread that opens a nursery is a caller like any other, and runs no rayon jobs while it waits.
//!
//! # Recursive functions with a callback
//!
//! Pass a callback on by reference. A function that wraps its callback in a new closure has a new type
//! at each level, and the compiler stops at its recursion limit.
//!
//! ```
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! fn each_leaf<F: Fn() + Sync>(depth: u32, f: &F) {
//!     if depth == 0 {
//!         return f();
//!     }
//!     hatchery::join(|| each_leaf(depth - 1, f), || each_leaf(depth - 1, f));
//! }
//!
//! let leaves = AtomicU32::new(0);
//! each_leaf(4, &|| _ = leaves.fetch_add(1, Ordering::Relaxed));
//! assert_eq!(leaves.into_inner(), 16);
//! ```
//!
//! # Panics
//!
//! A panic in a child or in the body cancels the nursery: children not yet started are dropped
//! unrun, running ones are waited for. Then the panic goes on, its payload unchanged. If a joiner has
//! handled the panic, the nursery returns a value only if every child that nobody joined has run to its
//! end; else it panics, and says how many of those were dropped unrun. See [`nursery()`]. In a partial nursery a panic is a [`Failure`] like
//! an error. The closures of a [`join`] are no children: all of them always run, and then the first panic
//! goes on.
//!
//! # Failures and cancellation
//!
//! A [`nursery()`] is *total*: it runs all of its children, and comes to a value unless one panics. A
//! [`try_nursery()`] is *partial*: the first failure cancels the rest, and all failures come back.
//! Cancelling never interrupts: it keeps children from starting, and answers those who ask.
//!
//! | when a nursery is cancelled | total | partial | what you get back |
//! |---|---|---|---|
//! | a child that has not started | runs, unless a sibling panicked: then it is dropped unrun | is dropped unrun | from its `join`: [`FailureKind::Cancelled`]; the total nursery's unwinds |
//! | a child that runs | goes on | goes on | its value, as ever |
//! | a child that asks ([`checkpoint()`], [`TryNursery::checkpoint`]) | is told | is told | what it returns; an error counts as [late](Failures::late), and is to be had by [`TryNursery::on_late`] |
//! | a child that has ended | | | its value, or its failure |
//! | a blocking child in a system call | goes on | goes on | as above: end what it waits for, or have it ask |
//! | the iterator of a `spawn_each` | is run to its end | is asked for no more | the children so far, and one that says so if there may be more items |
//! | the body | goes on | goes on | its value, if no child was skipped against its will |
//! | a nursery further in | is told, and runs all | is cancelled, too | its own outcome |
//! | a [shield](shield()) further in | is told nothing | is told nothing | its own outcome |
//! | the nursery around it | goes on | goes on | |
//!
//! What a nursery returns is the table at [`try_nursery()`]; the reason of a cancellation is that at the
//! root, see [`Cancelled`].
//!
//! # Composing
//!
//! Library code need not know in whose nursery it runs. It opens its own, which inherits cancellation,
//! deadline and limit; where it takes long, it asks the free [`checkpoint()`]:
//!
//! ```
//! use std::time::Duration;
//! use hatchery::{Cancelled, Options, CancelReason};
//!
//! /// Knows nothing of its callers.
//! fn sum_of_squares(numbers: &[u64]) -> Result<u64, Cancelled> {
//!     if numbers.len() < 64 {
//!         hatchery::checkpoint()?;
//!         return Ok(numbers.iter().map(|n| n * n).sum());
//!     }
//!     let (left, right) = numbers.split_at(numbers.len() / 2);
//!     let (left, right) = hatchery::join(|| sum_of_squares(left), || sum_of_squares(right));
//!     Ok(left? + right?)
//! }
//!
//! let numbers: Vec<u64> = (0..1000).collect();
//! let sum = Options::new()
//!     .timeout(Duration::from_secs(60))
//!     .try_nursery(|n| n.spawn(|| sum_of_squares(&numbers)).join());
//! assert_eq!(sum.unwrap(), 332_833_500);
//!
//! let stopped = hatchery::try_nursery(|n| {
//!     n.cancel(); // from outside, as far as the library can tell
//!     Ok(sum_of_squares(&numbers)?)
//! });
//! assert_eq!(stopped.unwrap_err().late().len(), 1);
//! ```
//!
//! # Platforms
//!
//! The crate needs Rust 1.85 and a target with the standard library. All tests run on Linux on x86-64.
//! Each change is also compiled for Windows, macOS, Emscripten, and a processor of 32 bits without 64-bit
//! atomics; and it runs in WebAssembly where there are neither threads nor a clock. There the thread that
//! opens a nursery does all the work, and a [timeout](Options::timeout) never comes.
//!
//! On Windows the [end of a pool](Pool#the-end-of-a-pool) has a rule of its own, and where the system's
//! timer is coarse, a child that comes while a worker has just gone idle may start up to 16 ms later.

mod engine;
mod platform;
mod protocol;
mod scope;
mod task;

#[cfg(all(test, not(hatchery_shuttle)))]
mod faults;
#[cfg(hatchery_shuttle)]
pub use platform::shuttled::control;

#[cfg(test)]
mod refused;

mod boxed;
mod cancel;
mod child;
mod dump;
mod dump_text;
mod failure;
mod gather;
mod jobs;
mod listing;
mod nursery;
mod options;
mod outcome;
mod panicked;
mod pool;
mod race;
mod stats;
mod summary;
mod try_nursery;

pub use self::{
    boxed::BoxedError,
    cancel::{CancelReason, CancelToken, Cancelled, checkpoint},
    child::{ByCompletion, Child, Children},
    dump::{
        AwaitedChild, NurseryPart, NurserySnapshot, PoolSnapshot, ThreadSnapshot, ThreadState,
        Wait, WaitUntil,
    },
    failure::{Failure, FailureKind, Failures},
    gather::{Gather, TryGather, gather, try_gather},
    jobs::{Jobs, join, join_all},
    nursery::{Nursery, nursery},
    options::{OnFailure, Options, shield},
    panicked::Panic,
    pool::{BuildPoolError, Pool, PoolBuilder, block_in_place, threads},
    race::{Race, race, race_each},
    scope::ChildId,
    stats::{NurseryStats, PoolStats},
    try_nursery::{TryNursery, try_nursery},
};

/// Moves the clock that deadlines go by: for programs that check the crate, in builds of their own.
#[cfg(hatchery_clock)]
#[doc(hidden)]
pub fn move_clock(by: std::time::Duration) {
    platform::clock::moved::forward(by);
    engine::timer::look_again();
}
