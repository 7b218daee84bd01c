//! Reports: what a thread says of itself when another thread asks.
//!
//! No thread can look at another thread's stack, and a list of all nurseries would cost each of
//! them too much. So a thread that wants to know leaves a request in each slot, and each thread
//! writes down what it has open: at its next spawn, child or fork, where it answers other requests
//! as well; or right away if it is parked, because it is unparked for that. A thread that runs user
//! code all the while does not answer, and the thread that asks does not wait long.
//!
//! 1. A report is no older than the requests that it answers: the number of requests is read before
//!    the report is made.
//! 2. Nothing is called under the lock of a desk, so reports can be made and read anywhere.
//! 3. A thread that waits for reports gives its own meanwhile, so any number of threads may ask at
//!    once.

use std::time::Duration;

use crate::engine::node::Part;
use crate::engine::tally::Numbers;
use crate::platform::sync::atomic::Ordering;
use crate::platform::sync::{Arc, Condvar, Mutex, PoisonError, hints, lock};
use crate::task::record::Class;

/// The address of something that may be gone: to be compared only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(usize);

impl Id {
    pub(crate) fn of<T>(at: *const T) -> Self {
        Self(at.addr())
    }

    /// The address as a pointer; null for none.
    pub(crate) fn erase(this: Option<Self>) -> *mut () {
        std::ptr::without_provenance_mut(this.map_or(0, |id| id.0))
    }

    /// The address of a pointer; none for null.
    pub(crate) fn some<T>(at: *const T) -> Option<Self> {
        (!at.is_null()).then(|| Self::of(at))
    }
}

/// What the layer above knows about a nursery.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) name: Option<Arc<str>>,
    /// Why it is cancelled, if it is.
    pub(crate) cancelled: Option<String>,
    /// What failed first, if anything has failed.
    pub(crate) failed: Option<String>,
    /// The id of the child of it that the calling thread runs, if that is known and no other nursery is in between.
    pub(crate) running: Option<String>,
}

/// A nursery, as one thread sees it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) id: Id,
    pub(crate) parent: Option<Id>,
    pub(crate) facts: Facts,
    /// Whether this nursery was a fork.
    pub(crate) is_fork: bool,
    /// The slot of the thread that opened it.
    pub(crate) home: Id,
    /// The slot of the thread that last took children of it.
    pub(crate) runner: Option<Id>,
    /// How many runs of this nursery exist.
    pub(crate) shared: usize,
    /// Unstarted children that this thread holds.
    pub(crate) unstarted: usize,
    pub(crate) numbers: Numbers,
}

/// What a parked thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WaitsFor {
    /// All children of the nursery.
    End,
    Child {
        id: Id,
        class: Class,
        is_started: bool,
    },
    /// One of several children.
    Any,
}

/// What one thread has open in one pool.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The nurseries of its frames, and the nurseries around these.
    pub(crate) nurseries: Vec<Seen>,
    /// The frames that it is in, from the innermost outwards.
    pub(crate) frames: Vec<(Id, Part)>,
    /// Latent forks, which nobody has asked for.
    pub(crate) forks: usize,
    /// Whether there is more than it says.
    pub(crate) is_cut_short: bool,
    /// If it is parked: the nursery that it waits in, and what it waits for.
    pub(crate) waits: Option<(Id, WaitsFor)>,
}

/// Where others leave requests for a slot's report, and find the report.
#[derive(Default)]
pub(crate) struct Desk {
    is_wanted: hints::AtomicBool,
    file: Mutex<File>,
}

#[derive(Default)]
struct File {
    /// Requests so far.
    asked: u64,
    /// How many of these the last report answers.
    answered: u64,
    last: Option<Arc<Report>>,
}

impl Desk {
    /// Whether somebody wants a report.
    pub(crate) fn is_wanted(&self) -> bool {
        // ORDERING: Relaxed: a hint; the request itself is under the lock.
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Leaves a request, and returns its number.
    pub(super) fn ask(&self) -> u64 {
        let mut file = lock(&self.file);
        file.asked += 1;
        file.asked
    }

    /// Makes the owner look for requests.
    pub(super) fn remind(&self) {
        // ORDERING: Relaxed: the lock orders it behind the request. An owner that clears it afterwards
        // takes the lock after that, and finds the request.
        self.is_wanted.store(true, Ordering::Relaxed);
    }

    /// What the owner said in answer to this request.
    pub(super) fn answer_to(&self, request: u64) -> Option<Arc<Report>> {
        let file = lock(&self.file);
        (file.answered >= request).then(|| file.last.clone())?
    }

    /// Makes `report` answer all requests until it is [withdrawn](Self::withdraw), because the
    /// owner blocks meanwhile.
    pub(super) fn stand(&self, report: Report) {
        let mut file = lock(&self.file);
        file.answered = u64::MAX;
        file.last = Some(Arc::new(report));
    }

    pub(super) fn withdraw(&self) {
        let mut file = lock(&self.file);
        file.answered = file.asked;
        let old = file.last.take();
        drop(file);
        drop(old);
    }

    pub(super) fn answer(&self, report: impl FnOnce() -> Report) {
        self.is_wanted.store(false, Ordering::Relaxed);
        let asked = lock(&self.file).asked;
        let report = Some(Arc::new(report()));
        let mut file = lock(&self.file);
        file.answered = asked;
        let old = std::mem::replace(&mut file.last, report);
        drop(file);
        drop(old);
    }
}

/// How often to look whether threads that have not reported have gone to sleep instead, and to
/// remind them.
const LOOK: Duration = Duration::from_millis(1);

/// Rings when a report was made. A thread that misses it looks a little later.
#[derive(Default)]
pub(crate) struct Answers {
    gate: Mutex<()>,
    bell: Condvar,
}

impl Answers {
    pub(super) fn ring(&self) {
        self.bell.notify_all();
    }

    pub(super) fn wait(&self) {
        let waited = self.bell.wait_timeout(lock(&self.gate), LOOK);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
