//! Every verb is free, and a method of pools and of options.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::{Gate, number_of, on_every_pool, on_pool, raise};
use hatchery::{CancelToken, Failure, Failures, OnFailure, Options, Pool};

/// Has the current pool count one child.
fn mark() {
    hatchery::nursery(|n| n.spawn(|| ()).join());
}

/// How many marks each verb leaves.
const MARKS: u64 = 3;

fn mark_and_succeed() -> Result<(), ()> {
    mark();
    Ok(())
}

fn mark_and_fail() -> Result<(), ()> {
    mark();
    Err(())
}

/// A verb by its name, which leaves as many marks as [`MARKS`] says.
type Verb<'a> = (&'static str, Box<dyn Fn() + Sync + 'a>);

/// Each verb as a method of `$on`.
macro_rules! verbs_of {
    ($on:expr) => {{
        let on = $on;
        let verbs: Vec<Verb<'_>> = vec![
            (
                "nursery",
                Box::new(move || on.nursery(|_| (0..MARKS).for_each(|_| mark()))),
            ),
            (
                "try_nursery",
                Box::new(move || {
                    let result = on.try_nursery::<(), _, _>(|_| {
                        (0..MARKS).for_each(|_| mark());
                        Ok(())
                    });
                    result.unwrap();
                }),
            ),
            (
                "gather",
                Box::new(move || {
                    on.gather(|_: &hatchery::Gather<'_, '_, ()>| (0..MARKS).for_each(|_| mark()));
                }),
            ),
            (
                "try_gather",
                Box::new(move || {
                    let result = on.try_gather::<(), (), _>(|_| {
                        (0..MARKS).for_each(|_| mark());
                        Ok(())
                    });
                    assert_eq!(result.unwrap().len(), 0);
                }),
            ),
            (
                "for_each",
                Box::new(move || on.for_each(0..MARKS, |_| mark())),
            ),
            ("map", Box::new(move || _ = on.map(0..MARKS, |_| mark()))),
            (
                "fold",
                Box::new(move || on.fold(0..MARKS, || (), |(), _| mark(), |(), ()| ())),
            ),
            (
                "join",
                Box::new(move || {
                    _ = on.join(mark, || {
                        mark();
                        mark();
                    });
                }),
            ),
            (
                "join_all",
                Box::new(move || _ = on.join_all((mark, mark, mark))),
            ),
            (
                "race",
                Box::new(move || {
                    let result =
                        on.race(|_| (0..MARKS).for_each(|_| mark())) as Result<(), Failures<()>>;
                    assert!(result.unwrap_err().cancelled().is_some());
                }),
            ),
            (
                "race_each",
                Box::new(move || {
                    let marks = (0..MARKS).map(|_| mark());
                    let result = on.race_each(marks, |()| Err::<(), _>(()));
                    assert_eq!(result.unwrap_err().iter().count(), MARKS as usize);
                }),
            ),
        ];
        verbs
    }};
}

/// Whose verb it is, the verb, and how many children the verb itself spawns.
fn runs_on_its_pool(own: &Pool, verb: &Verb<'_>, around: &str) {
    let before = own.stats().spawned;
    (verb.1)();
    let children = if verb.0 == "race_each" { MARKS } else { 0 };
    let counted = own.stats().spawned - before;
    assert_eq!(counted, MARKS + children, "{} {around}", verb.0);
}

#[test]
fn every_verb_of_a_pool_and_of_options_that_name_it_runs_on_that_pool() {
    let other = Pool::builder().threads(1).name("other").build().unwrap();
    on_every_pool(|pool| {
        let options = Options::new().pool(pool);
        let verbs = verbs_of!(pool).into_iter().chain(verbs_of!(&options));
        for verb in verbs {
            runs_on_its_pool(pool, &verb, "outside of any nursery");
            pool.nursery(|_| runs_on_its_pool(pool, &verb, "in the pool"));
            other.nursery(|_| runs_on_its_pool(pool, &verb, "in another pool"));
            other.join(
                || runs_on_its_pool(pool, &verb, "in a fork of another pool"),
                || (),
            );
        }
    });
    assert_eq!(other.stats().spawned, 0);
}

#[test]
fn options_without_a_pool_run_every_verb_on_the_current_one() {
    on_every_pool(|pool| {
        let options = Options::new().name("here");
        for verb in verbs_of!(&options) {
            pool.nursery(|_| runs_on_its_pool(pool, &verb, "in the pool"));
        }
    });
}

#[test]
fn every_competitor_and_child_runs_on_the_pool_of_the_verb() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let before = pool.stats().spawned;
        pool.gather(|g| (0..2).for_each(|_| g.spawn(mark)));
        options.gather(|g| (0..2).for_each(|_| g.spawn(mark)));
        let both = |g: &hatchery::TryGather<'_, '_, (), ()>| {
            g.spawn(mark_and_succeed);
            g.spawn_blocking(mark_and_succeed);
            Ok(())
        };
        assert_eq!(pool.try_gather(both).unwrap().len(), 2);
        assert_eq!(options.try_gather(both).unwrap().len(), 2);
        let none = |r: &hatchery::Race<'_, '_, (), ()>| (0..2).for_each(|_| r.spawn(mark_and_fail));
        assert!(pool.race(none).is_err());
        assert!(options.race(none).is_err());
        // Two children and their marks each.
        assert_eq!(pool.stats().spawned - before, 6 * 4);
    });
}

