//! Promises: one thread calls the closure, and the value reaches the reader or is dropped by somebody else, once.
//!
//! What the threads do here mirrors `scope::job`.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use loom::sync::atomic::AtomicBool;
use loom::thread::{self, JoinHandle};

use super::woken::Executor;
use super::{Memory, exhaustively, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::promise::{Ended, GivenUp, Promise};

/// How often something has happened. It is no step of a model.
#[derive(Default)]
struct Times(AtomicUsize);

impl Times {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A closure or a value: who makes it, uses it and drops it does so one after the other.
struct Thing {
    content: Memory<u32>,
    drops: Arc<Times>,
}

impl Thing {
    fn new(drops: &Arc<Times>) -> Self {
        let content = Memory::new(0);
        content.write(1);
        let drops = Arc::clone(drops);
        Self { content, drops }
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.drops.add();
        if !std::thread::panicking() {
            assert_eq!(self.content.read(), 1, "made before it is dropped");
            self.content.write(2);
        }
    }
}

struct Job {
    promise: Promise<Thing, Thing>,
    /// Only for who begins in two steps.
    has_begun: AtomicBool,
    is_cancelled: AtomicBool,
    /// Who runs the job waits here to be cancelled, if it does.
    runner: Parker,
    closures: Arc<Times>,
    calls: Times,
    values: Arc<Times>,
}

impl Job {
    fn new() -> loom::sync::Arc<Self> {
        let closures = Arc::default();
        loom::sync::Arc::new(Self {
            promise: Promise::new(Thing::new(&closures)),
            has_begun: AtomicBool::new(false),
            is_cancelled: AtomicBool::new(false),
            runner: Parker::new(),
            closures,
            calls: Times::default(),
            values: Arc::default(),
        })
    }

    /// The right to call the closure.
    fn begin(&self) -> Option<Thing> {
        if planted::step("looks whether it has begun, and begins then") {
            if self.has_begun.load(Ordering::Relaxed) {
                return None;
            }
            self.has_begun.store(true, Ordering::Relaxed);
            let closure = self.promise.begin();
            return Some(closure.unwrap_or_else(|| Thing::new(&self.closures)));
        }
        self.promise.begin()
    }

    /// As `Job::run`.
    fn run(&self) {
        self.run_then(|| ());
    }

    fn run_then(&self, body: impl FnOnce()) {
        let Some(closure) = self.begin() else {
            return;
        };
        self.calls.add();
        drop(closure);
        body();
        match self.promise.end(Thing::new(&self.values)) {
            Ended::Wanted(waker) if planted::step("the reader is not woken") => drop(waker),
            Ended::Wanted(waker) => waker.into_iter().for_each(Waker::wake),
            Ended::Unwanted(value) if planted::step("what nobody wants stays") => {
                mem::forget(value)
            }
            Ended::Unwanted(value) => drop(value),
        }
    }

    /// Runs it on another thread.
    fn run_elsewhere(this: &loom::sync::Arc<Self>) -> JoinHandle<()> {
        let same = loom::sync::Arc::clone(this);
        thread::spawn(move || same.run())
    }

    /// As the drop of a `Held`.
    fn give_up(&self) {
        let GivenUp {
            closure,
            value,
            waker,
            is_running,
        } = self.promise.give_up();
        drop(waker);
        if planted::step("who gives up drops nothing") {
            mem::forget((closure, value));
        }
        if is_running && !planted::step("who gives up does not cancel") {
            self.is_cancelled.store(true, Ordering::Relaxed);
            self.runner.unpark();
        }
    }

    /// As `Held::detach`.
    fn detach(&self) {
        if planted::step("who detaches gives up") {
            drop(self.promise.give_up());
        } else {
            drop(self.promise.detach());
        }
    }

    fn poll(&self, waker: &Waker) -> Option<Thing> {
        if planted::step("looks, and is woken for what comes later only") && !self.promise.is_over()
        {
            return self.poll_too_late(waker);
        }
        self.promise.poll(waker)
    }

    /// Leaves the waker without a look at what is there.
    fn poll_too_late(&self, waker: &Waker) -> Option<Thing> {
        let value = self.promise.poll(waker);
        mem::forget(value);
        None
    }

    /// When all threads are done.
    fn assert_called(&self, calls: usize) {
        assert_eq!(self.calls.get(), calls, "so often is it called");
        assert_eq!(self.closures.get(), 1, "a closure is dropped once");
        assert_eq!(self.values.get(), calls, "a value is dropped once");
    }
}

/// A thread runs the job while its reader polls and leaves a waker.
#[test]
fn promise_reader_finds_the_value_or_is_woken() {
    exhaustively(|| {
        let job = Job::new();
        let worker = Job::run_elsewhere(&job);
        let reader = Executor::new();
        drop(reader.block_on(|waker| job.poll(waker)));
        worker.join().unwrap();
        job.assert_called(1);
        reader.assert_forgotten();
    });
}

/// The reader polls as one task, and then as another one, which waits.
#[test]
fn promise_the_waker_that_was_left_last_is_woken() {
    exhaustively(|| {
        let job = Job::new();
        let worker = Job::run_elsewhere(&job);
        let tasks = [Executor::new(), Executor::new()];
        let first = tasks[0].waker();
        if let Some(value) = job.poll(&first) {
            drop(value);
        } else {
            drop(tasks[1].block_on(|second| {
                let is_kept = planted::step("the waker that was left first is kept");
                job.poll(if is_kept { &first } else { second })
            }));
        }
        drop(first);
        worker.join().unwrap();
        job.assert_called(1);
        tasks.iter().for_each(Executor::assert_forgotten);
    });
}

/// A worker and the reader, who waits, both come for the closure.
#[test]
fn promise_is_begun_once_and_waited_for() {
    exhaustively(|| {
        let job = Job::new();
        let worker = Job::run_elsewhere(&job);
        job.run();
        drop(job.promise.wait());
        worker.join().unwrap();
        job.assert_called(1);
    });
}

/// Two workers come, for example the last one of a pool and the thread that ends it, and the reader only waits.
#[test]
fn promise_is_begun_by_one_of_two_while_a_third_waits() {
    within_bounds(|| {
        let job = Job::new();
        let workers = [(); 2].map(|()| Job::run_elsewhere(&job));
        drop(job.promise.wait());
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        job.assert_called(1);
    });
}

/// The reader has polled, and gives up: nobody begins, or what has begun is cancelled, or the value is dropped.
#[test]
fn promise_given_up_is_dropped_once() {
    exhaustively(|| {
        let job = Job::new();
        let worker = Job::run_elsewhere(&job);
        let reader = Executor::new();
        let value = job.poll(&reader.waker());
        if value.is_none() {
            job.give_up();
        }
        drop(value);
        worker.join().unwrap();
        job.assert_called(job.calls.get());
        reader.assert_forgotten();
    });
}

/// What runs ends when it is cancelled, and not before.
#[test]
fn promise_given_up_is_cancelled_while_it_runs() {
    exhaustively(|| {
        let job = Job::new();
        let worker = {
            let job = loom::sync::Arc::clone(&job);
            thread::spawn(move || {
                job.run_then(|| {
                    while !job.is_cancelled.load(Ordering::Relaxed) {
                        job.runner.park();
                    }
                });
            })
        };
        job.give_up();
        worker.join().unwrap();
        job.assert_called(job.calls.get());
    });
}

/// Two threads come for what is given up.
#[test]
fn promise_given_up_is_begun_by_one_or_none() {
    within_bounds(|| {
        let job = Job::new();
        let workers = [(); 2].map(|()| Job::run_elsewhere(&job));
        job.give_up();
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        assert!(job.calls.get() <= 1, "so often is it called");
        job.assert_called(job.calls.get());
    });
}

/// The reader has polled, and lets go of what runs all the same.
#[test]
fn promise_detached_is_called_and_its_value_dropped() {
    exhaustively(|| {
        let job = Job::new();
        let worker = Job::run_elsewhere(&job);
        let reader = Executor::new();
        let value = job.poll(&reader.waker());
        if value.is_none() {
            job.detach();
        }
        drop(value);
        worker.join().unwrap();
        job.assert_called(1);
        reader.assert_forgotten();
    });
}

twins! {
    promise_reader_finds_the_value_or_is_woken {
        it_is_not_woken: step("the reader is not woken") => Deadlock;
        it_does_not_look_again: step("looks, and is woken for what comes later only") => Deadlock;
    }
    promise_the_waker_that_was_left_last_is_woken {
        the_first_is: step("the waker that was left first is kept") => Deadlock;
        it_is_not_woken: step("the reader is not woken") => Deadlock;
    }
    promise_is_begun_once_and_waited_for {
        the_bell_is_not_rung: skipped("protocol/promise.rs", "end", "notify_all") => Deadlock;
        to_look_and_to_begin_are_two_steps: step("looks whether it has begun, and begins then")
            => Says("so often is it called");
    }
    promise_is_begun_by_one_of_two_while_a_third_waits {
        the_bell_is_not_rung: skipped("protocol/promise.rs", "end", "notify_all") => Deadlock;
        to_look_and_to_begin_are_two_steps: step("looks whether it has begun, and begins then")
            => Says("so often is it called");
    }
    promise_given_up_is_dropped_once {
        what_was_taken_away_is_not: step("who gives up drops nothing") => Says("is dropped once");
        what_nobody_wants_is_not: step("what nobody wants stays") => Says("a value is dropped once");
    }
    promise_given_up_is_cancelled_while_it_runs {
        it_is_not_cancelled: step("who gives up does not cancel") => Deadlock;
    }
    promise_given_up_is_begun_by_one_or_none {
        to_look_and_to_begin_are_two_steps: step("looks whether it has begun, and begins then")
            => Says("so often is it called");
        what_was_taken_away_is_not: step("who gives up drops nothing") => Says("is dropped once");
    }
    promise_detached_is_called_and_its_value_dropped {
        it_is_given_up: step("who detaches gives up") => Says("so often is it called");
        what_nobody_wants_stays: step("what nobody wants stays") => Says("a value is dropped once");
    }
}
