//! Deadlines: one thread that says when one has passed.
//!
//! It does not cancel anything: it advances the epoch, so that whoever checks looks at the clock.
//! It starts with the first deadline and sleeps untimed while there is none. A deadline that is
//! over before its time leaves its entry behind, for the thread to find at the next one it wakes
//! up for: at most one wake-up that nobody needed. A forked process starts one of its own, and knows
//! no deadline of its parent's.

use std::time::Instant;

use crate::engine::deadlines::{Deadlines, Entry};
use crate::engine::epoch::EPOCH;
use crate::platform::clock;
use crate::platform::process::PerProcess;
use crate::platform::sync::statics;
use crate::platform::thread::Thread;

statics! {
    static TIMER: PerProcess<Deadlines> = PerProcess::first(Deadlines::new());
}

/// That of this process.
fn own() -> &'static Deadlines {
    TIMER.get(|_| Deadlines::new())
}

/// A deadline that the thread knows, until this is dropped.
pub(crate) struct Watch {
    timer: &'static Deadlines,
    entry: Entry,
}

impl Watch {
    /// Has the epoch advanced once it is `deadline`; none if there is no thread to do so.
    pub(crate) fn start(deadline: Instant) -> Option<Self> {
        #[cfg(test)]
        if crate::platform::thread::refused::are() {
            return None;
        }
        let timer = own();
        let start = || {
            let name = "hatchery-timer".to_owned();
            Thread::start_for_good(name, || main(timer)).is_ok()
        };
        let entry = timer.add(deadline, start)?;
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

fn main(timer: &Deadlines) {
    let mut pending = timer.attend();
    loop {
        let now = clock::now();
        if pending.take_passed(now) {
            EPOCH.advance();
        }
        pending = timer.sleep(pending, now);
    }
}

/// Has the thread look at a clock that was moved.
#[cfg(any(test, hatchery_clock))]
pub(crate) fn look_again() {
    own().look_again();
}
