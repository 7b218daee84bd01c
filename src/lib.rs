//! Nurseries (structured concurrency) for CPU-bound work on a shared work-stealing pool.
//!
//! A [`nursery()`] opens in place, on any thread. Its children borrow from the function around it, run on
//! the pool, and return typed values. No child outlives the closing brace: the end of the nursery waits for
//! all children, and runs some of them while it waits.
//!
//! ```
//! let words = ["structured", "concurrency"];
//! let (letters, longest) = hatchery::nursery(|n| {
//!     let letters = n.spawn(|| words.iter().map(|w| w.len()).sum::<usize>());
//!     let longest = n.spawn(|| words.iter().map(|w| w.len()).max());
//!     (letters.join(), longest.join())
//! }); // no child outlives this line
//! assert_eq!((letters, longest), (21, Some(11)));
//! ```
//!
//! # What to use
//!
//! | to do | use |
//! |-------|-----|
//! | run a few different things and get their values | [`nursery()`], [`Nursery::spawn`], [`Child::join`] |
//! | run one function over the items of an iterator, as children | [`Nursery::spawn_each`] |
//! | the same over an iterator that is long or has no end, some items at a time | [`Nursery::spawn_buffered`] |
//! | run one function over numbers, a slice or a `Vec`, at next to no cost for an item | [`for_each()`], [`map`], [`fold`] |
//! | collect results in the order of the calls | [`gather()`] |
//! | split in two, recursively | [`join`] |
//! | wait for I/O, sleep, wait for others for long or often | [`Nursery::spawn_blocking`] |
//! | call something that blocks, in a child that computes | [`block_in_place`] |
//! | let children fail, and get all failures back | [`try_nursery()`] |
//! | collect results of children that may fail | [`try_gather()`] |
//! | take the first success | [`race()`], [`race_each`] |
//! | take whichever child ends first, again and again | [`Nursery::set`], [`ChildSet`] |
//! | compute for a caller that must not block | [`submit()`], [`Gate`] |
//! | compute on the pool's threads only | [`Pool::install`], [`PoolBuilder::callers`] |
//! | move a program from [`std::thread::scope`] | [`thread`] |
//! | stop after some time or on a signal, limit how many children run at once | [`Options`], [`CancelToken`] |
//! | clean up although the nursery is cancelled | [`shield()`] |
//! | use other threads than the shared ones | [`Pool`] |
//! | set the number of the shared threads, their stack size and so on | [`PoolBuilder::build_shared`] |
//! | take thread-locals along to the threads of a pool | [`PoolBuilder::context`] |
//! | make threads of your own, or rayon's, obey the nursery around | [`current()`] |
//! | know how many threads compute here | [`threads`] |
//! | see what a program does, or why it hangs | [`Pool::stats`], [`Pool::dump`], [`PoolBuilder::watchdog`] |
//!
//! To write a function that spawns into the nursery of its caller, see [`Nursery`](Nursery#lifetimes).
//!
//! # While a thread waits
//!
//! A thread that waits in a nursery runs children of that nursery and their descendants, and no other code. So
//! hold a lock, a borrow or a `OnceLock` *around a whole* [`nursery()`] or [`join`] call without fear: no
//! unrelated code runs on the same stack meanwhile. There is one exception: if code in that call joins a child of
//! an outer nursery, the thread waits in the outer nursery, and runs children of that.
//!
//! The depth of the stack is at most a constant times the nesting of tasks.
//!
//! # What a child may wait for
//!
//! A program that ends when each child is a thread of [`std::thread::scope`] ends as well when the children run on a
//! pool, even on a pool of one thread. Children may wait for each other, by channels, locks, barriers or condition
//! variables. And the body may wait for them: it may take what they send, accept their connections, or look again and
//! again whether a child has ended.
//!
//! ```
//! use std::sync::mpsc::channel;
//!
//! let (sender, receiver) = channel();
//! let sum: u32 = hatchery::nursery(|n| {
//!     for i in 0..200 {
//!         let sender = sender.clone();
//!         n.spawn(move || sender.send(i));
//!     }
//!     receiver.iter().take(200).sum() // blocks this thread, so other threads run the children
//! });
//! assert_eq!(sum, 19_900);
//! ```
//!
//! A child that has not started starts within 10 ms once a thread of its pool has a place and nothing to do, whatever
//! the thread that spawned it does meanwhile. A thread that blocks keeps its place for at most 50 ms; then another
//! thread [takes it](Pool#threads-that-block). So children that wait for each other are slow: each such wait may cost
//! some 5 to 20 ms, and a thread. Children that block for long or often, or that must not lose these milliseconds,
//! are for [`Nursery::spawn_blocking`]; a single call that blocks is for [`block_in_place`].
//!
//! These programs may still hang, or wait longer:
//!
//! - **Items of one batch.** The items of a [`spawn_each`](Nursery::spawn_each) run in batches, one item after the
//!   other. If an item blocks, those behind it in its batch start only when it returns. So items that wait for
//!   each other should be spawned with [`spawn`](Nursery::spawn). The items of [`for_each()`], [`map`] and [`fold`]
//!   must not wait for each other either.
//! - **The second closure of a [`join`]** is no child: the first closure must not wait for it. The same holds for
//!   [`join_all`].
//! - **What runs on top of a wait.** A thread that waits in [`Child::join`], or for another value of its children, may
//!   run other children meanwhile, and goes on when these have ended. Such a child must not wait for what the thread
//!   does after the `join`. For example, a body must not hold a lock across a `join` if children take that lock.
//! - **Many blocked threads.** There are at most [`spare_threads`](PoolBuilder::spare_threads) to take over from
//!   blocked threads, 64 by default.
//! - **Limits.** A child of a nursery with a [limit](Options::limit) counts while it blocks, too: no more children may
//!   wait for each other than the limit allows at a time.
//! - **A foreign thread's `spawn_each`.** A thread that runs neither the body nor a child of a nursery may call
//!   `spawn_each` on it. Then nobody sees a batch before it is complete. So the iterator must not wait for the children
//!   of the items that it has just returned.
//! - **Other systems.** The pool finds out on Linux only that a thread is blocked. On other systems one more thread
//!   computes if children wait and none has begun for 100 ms, and the next one after twice that time. Where there are
//!   no threads, or the system refuses them, children cannot wait for each other at all.
//!
//! # On which thread
//!
//! A child runs on a thread of its pool, or on a thread that waits in its nursery or in a nursery around it. A
//! waiting thread may be any thread of your program that has opened a nursery. So the thread of a child
//!
//! - may not have called the pool's start hook, and may not have the pool's stack size
//!   ([`PoolBuilder::on_thread_start`], [`PoolBuilder::stack_size`]);
//! - may or may not have the caller's thread-locals: the context of an async runtime, the floating-point mode.
//!   [`PoolBuilder::context`] takes along what you choose, and the feature `tracing` the current span.
//!
//! The same holds for the closures of a [`join`] and the items of a [`for_each()`].
//!
//! Pass a child what it needs in its closure, for example the handle of a runtime. Only
//! [`Nursery::spawn_blocking`] keeps a child off the pool's computing threads, and even such a child runs on a
//! waiting thread if there is no side thread for it.
//!
//! # With rayon and async runtimes
//!
//! A nursery blocks its thread until the last child has ended. In an async task, open it where the runtime
//! allows blocking (`tokio::task::spawn_blocking`). A pool's own threads have no runtime: a child that calls into
//! a runtime captures the runtime's handle and enters it.
//!
//! A thread that waits for another thread pool does not compute for this pool. So call a parallel function of rayon
//! within [`block_in_place`], and another thread takes the child's place at once. Its jobs know nothing of the nursery,
//! unless they [enter](Current::enter) it. A rayon thread that opens a nursery
//! is a caller like any other, and runs no rayon jobs while it waits.
//!
//! Two pools have more threads together than there are CPUs. To compute on the threads of the other pool, build one with
//! [`PoolBuilder::threads_by`]: then a child that calls rayon is on a thread of rayon, and need not block.
//!
//! # Coming from `std::thread::scope`
//!
//! | `std::thread` | here |
//! |---|---|
//! | `thread::scope(\|s\| ..)` | [`nursery()`], on any thread |
//! | `s.spawn(f)` | [`Nursery::spawn`], or [`Nursery::spawn_blocking`] if `f` blocks for long or often |
//! | `s.spawn(..)` in a spawned closure | the same: a child may spawn siblings |
//! | `handle.join()`, a `Result` | [`Child::join`], the value; a panic of the child goes on from there |
//! | `handle.join()`, to handle a panic | [`try_nursery()`]: a panic is a [`Failure`] |
//! | `handle.is_finished()` | [`Child::is_finished`] |
//! | a handle that another thread joins | none: only the task that spawned a child may join it |
//! | `thread::Builder`: name, stack size | [`PoolBuilder::name`], [`PoolBuilder::stack_size`], for the threads of a pool |
//! | `thread::park`, thread-locals of the spawned thread | none: a child has no thread of its own |
//!
//! A child is a record and no thread, so spawn as many as there are pieces of work. They need not all run at
//! the same time. The first panic cancels the nursery: children that have not started are dropped unrun. With
//! threads they would run.
//!
//! # Coming from rayon
//!
//! | rayon | here |
//! |---|---|
//! | `join(a, b)` | [`join`], and [`join_all`] for more |
//! | `scope(\|s\| ..)`, `s.spawn(\|s\| ..)` | [`nursery()`], [`Nursery::spawn`]: the closure has no argument, and its value comes back |
//! | `in_place_scope` | [`nursery()`]: its body always runs on the thread that calls it |
//! | `scope_fifo` | [`nursery()`]: a thread starts its children in the order of the calls |
//! | `spawn(f)` | [`submit(f).detach()`](submit()): no child outlives its nursery, but a job may outlive its submitter |
//! | `par_iter().for_each(f)`, `into_par_iter`, `par_iter_mut` | [`for_each()`] with `&v`, `v`, `&mut v` |
//! | `par_iter().map(f).collect()` | [`map`] |
//! | `par_iter().fold(..).reduce(..)`, `sum` | [`fold`] |
//! | `par_chunks`, `par_chunks_mut` | [`chunks`], [`chunks_mut`] |
//! | `zip`, `enumerate` | a pair of inputs, the pair `(0.., items)`: see [`Indexed`] |
//! | `par_bridge` | [`Nursery::spawn_each`], [`Nursery::spawn_buffered`] |
//! | `try_for_each` | [`TryNursery::spawn_each`], with all failures |
//! | `find_any` | [`race_each`] |
//! | `filter`, `flat_map`, `par_sort` and so on | none: use rayon for chains of iterators and for sorting |
//! | `ThreadPoolBuilder::build`, `install` | [`PoolBuilder::build`], [`Pool::install`], and the verbs as methods: [`Pool::nursery`], [`Pool::join`] |
//! | `build_global` | [`PoolBuilder::build_shared`] |
//! | `RAYON_NUM_THREADS` | `HATCHERY_THREADS` |
//! | `current_num_threads` | [`threads`] |
//! | `broadcast`, `yield_now`, `current_thread_index` | none |
//!
//! A rayon thread that waits may run any job of its pool on the same stack. Here it runs only what belongs to the
//! nursery it waits in. A rayon thread that blocks is missing in its pool. Here another thread
//! [takes its place](Pool#threads-that-block).
//!
//! # Recursive functions with a callback
//!
//! Pass a callback on by reference. If a function wraps its callback in a new closure at each level, each level
//! has a new type, and the compiler stops at its recursion limit.
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
//! A panic in a child or in the body cancels the nursery. Children that have not started are dropped unrun, and the
//! nursery waits for the children that run. Then a total nursery goes on with the panic, its payload unchanged;
//! [`nursery()`] has the details, also for panics that were handled by a join. In a partial nursery a panic is a
//! [`Failure`], like an error.
//!
//! The closures of a [`join`] are no children: all of them always run. Then `join` goes on with the first panic.
//! Nor are the items of a [`for_each()`] children: all items before the first that panics are run, and its panic goes on.
//!
//! # Failures and cancellation
//!
//! A [`nursery()`] is *total*: it runs all of its children, and returns a value unless one of them panics. A
//! [`try_nursery()`] is *partial*: the first failure cancels the other children, and it returns all failures.
//! Cancelling a nursery never interrupts a child. It keeps children from starting, and tells those that call a
//! checkpoint.
//!
//! | when a nursery is cancelled | total nursery | partial nursery | what you get back |
//! |---|---|---|---|
//! | a child that has not started | runs, unless a sibling panicked: then it is dropped unrun | is dropped unrun | partial: `join` returns [`FailureKind::Cancelled`]; total, dropped unrun: `join` panics |
//! | a child that runs | goes on | goes on | its value |
//! | a child that calls a checkpoint ([`checkpoint()`], [`TryNursery::checkpoint`]) | is told | is told | what it returns; an error counts as [late](Failures::late), and [`TryNursery::on_late`] can receive it |
//! | a child that has ended | | | its value or its failure |
//! | a blocking child in a system call | goes on | goes on | its value: end what it waits for, or let it call a checkpoint now and then |
//! | the iterator of a `spawn_each` or `spawn_buffered` | goes on | is not asked for further items | the children so far; if there may be more items, one more child that says cancelled |
//! | a closure of a [`join`], an item of a [`for_each()`] | runs | runs | its value |
//! | the body | goes on | goes on | its value, unless a child was skipped for another reason than the nursery's own `cancel` |
//! | a nursery inside | is told, and runs all children if it is total | is cancelled if it is partial | its own outcome |
//! | a [shield](shield()) inside | goes on | goes on | its own outcome |
//! | the nursery around | goes on | goes on | |
//!
//! The table at [`try_nursery()`] says what a partial nursery returns, the
//! [picture](Failures#how-the-types-relate) at [`Failures`] how the types of failures relate, and
//! [`Cancelled::reason`] why a nursery was cancelled.
//!
//! # Composing
//!
//! Library code need not know in whose nursery it runs. It opens a nursery of its own, which inherits cancellation,
//! deadline and limit. In long computations it calls the free [`checkpoint()`]:
//!
//! ```
//! use std::time::Duration;
//! use hatchery::{Cancelled, Options};
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
//!     n.cancel(); // the library does not know of this nursery
//!     Ok(sum_of_squares(&numbers)?)
//! });
//! assert_eq!(stopped.unwrap_err().late().len(), 1);
//! ```
//!
//! # Features
//!
//! `serde` implements `Serialize` for [`PoolSnapshot`] and its parts, [`PoolStats`] and [`NurseryStats`].
//!
//! `tracing` is for programs that use the crate of that name. Each pool without a
//! [context](PoolBuilder::context) of its own has one: the span in which a nursery was opened, or a job submitted, is
//! entered wherever the children run. A nursery with a [name](Options::name) opens a span `nursery` at the level `INFO`,
//! with the field `name`, around its body and its end. Events at the level `TRACE` say what threads do:
//!
//! | event | when | fields |
//! |---|---|---|
//! | `worker_thread` | a worker has started | `pool` |
//! | `run_stolen` | the thread has taken children from another thread | `pool`, `victim`, `children` |
//! | `thread_idle` | a thread that waits in a nursery finds nothing to do | `pool` |
//! | `thread_active` | its wait is over | `pool` |
//!
//! The target of all of them is `hatchery`. A subscriber that panics harms no nursery.
//!
//! No feature is on by default.
//!
//! # Platforms
//!
//! The crate needs Rust 1.85 and a target with the standard library. A version that needs a newer Rust is a new
//! minor version, and does not need a newer one than the current stable Debian has.
//!
//! All tests run on Linux on x86-64. A part of them also runs on other processors, on Windows and in WebAssembly, on
//! emulators; for macOS, Android and the BSDs the crate is only compiled. The README names all of them. In
//! WebAssembly the thread that opens a nursery does all the work. Where there is no clock, either
//! (`wasm32-unknown-unknown`), a [timeout](Options::timeout) never passes.
//!
//! For [Miri](https://github.com/rust-lang/miri), which wants no thread to be left at the end and knows no signals and
//! forks, the shared pool has no threads: who opens a nursery does all the work. Pools of your own have threads, so
//! that Miri sees children run at once. Nobody watches deadlines, which are noticed at the next check or start. This
//! is tested without Miri.
//!
//! On Windows the [end of a pool](Pool#the-end-of-a-pool) has a rule of its own. If the timer of the system is
//! coarse, a child that is spawned just after a worker went idle may start one tick of the timer later.

