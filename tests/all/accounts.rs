//! Failures: whose they are, in which order they come, what they say, and what becomes of those
//! that nobody wants.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Gate, Ledger, on_every_pool, on_no_worker, on_pool, payload_of};
use hatchery::{
    CancelReason, CancelToken, Failure, FailureKind, Failures, OnFailure, Options, Panic, Pool,
    TryNursery,
};

/// Panics on drop, and says who it is.
#[derive(Debug)]
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb {}", self.0);
    }
}

fn place<E>(failure: &Failure<E>) -> Option<String> {
    failure.child().map(ToString::to_string)
}

/// What each of them says.
fn texts<E: std::fmt::Display>(failures: &Failures<E>) -> Vec<String> {
    failures.iter().map(ToString::to_string).collect()
}

#[test]
fn e1_a_failure_that_was_taken_out_of_another_nursery_fails_this_one() {
    on_every_pool(|pool| {
        // Skipped, or late, because the inner nursery was cancelled; the outer one is not.
        let skipped = || {
            let inner = hatchery::try_nursery::<&str, (), _>(|inner| {
                inner.cancel();
                inner.spawn(|| Ok(())).join()
            });
            inner.map_err(Failures::into_cause)
        };
        let late = || {
            let mut taken = Ok(());
            let inner = hatchery::try_nursery::<&str, (), _>(|inner| {
                let child = inner.spawn(|| {
                    inner.cancel();
                    assert!(inner.checkpoint().is_err());
                    Err("disk full")
                });
                taken = child.join();
                Ok(())
            });
            inner.unwrap();
            taken
        };
        let failures = pool.try_nursery(|n| {
            n.spawn_body(skipped);
            Ok(7)
        });
        let failures = failures.unwrap_err();
        assert_eq!(place(failures.cause()), Some("0".into()));
        let cancelled = failures.cancelled().unwrap();
        assert_eq!(cancelled.reason(), CancelReason::Requested);
        let failures = pool.try_nursery(|n| {
            n.spawn_body(late);
            Ok(7)
        });
        let text = failures.unwrap_err().to_string();
        assert_eq!(text, "child 0: child 0: disk full");
    });
}

#[test]
fn an_error_that_was_taken_out_of_another_nursery_is_of_the_child_that_took_it() {
    on_every_pool(|pool| {
        let inner = || {
            hatchery::try_nursery(|inner| {
                inner.spawn(|| Ok(()));
                inner.spawn(|| Err::<(), _>("inner"));
                Ok(())
            })
        };
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let failures = options.try_nursery(|n| {
            for _ in 0..3 {
                n.spawn(|| Ok(()));
            }
            n.spawn(|| Err::<(), _>("before"));
            n.spawn_body(|| inner().map_err(Failures::into_cause));
            Ok(())
        });
        let expected = ["child 3: before", "child 4: child 1: inner"];
        assert_eq!(texts(&failures.unwrap_err()), expected);
    });
}

#[test]
fn a_consequence_in_one_nursery_is_a_failure_in_another() {
    on_every_pool(|pool| {
        let stopped = || {
            hatchery::try_nursery::<(), (), _>(|inner| {
                inner.cancel();
                let further_in = hatchery::try_nursery(|n| n.checkpoint());
                Ok(further_in?)
            })
        };
        // That the one further in was cancelled, which followed from the cancellation of the inner one.
        let nested = || match stopped().unwrap_err().into_cause().into_kind() {
            FailureKind::Nested(failures) => failures,
            _ => panic!("not nested"),
        };
        let failures = pool.try_nursery::<(), _, _>(|n| {
            n.spawn_body(|| Err::<(), _>(nested().into()));
            Ok(7)
        });
        let failures = failures.unwrap_err();
        assert_eq!(place(failures.cause()), Some("0".into()));
        assert!(failures.cancelled().is_some());
    });
}

#[test]
fn what_was_taken_out_of_a_nursery_that_was_cancelled_with_this_one_is_a_consequence() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        let options = Options::new().pool(pool).cancel_on(&token);
        let failures = options.try_nursery::<_, (), _>(|n| {
            n.spawn_body(|| {
                let mut taken = (Ok(()), Ok(()));
                let inner = hatchery::try_nursery::<&str, (), _>(|inner| {
                    let late = inner.spawn(|| {
                        token.cancel();
                        assert!(inner.checkpoint().is_err());
                        Err("late")
                    });
                    taken.0 = late.join();
                    taken.1 = inner.spawn(|| Ok(())).join();
                    Ok(())
                });
                inner.unwrap();
                assert!(taken.1.is_err());
                taken.0
            })
            .join()?;
            Ok(())
        });
        let failures = failures.unwrap_err();
        assert_eq!(failures.cancelled().unwrap().reason(), CancelReason::Token);
        assert_eq!(failures.late().len(), 1);
    });
}

