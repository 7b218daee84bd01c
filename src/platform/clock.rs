//! The clocks: one for deadlines, which tests and programs that check the crate move, and one for
//! durations.

#[cfg(any(hatchery_shuttle, hatchery_lab))]
pub(crate) use std::time::Instant as Tick;
#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
use std::time::{Duration, Instant};

#[cfg(hatchery_shuttle)]
pub(crate) use super::shuttled::{now, now as tick};
#[cfg(hatchery_lab)]
pub(crate) use laboratory::time::{now, now as tick};

/// Whether the standard library has a clock. In WebAssembly without a system, the library panics if
/// it is asked for the time, and starts no threads.
pub(crate) const IS_THERE: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

/// The present time. Asked only if there is a clock.
#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
pub(crate) fn now() -> Instant {
    let now = Instant::now();
    #[cfg(any(test, hatchery_clock))]
    let now = now + moved::by();
    now
}

/// The present time, which no test moves: two ticks say how long something took. Without a clock
/// nothing takes any time.
#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
#[inline]
pub(crate) fn tick() -> Tick {
    Tick(IS_THERE.then(Instant::now))
}

/// What [`tick`] has read; nothing if there is no clock.
#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
#[derive(Clone, Copy)]
pub(crate) struct Tick(Option<Instant>);

#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
impl Tick {
    /// The tick after this time, unless it is too far away to be named.
    pub(crate) fn checked_add(self, time: Duration) -> Option<Self> {
        self.0?.checked_add(time).map(|at| Self(Some(at)))
    }

    /// The time since `then`; zero if that is still to come.
    pub(crate) fn saturating_duration_since(self, then: Self) -> Duration {
        match (self.0, then.0) {
            (Some(now), Some(then)) => now.saturating_duration_since(then),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(not(any(hatchery_shuttle, hatchery_lab)))]
impl std::ops::Sub for Tick {
    type Output = Duration;

    fn sub(self, then: Self) -> Duration {
        self.saturating_duration_since(then)
    }
}

/// How far the clock has been moved.
#[cfg(any(test, hatchery_clock))]
pub(crate) mod moved {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use crate::platform::sync::uneventful::AtomicU64;

    static NANOS: AtomicU64 = AtomicU64::new(0);

    pub(crate) fn by() -> Duration {
        Duration::from_nanos(NANOS.load(Ordering::SeqCst))
    }

    /// Moves it forward. The caller has to tell the threads that wait for a time.
    pub(crate) fn forward(by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("less than 500 years");
        NANOS.fetch_add(nanos, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(any(hatchery_shuttle, hatchery_lab))))]
mod tests {
    use super::*;

    #[test]
    fn without_a_clock_nothing_takes_time_and_no_time_comes() {
        let (none, some) = (Tick(None), tick());
        for (now, then) in [(none, none), (none, some), (some, none)] {
            assert_eq!(now - then, Duration::ZERO);
        }
        assert!(none.checked_add(Duration::ZERO).is_none());
        let later = some.checked_add(Duration::from_secs(1)).expect("soon");
        assert_eq!(
            (later - some, some - later),
            (Duration::from_secs(1), Duration::ZERO)
        );
    }
}
