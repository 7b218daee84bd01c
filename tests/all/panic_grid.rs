//! Laws E1 to E8, case by case: a panic in every place, on every pool, alone and with one that is ranked
//! before it, of a child that is joined, left, or given up; or joined, and what it has thrown is handled.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{REFUSED_STACK, caught, watched};
use hatchery::{Failure, FailureKind, Nursery, Options, Pool, TryNursery};

/// Whose panic or error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// That of the place under test.
    Place,
    /// One that is ranked before it, or is that of the body's child if the place is the body.
    Rival,
}

/// Where something panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Body,
    FirstChild,
    LastChild,
    /// In a nursery in a child.
    Nested,
    /// The destructor of what a child has captured.
    Capture,
    /// That of what a child has returned.
    Value,
    /// That of what a child has panicked with.
    Payload,
    /// That of an error that a child has returned.
    Error,
    StartHook,
    ExitHook,
}

impl Place {
    const OF_TOTAL: [Self; 9] = [
        Self::Body,
        Self::FirstChild,
        Self::LastChild,
        Self::Nested,
        Self::Capture,
        Self::Value,
        Self::Payload,
        Self::StartHook,
        Self::ExitHook,
    ];
    const OF_PARTIAL: [Self; 10] = [
        Self::Body,
        Self::FirstChild,
        Self::LastChild,
        Self::Nested,
        Self::Capture,
        Self::Value,
        Self::Payload,
        Self::Error,
        Self::StartHook,
        Self::ExitHook,
    ];

    fn is_hook(self) -> bool {
        matches!(self, Self::StartHook | Self::ExitHook)
    }
}

/// What becomes of the child's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handle {
    Joined,
    /// What it raises is handled.
    Handled,
    KeptToTheEnd,
    GivenUp,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    place: Place,
    /// None: all threads are refused.
    threads: Option<usize>,
    has_rival: bool,
    handle: Handle,
    may_block: bool,
}

fn cases(places: &[Place]) -> Vec<Case> {
    let mut cases = Vec::new();
    for place in places {
        for threads in [None, Some(1), Some(2), Some(4)] {
            for has_rival in [false, true] {
                for handle in [
                    Handle::Joined,
                    Handle::Handled,
                    Handle::KeptToTheEnd,
                    Handle::GivenUp,
                ] {
                    // Beside a rival it is handled anyway.
                    if handle == Handle::Handled && has_rival {
                        continue;
                    }
                    for may_block in [false, true] {
                        cases.push(Case {
                            place: *place,
                            threads,
                            has_rival,
                            handle,
                            may_block,
                        });
                    }
                }
            }
        }
    }
    cases
}

fn raise(mark: Mark) -> ! {
    // Without the panic hook's report.
    resume_unwind(Box::new(mark))
}

/// Counts values, those that panic on drop included.
#[derive(Default)]
struct Ledger {
    made: AtomicUsize,
    dropped: AtomicUsize,
    /// Panics of the place under test.
    panics: AtomicUsize,
    /// Children beside the one under test, and those of them that have run to their ends.
    others: AtomicUsize,
    ended: AtomicUsize,
}

/// A value that panics when it is dropped, unless it is defused.
struct Value {
    ledger: Arc<Ledger>,
    is_bomb: bool,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.ledger.dropped.fetch_add(1, Ordering::Relaxed);
        if self.is_bomb {
            self.ledger.panics.fetch_add(1, Ordering::Relaxed);
            raise(Mark::Place);
        }
    }
}

trait Make {
    fn value(&self, is_bomb: bool) -> Value;
    fn panic(&self) -> !;
}

impl Make for Arc<Ledger> {
    fn value(&self, is_bomb: bool) -> Value {
        self.made.fetch_add(1, Ordering::Relaxed);
        let ledger = Arc::clone(self);
        Value { ledger, is_bomb }
    }

    fn panic(&self) -> ! {
        self.panics.fetch_add(1, Ordering::Relaxed);
        raise(Mark::Place)
    }
}

/// Whose panic this is, if it is one of ours; a payload that panics on drop is defused.
fn mark_of(payload: Box<dyn Any + Send>) -> Option<Mark> {
    match payload.downcast::<Value>() {
        Ok(mut bomb) => {
            bomb.is_bomb = false;
            Some(Mark::Place)
        }
        Err(payload) => payload.downcast().ok().map(|mark| *mark),
    }
}

