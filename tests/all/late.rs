//! Whose error counts as late, that of a task that was told, or a task within it; and what becomes of it.

use std::error::Error;
use std::sync::atomic::Ordering;
use std::thread;

use crate::common::{Ledger, on_every_pool};
use hatchery::{BoxedError, Failure, FailureKind, Failures, Pool, TryNursery, checkpoint};

/// The failures of a cancelled nursery on this pool whose body does this, then returns an error.
fn failures_of(pool: &Pool, does: impl Fn()) -> Failures<&'static str> {
    let result = pool.try_nursery::<_, (), _>(|n| {
        n.cancel();
        does();
        Err("own".into())
    });
    result.unwrap_err()
}

#[test]
fn an_error_is_late_once_its_task_or_a_task_within_it_was_told() {
    on_every_pool(|pool| {
        let is_told = || assert!(checkpoint().is_err());
        let within: [&dyn Fn(); 5] = [
            &is_told,
            &|| hatchery::nursery(|n| n.spawn(is_told).join()),
            &|| assert_eq!(hatchery::join(|| (), is_told), ((), ())),
            // On another thread, where that is possible.
            &|| hatchery::nursery(|n| n.spawn_blocking(is_told).join()),
            &|| hatchery::nursery(|n| n.spawn_blocking(|| hatchery::nursery(|_| is_told())).join()),
        ];
        for does in within {
            let failures = failures_of(pool, does);
            assert_eq!(failures.late().len(), 1, "{failures:?}");
        }
        let failures = failures_of(pool, || ());
        assert!(failures.late().is_empty(), "{failures:?}");
    });
}

#[test]
fn who_waits_is_not_told_by_what_runs_on_top_of_it() {
    on_every_pool(|pool| {
        let outer = failures_of(pool, || {
            hatchery::nursery(|total| {
                let child = total.spawn(|| checkpoint().is_err());
                let inner = hatchery::try_nursery::<_, (), _>(|_| {
                    assert!(child.join());
                    Err("not told".into())
                });
                let inner = inner.unwrap_err();
                assert!(
                    matches!(inner.cause().kind(), FailureKind::Error("not told")),
                    "{inner:?}"
                );
            });
        });
        assert_eq!(outer.late().len(), 1, "{outer:?}");
    });
}

