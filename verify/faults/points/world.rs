//! What a program runs in: values that are counted, and a saboteur.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::platform::failpoint::{Failpoint, Plan};
use crate::{CancelToken, Options, Pool};

/// The payload of the panics here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The panic was asked for at a point.
    Injected,
    /// The panic is part of the program.
    Own,
    /// No panic: the nursery was cancelled.
    Cancelled,
}

/// Panics without the report of the panic hook.
pub(super) fn raise(why: Why) -> ! {
    resume_unwind(Box::new(why))
}

/// Counts how often each value was dropped.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Vec<Arc<AtomicU8>>>);

/// A number that the ledger counts as a value.
pub(super) struct Value {
    number: u64,
    drops: Arc<AtomicU8>,
}

impl Ledger {
    fn value(&self, number: u64) -> Value {
        let drops = Arc::new(AtomicU8::new(0));
        relock(self.0.lock()).push(Arc::clone(&drops));
        Value { number, drops }
    }

    /// How many values there were, if each was dropped once.
    pub(super) fn balance(&self) -> Result<usize, String> {
        let all = relock(self.0.lock());
        let drops = all.iter().map(|drops| drops.load(Ordering::Relaxed));
        let wrong: Vec<_> = drops.enumerate().filter(|(_, drops)| *drops != 1).collect();
        if wrong.is_empty() {
            Ok(all.len())
        } else {
            Err(format!("values, and how often each was dropped: {wrong:?}"))
        }
    }
}

impl Value {
    pub(super) fn get(&self) -> u64 {
        self.number
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

fn relock<G>(locked: Result<G, PoisonError<G>>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

fn panic_if(is_doomed: &AtomicBool) {
    if !thread::panicking() && is_doomed.swap(false, Ordering::Relaxed) {
        raise(Why::Injected);
    }
}

/// How far the child is that panics when it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    NotYet,
    /// It runs, and waits to be told.
    Waits,
    /// It panics, or will when it starts.
    Panics,
    /// Its failure has been recorded.
    Recorded,
    /// The program does not need it any more.
    Released,
}

/// A child on a side thread that panics while another thread stands at a point.
pub(super) struct Saboteur {
    stage: Mutex<Stage>,
    bell: Condvar,
}

thread_local!(static IS_SABOTEUR: Cell<bool> = const { Cell::new(false) });

/// Releases the saboteur at the end of a body, however that ends.
pub(super) struct Release<'a>(&'a Saboteur);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        let mut stage = self.0.stage();
        if matches!(*stage, Stage::NotYet | Stage::Waits) {
            *stage = Stage::Released;
            self.0.bell.notify_all();
        }
    }
}

impl Saboteur {
    fn new() -> Self {
        Self {
            stage: Mutex::new(Stage::NotYet),
            bell: Condvar::new(),
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        relock(self.stage.lock())
    }

    /// What the child does.
    fn run(&self) {
        let mut stage = self.stage();
        if *stage == Stage::NotYet {
            *stage = Stage::Waits;
        }
        let is_waiting = |stage: &mut Stage| *stage == Stage::Waits;
        stage = relock(self.bell.wait_while(stage, is_waiting));
        if *stage == Stage::Panics {
            drop(stage);
            IS_SABOTEUR.set(true);
            raise(Why::Injected);
        }
    }

    /// Makes the child panic. If the child runs already, its failure has been recorded when this
    /// returns.
    pub(super) fn strike(&self) {
        let mut stage = self.stage();
        match *stage {
            Stage::NotYet => *stage = Stage::Panics,
            Stage::Waits => {
                *stage = Stage::Panics;
                self.bell.notify_all();
                let is_recorded = |stage: &mut Stage| *stage != Stage::Recorded;
                drop(relock(self.bell.wait_while(stage, is_recorded)));
            }
            Stage::Panics | Stage::Recorded | Stage::Released => {}
        }
    }

    /// Notes that a failure has been recorded on this thread.
    pub(super) fn note_recorded(&self) {
        if IS_SABOTEUR.replace(false) {
            *self.stage() = Stage::Recorded;
            self.bell.notify_all();
        }
    }

    pub(super) fn has_struck(&self) -> bool {
        *self.stage() == Stage::Recorded
    }
}

/// What one run of a program uses.
pub(super) struct World {
    pub(super) pool: Arc<Pool>,
    pub(super) plan: &'static Plan,
    pub(super) token: CancelToken,
    pub(super) ledger: Ledger,
    pub(super) saboteur: Arc<Saboteur>,
    /// The next user code panics.
    pub(super) is_doomed: Arc<AtomicBool>,
}

/// What a plan acts upon.
#[derive(Clone)]
pub(super) struct Victim {
    pub(super) token: CancelToken,
    pub(super) saboteur: Arc<Saboteur>,
    pub(super) is_doomed: Arc<AtomicBool>,
    /// The program has ended: what else runs in its pool must not panic.
    pub(super) is_over: Arc<AtomicBool>,
}

impl Victim {
    pub(super) fn new() -> Self {
        Self {
            token: CancelToken::new(),
            saboteur: Arc::new(Saboteur::new()),
            is_doomed: Arc::default(),
            is_over: Arc::default(),
        }
    }
}

impl World {
    pub(super) fn new(pool: Pool, plan: &'static Plan, victim: &Victim) -> Self {
        let Victim {
            token,
            saboteur,
            is_doomed,
            ..
        } = victim.clone();
        Self {
            pool: Arc::new(pool),
            plan,
            token,
            ledger: Ledger::default(),
            saboteur,
            is_doomed,
        }
    }

    /// Options for nurseries on the pool that heed the token.
    pub(super) fn options(&self) -> Options {
        Options::new().pool(&self.pool).cancel_on(&self.token)
    }

    pub(super) fn value(&self, number: u64) -> Value {
        self.ledger.value(number)
    }

    /// Called by user code: panics if user code has to.
    pub(super) fn user(&self) {
        panic_if(&self.is_doomed);
    }

    /// The same for user code that borrows nothing.
    pub(super) fn user_code(&self) -> impl Fn() + Clone + Send + Sync + 'static {
        let is_doomed = Arc::clone(&self.is_doomed);
        move || panic_if(&is_doomed)
    }

    /// Makes the saboteur panic in this nursery, unless the result is dropped before.
    pub(super) fn hire<'scope, 'env>(
        &'env self,
        n: &'scope crate::Nursery<'scope, 'env>,
    ) -> Release<'env> {
        n.spawn_blocking(|| self.saboteur.run());
        Release(&self.saboteur)
    }

    /// Yields until it holds, or until there is no point in waiting any more.
    pub(super) fn until(&self, n: &crate::Nursery<'_, '_>, holds: impl Fn() -> bool) {
        while !holds() && !n.is_cancelled() {
            self.user();
            thread::yield_now();
        }
    }

    /// Yields until a point has been reached, or until there is no point in waiting any more.
    pub(super) fn until_reached(&self, n: &crate::Nursery<'_, '_>, point: Failpoint) {
        self.until(n, || self.plan.hits(point) > 0);
    }
}
