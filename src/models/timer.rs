//! Deadlines: none is slept over, and whoever learns that one has passed finds that it has.

use std::time::{Duration, Instant};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::{exhaustively, twins, within_bounds};
use crate::engine::deadlines::Deadlines;
use crate::engine::epoch::Epoch;
use crate::engine::mark::{self, Cancellable, Mark};
use crate::platform::planted;

const DEADLINE: u8 = 3;

/// The deadlines of a process whose clock is moved by hand.
struct Timer {
    deadlines: Deadlines,
    epoch: Epoch,
    start: Instant,
    seconds: AtomicU64,
}

impl Timer {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            deadlines: Deadlines::new(),
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

    fn add(&self, seconds: u64) -> (Instant, u64) {
        let entry = self.deadlines.add(self.at(seconds), || true);
        entry.expect("there is a thread")
    }

    /// What the thread does, until it was so late when one had passed.
    fn run_until(&self, seconds: u64) {
        let is_early = planted::step("looks at the clock before it has the lock");
        let mut early = is_early.then(|| self.now());
        let mut pending = self.deadlines.attend();
        loop {
            let now = early.take().unwrap_or_else(|| self.now());
            if pending.take_passed(now) {
                self.epoch.advance();
                if now >= self.at(seconds) {
                    return;
                }
            }
            pending = self.deadlines.sleep(pending, now);
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

    fn since(&self, _reason: u8) -> Option<Instant> {
        Some(self.deadline)
    }

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
        nobody_rings: skipped("engine/deadlines.rs", "add", "notify_one") => Deadlock;
        the_clock_is_read_too_early: step("looks at the clock before it has the lock") => Deadlock;
    }
    timer_an_earlier_deadline_is_not_slept_over {
        nobody_rings: skipped("engine/deadlines.rs", "add", "notify_one") => Deadlock;
    }
    timer_time_passes_while_deadlines_are_added {
        nobody_rings: skipped("engine/deadlines.rs", "add", "notify_one") => Deadlock;
    }
    timer_a_withdrawn_deadline_hides_no_later_one {
        it_is_not_withdrawn: step("withdraws nothing") => Says("one has passed");
    }
    timer_whoever_checks_after_the_deadline_has_passed_is_told {
        the_epoch_advances_without_what_came_before: relaxed("engine/epoch.rs", "advance", "fetch_add")
            => Says("told");
        the_number_is_read_without_what_came_before: relaxed("engine/epoch.rs", "now", "load")
            => Says("told");
        the_epoch_advances_too_early: step("says that one has passed before it looks at the clock")
            => Says("told");
    }
}
