//! Races: the first success wins, and cancels the other competitors.

use std::fmt;
use std::panic::{Location, resume_unwind};

use crate::failure::Failures;
use crate::options::{OnFailure, Options};
use crate::outcome::Left;
use crate::platform::sync::{Arc, Mutex, lock};
use crate::pool::Pool;
use crate::scope::{Cancelled, Payload, catching, discard};
use crate::stats::NurseryStats;
use crate::try_nursery::TryNursery;

/// A nursery whose children compete; [`race`] opens one.
///
/// # Examples
///
/// ```
/// use hatchery::Race;
///
/// fn mirrors(r: &Race<'_, '_, String, &'static str>) {
///     r.spawn(|| Err("mirror 1 is down"));
///     r.spawn(|| Ok("from mirror 2".to_string()));
/// }
/// assert_eq!(hatchery::race(mirrors).unwrap(), "from mirror 2");
/// ```
pub struct Race<'scope, 'env: 'scope, T, E> {
    nursery: &'scope TryNursery<'scope, 'env, E>,
    winner: Winner<T>,
}

/// The value of the first competitor that succeeded.
struct Winner<T>(Arc<Mutex<Option<T>>>);

impl<T> Winner<T> {
    fn none() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// Takes a success; returns false if another competitor was first, and drops the value.
    fn is_first(&self, value: T) -> bool {
        let mut first = lock(&self.0);
        if first.is_some() {
            drop(first);
            return false;
        }
        *first = Some(value);
        true
    }

    /// Takes the result of a competitor: the first success ends the race.
    fn note<E: Send>(
        &self,
        result: Result<T, E>,
        nursery: &TryNursery<'_, '_, E>,
    ) -> Result<(), E> {
        if self.is_first(result?) {
            nursery.cancel();
        }
        Ok(())
    }

    fn take(&self) -> Option<T> {
        lock(&self.0).take()
    }
}

impl<T> Clone for Winner<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Runs competitors, possibly at the same time, and returns the first success.
///
/// The first success cancels the other competitors. Errors and panics of competitors matter only if no
/// competitor succeeds.
///
/// # Errors
///
/// If no competitor succeeds: the failures of all of them. A race without competitors returns a cancellation,
/// with the reason [`NoCompetitor`](crate::CancelReason::NoCompetitor).
///
/// # Panics
///
/// If the body panics, once all competitors have ended.
///
/// # Blocking
///
/// `race` returns when all competitors have ended, also the losers, and runs competitors until then, as
/// [`nursery`](crate::nursery()) does.
///
/// # Cancellation
///
/// When there is a winner, competitors that have not started are dropped unrun. Competitors that run learn of
/// it when they call the free [`checkpoint`](crate::checkpoint()); for `?` to work there, their error type
/// needs a `From<Cancelled>`. The values that they still return are dropped.
///
/// # Examples
///
/// ```
/// let root = hatchery::race(|r| {
///     r.spawn(|| Err("it diverged"));
///     r.spawn(|| Ok(2));
/// });
/// assert_eq!(root.unwrap(), 2);
/// ```
pub fn race<'env, T, E, F>(body: F) -> Result<T, Failures<E>>
where
    F: for<'scope> FnOnce(&Race<'scope, 'env, T, E>),
    T: Send + 'env,
    E: Send + 'env,
{
    among(&Options::new(), body)
}

fn among<'env, T, E, F>(options: &Options, body: F) -> Result<T, Failures<E>>
where
    F: for<'scope> FnOnce(&Race<'scope, 'env, T, E>),
    T: Send + 'env,
    E: Send + 'env,
{
    run(options, |nursery, winner| body(&Race { nursery, winner }))
}