#[test]
fn e8_a_race_whose_body_panics_drops_the_winner_without_harm() {
    on_every_pool(|pool| {
        let ledger = Ledger::default();
        // They go on until somebody has won, and panic then.
        let end = Bomb("of the items");
        let items = std::iter::from_fn(move || {
            let end = &end;
            Some(end.0)
        });
        let payload = payload_of(|| {
            let options = Options::new().pool(pool);
            options.race_each(items, |_| Ok::<_, ()>(ledger.bomb()))
        });
        let text = payload.downcast_ref::<String>().unwrap();
        assert_eq!(text, "bomb of the items");
        ledger.is_balanced(ledger.made.load(Ordering::Relaxed));
    });
}

#[test]
fn e8_errors_of_losers_that_panic_on_drop_spoil_no_race() {
    on_every_pool(|pool| {
        let ledger = Ledger::default();
        let won = Options::new().pool(pool).race(|r| {
            for _ in 0..3 {
                r.spawn(|| Err(ledger.bomb()));
            }
            r.spawn(|| Ok(7));
        });
        assert!(won.is_ok_and(|value| value == 7));
        ledger.is_balanced(ledger.made.load(Ordering::Relaxed));
    });
}

#[test]
fn e5_a_destructor_that_panics_cancels_the_siblings() {
    on_no_worker(|pool| {
        let failures = pool.try_nursery::<&str, (), _>(|n| {
            n.spawn(|| Ok(Bomb("of child 0")));
            n.spawn(|| -> Result<(), _> { Err("started") });
            Ok(())
        });
        assert_eq!(texts(&failures.unwrap_err()), ["panicked: bomb of child 0"]);
    });
}

#[test]
fn e3_the_bodys_own_failure_comes_first_and_those_of_destructors_last() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let failures = options.try_nursery::<_, (), _>(|n| {
            n.spawn(|| Ok(Bomb("of child 0")));
            n.spawn(|| Err::<(), _>("child"));
            n.spawn_each(["of child 2", "of child 3"], |name| Ok(Bomb(name)));
            n.spawn(|| Ok(Bomb("of child 4")));
            Err("body".into())
        });
        let expected = [
            "body",
            "child 1: child",
            "panicked: bomb of child 0",
            "panicked: bomb of child 2",
            "panicked: bomb of child 3",
            "panicked: bomb of child 4",
        ];
        assert_eq!(texts(&failures.unwrap_err()), expected);
    });
}

#[test]
fn a_competitor_of_race_each_was_spawned_where_that_was_called() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool);
        let of_options = options.race_each(0..1, |_| -> Result<(), ()> { panic!() });
        let free = hatchery::race_each(0..1, |_| -> Result<(), ()> { panic!() });
        let lines = [of_options, free].map(|failures| {
            let failures = failures.unwrap_err();
            let FailureKind::Panic(panic) = failures.cause().kind() else {
                panic!("no panic");
            };
            let place = panic.spawned_at().unwrap();
            assert_eq!(place.file(), file!());
            place.line()
        });
        assert_eq!(lines[0] + 1, lines[1]);
    });
}

#[test]
fn all_failures_are_listed_with_the_path_to_them() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let two = || {
            options.try_nursery::<_, (), _>(|n| {
                n.spawn(|| Err::<(), _>("a"));
                n.spawn(|| Err::<(), _>("b"));
                Ok(())
            })
        };
        let failures = options.try_nursery(|n| {
            n.spawn_body(|| Ok(two()?));
            n.spawn(|| Err::<(), _>("c"));
            two()?;
            Ok(())
        });
        let failures = failures.unwrap_err();
        assert_eq!(failures.to_string(), "body: child 0: a (and 4 more)");
        let all = "body: child 0: a\nbody: child 1: b\n\
                   child 0: child 0: a\nchild 0: child 1: b\n\
                   child 1: c";
        assert_eq!(format!("{failures:#}"), all);
        let nested = failures.iter().nth(1).unwrap();
        assert_eq!(nested.to_string(), "child 0: child 0: a (and 1 more)");
        let both = "child 0: child 0: a\nchild 0: child 1: b";
        assert_eq!(format!("{nested:#}"), both);
    });
}

#[test]
fn e8_late_errors_that_panic_on_drop_do_not_spoil_what_the_body_returned() {
    on_every_pool(|pool| {
        let ledger = Ledger::default();
        let value = pool.try_nursery(|n| {
            n.spawn(|| {
                n.cancel();
                assert!(n.checkpoint().is_err());
                Err::<(), _>(ledger.bomb())
            });
            Ok(7)
        });
        assert!(value.is_ok_and(|value| value == 7));
        ledger.is_balanced(1);
    });
}

