//! Deadlines: none is slept over, and whoever learns that one has passed finds that it has. The thread
//! that waits for them retires or is dismissed, and another one comes.

use std::time::{Duration, Instant};

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::{exhaustively, twins, within_bounds};
use crate::platform::planted;
use crate::protocol::deadlines::Deadlines;
use crate::protocol::epoch::Epoch;
use crate::protocol::mark::{self, Cancellable, Mark};

const DEADLINE: u8 = 3;

/// So long does a thread rest that the models leave alone.
const FOR_EVER: u64 = 1000;

/// The deadlines of a process whose clock is moved by hand.
struct Timer {
    deadlines: Deadlines,
    /// Those that were started by whoever has added a deadline.
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
    /// How many of them have ended.
    ended: AtomicU64,
    epoch: Epoch,
    start: Instant,
    seconds: AtomicU64,
}

impl Timer {
    fn new() -> Arc<Self> {
        Self::resting(FOR_EVER)
    }

    /// Whose thread rests for so many seconds.
    fn resting(seconds: u64) -> Arc<Self> {
        Arc::new(Self {
            deadlines: Deadlines::new(Duration::from_secs(seconds)),
            threads: Mutex::new(Vec::new()),
            ended: AtomicU64::new(0),
            epoch: Epoch::new(),
            start: Instant::now(),
            seconds: AtomicU64::new(0),
        })
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn now(&self) -> Instant {
        // Two looks of which one happens before the other see no time between them go back.
        self.at(self.seconds.load(Ordering::Relaxed))
    }

    /// Time passes, and the system wakes whoever sleeps until then.
    fn move_to(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
        self.deadlines.wake_if_it_is_time(self.at(seconds));
    }

    /// Of which the model has started the thread.
    fn add(&self, seconds: u64) -> (Instant, u64) {
        let entry = self.deadlines.add(self.at(seconds), |_| true);
        entry.expect("there is a thread")
    }

    /// Starts a thread if there is none.
    fn add_anyhow(timer: &Arc<Self>, seconds: u64) -> (Instant, u64) {
        let start = |number| {
            if !planted::step("counts on a thread that is not there") {
                let same = Arc::clone(timer);
                let run = move || {
                    same.run(number, None);
                    same.ended.fetch_add(1, Ordering::Relaxed);
                };
                timer.threads.lock().unwrap().push(thread::spawn(run));
            }
            true
        };
        let entry = timer.deadlines.add(timer.at(seconds), start);
        entry.expect("there is a thread")
    }

    fn take_threads(&self) -> Vec<thread::JoinHandle<()>> {
        std::mem::take(&mut *self.threads.lock().unwrap())
    }

    /// What `timer::dismiss` does.
    fn dismiss(&self) {
        let threads = self.deadlines.dismiss(|| self.take_threads());
        let mut threads = threads.unwrap_or_default();
        if planted::step("waits for a thread that has deadlines") {
            threads.extend(self.take_threads());
        }
        for thread in threads {
            thread.join().unwrap();
        }
    }

    /// Time passes in steps of a rest, until all threads have retired.
    fn outwait(&self, from: u64, rest: u64) {
        let threads = self.take_threads();
        let mut seconds = from;
        while self.ended.load(Ordering::Relaxed) < threads.len() as u64 {
            seconds += rest;
            self.move_to(seconds);
            thread::yield_now();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    }

    /// What a thread does, until it was so late when a deadline had passed.
    fn run_until(&self, seconds: u64) {
        self.run(0, Some(seconds));
    }

    /// What the thread of this number does, until it ends, or until it was so late when one had passed.
    fn run(&self, number: u64, until: Option<u64>) {
        let is_early = planted::step("looks at the clock before it has the lock");
        let mut early = is_early.then(|| self.now());
        let mut pending = self.deadlines.attend();
        loop {
            let now = early.take().unwrap_or_else(|| self.now());
            if pending.take_passed(now) {
                self.epoch.advance();
                if until.is_some_and(|seconds| now >= self.at(seconds)) {
                    return;
                }
            }
            match self.deadlines.sleep(pending, number, now) {
                Some(awake) => pending = awake,
                None => return,
            }
        }
    }
}

fn run_until(timer: &Arc<Timer>, seconds: u64) -> thread::JoinHandle<()> {
    let timer = Arc::clone(timer);
    thread::spawn(move || timer.run_until(seconds))
}

#[test]
fn timer_a_new_deadline_is_not_slept_over() {
    exhaustively(|| {
        let timer = Timer::new();
        // There is a thread, and it rests.
        let first = timer.add(5);
        timer.deadlines.remove(&first);
        let thread = run_until(&timer, 5);
        timer.add(5);
        timer.move_to(5);
        thread.join().unwrap();
    });
}

#[test]
fn timer_an_earlier_deadline_is_not_slept_over() {
    exhaustively(|| {
        let timer = Timer::new();
        timer.add(9);
        let thread = run_until(&timer, 5);
        timer.add(5);
        timer.move_to(5);
        thread.join().unwrap();
    });
}

#[test]
fn timer_time_passes_while_deadlines_are_added() {
    within_bounds(|| {
        let timer = Timer::new();
        timer.add(9);
        let thread = run_until(&timer, 5);
        let clock = {
            let timer = Arc::clone(&timer);
            thread::spawn(move || timer.move_to(5))
        };
        timer.add(5);
        thread.join().unwrap();
        clock.join().unwrap();
    });
}

#[test]
fn timer_a_withdrawn_deadline_hides_no_later_one() {
    within_bounds(|| {
        let timer = Timer::new();
        let first = timer.add(5);
        let thread = run_until(&timer, 9);
        let other = {
            let timer = Arc::clone(&timer);
            thread::spawn(move || {
                if !planted::step("withdraws nothing") {
                    timer.deadlines.remove(&first);
                }
            })
        };
        timer.add(9);
        other.join().unwrap();
        let before = timer.epoch.now();
        timer.move_to(5);
        timer.move_to(9);
        thread.join().unwrap();
        assert_eq!(timer.epoch.now(), before + 1, "one has passed");
    });
}

#[test]
fn timer_nobody_counts_on_a_thread_that_retires() {
    within_bounds(|| {
        let timer = Timer::resting(3);
        let first = Timer::add_anyhow(&timer, 1);
        timer.deadlines.remove(&first);
        let clock = {
            let timer = Arc::clone(&timer);
            thread::spawn(move || timer.move_to(3))
        };
        let before = timer.epoch.now();
        Timer::add_anyhow(&timer, 4);
        clock.join().unwrap();
        timer.outwait(3, 3);
        assert_eq!(timer.epoch.now(), before + 1, "it has passed");
    });
}

#[test]
fn timer_a_deadline_that_ends_before_a_rest_does_is_not_slept_over() {
    within_bounds(|| {
        let timer = Timer::resting(3);
        let first = Timer::add_anyhow(&timer, 1);
        timer.deadlines.remove(&first);
        let before = timer.epoch.now();
        Timer::add_anyhow(&timer, 2);
        timer.move_to(2);
        while timer.epoch.now() == before {
            thread::yield_now();
        }
        timer.outwait(2, 3);
    });
}

#[test]
fn timer_a_thread_whose_last_far_deadline_is_withdrawn_retires() {
    exhaustively(|| {
        let timer = Timer::resting(3);
        let far = Timer::add_anyhow(&timer, 1_000_000);
        timer.deadlines.remove(&far);
        timer.outwait(0, 3);
    });
}

#[test]
fn timer_a_thread_that_is_dismissed_ends_and_another_one_comes() {
    within_bounds(|| {
        let timer = Timer::resting(FOR_EVER);
        let first = Timer::add_anyhow(&timer, 1);
        timer.deadlines.remove(&first);
        let other = {
            let timer = Arc::clone(&timer);
            thread::spawn(move || Timer::add_anyhow(&timer, 5))
        };
        timer.dismiss();
        other.join().unwrap();
        let before = timer.epoch.now();
        timer.move_to(5);
        while timer.epoch.now() == before {
            thread::yield_now();
        }
        timer.dismiss();
        let nobody = timer.deadlines.dismiss(|| timer.take_threads().is_empty());
        assert_eq!(nobody, Some(true), "all were waited for");
    });
}

/// A nursery with a deadline that the timer knows.
struct Nursery {
    mark: Mark,
    timer: Arc<Timer>,
    deadline: Instant,
}

impl Cancellable for Nursery {
    fn mark(&self) -> &Mark {
        &self.mark
    }

    fn outer(&self) -> Option<&Self> {
        None
    }

    fn broken(&self) -> Option<(u8, Option<Instant>)> {
        (self.deadline <= self.timer.now()).then_some((DEADLINE, Some(self.deadline)))
    }

    const DEADLINE: u8 = DEADLINE;

    fn since(&self) -> Option<Instant> {
        Some(self.deadline)
    }

    fn note_since(&self, _since: Instant) {}

    fn is_unwatched(&self) -> bool {
        false
    }
}

impl Nursery {
    fn is_cancelled(&self) -> bool {
        let epoch = &self.timer.epoch;
        !self.mark.is_known_clean(epoch) && mark::look(self, epoch).is_some()
    }
}

#[test]
fn timer_whoever_checks_after_the_deadline_has_passed_is_told() {
    within_bounds(|| {
        let timer = Timer::new();
        timer.add(5);
        let nursery = Arc::new(Nursery {
            mark: Mark::new(),
            timer: Arc::clone(&timer),
            deadline: timer.at(5),
        });
        let thread = {
            let timer = Arc::clone(&timer);
            thread::spawn(move || {
                if planted::step("says that one has passed before it looks at the clock") {
                    timer.epoch.advance();
                    timer.epoch.advance();
                }
                timer.run_until(5);
            })
        };
        let clock = {
            let timer = Arc::clone(&timer);
            thread::spawn(move || timer.move_to(5))
        };
        nursery.is_cancelled();
        if timer.epoch.now() > 1 {
            assert!(nursery.is_cancelled(), "told of the deadline");
        }
        thread.join().unwrap();
        clock.join().unwrap();
        assert!(nursery.is_cancelled(), "told at last");
    });
}

twins! {
    timer_a_new_deadline_is_not_slept_over {
        nobody_rings: skipped("protocol/deadlines.rs", "add", "notify_one") => Deadlock;
        the_clock_is_read_too_early: step("looks at the clock before it has the lock") => Deadlock;
    }
    timer_an_earlier_deadline_is_not_slept_over {
        nobody_rings: skipped("protocol/deadlines.rs", "add", "notify_one") => Deadlock;
    }
    timer_time_passes_while_deadlines_are_added {
        nobody_rings: skipped("protocol/deadlines.rs", "add", "notify_one") => Deadlock;
    }
    timer_a_withdrawn_deadline_hides_no_later_one {
        it_is_not_withdrawn: step("withdraws nothing") => Says("one has passed");
    }
    timer_nobody_counts_on_a_thread_that_retires {
        somebody_does: step("counts on a thread that is not there") => Says("it has passed");
    }
    timer_a_deadline_that_ends_before_a_rest_does_is_not_slept_over {
        nobody_rings: skipped("protocol/deadlines.rs", "add", "notify_one") => Livelock;
    }
    timer_a_thread_whose_last_far_deadline_is_withdrawn_retires {
        nobody_rings: skipped("protocol/deadlines.rs", "remove", "notify_one") => Livelock;
    }
    timer_a_thread_that_is_dismissed_ends_and_another_one_comes {
        nobody_rings: skipped("protocol/deadlines.rs", "dismiss", "notify_all") => Deadlock;
        one_with_deadlines_is_waited_for: step("waits for a thread that has deadlines") => Deadlock;
    }
    timer_whoever_checks_after_the_deadline_has_passed_is_told {
        the_epoch_advances_without_what_came_before: relaxed("protocol/epoch.rs", "advance", "fetch_add")
            => Says("told");
        the_number_is_read_without_what_came_before: relaxed("protocol/epoch.rs", "now", "load")
            => Says("told");
        the_epoch_advances_too_early: step("says that one has passed before it looks at the clock")
            => Says("told");
    }
}