/// Calls `f` on each item, possibly at the same time, and returns the first success.
///
/// It is a [`race`] of one competitor per item. It takes no more items once there is a winner.
///
/// # Errors
///
/// If `f` succeeds on no item: all failures, see [`race`].
///
/// # Panics
///
/// If the iterator panics, once all competitors have ended.
///
/// # Blocking
///
/// It returns when all competitors have ended, see [`race`].
///
/// # Cancellation
///
/// The first success cancels the other competitors, see [`race`].
///
/// # Examples
///
/// ```
/// let divisor = hatchery::race_each(2..100_u32, |n| (9797 % n == 0).then_some(n).ok_or("none"));
/// assert!(divisor.is_ok_and(|n| n == 97 || n == 101));
/// ```
#[track_caller]
pub fn race_each<'env, I, T, E, F>(items: I, f: F) -> Result<T, Failures<E>>
where
    I: IntoIterator,
    I::Item: Send + 'env,
    F: Fn(I::Item) -> Result<T, E> + Send + Sync + 'env,
    T: Send + 'env,
    E: Send + 'env,
{
    among_items(&Options::new(), items, f)
}

#[track_caller]
fn among_items<'env, I, T, E, F>(options: &Options, items: I, f: F) -> Result<T, Failures<E>>
where
    I: IntoIterator,
    I::Item: Send + 'env,
    F: Fn(I::Item) -> Result<T, E> + Send + Sync + 'env,
    T: Send + 'env,
    E: Send + 'env,
{
    let called_at = Location::caller();
    run(options, |nursery, winner: Winner<T>| {
        let compete = move |item| winner.note(f(item), nursery);
        nursery.spawn_each_at(called_at, items, compete);
    })
}

impl Pool {
    /// Holds a race on this pool, see [`race`](crate::race()).
    ///
    /// # Errors
    ///
    /// If no competitor succeeds.
    ///
    /// # Panics
    ///
    /// If the body panics, once all competitors have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let first = pool.race(|r| {
    ///     r.spawn(|| Err("it diverged"));
    ///     r.spawn(|| Ok(2));
    /// });
    /// assert_eq!(first.unwrap(), 2);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn race<'env, T, E, F>(&self, body: F) -> Result<T, Failures<E>>
    where
        F: for<'scope> FnOnce(&Race<'scope, 'env, T, E>),
        T: Send + 'env,
        E: Send + 'env,
    {
        among(&Options::new().pool(self), body)
    }

    /// Holds a race of one competitor per item on this pool, see [`race_each`].
    ///
    /// # Errors
    ///
    /// If no competitor succeeds.
    ///
    /// # Panics
    ///
    /// If the iterator panics, once all competitors have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let even = pool.race_each([1, 2, 3], |n| if n % 2 == 0 { Ok(n) } else { Err("odd") });
    /// assert_eq!(even.unwrap(), 2);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    #[track_caller]
    pub fn race_each<'env, I, T, E, F>(&self, items: I, f: F) -> Result<T, Failures<E>>
    where
        I: IntoIterator,
        I::Item: Send + 'env,
        F: Fn(I::Item) -> Result<T, E> + Send + Sync + 'env,
        T: Send + 'env,
        E: Send + 'env,
    {
        among_items(&Options::new().pool(self), items, f)
    }
}

impl Options {
    /// Holds a race with these options, see [`race`](crate::race()).
    ///
    /// The failure of a competitor never cancels the others, whatever [`on_failure`](Self::on_failure) says.
    ///
    /// # Errors
    ///
    /// If no competitor succeeds, also because the race was cancelled before.
    ///
    /// # Panics
    ///
    /// If the body panics, once all competitors have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelToken, Options};
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let lost = Options::new().cancel_on(&token).race::<(), String, _>(|r| r.spawn(|| Ok(())));
    /// assert!(lost.unwrap_err().cancelled().is_some());
    /// ```
    pub fn race<'env, T, E, F>(&self, body: F) -> Result<T, Failures<E>>
    where
        F: for<'scope> FnOnce(&Race<'scope, 'env, T, E>),
        T: Send + 'env,
        E: Send + 'env,
    {
        among(self, body)
    }

