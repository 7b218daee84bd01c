//! What the door leads to under `--cfg hatchery_shuttle`, where one thread plays all threads and draws which of
//! them goes on at each step; see `verify/schedules`.
//!
//! Shuttle has most of `std::sync` and `std::thread`. The rest is here:
//!
//! - A *clock*: time passes when it is read, by a random bit, and when a wait is over.
//! - *Timed waits*: shuttle's never end by themselves. Here a timed wait may end at any time. Three
//!   in four of the long waits, on which nothing depends, never end: so a lost wake-up is a
//!   deadlock, not a delay.
//! - *Thread-locals* with the methods that std's have for cells.
//! - *Deques*: crossbeam's, with a step before each operation.
//! - *Statics* that are made anew by each execution.
//!
//! Shuttle is sequentially consistent: orderings are checked by the models.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, LockResult, OnceLock as Once, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_deque::Steal;
use shuttle::rand::{RngCore, thread_rng};
use shuttle::thread::{LocalKey, yield_now};

use crate::platform::planted;
use crate::platform::sync::lock;

/// A wait of this length is long: nothing would be lost if it never ended, as when an idle thread
/// waits to retire, or a spare is waited for. In shorter waits a thread looks for something that
/// does not ring.
const LONG: Duration = Duration::from_millis(10);

/// A number below `bound`, from the schedule.
fn draw(bound: u64) -> u64 {
    thread_rng().next_u64() % bound
}

/// A point at which another thread may go on first.
fn point() {
    shuttle::sync::atomic::AtomicBool::new(false).load(Ordering::SeqCst);
}

shuttle::lazy_static! {
    /// Nanoseconds since the beginning of the execution.
    static ref PASSED: AtomicU64 = AtomicU64::new(0);
}

/// The beginning of all executions.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Lets time pass.
fn pass(time: Duration) {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let before = PASSED.load(Ordering::Relaxed);
    PASSED.store(before.saturating_add(nanos), Ordering::Relaxed);
}

/// The present time. As often as not, it is a little later than at the last look.
pub(crate) fn now() -> Instant {
    let most = match draw(8) {
        0..4 => 0,
        4..7 => 10_000,
        _ => 1_000_000,
    };
    if most > 0 {
        pass(Duration::from_nanos(draw(most)));
    }
    *BEGINNING + Duration::from_nanos(PASSED.load(Ordering::Relaxed))
}

/// Lets the time pass while others go on.
pub(crate) fn sleep(time: Duration) {
    yield_now();
    pass(time);
}

/// One pause is as long as many.
pub(crate) fn pause(_times: u32) {
    yield_now();
}

/// Shuttle's mutex, whose guards know it.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T: ?Sized>(shuttle::sync::Mutex<T>);

/// Holds a [`Mutex`].
pub(crate) struct MutexGuard<'a, T: ?Sized> {
    /// None while a condition variable has it.
    held: Option<shuttle::sync::MutexGuard<'a, T>>,
    of: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }
}

impl<T: ?Sized> Mutex<T> {
    /// It is never found poisoned: while one thread panics, shuttle takes all for panicking.
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.guard(held))
    }

    pub(crate) fn get_mut(&mut self) -> LockResult<&mut T> {
        Ok(self.0.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    fn guard<'a>(&'a self, held: shuttle::sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let held = Some(held);
        MutexGuard { held, of: self }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect("held")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("held")
    }
}

/// Whether a wait was over before the bell rang.
#[derive(Clone, Copy)]
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) fn timed_out(self) -> bool {
        self.0
    }
}

type Waited<'a, T> = (MutexGuard<'a, T>, WaitTimeoutResult);

/// Shuttle's condition variable, with waits that end.
#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
    ) -> LockResult<MutexGuard<'a, T>> {
        let held = self.0.wait(guard.held.take().expect("held"));
        let held = held.unwrap_or_else(PoisonError::into_inner);
        Ok(guard.of.guard(held))
    }

    /// May end at any time. A long wait may never end. A short wait is never found by `notify`: it
    /// looks again and again, as if it had been woken for nothing.
    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> LockResult<Waited<'a, T>> {
        if time >= LONG && draw(4) > 0 {
            let guard = self.wait(guard).unwrap_or_else(PoisonError::into_inner);
            return Ok((guard, WaitTimeoutResult(false)));
        }
        let gate = guard.of;
        drop(guard);
        yield_now();
        let is_over = draw(4) == 0;
        if is_over {
            pass(time);
        }
        let guard = gate.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((guard, WaitTimeoutResult(is_over)))
    }

    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        time: Duration,
        mut goes_on: impl FnMut(&mut T) -> bool,
    ) -> LockResult<Waited<'a, T>> {
        let mut result = WaitTimeoutResult(false);
        while !result.timed_out() && goes_on(&mut guard) {
            let waited = self.wait_timeout(guard, time);
            (guard, result) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guard, result))
    }

    #[track_caller]
    pub(crate) fn notify_one(&self) {
        if !planted::skips() {
            self.0.notify_one();
        }
    }

    #[track_caller]
    pub(crate) fn notify_all(&self) {
        if !planted::skips() {
            self.0.notify_all();
        }
    }
}

