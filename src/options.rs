//! Options: how to open a nursery, as a value.

use std::fmt;
use std::time::{Duration, Instant};

use crate::cancel::CancelToken;
use crate::engine::core::Core;
use crate::engine::limit::Limiter;
use crate::platform::sync::Arc;
use crate::pool::{self, Home, Pool};
use crate::scope::{Seat, Terms, Tokens};

/// Whether a failure or panic cancels the other children of a partial nursery.
///
/// [`Options::on_failure`] takes it.
///
/// # Examples
///
/// ```
/// use hatchery::{OnFailure, Options};
///
/// assert_eq!(OnFailure::default(), OnFailure::Cancel);
/// let options = Options::new().on_failure(OnFailure::Continue);
/// let failed = options.try_nursery(|n| {
///     n.spawn(|| Err::<(), _>("no such file"));
///     n.spawn(|| Err::<(), _>("disk full"));
///     Ok(())
/// });
/// assert_eq!(failed.unwrap_err().len(), 2); // both ran
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The first failure cancels the nursery: children that have not started are dropped unrun, children that
    /// run learn of it when they call a checkpoint.
    #[default]
    Cancel,
    /// A failure cancels nothing: all children run, and the nursery returns every failure.
    Continue,
}

/// Options to open a nursery with: time, tokens, limits, the pool.
///
/// Options are a value: set what differs from the defaults, and open any number of nurseries with them. Each
/// free function that opens a nursery, forks, holds a race, or runs a function over items
/// ([`for_each`](crate::for_each()), [`map`](crate::map()), [`fold`](crate::fold())) is a method of options too.
///
/// # Examples
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
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    tokens: Tokens,
    on_failure: OnFailure,
    limit: Option<usize>,
    pub(crate) is_shield: bool,
    home: Option<Home>,
}