    /// Holds a race of one competitor per item with these options, see [`race_each`].
    ///
    /// # Errors
    ///
    /// If no competitor succeeds, also because the race was cancelled before.
    ///
    /// # Panics
    ///
    /// If the iterator panics, once all competitors have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Options;
    ///
    /// let one_at_a_time = Options::new().limit(1);
    /// let even = one_at_a_time.race_each(1..9, |n| if n % 2 == 0 { Ok(n) } else { Err("odd") });
    /// assert!(even.is_ok_and(|n| n % 2 == 0));
    /// ```
    #[track_caller]
    pub fn race_each<'env, I, T, E, F>(&self, items: I, f: F) -> Result<T, Failures<E>>
    where
        I: IntoIterator,
        I::Item: Send + 'env,
        F: Fn(I::Item) -> Result<T, E> + Send + Sync + 'env,
        T: Send + 'env,
        E: Send + 'env,
    {
        among_items(self, items, f)
    }
}

fn run<'env, T, E, F>(options: &Options, body: F) -> Result<T, Failures<E>>
where
    F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'env, E>, Winner<T>),
    T: Send + 'env,
    E: Send + 'env,
{
    let winner = Winner::none();
    let mut raised: Option<Payload> = None;
    let options = options.clone().on_failure(OnFailure::Continue);
    let result = options.try_nursery(|n| {
        if let Err(payload) = catching(|| body(n, winner.clone())) {
            n.cancel();
            raised = Some(payload);
        }
        Ok(())
    });
    // No destructor of the program runs while this unwinds, or returns the winner.
    if let Some(payload) = raised {
        discard(winner.take());
        result.unwrap_or_else(Failures::discard);
        resume_unwind(payload);
    }
    match (winner.take(), result) {
        (Some(value), lost) => {
            lost.unwrap_or_else(Failures::discard);
            Ok(value)
        }
        (None, Err(failures)) => Err(failures),
        (None, Ok(())) => {
            let cancelled = Cancelled::for_want_of_competitors();
            let nobody = Left::new().cancelled(cancelled);
            Err(Failures::only(nobody))
        }
    }
}

impl<'scope, T: Send + 'scope, E: Send> Race<'scope, '_, T, E> {
    /// Adds a competitor to the race.
    ///
    /// # Examples
    ///
    /// ```
    /// let sorted = hatchery::race::<_, String, _>(|r| {
    ///     r.spawn(|| Ok(vec![1, 2, 3]));
    ///     r.spawn(|| Err("this method needs more memory".into()));
    /// });
    /// assert_eq!(sorted.unwrap(), [1, 2, 3]);
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        let (nursery, winner) = (self.nursery, self.winner.clone());
        nursery.spawn(move || winner.note(f(), nursery));
    }

    /// Adds a competitor that may block, see
    /// [`TryNursery::spawn_blocking`](crate::TryNursery::spawn_blocking).
    ///
    /// # Cancellation
    ///
    /// A winner does not interrupt the competitor, and the race waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs;
    ///
    /// let settings = hatchery::race(|r| {
    ///     r.spawn_blocking(|| fs::read_to_string("/no/such/file"));
    ///     r.spawn(|| Ok("the defaults".to_string()));
    /// });
    /// assert_eq!(settings.unwrap(), "the defaults");
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(&self, f: F)
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        let (nursery, winner) = (self.nursery, self.winner.clone());
        nursery.spawn_blocking(move || winner.note(f(), nursery));
    }

    /// Returns the numbers of the race so far, see [`TryNursery::stats`](crate::TryNursery::stats).
    ///
    /// # Examples
    ///
    /// ```
    /// let won = hatchery::race::<_, String, _>(|r| {
    ///     r.spawn(|| Ok("mirror 1"));
    ///     assert_eq!(r.stats().spawned, 1);
    /// });
    /// assert_eq!(won.unwrap(), "mirror 1");
    /// ```
    #[must_use]
    pub fn stats(&self) -> NurseryStats {
        self.nursery.stats()
    }
}

impl<T, E> fmt::Debug for Race<'_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let winner = lock(&self.winner.0);
        f.debug_struct("Race")
            .field("has_winner", &winner.is_some())
            .finish_non_exhaustive()
    }
}