mod engine;
mod platform;
mod protocol;
mod scope;
mod task;

#[cfg(all(test, hatchery_faults))]
#[path = "../verify/faults/mod.rs"]
mod faults;
#[cfg(hatchery_shuttle)]
pub use platform::shuttled::control;

mod boxed;
mod buffered;
#[doc(hidden)]
pub mod by_hand;
mod cancel;
mod child;
mod child_set;
mod current;
mod dump;
mod dump_text;
mod environment;
mod failure;
mod for_each;
mod forks;
mod gate;
mod gather;
mod helper;
mod indexed;
mod nursery;
mod options;
mod outcome;
mod panicked;
mod pool;
mod race;
mod stats;
mod submit;
pub mod thread;
mod try_nursery;

pub use self::{
    boxed::BoxedError,
    buffered::Buffered,
    cancel::{CancelGuard, CancelReason, CancelToken, Cancelled, checkpoint},
    child::{ByCompletion, Child, Children},
    child_set::ChildSet,
    current::{Current, current},
    dump::{
        AwaitedChild, NurseryPart, NurserySnapshot, PoolSnapshot, Taking, ThreadSnapshot,
        ThreadState, Wait, WaitUntil,
    },
    failure::{Failure, FailureKind, Failures},
    for_each::{fold, for_each, map},
    forks::{Closures, join, join_all},
    gate::{Gate, GateClosed, Inside, Refused},
    gather::{Gather, TryGather, gather, try_gather},
    helper::Helper,
    indexed::{Chunks, Indexed, chunks, chunks_mut},
    nursery::{Nursery, nursery},
    options::{OnFailure, Options, shield},
    panicked::Panic,
    pool::{BuildPoolError, Pool, PoolBuilder, block_in_place, threads},
    race::{Race, race, race_each},
    scope::ChildId,
    stats::{NurseryStats, PoolStats},
    submit::{Submitted, submit, try_submit},
    try_nursery::{TryNursery, try_nursery},
};

/// Moves the clock that deadlines use, in special builds that check the crate.
#[cfg(hatchery_clock)]
#[doc(hidden)]
pub fn move_clock(by: std::time::Duration) {
    platform::clock::moved::forward(by);
    engine::timer::look_again();
}