#[test]
fn try_gather_returns_all_values_in_the_order_of_the_calls() {
    on_every_pool(|pool| {
        let values = pool.try_gather::<(), _, _>(|g| {
            for i in 0..300 {
                if i % 50 == 0 {
                    g.spawn_blocking(move || Ok(i));
                } else {
                    g.spawn(move || Ok(i));
                }
            }
            assert_eq!(g.stats().spawned, 300);
            assert_eq!(format!("{g:?}"), "TryGather { children: 300 }");
            g.checkpoint()
        });
        assert!(values.unwrap().into_iter().eq(0..300));
    });
}

#[test]
fn try_gather_returns_all_failures_and_no_result_with_a_gap() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let ran = AtomicUsize::new(0);
        let failures = options.try_gather(|g| {
            for i in 0..10 {
                let ran = &ran;
                g.spawn(move || {
                    ran.fetch_add(1, Ordering::Relaxed);
                    match i {
                        4 => raise(4),
                        i if i % 3 == 0 => Err(i),
                        i => Ok(i),
                    }
                });
            }
            Ok(())
        });
        assert_eq!(ran.into_inner(), 10);
        let failures = failures.unwrap_err();
        let children = failures
            .iter()
            .map(|failure| failure.child().unwrap().index());
        assert!(children.eq([0, 3, 4, 6, 9]));
    });
}

#[test]
fn the_first_failure_cancels_the_rest_of_a_try_gather() {
    on_pool(Pool::builder().threads(2), |pool| {
        let failed = Gate::default();
        let failures = pool.try_gather::<_, (), _>(|g| {
            g.spawn_blocking(|| {
                failed.open();
                Err("no")
            });
            failed.wait();
            while g.checkpoint().is_ok() {
                std::thread::yield_now();
            }
            g.spawn(|| unreachable!("it is cancelled"));
            Ok(())
        });
        let failures = failures.unwrap_err();
        assert_eq!(failures.to_string(), "child 0: no");
    });
}

#[test]
fn try_gather_fails_with_its_body_and_if_a_child_was_not_started() {
    on_every_pool(|pool| {
        let failures = pool.try_gather(|g| {
            g.spawn(|| Ok(1));
            Err(Failure::from("no"))
        });
        let failures = failures.unwrap_err();
        assert_eq!(failures.to_string(), "no");
        assert!(failures.cause().child().is_none());

        let token = CancelToken::new();
        let options = Options::new().pool(pool).cancel_on(&token);
        let cancelled = options.try_gather::<(), (), _>(|g| {
            token.cancel();
            g.spawn(|| unreachable!("it is cancelled"));
            Ok(())
        });
        assert!(cancelled.unwrap_err().cancelled().is_some());
        // There is nothing to miss.
        assert!(
            options
                .try_gather::<(), (), _>(|_| Ok(()))
                .unwrap()
                .is_empty()
        );

        let number = number_of(|| {
            let result: Result<Vec<()>, Failures<()>> = pool.try_gather(|_| raise(7));
            result.map_err(Failures::resume_panic)
        });
        assert_eq!(number, 7);
    });
}

#[test]
fn options_keep_neither_closure_of_a_join_from_running() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        token.cancel();
        let options = Options::new().pool(pool).limit(1).cancel_on(&token);
        let is_told = || hatchery::checkpoint().is_err();
        assert_eq!(options.join(is_told, is_told), (true, true));
        assert_eq!(options.join_all((is_told, || 2, is_told)), (true, 2, true));

        // A shield keeps it from both.
        let shield = Options::new().shield();
        options.nursery(|_| {
            assert!(is_told());
            assert_eq!(shield.join(is_told, is_told), (false, false));
            assert!(is_told());
        });

        // A panic of one is no matter of the other.
        let has_run = AtomicBool::new(false);
        let second = || has_run.store(true, Ordering::Relaxed);
        assert_eq!(number_of(|| options.join(|| raise(1), second)), 1);
        assert!(has_run.into_inner());
    });
}

#[test]
fn the_limit_of_a_join_counts_the_children_of_both_closures() {
    on_pool(Pool::builder().threads(4), |pool| {
        let alone = Mutex::new(());
        let children = || {
            hatchery::nursery(|n| {
                for _ in 0..100 {
                    n.spawn(|| drop(alone.try_lock().expect("one at a time")));
                }
            });
        };
        Options::new().pool(pool).limit(1).join(children, children);
    });
}

#[test]
fn a_race_of_a_pool_says_where_its_panics_were_spawned() {
    on_every_pool(|pool| {
        let line = line!() + 1;
        let failures = pool.race_each::<_, (), (), _>([7], |number| raise(number));
        let failures = failures.unwrap_err();
        let hatchery::FailureKind::Panic(panic) = failures.cause().kind() else {
            panic!("{failures:?}")
        };
        let at = panic.spawned_at().unwrap();
        assert_eq!((at.file(), at.line()), (file!(), line));
    });
}

#[test]
fn the_number_of_threads_is_that_of_the_current_pool() {
    let other = Pool::builder().threads(3).build().unwrap();
    on_every_pool(|pool| {
        let threads = pool.threads();
        assert_eq!(hatchery::threads(), Pool::shared().threads());
        pool.nursery(|n| {
            assert_eq!(hatchery::threads(), threads);
            assert_eq!(n.spawn(hatchery::threads).join(), threads);
            assert_eq!(n.spawn_blocking(hatchery::threads).join(), threads);
            assert_eq!(other.nursery(|_| hatchery::threads()), 3);
            assert_eq!(hatchery::threads(), threads);
        });
        let both = pool.join(hatchery::threads, hatchery::threads);
        assert_eq!(both, (threads, threads));
        assert_eq!(hatchery::threads(), Pool::shared().threads());
    });
}