#[test]
fn e1_late_errors_of_a_nursery_that_returns_ok_are_handed_over() {
    on_every_pool(|pool| {
        let mut late = Vec::new();
        let me = thread::current().id();
        let value = pool.try_nursery(|n| {
            n.on_late(|failure: Failure<&str>| {
                assert_eq!(thread::current().id(), me);
                late.push(failure.to_string());
            });
            n.cancel();
            // The body runs on a thread that no child is needed for: what is spawned now is skipped.
            n.spawn(|| Err::<(), _>("skipped"));
            Ok(7)
        });
        assert_eq!((value.unwrap(), &late[..]), (7, &[][..]));
        let value = pool.try_nursery(|n| {
            n.on_late(|failure: Failure<&str>| late.push(failure.to_string()));
            for _ in 0..3 {
                n.spawn(|| {
                    n.cancel();
                    checkpoint().map_err(|_| "disk full")
                });
            }
            n.spawn_blocking(|| {
                n.cancel();
                assert!(checkpoint().is_err());
                Err::<(), _>("disk full")
            });
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
        assert!(!late.is_empty() && late.is_sorted(), "{late:?}");
        assert!(late.iter().all(|text| text.ends_with(": disk full")));
        // Where the nursery fails, they come along as ever.
        let mut handed = 0;
        let failures = pool.try_nursery::<_, (), _>(|n| {
            n.on_late(|_| handed += 1);
            let child = n.spawn(|| {
                n.cancel();
                assert!(checkpoint().is_err());
                Err::<(), _>("disk full")
            });
            drop(child);
            Err("own".into())
        });
        let failures = failures.unwrap_err();
        assert_eq!((handed, failures.to_string().as_str()), (0, "own"));
        assert!(failures.late().len() <= 1);
    });
}

#[test]
fn e8_a_handler_of_late_errors_that_panics_is_a_failure() {
    on_every_pool(|pool| {
        for panics_on_drop in [false, true] {
            let ledger = Ledger::default();
            let mut handed = 0;
            let failures = pool.try_nursery(|n| {
                let bomb = panics_on_drop.then(|| ledger.bomb());
                let handed = &mut handed;
                n.on_late(move |_| {
                    let _bomb = &bomb;
                    *handed += 1;
                    assert!(panics_on_drop, "no room");
                });
                for _ in 0..3 {
                    n.spawn_blocking(|| {
                        n.cancel();
                        assert!(checkpoint().is_err());
                        Err::<(), _>("disk full")
                    });
                }
                Ok(ledger.entry::<8>())
            });
            let failures = failures.err().expect("the handler has panicked");
            let [only] = failures.into_parts().0.try_into().unwrap();
            assert!(matches!(only.kind(), FailureKind::Panic(_)), "{only:?}");
            assert!(only.child().is_none());
            assert!(handed >= 1);
            drop(only);
            let made = ledger.made.load(Ordering::Relaxed);
            ledger.is_balanced(made);
        }
        // Nobody calls one that was replaced, nor one of a nursery without late errors.
        let value = pool.try_nursery::<(), _, _>(|n| {
            n.on_late(|_| panic!("replaced"));
            n.on_late(|_| panic!("called"));
            n.cancel();
            n.spawn(|| Err::<(), _>(()));
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
    });
}

/// The ways in which a task may learn of the cancellation; by the first ones in a failure.
type Way = for<'s> fn(&'s TryNursery<'s, '_, &'static str>);

const AS_FAILURE: [Way; 3] = [
    |n| assert!(n.checkpoint().is_err()),
    |n| {
        assert_eq!(
            hatchery::join(|| (), || assert!(n.checkpoint().is_err())),
            ((), ())
        )
    },
    |n| {
        hatchery::nursery(|inner| {
            inner
                .spawn_blocking(|| assert!(n.checkpoint().is_err()))
                .join()
        })
    },
];

/// To ask like this tells nobody.
const NOT_AT_ALL: [Way; 4] = [
    |n| assert!(n.is_cancelled()),
    |n| hatchery::nursery(|inner| assert!(n.is_cancelled() && inner.is_cancelled())),
    |n| hatchery::nursery(|inner| inner.spawn_blocking(|| assert!(n.is_cancelled())).join()),
    |n| {
        assert_eq!(
            hatchery::join(|| assert!(n.is_cancelled()), || assert!(n.is_cancelled())),
            ((), ())
        )
    },
];

const AS_ERROR: [Way; 5] = [
    |_| assert!(checkpoint().is_err()),
    |_| hatchery::nursery(|inner| assert!(inner.checkpoint().is_err())),
    |_| hatchery::nursery(|n| n.spawn_blocking(|| assert!(checkpoint().is_err())).join()),
    |_| {
        assert_eq!(
            hatchery::join(|| (), || assert!(checkpoint().is_err())),
            ((), ())
        )
    },
    |_| assert!(hatchery::try_nursery::<(), (), _>(|inner| inner.checkpoint()).is_err()),
];

#[test]
fn e1_an_error_of_a_nested_child_that_cannot_be_the_cancellation_is_a_failure() {
    on_every_pool(|pool| {
        let of_child = |way: Way, is_nested: bool| {
            let mut late = 0;
            let result = pool.try_nursery(|n| {
                n.on_late(|_| late += 1);
                let told = move || {
                    n.cancel();
                    way(n);
                };
                // Alone it runs for sure.
                match is_nested {
                    true => drop(n.spawn_body(move || {
                        told();
                        Err::<(), _>("disk full".into())
                    })),
                    false => drop(n.spawn(move || {
                        told();
                        Err::<(), _>("disk full")
                    })),
                }
                Ok(())
            });
            (result.map_err(|failures| failures.to_string()), late)
        };
        for way in AS_FAILURE {
            assert_eq!(of_child(way, true), (Err("child 0: disk full".into()), 0));
            assert_eq!(of_child(way, false), (Ok(()), 1));
        }
        for way in NOT_AT_ALL {
            for is_nested in [false, true] {
                let failed = Err("child 0: disk full".into());
                assert_eq!(of_child(way, is_nested), (failed, 0));
            }
        }
        for way in AS_ERROR {
            assert_eq!(of_child(way, true), (Ok(()), 1));
            assert_eq!(of_child(way, false), (Ok(()), 1));
        }
        // The same for a body.
        let all = [
            (&NOT_AT_ALL[..], false),
            (&AS_FAILURE[..], false),
            (&AS_ERROR[..], true),
        ];
        for (ways, is_late) in all {
            for way in ways {
                let failures = pool.try_nursery::<_, (), _>(|n| {
                    n.cancel();
                    way(n);
                    Err("disk full".into())
                });
                let failures = failures.unwrap_err();
                assert_eq!(failures.late().len(), usize::from(is_late));
                assert_eq!(failures.cancelled().is_some(), is_late, "{failures:?}");
            }
        }
    });
}

#[test]
fn late_errors_are_counted() {
    on_every_pool(|pool| {
        let before = pool.stats().late;
        let own = pool.try_nursery::<&str, _, _>(|n| {
            let child = n.spawn(|| {
                n.cancel();
                assert!(checkpoint().is_err());
                Err::<(), _>("late")
            });
            assert!(child.join().is_err());
            Ok((n.stats().late, n.stats().to_string()))
        });
        let (count, text) = own.unwrap();
        assert_eq!(count, 1);
        assert!(text.contains(" 1 late"), "{text}");
        assert_eq!(pool.stats().late, before + 1);
        assert!(pool.stats().to_string().contains(" 1 late"));
        let text = pool.dump().to_string();
        assert!(text.contains(" 1 late;"), "{text}");
    });
}

/// Errors that take in any error, as anyhow's does: a plain child that makes one of a sibling's failure
/// keeps what that was.
#[test]
fn what_a_plain_child_has_from_a_sibling_is_in_its_error() {
    type Any = Box<dyn Error + Send + Sync>;
    on_every_pool(|pool| {
        let failures = pool.try_nursery::<Any, (), _>(|n| {
            n.spawn(|| {
                let sibling = n.spawn(|| -> Result<(), Any> { panic!("on purpose") });
                Ok(sibling.join().map_err(Failure::boxed)?)
            });
            Ok(())
        });
        let failures = failures.unwrap_err();
        let FailureKind::Error(error) = failures.cause().kind() else {
            panic!("{failures:?}");
        };
        let failure = error
            .downcast_ref::<Failure<BoxedError>>()
            .expect("the sibling's");
        assert!(matches!(failure.kind(), FailureKind::Panic(_)));
    });
}
