//! A run: the tasks' diaries, and what is counted.
//!
//! Each task has a diary, which only it writes to. Entries bear the time at which something began
//! and ended, from one clock: what has ended at a time has happened before what begins at a later one.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hatchery::{CancelToken, OnFailure, Options};

use crate::program::{Bomb, Deadline, Program, Task, Terms};
use crate::seen::{Answer, Outcome, Raw, Seen};

/// A point in time.
pub(crate) type Time = u64;

/// The error of the tasks: which one it was.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) usize);

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) from: Time,
    pub(crate) to: Time,
    pub(crate) what: What,
}

/// What a task does, or learns. Tasks and nurseries are named by their numbers.
#[derive(Debug)]
pub(crate) enum What {
    Started,
    Ended(Raw),
    Spawned {
        child: usize,
        nursery: usize,
        place: Standing,
    },
    /// The first so many of the items, and how many children came of that.
    SpawnedEach {
        items: Vec<usize>,
        children: usize,
        nursery: usize,
        place: Standing,
    },
    Finished {
        child: usize,
        answer: bool,
    },
    /// Nothing if it was none of the items, but the last child, that says there are no more.
    Joined {
        child: Option<usize>,
        nursery: usize,
        result: Result<usize, Seen>,
    },
    Asked {
        nursery: usize,
        answer: Answer,
        /// Whether the task was told, or has only looked.
        tells: bool,
        /// Whether it was the free function that was asked.
        is_free: bool,
    },
    Cancelled {
        nursery: usize,
        is_first: bool,
    },
    Moved {
        nursery: usize,
        has_passed: bool,
    },
    Switched {
        token: usize,
        is_first: bool,
    },
    Opened {
        nursery: usize,
        inside: usize,
        outcome: Outcome,
    },
}

/// Where a task stands that spawns into the innermost partial nursery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is its body or a child of it.
    Direct,
    /// It is a side of a fork of one.
    Fork,
    /// It is in another nursery further in.
    Elsewhere,
}

/// How often something was made and dropped, and when last; and how often that has panicked.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) made: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) dropped_at: AtomicU64,
    pub(crate) exploded: AtomicU64,
}

/// What is known of a task.
#[derive(Debug, Default)]
pub(crate) struct Track {
    pub(crate) diary: Mutex<Vec<Entry>>,
    pub(crate) captures: Account,
    pub(crate) values: Account,
}

/// One run.
pub(crate) struct World<'p> {
    pub(crate) program: &'p Program,
    pub(crate) tracks: Vec<Track>,
    /// Of the outermost nursery.
    pub(crate) root: Mutex<Vec<Entry>>,
    pub(crate) tokens: Vec<CancelToken>,
    clock: AtomicU64,
}

/// Counts itself while it is alive.
pub(crate) struct Ticket<'w> {
    account: &'w Account,
    clock: &'w AtomicU64,
    bomb: Option<usize>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst);
        self.account.dropped_at.store(now, Ordering::SeqCst);
        self.account.dropped.fetch_add(1, Ordering::SeqCst);
        if let Some(task) = self.bomb.filter(|_| !thread::panicking()) {
            self.account.exploded.fetch_add(1, Ordering::SeqCst);
            panic_as(task);
        }
    }
}

/// What a task comes to: its number.
pub(crate) struct Value<'w> {
    pub(crate) task: usize,
    ticket: Ticket<'w>,
}

impl Value<'_> {
    /// Whoever has joined it is not to be blown up.
    pub(crate) fn taken(mut self) -> usize {
        self.ticket.bomb = None;
        self.task
    }
}

/// Without the panic hook, which would print it.
pub(crate) fn panic_as(task: usize) -> ! {
    resume_unwind(Box::new(task.to_string()))
}

impl<'p> World<'p> {
    pub(crate) fn of(program: &'p Program) -> Self {
        let world = Self {
            program,
            tracks: (0..program.tasks).map(|_| Track::default()).collect(),
            root: Mutex::default(),
            tokens: program.tokens.map(|_| CancelToken::new()).into(),
            clock: AtomicU64::new(1),
        };
        for (token, is_on) in world.tokens.iter().zip(program.tokens) {
            if is_on {
                token.cancel();
            }
        }
        world
    }
}

impl World<'_> {
    pub(crate) fn now(&self) -> Time {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn note(&self, task: &Task, from: Time, what: What) {
        let to = self.now();
        let mut diary = self.tracks[task.id].diary.lock().unwrap();
        diary.push(Entry { from, to, what });
    }

    fn ticket<'w>(&'w self, account: &'w Account, bomb: Option<usize>) -> Ticket<'w> {
        account.made.fetch_add(1, Ordering::SeqCst);
        Ticket {
            account,
            clock: &self.clock,
            bomb,
        }
    }

    pub(crate) fn capture(&self, task: &Task) -> Ticket<'_> {
        let bomb = (task.bomb == Bomb::Capture).then_some(task.id);
        self.ticket(&self.tracks[task.id].captures, bomb)
    }

    pub(crate) fn value(&self, task: &Task) -> Value<'_> {
        let bomb = (task.bomb == Bomb::Value).then_some(task.id);
        Value {
            task: task.id,
            ticket: self.ticket(&self.tracks[task.id].values, bomb),
        }
    }

    pub(crate) fn options(&self, terms: Terms) -> Options {
        let mut options = Options::new();
        if terms.continues {
            options = options.on_failure(OnFailure::Continue);
        }
        if let Some(limit) = terms.limit {
            options = options.limit(limit);
        }
        if let Some(token) = terms.token {
            options = options.cancel_on(&self.tokens[token]);
        }
        if terms.is_shield {
            options = options.shield();
        }
        match terms.deadline {
            Some(Deadline::Passed) => options.deadline(Instant::now()),
            Some(Deadline::Far) => options.timeout(Duration::from_secs(86400)),
            None => options,
        }
    }
}
