//! Jobs that nobody waits for, until a worker begins them.
//!
//! Each worker has a stack of what was spawned on it, and takes the newest first; what was spawned by `spawn_fifo` it takes
//! oldest first, among such jobs. hatchery's pool is told only that there is one more job: a worker that comes takes one of
//! its own, else one that came from outside, else the oldest of another worker.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::latch::lock;

/// Runs on some worker. It does not unwind.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Which of the jobs of one worker comes first.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    NewestFirst,
    OldestFirst,
}

/// The jobs that were spawned on one worker.
#[derive(Default)]
struct Own {
    stack: VecDeque<Entry>,
    fifo: VecDeque<Job>,
}

enum Entry {
    Job(Job),
    /// It stands for the oldest job in `fifo`, whichever that is by then.
    OldestOfFifo,
}

/// The jobs of one pool that have not begun.
pub(crate) struct Spawned {
    own: Box<[Mutex<Own>]>,
    from_outside: Mutex<VecDeque<Job>>,
    is_breadth_first: bool,
}

impl Own {
    fn take(&mut self, oldest: bool) -> Option<Job> {
        let entry = if oldest {
            self.stack.pop_front()
        } else {
            self.stack.pop_back()
        };
        match entry? {
            Entry::Job(job) => Some(job),
            Entry::OldestOfFifo => self.fifo.pop_front(),
        }
    }
}

impl Spawned {
    pub(crate) fn new(workers: usize, is_breadth_first: bool) -> Self {
        Self {
            own: (0..workers).map(|_| Mutex::default()).collect(),
            from_outside: Mutex::default(),
            is_breadth_first,
        }
    }

    /// Adds a job that this worker has spawned.
    pub(crate) fn push(&self, worker: usize, job: Job, order: Order) {
        let mut own = lock(&self.own[worker]);
        match order {
            Order::NewestFirst => own.stack.push_back(Entry::Job(job)),
            Order::OldestFirst => {
                own.fifo.push_back(job);
                own.stack.push_back(Entry::OldestOfFifo);
            }
        }
    }

    /// Adds a job that no worker of the pool has spawned.
    pub(crate) fn push_from_outside(&self, job: Job) {
        lock(&self.from_outside).push_back(job);
    }

    pub(crate) fn has_own(&self, worker: usize) -> bool {
        !lock(&self.own[worker]).stack.is_empty()
    }

    /// Runs a job of this worker, which calls this; false if there is none.
    pub(crate) fn run_own(&self, worker: usize) -> bool {
        let job = self.take_own(worker);
        job.map(|job| job()).is_some()
    }

    /// Runs some job on this worker, which calls this; false if there is none.
    pub(crate) fn run_one(&self, worker: usize) -> bool {
        let from_outside = || lock(&self.from_outside).pop_front();
        let of_others = || {
            let (before, after) = self.own.split_at(worker);
            let mut others = after[1..].iter().chain(before);
            others.find_map(|own| lock(own).take(true))
        };
        let job = self.take_own(worker).or_else(from_outside);
        let job = job.or_else(of_others);
        job.map(|job| job()).is_some()
    }

    fn take_own(&self, worker: usize) -> Option<Job> {
        lock(&self.own[worker]).take(self.is_breadth_first)
    }
}