/// Starts a thread that the end of an execution does not wait for.
pub(crate) fn start_aside(main: impl FnOnce() + Send + 'static) {
    drop(shuttle::future::spawn(async move { main() }));
}

/// A value that is set once.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    /// Held while the value is made: a thread that comes second waits.
    gate: Mutex<()>,
    value: Once<T>,
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self {
            gate: Mutex::new(()),
            value: Once::new(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        point();
        self.value.get()
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            let _gate = lock(&self.gate);
            return self.value.get_or_init(make);
        }
        self.value.get_or_init(|| unreachable!("it is set"))
    }
}

/// The owner's end of a deque.
pub(crate) struct Worker<T>(crossbeam_deque::Worker<T>);

impl<T> Worker<T> {
    pub(crate) fn new_lifo() -> Self {
        Self(crossbeam_deque::Worker::new_lifo())
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(self.0.stealer())
    }

    pub(crate) fn push(&self, value: T) {
        point();
        self.0.push(value);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        point();
        self.0.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        point();
        self.0.is_empty()
    }
}

/// The thieves' end of a deque.
pub(crate) struct Stealer<T>(crossbeam_deque::Stealer<T>);

impl<T> Stealer<T> {
    pub(crate) fn steal(&self) -> Steal<T> {
        point();
        self.0.steal()
    }

    pub(crate) fn is_empty(&self) -> bool {
        point();
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A value of each thread.
pub(crate) struct Local<T: 'static> {
    key: LocalKey<T>,
}

impl<T: 'static> Local<T> {
    pub(crate) const fn new(init: fn() -> T) -> Self {
        let _p = PhantomData;
        Self {
            key: LocalKey { init, _p },
        }
    }

    pub(crate) fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let mut f = Some(f);
        let done = self.key.try_with(|value| f.take().map(|f| f(value)));
        match (done.ok().flatten(), f) {
            (Some(result), _) => result,
            // As in std, a value without a destructor can be used while the destructors of others
            // run.
            (None, Some(f)) if !std::mem::needs_drop::<T>() => f(&(self.key.init)()),
            (None, _) => panic!("a thread-local is used after its end"),
        }
    }

    pub(crate) fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, Over> {
        self.key.try_with(f).map_err(|_| Over)
    }
}

/// The thread's values are gone.
pub(crate) struct Over;

impl<T: 'static> Local<Cell<T>> {
    pub(crate) fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    pub(crate) fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    pub(crate) fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> Local<RefCell<T>> {
    pub(crate) fn set(&'static self, value: T) {
        self.with(|cell| *cell.borrow_mut() = value);
    }
}

/// Values of each thread.
macro_rules! locals {
    ($(#[$attr:meta])* static $name:ident: $type:ty = const $init:block $(;)?) => {
        $(#[$attr])*
        static $name: $crate::platform::shuttled::Local<$type> =
            $crate::platform::shuttled::Local::new(|| $init);
    };
}
pub(crate) use locals as thread_local;

/// Values of each execution.
macro_rules! statics {
    ($(#[$attr:meta])* pub(crate) static $name:ident: $type:ty = $init:expr;) => {
        shuttle::lazy_static! { $(#[$attr])* pub(crate) static ref $name: $type = $init; }
    };
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        shuttle::lazy_static! { $(#[$attr])* static ref $name: $type = $init; }
    };
}
pub(crate) use statics;

/// What scenarios ask of the crate beyond its surface.
pub mod control {
    use std::time::Instant;

    use crate::platform::{planted, refusals};

    /// What is printed when the planted bug first takes effect.
    pub const REACHED: &str = planted::REACHED;

    /// Plants the bug that the environment names, if it names one.
    pub fn plant() {
        planted::arm();
    }

    /// Refuses threads with a name that begins with `prefix`, if `is_refused` says so of their
    /// number, from 0.
    pub fn refuse(prefix: &str, is_refused: impl Fn(usize) -> bool + Send + 'static) {
        refusals::plan(prefix, is_refused);
    }

    /// Refuses no more; returns how many threads with that prefix were asked for.
    pub fn refuse_no_more(prefix: &str) -> usize {
        refusals::end(prefix)
    }

    /// The present time in this execution.
    pub fn now() -> Instant {
        super::now()
    }
}
