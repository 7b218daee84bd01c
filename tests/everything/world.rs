//! A run: the tasks' diaries, and what is counted.
//!
//! Each task has a diary, which only it writes to. Entries bear the time at which something began
//! and ended, from one clock: what has ended at a time has happened before what begins at a later one.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use hatchery::{CancelToken, Gate, OnFailure, Options, Pool};

use crate::everything::job::{Job, Whose};
use crate::everything::jobs::Deed;
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
    Job {
        nest: usize,
        deed: Deed,
    },
}

/// What is known of a nursery.
#[derive(Debug)]
pub(crate) struct NestTrack {
    /// The innermost nursery of the task that has opened it.
    pub(crate) parent: AtomicUsize,
    /// If it is that of a job: the innermost nursery of the task that runs it while it waits for it.
    pub(crate) waits_in: AtomicUsize,
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

/// How many jobs may be inside the gate.
pub(crate) const GATE: usize = 2;

fn on(pool: &Pool) -> Options {
    Options::new().pool(pool)
}

/// A pool for this program alone.
fn ending(program: &Program) -> Pool {
    let mut pool = Pool::builder()
        .threads(1 + program.tasks % 2)
        .name("ending");
    if !program.may_block {
        pool = pool.blocking_threads(0).spare_threads(0);
    }
    pool.build().expect("a valid configuration")
}

/// One run.
pub(crate) struct World {
    me: Weak<World>,
    pub(crate) program: Program,
    pub(crate) pool: Arc<Pool>,
    pub(crate) other: Arc<Pool>,
    /// The pool that ends, if the program has jobs for it.
    ending: Mutex<Option<Pool>>,
    /// They name it.
    ending_options: Options,
    /// When its end began, and when it was over.
    pub(crate) ended: Mutex<Option<(Time, Time)>>,
    pub(crate) gate: Gate,
    /// Jobs that run inside the gate.
    pub(crate) at_gate: AtomicUsize,
    /// How often jobs have begun, by their nurseries.
    pub(crate) begun: Vec<AtomicUsize>,
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

impl World {
    pub(crate) fn of(pool: &Arc<Pool>, other: &Arc<Pool>, program: &Program) -> Arc<Self> {
        let nest = || NestTrack {
            parent: AtomicUsize::new(NOWHERE),
            waits_in: AtomicUsize::new(NOWHERE),
            gauge: AtomicUsize::new(0),
            opened: Mutex::new(None),
        };
        let mut limits = vec![None; program.nests];
        program.each_nest(&mut |nest| limits[nest.id] = nest.terms.limit);
        let mut has_ending = false;
        program.each_job(&mut |job| has_ending |= job.whose == Whose::Ending);
        let ending = has_ending.then(|| ending(program));
        let world = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            program: program.clone(),
            pool: Arc::clone(pool),
            other: Arc::clone(other),
            ending_options: on(ending.as_ref().unwrap_or(pool)),
            ending: Mutex::new(ending),
            ended: Mutex::default(),
            gate: Gate::new(GATE),
            at_gate: AtomicUsize::new(0),
            begun: (0..program.nests).map(|_| AtomicUsize::new(0)).collect(),
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
        });
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

    /// For what may outlive the thread that has it.
    pub(crate) fn shared(&self) -> Arc<Self> {
        self.me.upgrade().expect("whoever runs the program has it")
    }

    /// Ends the pool that ends, if it has not ended; waits until all of its jobs have.
    pub(crate) fn end_pool(&self) {
        let pool = self.ending.lock().unwrap().take();
        if let Some(pool) = pool {
            let from = self.now();
            pool.shutdown();
            *self.ended.lock().unwrap() = Some((from, self.now()));
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

    /// A nursery, and those around it; around that of a job are those in which a task waits that runs it itself.
    pub(crate) fn outwards(&self, nest: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(nest), |nest| {
            let track = &self.nests[*nest];
            let around = [&track.parent, &track.waits_in].map(|of| of.load(Ordering::SeqCst));
            around.into_iter().find(|nest| *nest != NOWHERE)
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
        self.terms(
            nest,
            match (nest.terms.is_elsewhere, is_root) {
                (true, _) => on(&self.other),
                (false, true) => on(&self.pool),
                (false, false) => Options::new(),
            },
        )
    }

    /// Those of a job's own nursery, in which that of the program is opened.
    pub(crate) fn job_options(&self, job: &Job) -> Options {
        self.terms(
            &job.nest,
            match job.whose {
                Whose::Own => Options::new(),
                Whose::First => on(&self.pool),
                Whose::Other => on(&self.other),
                Whose::Ending => self.ending_options.clone(),
            },
        )
    }

    fn terms(&self, nest: &Nest, mut options: Options) -> Options {
        let terms = nest.terms;
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
