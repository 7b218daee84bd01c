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

/// A thread that sleeps until the next of some deadlines.
pub(super) struct Timer {
    name: &'static str,
    /// Called when a deadline has passed.
    passed: fn(),
    deadlines: Deadlines,
    /// The present thread, and earlier threads that may not be over yet. Locked in the steps of
    /// `deadlines` only.
    threads: Mutex<Vec<Thread>>,
}

statics! {
    static TIMER: PerProcess<Timer> = PerProcess::first(Timer::of_epochs());
}

/// The timer of this process.
fn own() -> &'static Timer {
    TIMER.get(|_| Timer::of_epochs())
}

impl Timer {
    const fn of_epochs() -> Self {
        Self::new("hatchery-timer", || _ = EPOCH.advance())
    }

    /// A timer whose thread has this name, and calls `passed` when a deadline has passed.
    pub(super) const fn new(name: &'static str, passed: fn()) -> Self {
        Self {
            name,
            passed,
            deadlines: Deadlines::new(RETIREMENT),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// Starts the timer's thread with this number; false if the system refuses it.
    fn start(&'static self, number: u64) -> bool {
        let name = self.name.to_owned();
        let Ok(thread) = Thread::start_aside(name, move || self.run(number)) else {
            return false;
        };
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_over());
        threads.extend(thread);
        true
    }

    /// Adds a deadline; none if there is no thread to sleep until then.
    pub(super) fn add(&'static self, deadline: Instant) -> Option<Entry> {
        #[cfg(test)]
        if crate::platform::thread::refused::are() {
            return None;
        }
        self.deadlines.add(deadline, |number| self.start(number))
    }

    /// Removes a deadline that nobody waits for any more.
    pub(super) fn remove(&self, entry: &Entry) {
        self.deadlines.remove(entry);
    }

    /// Ends the thread and waits for it, if there is no deadline.
    pub(super) fn end(&self) {
        let take = || std::mem::take(&mut *lock(&self.threads));
        let threads = self.deadlines.dismiss(take).unwrap_or_default();
        threads.into_iter().for_each(Thread::join);
    }

    fn run(&self, number: u64) {
        let mut pending = self.deadlines.attend();
        loop {
            let now = clock::now();
            if pending.take_passed(now) {
                drop(pending);
                (self.passed)();
                pending = self.deadlines.attend();
                continue;
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
    own().end();
}

/// A deadline that the timer's thread knows until this is dropped.
pub(crate) struct Watch {
    timer: &'static Timer,
    entry: Entry,
}

impl Watch {
    /// Makes the epoch advance at `deadline`; none if there is no thread to do so.
    pub(crate) fn start(deadline: Instant) -> Option<Self> {
        let timer = own();
        let entry = timer.add(deadline)?;
        Some(Self { timer, entry })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::ptr::eq(self.timer, own()) {
            self.timer.remove(&self.entry);
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
        fn add_after(&'static self, after: Duration) -> Entry {
            let entry = self.add(clock::now() + after);
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
    #[cfg_attr(miri, ignore = "there is no such thread")]
    fn the_thread_retires_and_another_one_comes_for_the_next_deadline() {
        static TIMER: Timer = Timer::of_epochs();
        for after in [FAR, Duration::ZERO, FAR] {
            let entry = TIMER.add_after(after);
            TIMER.deadlines.remove(&entry);
            assert_eq!(TIMER.join(), 1, "after a deadline in {after:?}");
        }
        // It stays as long as there is a deadline, and does what it is for.
        let far = TIMER.add_after(FAR);
        let before = EPOCH.now();
        TIMER.add_after(Duration::ZERO);
        while EPOCH.now() == before {
            std::thread::yield_now();
        }
        assert_eq!(TIMER.deadlines.dismiss(|| ()), None);
        TIMER.deadlines.remove(&far);
        assert_eq!(TIMER.join(), 1);
        assert_eq!(TIMER.join(), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "there is no such thread")]
    fn deadlines_that_come_and_go_all_the_time_are_noticed_whoever_retires_meanwhile() {
        static TIMER: Timer = Timer::of_epochs();
        for round in 0..300 {
            let before = EPOCH.now();
            let far = TIMER.add_after(FAR);
            TIMER.add_after(Duration::from_micros(round * 7));
            TIMER.deadlines.remove(&far);
            while EPOCH.now() == before {
                std::thread::yield_now();
            }
        }
        TIMER.join();
    }
}