/// The error of a partial nursery's child.
type Oops = (Mark, Option<Value>);

/// What the child under test does.
fn act(place: Place, capture: Value, ledger: &Arc<Ledger>) -> Result<Value, Oops> {
    match place {
        Place::FirstChild | Place::LastChild => ledger.panic(),
        Place::Nested => hatchery::nursery(|n| {
            let other = n.spawn(|| ledger.value(false));
            n.spawn(|| ledger.panic());
            drop(other.join());
        }),
        Place::Payload => {
            ledger.panics.fetch_add(1, Ordering::Relaxed);
            resume_unwind(Box::new(ledger.value(true)))
        }
        Place::Error => return Err((Mark::Place, Some(ledger.value(true)))),
        _ => {}
    }
    drop(capture);
    Ok(ledger.value(place == Place::Value))
}

/// A pool of so many threads, whose hooks panic if they are the place.
fn pool(case: Case, ledger: &Arc<Ledger>) -> Pool {
    let mut builder = Pool::builder().threads(case.threads.unwrap_or(2));
    if case.threads.is_none() {
        builder = builder.stack_size(REFUSED_STACK);
    }
    let hook = |place: Place| {
        let ledger = Arc::clone(ledger);
        move |_: &str| {
            if case.place == place {
                ledger.panic();
            }
        }
    };
    let builder = builder
        .on_thread_start(hook(Place::StartHook))
        .on_thread_exit(hook(Place::ExitHook));
    builder.build().expect("a valid configuration")
}

/// A nursery of either kind.
trait Spawns<'scope> {
    type Child: 'scope;

    fn spawn_one(
        &'scope self,
        may_block: bool,
        f: impl FnOnce() -> Result<Value, Oops> + Send + 'scope,
    ) -> Self::Child;

    /// Joins the child and drops its value.
    fn join(child: Self::Child) -> Result<(), Failure<Oops>>;
}

impl<'scope> Spawns<'scope> for Nursery<'scope, '_> {
    type Child = hatchery::Child<'scope, Value>;

    fn spawn_one(
        &'scope self,
        may_block: bool,
        f: impl FnOnce() -> Result<Value, Oops> + Send + 'scope,
    ) -> Self::Child {
        let child = || match f() {
            Ok(value) => value,
            Err(_) => unreachable!("children of partial nurseries fail"),
        };
        match may_block {
            true => self.spawn_blocking(child),
            false => self.spawn(child),
        }
    }

    fn join(child: Self::Child) -> Result<(), Failure<Oops>> {
        drop(child.join());
        Ok(())
    }
}

impl<'scope> Spawns<'scope> for TryNursery<'scope, '_, Oops> {
    type Child = hatchery::Child<'scope, Result<Value, Failure<Oops>>>;

    fn spawn_one(
        &'scope self,
        may_block: bool,
        f: impl FnOnce() -> Result<Value, Oops> + Send + 'scope,
    ) -> Self::Child {
        match may_block {
            true => self.spawn_blocking(f),
            false => self.spawn(f),
        }
    }

    fn join(child: Self::Child) -> Result<(), Failure<Oops>> {
        child.join().map(drop)
    }
}

/// The body: the child under test among others, and a rival if the case has one.
fn body<'scope, N: Spawns<'scope>>(
    n: &'scope N,
    case: Case,
    ledger: &Arc<Ledger>,
) -> Result<(), Failure<Oops>> {
    let spawn_others = || {
        for may_block in [false, true, false] {
            let (captured, ledger) = (ledger.value(false), Arc::clone(ledger));
            ledger.others.fetch_add(1, Ordering::Relaxed);
            n.spawn_one(may_block, move || {
                drop(captured);
                ledger.ended.fetch_add(1, Ordering::Relaxed);
                Ok(ledger.value(false))
            });
        }
    };
    if case.place == Place::Body && case.has_rival {
        n.spawn_one(case.may_block, || raise(Mark::Rival));
    }
    if case.place != Place::FirstChild {
        spawn_others();
    }
    let (captured, of_child) = (ledger.value(false), Arc::clone(ledger));
    let child = n.spawn_one(case.may_block, move || {
        let mut captured = captured;
        captured.is_bomb = case.place == Place::Capture;
        act(case.place, captured, &of_child)
    });
    if case.place != Place::LastChild {
        spawn_others();
    }
    let mut kept = None;
    match case.handle {
        Handle::KeptToTheEnd => kept = Some(child),
        Handle::GivenUp => drop(child),
        Handle::Joined if !case.has_rival => N::join(child)?,
        // A rival comes later, but goes first.
        Handle::Joined | Handle::Handled => {
            let joined = payload_or(|| N::join(child));
            match joined {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => caught(|| drop(failure)),
                // If the body's child panics first, this one may have been skipped.
                Err(payload) => _ = mark_of(payload),
            }
        }
    }
    if case.place == Place::Body {
        ledger.panic();
    }
    if case.has_rival {
        raise(Mark::Rival);
    }
    drop(kept);
    Ok(())
}

