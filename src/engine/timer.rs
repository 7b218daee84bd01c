//! Deadlines: one thread that says when one has passed.
//!
//! It does not cancel anything: it advances the epoch, so that whoever checks looks at the clock.
//! It starts with the first deadline and sleeps untimed while there is none. A deadline that is
//! over before its time leaves its entry behind, for the thread to find at the next one it wakes
//! up for: at most one wake-up that nobody needed. A forked process starts one of its own, and knows
//! no deadline of its parent's.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::engine::epoch::EPOCH;
use crate::platform::clock;
use crate::platform::process::PerProcess;
use crate::platform::sync::{Condvar, Mutex, PoisonError, lock, statics};
use crate::platform::thread::Thread;

struct Timer {
    pending: Mutex<Pending>,
    bell: Condvar,
}

struct Pending {
    deadlines: BTreeSet<(Instant, u64)>,
    /// Tells equal ones apart.
    number: u64,
    is_running: bool,
    /// When the thread will wake up by itself, if it will.
    wakes_at: Option<Instant>,
}

statics! {
    static TIMER: PerProcess<Timer> = PerProcess::first(Timer::new());
}

/// A deadline that the thread knows, until this is dropped.
pub(crate) struct Watch {
    timer: &'static Timer,
    entry: (Instant, u64),
}

impl Watch {
    /// Has the epoch advanced once it is `deadline`; none if there is no thread to do so.
    pub(crate) fn start(deadline: Instant) -> Option<Self> {
        #[cfg(test)]
        if crate::platform::thread::refused::are() {
            return None;
        }
        let timer = Timer::own();
        let mut pending = lock(&timer.pending);
        if !pending.is_running {
            let name = "hatchery-timer".to_owned();
            let started = Thread::start_for_good(name, || timer.main());
            pending.is_running = started.is_ok();
            if started.is_err() {
                return None;
            }
        }
        let number = pending.number;
        pending.number += 1;
        let entry = (deadline, number);
        pending.deadlines.insert(entry);
        if pending.wakes_at.is_none_or(|wakes_at| deadline < wakes_at) {
            timer.bell.notify_one();
        }
        Some(Self { timer, entry })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::ptr::eq(self.timer, Timer::own()) {
            lock(&self.timer.pending).deadlines.remove(&self.entry);
        }
    }
}

impl Timer {
    const fn new() -> Self {
        Self {
            pending: Mutex::new(Pending {
                deadlines: BTreeSet::new(),
                number: 0,
                is_running: false,
                wakes_at: None,
            }),
            bell: Condvar::new(),
        }
    }

    /// That of this process.
    fn own() -> &'static Self {
        TIMER.get(|_| Self::new())
    }

    fn main(&self) {
        let mut pending = lock(&self.pending);
        loop {
            let now = clock::now();
            let mut has_passed = false;
            while let Some(first) = pending.deadlines.first().copied()
                && first.0 <= now
            {
                pending.deadlines.remove(&first);
                has_passed = true;
            }
            if has_passed {
                EPOCH.advance();
            }
            pending.wakes_at = pending.deadlines.first().map(|first| first.0);
            let relock = PoisonError::into_inner;
            pending = match pending.wakes_at {
                None => self.bell.wait(pending).unwrap_or_else(relock),
                Some(at) => {
                    let wait = self
                        .bell
                        .wait_timeout(pending, at.saturating_duration_since(now));
                    wait.unwrap_or_else(|error| error.into_inner()).0
                }
            };
        }
    }
}

/// Has the thread look at a clock that was moved.
#[cfg(any(test, hatchery_clock))]
pub(crate) fn look_again() {
    let timer = Timer::own();
    let _pending = lock(&timer.pending);
    timer.bell.notify_one();
}
