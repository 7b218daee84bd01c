//! The clocks: one that deadlines go by, which tests and programs that check the crate move, and one
//! for how long something takes.

#[cfg(not(hatchery_shuttle))]
use std::time::Instant;

#[cfg(hatchery_shuttle)]
pub(crate) use super::shuttled::{now, now as tick};

/// What time it is.
#[cfg(not(hatchery_shuttle))]
pub(crate) fn now() -> Instant {
    let now = Instant::now();
    #[cfg(any(test, hatchery_clock))]
    let now = now + moved::by();
    now
}

/// The same where no test moves it: two of these say how long something took.
#[cfg(not(hatchery_shuttle))]
#[inline]
pub(crate) fn tick() -> Instant {
    Instant::now()
}

/// How far the clock has been moved.
#[cfg(any(test, hatchery_clock))]
pub(crate) mod moved {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    static NANOS: AtomicU64 = AtomicU64::new(0);

    pub(crate) fn by() -> Duration {
        Duration::from_nanos(NANOS.load(Ordering::SeqCst))
    }

    /// Moves it forward; whoever waits for a time has to be told.
    pub(crate) fn forward(by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("less than 500 years");
        NANOS.fetch_add(nanos, Ordering::SeqCst);
    }
}
