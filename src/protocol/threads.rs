//! The threads that a pool has started, and waits for at its end.
//!
//! A thread is started under the lock under which the pool takes the handles to wait for. So the
//! thread is refused, or waited for.
//!
//! Model: `models::shutdown_*`.

use std::mem;

use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::platform::sync::{Mutex, PoisonError, lock};

pub(crate) struct Threads<H> {
    handles: Mutex<Vec<H>>,
    is_closed: AtomicBool,
}

impl<H> Threads<H> {
    pub(crate) fn new() -> Self {
        Self {
            handles: Mutex::new(Vec::new()),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Whether no more threads are started.
    pub(crate) fn is_closed(&self) -> bool {
        // ORDERING: Acquire; partner: `close`. A worker that enlists after the last rousing reads
        // it behind the lock of the sleepers. Model: `models::shutdown_*`. No model needs more than
        // these locks, but not every caller takes them.
        self.is_closed.load(Ordering::Acquire)
    }

    /// Starts a thread, unless this is closed or `start` has none.
    #[must_use]
    pub(crate) fn start(
        &self,
        start: impl FnOnce() -> Option<H>,
        is_over: impl Fn(&H) -> bool,
    ) -> Option<()> {
        let mut handles = lock(&self.handles);
        if self.is_closed() {
            return None;
        }
        let thread = start()?;
        // Threads that have ended stay until here, so that the end of the pool can wait for them.
        handles.retain(|thread| !is_over(thread));
        handles.push(thread);
        Some(())
    }

    /// From now on no thread is started, as far as the caller is concerned.
    pub(crate) fn close(&self) {
        // ORDERING: Release; partner: `is_closed`. No model needs it, see there.
        self.is_closed.store(true, Ordering::Release);
    }

    /// Takes the threads to wait for, once this is closed.
    pub(crate) fn take(&self) -> Vec<H> {
        mem::take(&mut *lock(&self.handles))
    }

    /// Takes the threads, and neither waits for them nor tells the system.
    pub(crate) fn forget(&mut self) {
        let handles = self.handles.get_mut();
        let handles = handles.unwrap_or_else(PoisonError::into_inner);
        mem::take(handles).into_iter().for_each(mem::forget);
    }
}