/// What `f` has returned, or what it has panicked with.
fn payload_or<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
}

/// Whose failures these are, in their order; all of them are defused.
fn marks_of(failures: hatchery::Failures<Oops>) -> Vec<Option<Mark>> {
    let of_one = |failure: Failure<Oops>| match failure.into_kind() {
        FailureKind::Error((mark, value)) | FailureKind::Late((mark, value)) => {
            if let Some(mut value) = value {
                value.is_bomb = false;
            }
            Some(mark)
        }
        FailureKind::Panic(panic) => mark_of(panic.into_payload()),
        _ => None,
    };
    let (failures, late) = failures.into_parts();
    let marks = failures.into_iter().map(of_one).collect();
    late.into_iter().for_each(|late| _ = of_one(late));
    marks
}

/// Runs each case by `open`, which returns the marks that came out of the nursery; prints how many
/// there were.
fn run(
    what: &str,
    places: &[Place],
    open: impl Fn(&Pool, Case, &Arc<Ledger>) -> Vec<Option<Mark>>,
) {
    let cases = cases(places);
    let mut panics = 0;
    for case in &cases {
        let ledger = Arc::<Ledger>::default();
        let pool = pool(*case, &ledger);
        watched(&pool, || {
            let marks = open(&pool, *case, &ledger);
            let first = marks.first().copied();
            let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
            // Nobody has joined the others.
            let lost = count(&ledger.others) > count(&ledger.ended);
            let expected = match (case.place, case.has_rival) {
                (Place::Body, _) => Some(Some(Mark::Place)),
                (_, true) => Some(Some(Mark::Rival)),
                (place, false) if place.is_hook() => None,
                (_, false) if case.handle == Handle::Handled => lost.then_some(None),
                (_, false) => Some(Some(Mark::Place)),
            };
            assert_eq!(first, expected, "{case:?}: {marks:?}");
            assert_eq!(count(&ledger.made), count(&ledger.dropped), "{case:?}");
            // The pool is as good as before.
            let sum = pool.nursery(|n| {
                let may_block = n.spawn_blocking(|| 1);
                let each: u32 = n.spawn_each(0..10, |i| i).sum();
                each + may_block.join() + pool.join(|| 2, || 3).0
            });
            assert_eq!(sum, 48, "{case:?}");
        });
        pool.shutdown();
        panics += ledger.panics.load(Ordering::Relaxed);
    }
    println!("panic grid, {what}: {} cases, {panics} panics", cases.len());
    assert!(panics >= cases.len() / 2, "most of them panic: {panics}");
}

#[test]
fn a_panic_in_any_place_of_a_total_nursery_is_raised_once_all_have_ended() {
    run("total", &Place::OF_TOTAL, |pool, case, ledger| {
        let raised = payload_or(|| pool.nursery(|n| body(n, case, ledger)));
        match raised {
            Ok(Ok(())) => Vec::new(),
            Ok(Err(_)) => unreachable!("children of partial nurseries fail"),
            Err(payload) => vec![mark_of(payload)],
        }
    });
}

#[test]
fn a_panic_in_any_place_of_a_partial_nursery_is_a_failure_once_all_have_ended() {
    run("partial", &Place::OF_PARTIAL, |pool, case, ledger| {
        let options = Options::new().pool(pool);
        let ended = options.try_nursery(|n| body(n, case, ledger));
        ended.map_or_else(marks_of, |()| Vec::new())
    });
}
