//! Whether somebody looks at a pool now and then, and when that may stop.
//!
//! A thread that leaves work where perhaps nobody comes to it *begins* the watch. The watcher *ends* the watch when it
//! has found nothing for a while.
//!
//! 1. To end it, the watcher says so, asks all threads, executes a heavy barrier, and looks once more. A thread that
//!    puts work into its private list looks after that whether it is asked, with a light barrier in between
//!    (`protocol::biased`). So either the watcher sees the work, and goes on; or the thread sees that it is asked.
//! 2. A thread that is asked, and gives nothing, begins the watch. It either sees that the watcher has said that it
//!    ends, and begins another watch; or the watcher said so later, and its look sees the work (both are
//!    read-modify-writes of one location).
//!
//! Model: `models::watch_*`.

use crate::platform::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Watch {
    is_on: AtomicBool,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            is_on: AtomicBool::new(false),
        }
    }

    /// Whether somebody looks.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        // ORDERING: Relaxed: a thread that finds the flag set, although the watcher has said that it ends, has put its
        // work into its list before the watcher's barrier, or will find that it is asked.
        self.is_on.load(Ordering::Relaxed)
    }

    /// Begins the watch; true for the caller that has to see to it.
    #[must_use]
    pub(crate) fn begin(&self) -> bool {
        !self.is_on.swap(true, Ordering::Relaxed)
    }

    /// Takes back that the watch has begun, because there is nobody to watch.
    pub(crate) fn give_up(&self) {
        self.is_on.store(false, Ordering::Relaxed);
    }

    /// Ends the watch; false if it goes on. `ask` asks all threads, and `look` says whether there is work,
    /// and executes a heavy barrier before it says that there is none.
    pub(crate) fn end(&self, ask: impl FnOnce(), look: impl FnOnce() -> bool) -> bool {
        self.is_on.store(false, Ordering::Relaxed);
        ask();
        !(look() && self.begin())
    }
}