#[test]
fn an_iterator_that_is_known_to_be_at_its_end_has_no_child_too_many() {
    on_every_pool(|pool| {
        let pulled = AtomicUsize::new(0);
        let counted = |i: &u8| {
            pulled.fetch_add(1, Ordering::Relaxed);
            *i
        };
        let lens = pool.try_nursery::<(), _, _>(|n| {
            let cancelling = (0..3).inspect(|i| {
                if counted(i) == 2 {
                    n.cancel();
                }
            });
            let three = n.spawn_each(cancelling, Ok::<u8, ()>).len();
            let none = n.spawn_each(0..0, Ok::<u8, ()>).len();
            // Whether there is a first one is not known before it is asked for.
            let perhaps = n.spawn_each((0..9).filter(|i| counted(i) > 0), Ok::<u8, ()>);
            let unknown = n.spawn_each((0..9).inspect(|i| _ = counted(i)), Ok::<u8, ()>);
            Ok([three, none, perhaps.len(), unknown.len()])
        });
        assert_eq!(lens.unwrap(), [3, 0, 1, 1]);
        assert_eq!(pulled.into_inner(), 3);
    });
}

#[test]
fn e5_a_failing_child_cancels_its_siblings_before_its_end_is_known() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            for _ in 0..1000 {
                let may_fail = Gate::default();
                let failures = pool.try_nursery(|n| {
                    // It is a side thread's, and nobody joins it.
                    let child = n.spawn_blocking(|| {
                        may_fail.wait();
                        Err::<(), _>("no")
                    });
                    assert!(!n.is_cancelled());
                    may_fail.open();
                    while !child.is_finished() {
                        std::thread::yield_now();
                    }
                    assert!(n.is_cancelled());
                    n.spawn(|| Err::<(), _>("started"));
                    Ok(())
                });
                assert_eq!(texts(&failures.unwrap_err()), ["child 0: no"]);
            }
        });
    }
    on_no_worker(|pool| {
        let failures = pool.try_nursery(|n| {
            n.spawn(|| Err::<(), _>("no"));
            n.spawn(|| Err::<(), _>("started"));
            Ok(())
        });
        assert_eq!(texts(&failures.unwrap_err()), ["child 0: no"]);
    });
}

#[test]
fn late_errors_can_be_had_by_value() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let failures = options.try_nursery::<_, (), _>(|n| {
            n.spawn(|| Err::<(), _>("early".to_owned())).join()?;
            Ok(())
        });
        let (failures, late) = failures.unwrap_err().into_parts();
        assert_eq!((failures.len(), late.len()), (1, 0));
        let failures = options.try_nursery::<_, (), _>(|n| {
            n.spawn(|| {
                n.cancel();
                assert!(n.checkpoint().is_err());
                Err::<(), _>("late".to_owned())
            })
            .join()?;
            Ok(())
        });
        let (failures, late) = failures.unwrap_err().into_parts();
        assert!(matches!(failures[0].kind(), FailureKind::Cancelled(_)));
        let late = late.into_iter().map(|late| late.into_error().unwrap());
        assert_eq!(late.collect::<Vec<String>>(), ["late"]);
    });
}

#[test]
fn a_helper_that_returns_all_failures_may_join_a_child_of_its_caller() {
    type Helped = Result<u8, Failures<&'static str>>;
    fn helper<'scope>(n: &'scope TryNursery<'scope, '_, &'static str>, fails: bool) -> Helped {
        n.checkpoint()?;
        n.spawn(|| Ok(())).join()?;
        let child = n.spawn(move || if fails { Err("no") } else { Ok(7) });
        Ok(child.join()?)
    }
    on_every_pool(|pool| {
        let value = pool.try_nursery(|n| Ok(helper(n, false)?));
        assert_eq!(value.unwrap(), 7);
        // It stays that of the child, and a cancellation stays one.
        let failures = pool.try_nursery(|n| Ok(helper(n, true)?));
        assert_eq!(texts(&failures.unwrap_err()), ["child 1: no"]);
        let failures = pool.try_nursery(|n| {
            n.cancel();
            n.spawn_body(|| Ok(helper(n, true)?));
            Ok(helper(n, true)?)
        });
        let failures = failures.unwrap_err();
        assert!(matches!(failures.cause().kind(), FailureKind::Cancelled(_)));
        // An error that no nursery has seen is the child's.
        let failures = pool.try_nursery::<&str, (), _>(|n| {
            n.spawn_body(|| Err::<(), _>(Failures::from(Failure::from("own")).into()));
            Ok(())
        });
        assert_eq!(texts(&failures.unwrap_err()), ["child 0: own"]);
    });
}

#[test]
fn what_is_told_of_a_failure_has_the_usual_traits() {
    fn is_error<T: std::error::Error>() {}
    is_error::<Failure<std::io::Error>>();
    is_error::<Failures<std::io::Error>>();
    is_error::<Failures<hatchery::BoxedError>>();
    is_error::<Panic>();
    let cancelled = hatchery::try_nursery::<(), (), _>(|n| {
        assert!(format!("{n:?}").starts_with("TryNursery {"));
        n.cancel();
        n.checkpoint()
    });
    let cancelled = cancelled.unwrap_err().cancelled().unwrap();
    assert!(HashSet::from([cancelled]).contains(&cancelled));
    assert_eq!(size_of::<Failure<String>>(), size_of::<usize>());
}
