//! How a nursery is opened, as a value.

use std::fmt;
use std::time::{Duration, Instant};

use crate::cancel::CancelToken;
use crate::engine::limit::Limiter;
use crate::platform::sync::Arc;
use crate::pool::{self, Home, Pool};
use crate::scope::{Seat, Terms, Token};

/// What a failure or panic of a child means for its siblings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// Those not started are dropped unrun, running ones are told when they ask.
    #[default]
    Cancel,
    /// Nothing: all of them run, and every outcome comes back.
    Continue,
}

/// How a nursery is opened.
///
/// ```
/// use std::time::Duration;
/// use hatchery::{OnFailure, Options};
///
/// let options = Options::new()
///     .name("import")
///     .timeout(Duration::from_secs(30))
///     .on_failure(OnFailure::Continue);
/// let failures = options.try_nursery(|n| {
///     n.spawn_each(["1", "two", "3", "four"], str::parse::<i32>);
///     Ok(())
/// });
/// assert_eq!(failures.unwrap_err().len(), 2);
/// ```
#[derive(Clone, Default)]
#[must_use = "options do nothing until a nursery is opened with them"]
pub struct Options {
    name: Option<Arc<str>>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    tokens: Option<Arc<[Token]>>,
    on_failure: OnFailure,
    limit: Option<usize>,
    is_shield: bool,
    home: Option<Home>,
}

impl Options {
    /// Those of the free functions.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to call the nursery where people look at it.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Cancels the nursery so long after it was opened.
    ///
    /// Without a clock (`wasm32-unknown-unknown`) that time never comes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Cancels the nursery at this time.
    ///
    /// If there is a timeout as well, whichever comes first does. While the nursery is open,
    /// [`set_deadline`](crate::TryNursery::set_deadline) moves it.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Keeps the nursery from being cancelled with the nursery it is opened in: a shield.
    ///
    /// Nor does the deadline of that hold in it. What cancels it is in its own options, and its children.
    /// Limits hold all the same. It is for what has to be done to the end, such as cleaning up; and to give
    /// that a time of its own:
    ///
    /// ```
    /// use std::time::Duration;
    /// use hatchery::Options;
    ///
    /// let saved = hatchery::try_nursery::<(), _, _>(|n| {
    ///     n.cancel();
    ///     let shield = Options::new().shield().timeout(Duration::from_secs(60));
    ///     let saved = shield.try_nursery(|inner| {
    ///         inner.checkpoint()?; // nobody has cancelled this one
    ///         inner.spawn(|| Ok(7)).join()
    ///     });
    ///     assert!(n.is_cancelled());
    ///     Ok(saved?)
    /// });
    /// assert_eq!(saved.unwrap(), 7);
    /// ```
    ///
    /// [`shield`](crate::shield()) is the same around a piece of code.
    pub fn shield(mut self) -> Self {
        self.is_shield = true;
        self
    }

    /// Cancels the nursery when the token is cancelled; of several tokens, when any of them is.
    pub fn cancel_on(mut self, token: &CancelToken) -> Self {
        let so_far = self.tokens.as_deref().unwrap_or_default();
        let all = so_far.iter().chain([token.token()]);
        self.tokens = Some(all.cloned().collect());
        self
    }

    /// Lets at most so many children run at a time, and at least one.
    ///
    /// Those of nurseries below count, and the one that the nursery's own thread runs while it waits.
    /// Spawning never blocks: the others stand in line. A nursery below may have a limit of its own,
    /// too. A child has its permit until it ends: it is kept while the child waits, and what the child
    /// runs on its own thread meanwhile, such as the children of a nursery in it, or a blocking child
    /// that it waits for, counts as part of it. Coarse children are what this is for: each of them
    /// takes a lock.
    pub fn limit(mut self, children: usize) -> Self {
        self.limit = Some(children.max(1));
        self
    }

    /// What a failure or panic of a child, or of the body, means for the others.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// The pool to open it on, see [`nursery`](crate::nursery()) for the others.
    pub fn pool(mut self, pool: &Pool) -> Self {
        self.home = Some(pool.home());
        self
    }

    /// Calls `f` with this thread's seat in the pool that the options name, else in the current one.
    pub(crate) fn with_seat<R>(&self, f: impl FnOnce(&Seat) -> R) -> R {
        pool::with(self.home.as_ref(), f)
    }

    /// What a nursery is opened on that opens now.
    pub(crate) fn terms(&self) -> Terms {
        // A time too far away to be named never comes.
        let timeout = self.timeout.and_then(Terms::after);
        let deadlines = [timeout, self.deadline];
        let mut terms = Terms::default();
        terms.name.clone_from(&self.name);
        terms.tokens.clone_from(&self.tokens);
        terms.limiter = self.limit.map(|max| Box::new(Limiter::new(max)));
        terms.is_shield = self.is_shield;
        terms.continues = self.on_failure == OnFailure::Continue;
        terms.set_deadline(deadlines.into_iter().flatten().min());
        terms
    }
}

