//! A run: the tasks' diaries, and what is counted.
//!
//! Each task has a diary, which only it writes to. Entries bear the time at which something began
//! and ended, from one clock: what has ended at a time has happened before what begins at a later one.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hatchery::{CancelToken, OnFailure, Options, Pool};

use crate::everything::ledger::{Accounts, Books, Fault, Payload, Ticket, Value, Which};
use crate::everything::program::{Deadline, Nest, Program, Task};
use crate::everything::seen::{Answer, Got, Outcome, Raw};

/// A point in time.
pub(crate) type Time = u64;

/// What stands for no nursery.
pub(crate) const NOWHERE: usize = usize::MAX;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

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
        nest: usize,
    },
    /// Of several children, it may not be known which one it was.
    Joined {
        child: Option<usize>,
        nest: usize,
        got: Got,
    },
    /// Its handle was forgotten.
    Forgotten {
        child: usize,
    },
    Asked {
        nest: usize,
        answer: Answer,
    },
    Cancelled {
        nest: usize,
        is_first: bool,
    },
    Switched {
        token: usize,
        is_first: bool,
    },
    /// The clock was moved by an hour.
    Forwarded,
}

/// What is known of a nursery.
#[derive(Debug)]
pub(crate) struct NestTrack {
    /// The innermost nursery of the task that has opened it.
    pub(crate) parent: AtomicUsize,
    /// Threads that run something of it now, if it is limited.
    pub(crate) gauge: AtomicUsize,
    pub(crate) opened: Mutex<Option<Opened>>,
}

/// A nursery that was opened and has ended.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) from: Time,
    pub(crate) to: Time,
    pub(crate) opener: Option<usize>,
    pub(crate) outcome: Outcome,
    /// What its children have written, as whoever opened it has read it afterwards.
    pub(crate) cells: Vec<u64>,
}

/// One run.
pub(crate) struct World<'p> {
    pub(crate) program: &'p Program,
    pub(crate) pool: &'p Pool,
    pub(crate) other: &'p Pool,
    pub(crate) diaries: Vec<Mutex<Vec<Entry>>>,
    pub(crate) books: Arc<Books>,
    pub(crate) nests: Vec<NestTrack>,
    pub(crate) limits: Vec<Option<usize>>,
    pub(crate) tokens: Vec<CancelToken>,
    /// For each task, what its spawner may wait for: the other end of the channel is dropped with the task.
    ends: Vec<Mutex<Option<Receiver<Infallible>>>>,
    /// What somebody else than a task has done.
    pub(crate) outside: Mutex<Vec<Entry>>,
    /// What was found out at once.
    pub(crate) wrong: Mutex<Vec<String>>,
}

impl<'p> World<'p> {
    pub(crate) fn of(pool: &'p Pool, other: &'p Pool, program: &'p Program) -> Self {
        let nest = || NestTrack {
            parent: AtomicUsize::new(NOWHERE),
            gauge: AtomicUsize::new(0),
            opened: Mutex::new(None),
        };
        let mut limits = vec![None; program.nests];
        program.each_nest(&mut |nest| limits[nest.id] = nest.terms.limit);
        let world = Self {
            program,
            pool,
            other,
            diaries: (0..program.tasks).map(|_| Mutex::default()).collect(),
            books: Arc::new(Books {
                clock: AtomicU64::new(1),
                tasks: (0..program.tasks).map(|_| Accounts::default()).collect(),
            }),
            nests: (0..program.nests).map(|_| nest()).collect(),
            limits,
            tokens: program.tokens.map(|_| CancelToken::new()).into(),
            ends: (0..program.tasks).map(|_| Mutex::default()).collect(),
            outside: Mutex::default(),
            wrong: Mutex::default(),
        };
        for (token, is_on) in world.tokens.iter().zip(program.tokens) {
            if is_on {
                token.cancel();
            }
        }
        world
    }

    pub(crate) fn now(&self) -> Time {
        self.books.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn note(&self, task: &Task, from: Time, what: What) {
        let to = self.now();
        let mut diary = self.diaries[task.id].lock().unwrap();
        diary.push(Entry { from, to, what });
    }

    /// Cancels a token, for whoever writes that down.
    pub(crate) fn switch(&self, token: usize) -> Entry {
        let from = self.now();
        let is_first = self.tokens[token].cancel();
        Entry {
            from,
            to: self.now(),
            what: What::Switched { token, is_first },
        }
    }

    pub(crate) fn blame(&self, wrong: String) {
        self.wrong.lock().unwrap().push(wrong);
    }

    /// What a task has to keep as long as it is there, if its spawner may wait for it.
    pub(crate) fn end_of(&self, task: &Task) -> Option<Sender<Infallible>> {
        self.program.may_wait.then(|| {
            let (sender, receiver) = channel();
            *self.ends[task.id].lock().unwrap() = Some(receiver);
            sender
        })
    }

    /// Waits until that task has ended, or was dropped unrun.
    pub(crate) fn wait_for(&self, task: &Task) {
        let end = self.ends[task.id].lock().unwrap().take();
        if let Some(end) = end {
            let Err(_gone) = end.recv();
        }
    }

    /// A nursery, and those around it.
    pub(crate) fn outwards(&self, nest: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(nest), |nest| {
            Some(self.nests[*nest].parent.load(Ordering::SeqCst)).filter(|nest| *nest != NOWHERE)
        })
    }

    fn ticket(&self, which: Which, task: &Task, is_bomb: bool) -> Ticket {
        Ticket::new(&self.books, which, task.id, is_bomb)
    }

    pub(crate) fn capture(&self, task: &Task) -> Ticket {
        self.ticket(|accounts| &accounts.captures, task, task.bombs.capture)
    }

    /// The same, and it does not panic when it is dropped.
    pub(crate) fn harmless(&self, task: &Task) -> Ticket {
        self.ticket(|accounts| &accounts.captures, task, false)
    }

    pub(crate) fn value(&self, task: &Task, sum: u64) -> Value {
        let ticket = self.ticket(|accounts| &accounts.values, task, task.bombs.value);
        Value { sum, ticket }
    }

    pub(crate) fn fault(&self, task: &Task) -> Fault {
        let ticket = self.ticket(|accounts| &accounts.errors, task, task.bombs.error);
        Fault {
            task: task.id,
            ticket,
        }
    }

    pub(crate) fn payload(&self, task: &Task) -> Payload {
        let ticket = self.ticket(|accounts| &accounts.payloads, task, task.bombs.payload);
        Payload {
            task: task.id,
            ticket,
        }
    }

    pub(crate) fn options(&self, nest: &Nest, is_root: bool) -> Options {
        let terms = nest.terms;
        let mut options = Options::new();
        if terms.is_elsewhere {
            options = options.pool(self.other);
        } else if is_root {
            options = options.pool(self.pool);
        }
        if terms.continues {
            options = options.on_failure(OnFailure::Continue);
        }
        if let Some(limit) = terms.limit {
            options = options.limit(limit);
        }
        if let Some(token) = terms.token {
            options = options.cancel_on(&self.tokens[token]);
        }
        match terms.deadline {
            Some(Deadline::Passed) => options.deadline(Instant::now()),
            Some(Deadline::After(hours)) => {
                // Half an hour is as good as none, and then nothing comes at the very time.
                options.timeout(HOUR * u32::try_from(hours).expect("few") - HOUR / 2)
            }
            None => options,
        }
    }
}
