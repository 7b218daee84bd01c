//! What is made by a program, and how often it was dropped.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::everything::world::Time;

/// How often something was made and dropped, when last, and how often that has panicked.
#[derive(Debug, Default)]
pub(crate) struct Account {
    made: AtomicU64,
    dropped: AtomicU64,
    dropped_at: AtomicU64,
    exploded: AtomicU64,
    /// Drops of what was not there, or not any more.
    broken: AtomicU64,
}

impl Account {
    /// Whether all that was made was dropped, once each.
    pub(crate) fn is_balanced(&self) -> bool {
        self.made.load(Ordering::SeqCst) == self.dropped.load(Ordering::SeqCst) && !self.is_broken()
    }

    /// Whether something was dropped twice.
    pub(crate) fn is_broken(&self) -> bool {
        self.dropped.load(Ordering::SeqCst) > self.made.load(Ordering::SeqCst)
            || self.broken.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn when_exploded(&self) -> Option<Time> {
        let has_exploded = self.exploded.load(Ordering::SeqCst) > 0;
        has_exploded.then(|| self.dropped_at.load(Ordering::SeqCst))
    }

    /// When it was last dropped, if it ever was.
    pub(crate) fn when_dropped(&self) -> Option<Time> {
        Some(self.dropped_at.load(Ordering::SeqCst)).filter(|at| *at > 0)
    }
}

/// What there is of each task.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) captures: Account,
    pub(crate) values: Account,
    pub(crate) errors: Account,
    pub(crate) payloads: Account,
}

/// The accounts of all tasks, and the clock of the run.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) clock: AtomicU64,
    pub(crate) tasks: Vec<Accounts>,
}

/// Which account of a task.
pub(crate) type Which = fn(&Accounts) -> &Account;

/// What a ticket holds while it is one.
const ALIVE: u64 = 0x5eed_1e55_ba5e_ba11;

/// Counts itself while it is alive, and panics when it is dropped if it is a bomb.
pub(crate) struct Ticket {
    books: Arc<Books>,
    which: Which,
    task: usize,
    is_bomb: bool,
    alive: u64,
}

impl Ticket {
    pub(crate) fn new(books: &Arc<Books>, which: Which, task: usize, is_bomb: bool) -> Self {
        let account = which(&books.tasks[task]);
        account.made.fetch_add(1, Ordering::SeqCst);
        Self {
            books: Arc::clone(books),
            which,
            task,
            is_bomb,
            alive: ALIVE,
        }
    }

    /// Takes it, so that it does no harm; the task whose it was.
    pub(crate) fn taken(mut self) -> usize {
        self.is_bomb = false;
        self.task
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Not to be reasoned away: what was dropped may be looked at only by mistake.
        let is_alive = std::hint::black_box(self.alive) == ALIVE;
        self.alive = std::hint::black_box(0);
        let now = self.books.clock.fetch_add(1, Ordering::SeqCst);
        let account = (self.which)(&self.books.tasks[self.task]);
        if !is_alive {
            account.broken.fetch_add(1, Ordering::SeqCst);
        }
        account.dropped_at.store(now, Ordering::SeqCst);
        account.dropped.fetch_add(1, Ordering::SeqCst);
        if self.is_bomb && !thread::panicking() {
            account.exploded.fetch_add(1, Ordering::SeqCst);
            // Without the panic hook, which would print it.
            resume_unwind(Box::new(Exploded(self.task)));
        }
    }
}

/// What something panics with when it is dropped: whose it was.
pub(crate) struct Exploded(pub(crate) usize);

/// What a task comes to: its number, and what it has made of what it was told.
pub(crate) struct Value {
    pub(crate) sum: u64,
    pub(crate) ticket: Ticket,
}

impl Value {
    pub(crate) fn look(&self) -> (usize, u64) {
        (self.ticket.task, self.sum)
    }

    pub(crate) fn taken(self) -> (usize, u64) {
        (self.ticket.taken(), self.sum)
    }
}

/// The error of a task.
pub(crate) struct Fault {
    pub(crate) task: usize,
    pub(crate) ticket: Ticket,
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fault({})", self.task)
    }
}

/// What a task panics with.
pub(crate) struct Payload {
    pub(crate) task: usize,
    pub(crate) ticket: Ticket,
}