/// Calls `f`, which hears of no cancellation and no deadline from outside.
///
/// It is for code that has to come to its end although the nursery around it is cancelled, and that calls
/// code which asks: cleaning up, say, or writing down what there is. The free [`checkpoint`](crate::checkpoint()) answers `Ok`
/// in there, and nurseries opened in there run all of their children. Who asks a nursery further out by
/// its name is told the truth. It is a nursery of its own, opened as by
/// [`Options::shield`](crate::Options::shield).
///
/// ```
/// /// Knows nothing of its callers.
/// fn save(pages: &[u8]) -> Result<usize, hatchery::Cancelled> {
///     hatchery::checkpoint()?;
///     Ok(pages.len())
/// }
/// let saved = hatchery::try_nursery::<hatchery::Cancelled, _, _>(|n| {
///     n.cancel(); // from outside, as far as the library can tell
///     assert!(save(&[1, 2, 3]).is_err());
///     Ok(hatchery::shield(|| save(&[1, 2, 3]))?)
/// });
/// assert_eq!(saved.unwrap(), 3);
/// ```
///
/// # Panics
///
/// If `f` does.
pub fn shield<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    Options::new().shield().nursery(|_| f())
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .field("deadline", &self.deadline)
            .field("tokens", &self.tokens)
            .field("on_failure", &self.on_failure)
            .field("limit", &self.limit)
            .field("is_shield", &self.is_shield)
            .field("pool", &self.home)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;

    use super::*;
    use crate::TryNursery;
    use crate::cancel::CancelReason;
    use crate::engine::timer;
    use crate::platform::clock;
    use crate::platform::thread::refused;

    const HOUR: Duration = Duration::from_secs(3600);
    /// Far more than the timer's thread needs to look at the clock.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// There is one clock, so one test at a time moves it.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forward(by: Duration) {
        clock::moved::forward(by);
        timer::look_again();
    }

    /// Waits until the timer has done its part.
    fn until(what: impl Fn() -> bool) {
        let started = Instant::now();
        while !what() {
            assert!(started.elapsed() < PATIENCE, "nobody looks at the clock");
            thread::yield_now();
        }
    }

    #[test]
    fn x7_a_deadline_that_passes_is_told_apart_and_says_by_how_much() {
        let _alone = alone();
        let result = Options::new().timeout(HOUR).try_nursery::<(), (), _>(|n| {
            n.checkpoint()?;
            forward(HOUR / 2);
            n.checkpoint()?;
            forward(HOUR);
            until(|| n.is_cancelled());
            n.spawn(|| -> Result<(), ()> { panic!("started") });
            Ok(())
        });
        let cancelled = result.unwrap_err().cancelled().unwrap();
        assert_eq!(cancelled.reason(), CancelReason::Deadline);
        assert!(!cancelled.is_inherited());
        let late_by = cancelled.overshoot().unwrap();
        assert!(late_by >= HOUR / 2 && late_by < HOUR, "{late_by:?}");
    }

    #[test]
    fn x4_the_first_deadline_among_the_ancestors_is_in_force() {
        let _alone = alone();
        for (outer, inner) in [(1, 3), (3, 1)] {
            let result = Options::new()
                .timeout(outer * HOUR)
                .try_nursery::<(), (), _>(|_| {
                    let result = Options::new()
                        .timeout(inner * HOUR)
                        .try_nursery::<(), (), _>(|n| {
                            forward(2 * HOUR);
                            until(|| n.is_cancelled());
                            n.checkpoint()
                        });
                    let cancelled = result.unwrap_err().cancelled().unwrap();
                    assert_eq!(cancelled.reason(), CancelReason::Deadline);
                    assert_eq!(cancelled.is_inherited(), outer < inner);
                    Ok(())
                });
            // All that the outer one was to do is done.
            result.unwrap();
        }
    }

    #[test]
    fn x7_of_two_deadlines_that_pass_unseen_the_first_one_is_told_of() {
        let _alone = alone();
        for (outer, inner) in [(1, 3), (3, 1)] {
            let result = Options::new()
                .timeout(outer * HOUR)
                .try_nursery::<(), (), _>(|_| {
                    let result = Options::new()
                        .timeout(inner * HOUR)
                        .try_nursery::<(), (), _>(|n| {
                            forward(4 * HOUR);
                            until(|| n.is_cancelled());
                            n.checkpoint()
                        });
                    let cancelled = result.unwrap_err().cancelled().unwrap();
                    assert_eq!(cancelled.is_inherited(), outer < inner);
                    // A deadline is never told to have been missed by more than an hour and a bit.
                    assert!(cancelled.overshoot().unwrap() >= HOUR);
                    Ok(())
                });
            result.unwrap();
        }
    }

    #[test]
    fn a_total_nursery_is_told_of_its_deadline_and_runs_all_the_same() {
        let _alone = alone();
        let value = Options::new().timeout(HOUR).nursery(|n| {
            forward(2 * HOUR);
            until(|| n.is_cancelled());
            let told = n.spawn(crate::checkpoint).join().unwrap_err();
            assert_eq!(told.reason(), CancelReason::Deadline);
            n.spawn(|| 7).join()
        });
        assert_eq!(value, 7);
    }

    #[test]
    fn a_deadline_that_no_thread_watches_is_seen_by_starts_and_checks() {
        let _alone = alone();
        let first_to_look: [fn(&TryNursery<'_, '_, ()>) -> bool; 4] = [
            |n| n.is_cancelled(),
            |_| crate::checkpoint().is_err(),
            |_| crate::nursery(|n| n.spawn(crate::checkpoint).join().is_err()),
            |_| crate::try_nursery::<(), _, _>(|n| n.spawn(|| Ok(())).join()).is_err(),
        ];
        for is_over in first_to_look {
            let options = Options::new().timeout(HOUR);
            let result = refused::during(|| {
                options.try_nursery(|n| {
                    assert!(!is_over(n));
                    n.spawn(|| Ok(())).join()?;
                    // Nobody is told.
                    clock::moved::forward(2 * HOUR);
                    assert!(is_over(n));
                    n.spawn(|| -> Result<(), ()> { panic!("started") }).join()
                })
            });
            let cancelled = result.unwrap_err().cancelled().unwrap();
            assert_eq!(cancelled.reason(), CancelReason::Deadline);
        }
    }

    #[test]
    fn x4_a_deadline_is_moved_on_until_it_has_passed() {
        let _alone = alone();
        // With the timer's thread, and without.
        let in_each_way: [fn(&dyn Fn()); 2] = [|test| test(), |test| refused::during(test)];
        for in_this_way in in_each_way {
            in_this_way(&|| {
                let options = Options::new().timeout(HOUR);
                let result = options.try_nursery::<(), (), _>(|n| {
                    let from_now = |hours: u32| Some(clock::now() + hours * HOUR);
                    for _ in 0..3 {
                        forward(HOUR / 2);
                        n.set_deadline(from_now(1));
                        n.checkpoint()?;
                    }
                    n.set_deadline(None);
                    forward(3 * HOUR);
                    n.checkpoint()?;
                    n.set_deadline(from_now(2));
                    forward(3 * HOUR);
                    // Nobody has seen it yet.
                    n.set_deadline(from_now(9));
                    n.checkpoint()
                });
                let cancelled = result.unwrap_err().cancelled().unwrap();
                assert_eq!(cancelled.reason(), CancelReason::Deadline);
                let late_by = cancelled.overshoot().unwrap();
                assert!(late_by >= HOUR && late_by < 2 * HOUR, "{late_by:?}");
            });
        }
    }

    #[test]
    fn x7_what_a_deadline_is_missed_by_counts_from_the_one_that_was_the_reason() {
        let _alone = alone();
        forward(HOUR);
        let is_told = |is_inherited| {
            let told = crate::checkpoint().unwrap_err();
            assert_eq!(told.is_inherited(), is_inherited);
            let late_by = told.overshoot().unwrap();
            assert!(late_by < HOUR / 4, "{late_by:?}");
        };
        for is_inherited in [false, true] {
            let nested = Options::new().try_nursery::<(), _, _>(|outermost| {
                let nested = crate::try_nursery::<(), _, _>(|outer| {
                    let nested = crate::nursery(|_| {
                        crate::try_nursery::<(), _, _>(|n| {
                            let since = clock::now();
                            match is_inherited {
                                true => outer.set_deadline(Some(since)),
                                false => n.set_deadline(Some(since)),
                            }
                            is_told(is_inherited);
                            // They come too late to be the reason, whatever they are.
                            n.set_deadline(Some(since - HOUR / 2));
                            outermost.set_deadline(Some(since - HOUR / 2));
                            is_told(is_inherited);
                            crate::nursery(|_| is_told(true));
                            Ok(())
                        })
                    });
                    nested.unwrap();
                    Ok(())
                });
                nested.unwrap();
                Ok(())
            });
            nested.unwrap();
        }
    }

    #[test]
    fn a_deadline_beyond_all_times_never_comes() {
        let options = Options::new().timeout(Duration::MAX);
        assert_eq!(options.try_nursery::<(), _, _>(|_| Ok(7)).unwrap(), 7);
    }
}
