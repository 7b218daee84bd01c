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
//! 3. When the watch has ended, nothing is unstarted in private lists, and each thread is asked. A thread that puts
//!    something there answers first, and notes that ([`Watch::note_answer`]). So while nobody has answered, nothing is
//!    hidden, and a thread that takes work that was not shown by an answer need not begin the watch.
//!
//! Model: `models::watch_*`.

use crate::platform::sync::atomic::{AtomicBool, Ordering, fence};

pub(crate) struct Watch {
    is_on: AtomicBool,
    /// Whether a thread may have answered since the watch has ended.
    has_answers: AtomicBool,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            is_on: AtomicBool::new(false),
            has_answers: AtomicBool::new(true),
        }
    }

    /// Whether somebody looks.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        // ORDERING: Relaxed: a thread that finds the flag set, although the watcher has said that it ends, has put its
        // work into its list before the watcher's barrier, or will find that it is asked.
        self.is_on.load(Ordering::Relaxed)
    }

    /// Whether a thread may have answered since the watch has ended.
    pub(crate) fn has_answers(&self) -> bool {
        // ORDERING: Relaxed; ordered by the fences of `idle`. A searcher that leaves before the answer shows something is
        // not the one that the answer counts on.
        self.has_answers.load(Ordering::Relaxed)
    }

    /// Notes that a thread has answered. It has lowered its flag before, and a SeqCst fence stands in between; partner: the
    /// fence in [`end`](Self::end). So the flag is set again after it was lowered, or this is not forgotten.
    pub(crate) fn note_answer(&self) {
        if !self.has_answers() {
            self.has_answers.store(true, Ordering::Relaxed);
        }
    }

    /// Begins the watch; true for the caller that has to see to it.
    #[must_use]
    pub(crate) fn begin(&self) -> bool {
        !self.is_on.swap(true, Ordering::Relaxed)
    }

    /// Takes back that the watch has begun, because there is nobody to watch.
    pub(crate) fn give_up(&self) {
        self.has_answers.store(true, Ordering::Relaxed);
        self.is_on.store(false, Ordering::Relaxed);
    }

    /// Ends the watch; false if it goes on. `ask` asks all threads, and `look` says whether there is work,
    /// and executes a heavy barrier before it says that there is none.
    pub(crate) fn end(&self, ask: impl FnOnce(), look: impl FnOnce() -> bool) -> bool {
        self.is_on.store(false, Ordering::Relaxed);
        self.has_answers.store(false, Ordering::Relaxed);
        // ORDERING: SeqCst fence between forgetting the answers and setting the flags; partner: the fence of a thread that
        // answers, in `Requests::are_wanted`. Model: `models::watch_an_answer_is_not_forgotten`.
        fence(Ordering::SeqCst);
        ask();
        !(look() && self.begin())
    }
}
