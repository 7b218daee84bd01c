//! Races: the first success wins, and cancels the rest.

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
pub struct Race<'scope, 'env: 'scope, T, E> {
    nursery: &'scope TryNursery<'scope, 'env, E>,
    winner: Winner<T>,
}

/// The value of the first competitor that has succeeded.
struct Winner<T>(Arc<Mutex<Option<T>>>);

impl<T> Winner<T> {
    fn none() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// Takes a success; false if it comes too late, and is dropped.
    fn is_first(&self, value: T) -> bool {
        let mut first = lock(&self.0);
        if first.is_some() {
            drop(first);
            return false;
        }
        *first = Some(value);
        true
    }

    /// What a competitor came to: the first success ends the race.
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

/// Runs competitors, possibly at once, and returns the first success.
///
/// The others are cancelled then: those that have not started are dropped unrun, running ones are
/// told when they ask, and what they still return is dropped. Errors and panics of competitors matter
/// only if nobody wins.
///
/// Competitors ask the free [`checkpoint`](crate::checkpoint()); for `?` to end them there, their
/// error needs `From<Cancelled>`.
///
/// ```
/// let root = hatchery::race(|r| {
///     r.spawn(|| Err("it diverged"));
///     r.spawn(|| Ok(2));
/// });
/// assert_eq!(root.unwrap(), 2);
/// ```
///
/// # Errors
///
/// If none succeeds: the failures of all of them. A race that nobody takes part in ends as cancelled.
///
/// # Panics
///
/// If the body does, once all competitors have ended.
///
/// # Blocking
///
/// Returns when all have ended, see [`nursery`](crate::nursery()).
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

/// Runs `f` on all items, possibly at once, and returns the first success.
///
/// It is [`race`] for many competitors of a kind. Once there is a winner it takes no more items.
///
/// ```
/// let divisor = hatchery::race_each(2..100_u32, |n| (9797 % n == 0).then_some(n).ok_or("none"));
/// assert!(divisor.is_ok_and(|n| n == 97 || n == 101));
/// ```
///
/// # Errors
///
/// As [`race`].
///
/// # Panics
///
/// If the iterator does, once all competitors have ended.
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
    /// As [`race`](crate::race()).
    ///
    /// # Panics
    ///
    /// As [`race`](crate::race()).
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

    /// Holds a race among items on this pool, see [`race_each`].
    ///
    /// # Errors
    ///
    /// As [`race`](crate::race()).
    ///
    /// # Panics
    ///
    /// As [`race_each`].
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
    /// A competitor's failure never cancels the others, whatever [`on_failure`](Self::on_failure) says.
    ///
    /// # Errors
    ///
    /// As [`race`](crate::race()); or the race was cancelled before a competitor won.
    ///
    /// # Panics
    ///
    /// As [`race`](crate::race()).
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

    /// Holds a race among items with these options, see [`race_each`].
    ///
    /// # Errors
    ///
    /// As [`race`](Self::race).
    ///
    /// # Panics
    ///
    /// As [`race_each`].
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
    // Nobody's destructor runs while this unwinds, or returns the winner.
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
    /// Adds a competitor.
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
    #[track_caller]
    pub fn spawn_blocking<F>(&self, f: F)
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        let (nursery, winner) = (self.nursery, self.winner.clone());
        nursery.spawn_blocking(move || winner.note(f(), nursery));
    }

    /// What has happened in the race so far, see [`Nursery::stats`](crate::Nursery::stats).
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