impl Options {
    /// Makes options with the defaults, which the free functions use as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Options;
    ///
    /// let sum = Options::new().nursery(|n| n.spawn(|| 1 + 1).join());
    /// assert_eq!(sum, 2); // as `hatchery::nursery` does it
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a name for the nursery, which dumps show.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Options, Pool};
    ///
    /// let pool = Pool::builder().threads(2).build()?;
    /// let dump = Options::new().pool(&pool).name("import").nursery(|_| pool.dump());
    /// assert!(dump.to_string().contains("import"));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Cancels the nursery when this time has passed since it was opened.
    ///
    /// On a target without a clock (`wasm32-unknown-unknown`) the time never passes.
    ///
    /// # Cancellation
    ///
    /// The time of the cancellation is the deadline of the nursery: see [`deadline`](Self::deadline).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use hatchery::{CancelReason, Options};
    ///
    /// let over = Options::new().timeout(Duration::ZERO);
    /// let stopped = over.try_nursery::<String, _, _>(|n| n.spawn(|| Ok("never runs")).join());
    /// assert_eq!(stopped.unwrap_err().cancelled().unwrap().reason(), CancelReason::Deadline);
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Cancels the nursery at this time.
    ///
    /// If there is a [`timeout`](Self::timeout) as well, the earlier time counts. While the nursery is open,
    /// [`set_deadline`](crate::TryNursery::set_deadline) moves the deadline.
    ///
    /// # Cancellation
    ///
    /// Children of a partial nursery that have not started by then are dropped unrun. Children that run learn
    /// of it when they call a checkpoint. A total nursery runs all of its children.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use hatchery::Options;
    ///
    /// let over = Options::new().deadline(Instant::now());
    /// let told = over.nursery(|_| hatchery::checkpoint());
    /// assert!(told.is_err());
    /// ```
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Makes the nursery a *shield*: cancelling the nursery around it does not cancel it.
    ///
    /// The deadline of the nursery around does not hold in it either; limits do. Use a shield for work that
    /// must be done to its end, such as cleaning up, and give it a timeout of its own.
    /// [`shield`](crate::shield()) is a shield around a piece of code.
    ///
    /// # Cancellation
    ///
    /// A shield is cancelled by its own token, deadline and [`cancel`](crate::TryNursery::cancel), and by
    /// failures in it.
    ///
    /// # Examples
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
    pub fn shield(mut self) -> Self {
        self.is_shield = true;
        self
    }

    /// Cancels the nursery when the token is cancelled.
    ///
    /// Call it again to add further tokens: each of them cancels the nursery.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelToken, Options};
    ///
    /// let (shutdown, user) = (CancelToken::new(), CancelToken::new());
    /// let options = Options::new().cancel_on(&shutdown).cancel_on(&user);
    /// let stopped = options.try_nursery::<String, (), _>(|n| {
    ///     user.cancel(); // say, in the thread of the user interface
    ///     n.checkpoint()
    /// });
    /// assert!(stopped.unwrap_err().cancelled().is_some());
    /// ```
    pub fn cancel_on(mut self, token: &CancelToken) -> Self {
        self.tokens.add(token.token());
        self
    }

    /// Limits how many children of the nursery run at the same time.
    ///
    /// Children of nurseries inside this one count too, and so does a child that the opening thread runs while
    /// it waits. Spawning never blocks: children above the limit are queued, and start as others end.
    /// `0` means `1`.
    ///
    /// A child counts from its start to its end, even while it waits. The children that it runs on its own thread
    /// meanwhile (children of a nursery that it opened, a blocking child that it joins) do not count again. So a
    /// child cannot deadlock on the limit that it runs under.
    ///
    /// A nursery inside may have a limit of its own; then both limits hold.
    ///
    /// # Cost
    ///
    /// Each child takes a lock. Use limits for coarse children, such as downloads.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use hatchery::Options;
    ///
    /// let open = AtomicU32::new(0);
    /// Options::new().limit(2).nursery(|n| {
    ///     n.spawn_each(0..20, |_| {
    ///         assert!(open.fetch_add(1, Ordering::Relaxed) < 2); // at most two connections
    ///         open.fetch_sub(1, Ordering::Relaxed);
    ///     });
    /// });
    /// ```
    pub fn limit(mut self, children: usize) -> Self {
        self.limit = Some(children.max(1));
        self
    }

    /// Sets whether a failure or panic of a child or of the body cancels the other children.
    ///
    /// It applies to partial nurseries. By default a failure cancels them.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{OnFailure, Options};
    ///
    /// let options = Options::new().on_failure(OnFailure::Continue);
    /// let failed = options.try_nursery(|n| {
    ///     n.spawn_each(["1", "two", "three"], str::parse::<i32>);
    ///     Ok(())
    /// });
    /// assert_eq!(failed.unwrap_err().len(), 2); // every failure, and not only the first
    /// ```
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Sets the pool that the nursery runs on.
    ///
    /// Without it the pool is chosen as by [`nursery`](crate::nursery()).
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Options, Pool};
    ///
    /// let pool = Pool::builder().threads(3).build()?;
    /// let threads = Options::new().pool(&pool).nursery(|_| hatchery::threads());
    /// assert_eq!(threads, 3);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn pool(mut self, pool: &Pool) -> Self {
        self.home = Some(pool.home());
        self
    }

    /// The same, for the pool with this core, unless they name a pool.
    pub(crate) fn on(mut self, core: &Arc<Core>) -> Self {
        self.home.get_or_insert_with(|| Home::of(core));
        self
    }

    /// Calls `f` with this thread's seat in the pool that the options name, else in the current one.
    pub(crate) fn with_seat<R>(&self, f: impl FnOnce(&Seat) -> R) -> R {
        pool::with(self.home.as_ref(), f)
    }

    /// The terms of a nursery that is opened now.
    pub(crate) fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.name.clone_from(&self.name);
        terms.tokens.clone_from(&self.tokens);
        terms.limiter = self.limit.map(|max| Box::new(Limiter::new(max)));
        terms.is_shield = self.is_shield;
        terms.continues = self.on_failure == OnFailure::Continue;
        terms.set_deadline(self.next_deadline());
        terms
    }

    /// The deadline of what begins now.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        // A time too far away to be named never comes.
        let timeout = self.timeout.and_then(Terms::after);
        [timeout, self.deadline].into_iter().flatten().min()
    }

    /// The core of the pool that the options name, else of the current one.
    pub(crate) fn core(&self) -> Arc<Core> {
        pool::core_of(self.home.as_ref())
    }
}

/// Calls `f` in a *shield*: cancellations and deadlines of the nurseries around do not reach it.
///
/// Use it for code that must come to its end although the nursery around it is cancelled, for example to clean
/// up or to save results, and that calls other code with checkpoints in it. A shield is a total nursery,
/// opened as by [`Options::shield`](crate::Options::shield).
///
/// # Cancellation
///
/// Inside the shield the free [`checkpoint`](crate::checkpoint()) returns `Ok`, and nurseries that are opened
/// there run all of their children. The methods of a nursery outside, such as
/// [`TryNursery::is_cancelled`](crate::TryNursery::is_cancelled), still tell whether that nursery is cancelled.
///
/// # Panics
///
/// If `f` panics.
///
/// # Examples
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
