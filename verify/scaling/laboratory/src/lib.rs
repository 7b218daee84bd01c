//! A machine in virtual time: it stands for `std::sync`, `std::thread` and the clock, so that a scheduler's own
//! source is timed on more cores than there are.
//!
//! One thread of the system plays all virtual threads. Each of these is a coroutine on a core of its own, with a clock
//! of its own. Before each operation on shared memory, the virtual thread with the smallest clock goes first. So the
//! operations happen in the order of virtual time. An operation costs what [`Costs`] says, which depends on the
//! core that has the cache line. Locks and condition variables are the standard library's algorithms for
//! Linux, over such atomics and a virtual futex. User code takes the time that it asks for with [`work`].
//!
//! The same program with the same seed takes the same time on every machine, to the last digit:
//!
//! - Nothing is drawn but wake-up times, from a generator with a seed.
//! - No addresses are compared. A cache line is an address without its last bits. Which values share a line is
//!   decided by [`Memory`], by the compiler's layout of types and frames, and by nothing that a system does.
//! - No result depends on the order of hashes.
//!
//! What the machine has not: hyper-threads, sockets, clock frequencies, the bandwidth of memory, and misses on data that
//! is not atomic. Memory is allocated in no time. A store is seen at once by all cores, and in truth
//! some 70 ns later. Each virtual thread has a core of its own, so threads that a scheduler has in reserve
//! take no core away from others.
//!
//! | file | what |
//! |---|---|
//! | `costs` | the cost model: a table |
//! | `cores` | threads, their clocks, and whose turn it is |
//! | `lines` | cache lines, and what an access to one costs |
//! | `kernel` | the futex, wake-ups, sleeping |
//! | `books` | where the time went |
//! | `memory` | an allocator whose addresses depend on the program alone |
//! | `atomic`, `locks`, `once`, `deque`, `thread`, `local` | what programs use |

pub mod atomic;
mod books;
mod cores;
mod costs;
pub mod deque;
mod kernel;
mod lines;
mod local;
mod locks;
mod memory;
mod once;
pub mod thread;

pub use books::{Place, Report, Spent, begin, end};
pub use cores::{run, work};
pub use costs::{Costs, TABLE};
pub use memory::Memory;

/// `std::sync`.
pub mod sync {
    pub use crate::atomic;
    pub use crate::locks::{Condvar, Mutex, MutexGuard, WaitTimeoutResult};
    pub use crate::once::{Once, OnceLock};
    pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, Weak};
}

/// Virtual time.
pub mod time {
    pub use crate::kernel::now;
}

#[cfg(test)]
#[global_allocator]
static MEMORY: Memory = Memory;
