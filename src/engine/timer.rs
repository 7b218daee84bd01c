//! Deadlines: one thread that says when one has passed.
//!
//! The thread does not cancel anything: it advances the epoch, so that the next check looks at the
//! clock. It starts with the first deadline. A deadline that is removed before its time leaves no
//! trace, except for at most one wake-up that nobody needed. Once there has been no deadline for
//! [`RETIREMENT`] the thread ends. It also ends when a pool ends while there is no deadline, and
//! the pool waits for it: after the end of the last pool the process has no thread of this crate.
//! The next deadline starts another thread. A forked process starts a thread of its own, and knows
//! no deadline of its parent.

use std::time::{Duration, Instant};

use crate::platform::clock;
use crate::platform::process::PerProcess;
use crate::platform::sync::{Mutex, lock, statics};
use crate::platform::thread::Thread;
use crate::protocol::deadlines::{Deadlines, Entry};
use crate::protocol::epoch::EPOCH;

/// How long an idle thread stays (side thread, spare, timer): bursts of I/O come back within seconds.
#[cfg(not(test))]
pub(crate) const RETIREMENT: Duration = Duration::from_secs(10);
/// Tests do not wait that long.
#[cfg(test)]
pub(crate) const RETIREMENT: Duration = Duration::from_millis(1);

struct Timer {
    deadlines: Deadlines,
    /// The present thread, and earlier threads that may not be over yet. Locked in the steps of
    /// `deadlines` only.
    threads: Mutex<Vec<Thread>>,
}

statics! {
    static TIMER: PerProcess<Timer> = PerProcess::first(Timer::new());
}

/// The timer of this process.
fn own() -> &'static Timer {
    TIMER.get(|_| Timer::new())
}

impl Timer {
    const fn new() -> Self {
        Self {
            deadlines: Deadlines::new(RETIREMENT),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// Starts the timer's thread with this number; false if the system refuses it.
    fn start(&'static self, number: u64) -> bool {
        let name = "hatchery-timer".to_owned();
        let Ok(thread) = Thread::start_aside(name, move || self.run(number)) else {
            return false;
        };
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_over());
        threads.extend(thread);
        true
    }

    fn run(&self, number: u64) {
        let mut pending = self.deadlines.attend();
        loop {
            let now = clock::now();
            if pending.take_passed(now) {
                EPOCH.advance();
            }
            match self.deadlines.sleep(pending, number, now) {
                Some(awake) => pending = awake,
                None => return,
            }
        }
    }
}

/// Ends the timer's thread and waits for it, if there is no deadline.
pub(crate) fn dismiss() {
    let timer = own();
    let take = || std::mem::take(&mut *lock(&timer.threads));
    let threads = timer.deadlines.dismiss(take).unwrap_or_default();
    threads.into_iter().for_each(Thread::join);
}

/// A deadline that the timer's thread knows until this is dropped.
pub(crate) struct Watch {
    timer: &'static Timer,
    entry: Entry,
}

impl Watch {
    /// Makes the epoch advance at `deadline`; none if there is no thread to do so.
    pub(crate) fn start(deadline: Instant) -> Option<Self> {
        #[cfg(test)]
        if crate::platform::thread::refused::are() {
            return None;
        }
        let timer = own();
        let entry = timer
            .deadlines
            .add(deadline, |number| timer.start(number))?;
        Some(Self { timer, entry })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::ptr::eq(self.timer, own()) {
            self.timer.deadlines.remove(&self.entry);
        }
    }
}

/// Makes the timer's thread look at a clock that was moved.
#[cfg(any(test, hatchery_clock))]
pub(crate) fn look_again() {
    own().deadlines.look_again();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    impl Timer {
        fn add(&'static self, after: Duration) -> Entry {
            let start = |number| self.start(number);
            let entry = self.deadlines.add(clock::now() + after, start);
            entry.expect("a thread can be had")
        }

        /// Waits for the end of all threads, and returns how many there were.
        fn join(&self) -> usize {
            let threads = std::mem::take(&mut *lock(&self.threads));
            let count = threads.len();
            threads.into_iter().for_each(Thread::join);
            count
        }
    }

    const FAR: Duration = Duration::from_secs(1 << 30);

    #[test]
    fn the_thread_retires_and_another_one_comes_for_the_next_deadline() {
        static TIMER: Timer = Timer::new();
        for after in [FAR, Duration::ZERO, FAR] {
            let entry = TIMER.add(after);
            TIMER.deadlines.remove(&entry);
            assert_eq!(TIMER.join(), 1, "after a deadline in {after:?}");
        }
        // It stays as long as there is a deadline, and does what it is for.
        let far = TIMER.add(FAR);
        let before = EPOCH.now();
        TIMER.add(Duration::ZERO);
        while EPOCH.now() == before {
            std::thread::yield_now();
        }
        assert_eq!(TIMER.deadlines.dismiss(|| ()), None);
        TIMER.deadlines.remove(&far);
        assert_eq!(TIMER.join(), 1);
        assert_eq!(TIMER.join(), 0);
    }

    #[test]
    fn deadlines_that_come_and_go_all_the_time_are_noticed_whoever_retires_meanwhile() {
        static TIMER: Timer = Timer::new();
        for round in 0..300 {
            let before = EPOCH.now();
            let far = TIMER.add(FAR);
            TIMER.add(Duration::from_micros(round * 7));
            TIMER.deadlines.remove(&far);
            while EPOCH.now() == before {
                std::thread::yield_now();
            }
        }
        TIMER.join();
    }
}
