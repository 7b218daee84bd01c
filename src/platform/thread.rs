//! Threads, what belongs to each of them, and how they pass the time.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::thread::panicking;
#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
use std::thread::{Builder, JoinHandle};
#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
pub(crate) use std::{
    thread::{current, sleep, yield_now},
    thread_local,
};

use super::process::BlockedSignals;
#[cfg(hatchery_shuttle)]
pub(crate) use super::shuttled::{pause, sleep, thread_local};
#[cfg(hatchery_lab)]
use laboratory::thread::{Builder, JoinHandle};
#[cfg(hatchery_lab)]
pub(crate) use laboratory::thread::{current, pause, sleep, thread_local, yield_now};
#[cfg(hatchery_shuttle)]
use shuttle::thread::{Builder, JoinHandle};
#[cfg(hatchery_shuttle)]
pub(crate) use shuttle::thread::{current, yield_now};

/// The same, for what the model checker sees.
pub(crate) use self::thread_local as modelled_local;

use super::payload::lose;

/// The largest stack that the system is asked for, in bytes: more than any has. Some C libraries
/// call a larger size invalid, and then the standard library panics.
const MOST_STACK: usize = usize::MAX / 4;

/// Whether threads may still be there when the process ends. Miri calls that an error: there, only pools that end
/// have threads, and nobody watches deadlines or blocked threads.
pub(crate) const MAY_OUTLIVE_MAIN: bool = !cfg!(miri);

/// Keeps the core busy for this many pause instructions.
#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
#[inline(always)]
pub(crate) fn pause(times: u32) {
    for _ in 0..times {
        std::hint::spin_loop();
    }
}

/// An address that belongs to this thread alone while it lives.
pub(crate) fn token() -> *const u8 {
    thread_local!(static TOKEN: u8 = const { 0 });
    TOKEN.with(std::ptr::from_ref)
}

/// The calling thread's name; empty if it has none.
pub(crate) fn own_name() -> String {
    current().name().unwrap_or_default().to_owned()
}

/// A thread that this crate has started.
pub(crate) struct Thread {
    handle: JoinHandle<()>,
    is_over: Arc<AtomicBool>,
}

/// Says so when it is dropped. It is the first thread-local of its thread, so it is dropped after
/// all others.
struct Last(Arc<AtomicBool>);

impl Drop for Last {
    fn drop(&mut self) {
        // ORDERING: Release; partner: `Thread::is_over`. No model: it has no thread-locals that end.
        self.0.store(true, Ordering::Release);
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

impl Thread {
    /// Starts a thread.
    ///
    /// It does not unwind. Others may count on this thread, and the caller takes that back only if
    /// the thread is refused; so a panic on the way is a refusal.
    ///
    /// # Errors
    ///
    /// The system's reason, if it refuses the thread.
    pub(crate) fn start(
        name: String,
        stack_size: Option<usize>,
        main: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        Self::start_boxed(name, stack_size, Box::new(main))
    }

    fn start_boxed(
        name: String,
        stack_size: Option<usize>,
        main: Box<dyn FnOnce() + Send>,
    ) -> io::Result<Self> {
        let start = AssertUnwindSafe(|| Self::start_or_panic(name, stack_size, main));
        catch_unwind(start).unwrap_or_else(|payload| {
            lose(payload);
            Err(io::ErrorKind::Other.into())
        })
    }

    fn start_or_panic(
        name: String,
        stack_size: Option<usize>,
        main: Box<dyn FnOnce() + Send>,
    ) -> io::Result<Self> {
        #[cfg(any(hatchery_faults, hatchery_shuttle))]
        super::refusals::check(&name)?;
        let main = crate::platform::failpoint::inherited(main);
        let is_over = Arc::new(AtomicBool::new(false));
        let last = Last(Arc::clone(&is_over));
        let mut builder = Builder::new().name(name);
        if let Some(bytes) = stack_size {
            builder = builder.stack_size(bytes.min(MOST_STACK));
        }
        let handle = builder.spawn(move || {
            LAST.set(Some(last));
            main();
        })?;
        Ok(Self { handle, is_over })
    }

    /// Whether no code of this crate or its users runs on the thread any more, not even as a
    /// destructor of a thread-local.
    pub(crate) fn is_over(&self) -> bool {
        // Not under shuttle, which ends the oldest thread-local first: there the caller waits.
        // ORDERING: Acquire; partner: the drop of `Last`. No model, see there.
        !cfg!(hatchery_shuttle) && self.is_over.load(Ordering::Acquire)
    }

    /// Starts a thread that takes no signal that another thread may be meant to take, see
    /// [`BlockedSignals`].
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub(crate) fn start_without_signals(
        name: String,
        stack_size: Option<usize>,
        main: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let blocked = BlockedSignals::block();
        Self::start(name, stack_size, blocked.over(main))
    }

    /// Starts a thread without signals that belongs to no pool. Under a scheduler that draws, the
    /// end of an execution does not wait for it, and there is no handle.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub(crate) fn start_aside(
        name: String,
        main: impl FnOnce() + Send + 'static,
    ) -> io::Result<Option<Self>> {
        if !MAY_OUTLIVE_MAIN {
            return Err(io::ErrorKind::Unsupported.into());
        }
        #[cfg(not(hatchery_shuttle))]
        return Self::start_without_signals(name, None, main).map(Some);
        #[cfg(hatchery_shuttle)]
        {
            super::refusals::check(&name)?;
            super::shuttled::start_aside(main);
            Ok(None)
        }
    }

    /// Waits for the thread's end, including destructors of thread-locals, unless it is the caller.
    pub(crate) fn join(self) {
        if self.handle.thread().id() != current().id() {
            // Pool threads catch what they run, so there is no panic to pass on.
            let _ = self.handle.join();
        }
    }
}

/// Whether a test makes this thread find that no other thread can be had.
#[cfg(test)]
pub(crate) mod refused {
    use std::cell::Cell;

    thread_local!(static ARE: Cell<bool> = const { Cell::new(false) });

    pub(crate) fn are() -> bool {
        ARE.get()
    }

    /// Runs `f` while no other threads can be had.
    pub(crate) fn during<R>(f: impl FnOnce() -> R) -> R {
        ARE.set(true);
        let result = f();
        ARE.set(false);
        result
    }
}
