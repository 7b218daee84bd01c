//! The partial nursery: what it returns, row by row, and what becomes of every failure.

use std::sync::atomic::Ordering;

use crate::common::{Ledger, on_every_pool, on_no_worker, payload_of};
use hatchery::{CancelReason, CancelToken, Failure, FailureKind, Failures, OnFailure, Options};

/// The error of a failure.
fn error<E: Copy>(failure: &Failure<E>) -> E {
    match failure.kind() {
        FailureKind::Error(error) | FailureKind::Late(error) => *error,
        _ => panic!("no error"),
    }
}

/// The children that failed, and with what.
fn told<E: Copy>(failures: &Failures<E>) -> Vec<(Option<String>, E)> {
    let place = |failure: &Failure<E>| failure.child().map(ToString::to_string);
    failures.iter().map(|f| (place(f), error(f))).collect()
}

#[test]
fn all_succeed_and_the_value_comes_back() {
    on_every_pool(|pool| {
        let sum = pool.try_nursery::<(), _, _>(|n| {
            let children: Vec<_> = (0..100).map(|i| n.spawn(move || Ok(i))).collect();
            let mut sum = 0;
            for child in children {
                sum += child.join()?;
            }
            Ok(sum)
        });
        assert_eq!(sum.unwrap(), 4950);
    });
}

#[test]
fn a_child_nobody_joins_fails_the_nursery() {
    on_every_pool(|pool| {
        let failures = pool.try_nursery(|n| {
            n.spawn(|| Ok::<(), _>(()));
            n.spawn(|| Err::<(), _>("no"));
            Ok(())
        });
        assert_eq!(told(&failures.unwrap_err()), [(Some("1".into()), "no")]);
    });
}

#[test]
fn the_bodys_error_fails_the_nursery() {
    on_every_pool(|pool| {
        let failures = pool.try_nursery(|n| {
            n.spawn(|| Ok::<(), _>(()));
            Err::<(), _>("no".into())
        });
        assert_eq!(told(&failures.unwrap_err()), [(None, "no")]);
    });
}

#[test]
fn a_failure_that_is_joined_and_handled_is_forgotten() {
    on_every_pool(|pool| {
        let value = pool.try_nursery(|n| {
            let child = n.spawn(|| Err::<u8, _>("no"));
            Ok(child.join().unwrap_or(7))
        });
        assert_eq!(value.unwrap(), 7);
    });
}

#[test]
fn a_failure_that_is_joined_and_passed_on_keeps_its_child() {
    on_every_pool(|pool| {
        let failures = pool.try_nursery(|n| {
            n.spawn(|| Ok::<(), _>(())).join()?;
            n.spawn(|| Err::<(), _>("no")).join()
        });
        assert_eq!(told(&failures.unwrap_err()), [(Some("1".into()), "no")]);
    });
}

#[test]
fn an_unjoined_sibling_skipped_for_a_handled_failure_ends_the_nursery_as_cancelled() {
    on_no_worker(|pool| {
        let failures = pool.try_nursery(|n| {
            let failing = n.spawn(|| Err::<(), _>("no"));
            n.spawn(|| Ok::<(), _>(()));
            assert!(failing.join().is_err());
            Ok(())
        });
        let cancelled = failures.unwrap_err().cancelled().unwrap();
        assert_eq!(cancelled.reason(), CancelReason::ChildFailed);
        assert!(!cancelled.is_inherited());
    });
}

#[test]
fn a_joined_sibling_that_was_skipped_says_so() {
    on_no_worker(|pool| {
        let value = pool.try_nursery(|n| {
            let failing = n.spawn(|| Err::<(), _>("no"));
            let skipped = n.spawn(|| Ok::<(), _>(()));
            assert!(failing.join().is_err());
            match skipped.join().unwrap_err().into_kind() {
                FailureKind::Cancelled(cancelled) => {
                    assert_eq!(cancelled.reason(), CancelReason::ChildFailed)
                }
                _ => panic!("not cancelled"),
            }
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
    });
}

#[test]
fn children_skipped_by_the_nurserys_own_cancel_do_not_fail_it() {
    on_every_pool(|pool| {
        let value = pool.try_nursery::<(), _, _>(|n| {
            assert!(n.cancel());
            assert!(!n.cancel());
            n.spawn(|| -> Result<(), ()> { panic!("started") });
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
    });
}

#[test]
fn children_skipped_by_a_token_fail_it() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        assert!(token.cancel());
        assert!(!token.cancel());
        let options = Options::new().pool(pool).cancel_on(&token);
        let failures = options.try_nursery::<(), _, _>(|n| {
            n.spawn(|| -> Result<(), ()> { panic!("started") });
            Ok(())
        });
        let cancelled = failures.unwrap_err().cancelled().unwrap();
        assert_eq!(cancelled.reason(), CancelReason::Token);
        // What was computed is kept.
        assert_eq!(options.try_nursery::<(), _, _>(|_| Ok(7)).unwrap(), 7);
    });
}

#[test]
fn children_skipped_with_the_nursery_around_them_fail_it() {
    on_every_pool(|pool| {
        let value = pool.try_nursery::<(), _, _>(|outer| {
            outer.cancel();
            let failures = hatchery::try_nursery::<(), _, _>(|n| {
                n.spawn(|| -> Result<(), ()> { panic!("started") });
                Ok(())
            });
            let cancelled = failures.unwrap_err().cancelled().unwrap();
            assert_eq!(cancelled.reason(), CancelReason::Requested);
            assert!(cancelled.is_inherited());
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
    });
}

#[test]
fn a_body_that_asks_and_is_told_ends_as_cancelled() {
    on_every_pool(|pool| {
        let failures = pool.try_nursery::<(), (), _>(|n| {
            n.checkpoint()?;
            n.cancel();
            n.checkpoint()
        });
        let failures = failures.unwrap_err();
        assert_eq!(
            failures.cancelled().unwrap().reason(),
            CancelReason::Requested
        );
        assert_eq!(failures.len(), 1);
    });
}

#[test]
fn e1_under_continue_every_failure_comes_back_in_spawn_order() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let failures = options.try_nursery(|n| {
            for i in 0..100_u32 {
                n.spawn(move || if i % 3 == 0 { Err(i) } else { Ok(()) });
            }
            n.spawn_each(
                0..100_u32,
                |i| if i % 7 == 0 { Err(1000 + i) } else { Ok(()) },
            );
            Err::<(), _>(Failure::new(7_u32))
        });
        let failures = failures.unwrap_err();
        let own = [(None, 7)].into_iter();
        let single = (0..100).step_by(3).map(|i| (Some(i.to_string()), i));
        let many = (0..100)
            .step_by(7)
            .map(|i| (Some((100 + i).to_string()), 1000 + i));
        assert_eq!(
            told(&failures),
            own.chain(single).chain(many).collect::<Vec<_>>()
        );
        assert!(failures.late().is_empty());
    });
}

#[test]
fn e3_the_cause_is_the_smallest_child_among_those_that_failed() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let failures = options.try_nursery(|n| {
            n.spawn_body(|| {
                n.spawn(|| Ok::<(), _>(()));
                n.spawn(|| Err::<(), _>("inner"));
                Ok(())
            });
            n.spawn(|| Err::<(), _>("outer"));
            Ok(())
        });
        let expected = [(Some("0.1".into()), "inner"), (Some("1".into()), "outer")];
        assert_eq!(told(&failures.unwrap_err()), expected);
    });
}

#[test]
fn e4_a_cancellation_is_not_listed_beside_a_real_failure() {
    on_no_worker(|pool| {
        let failures = pool.try_nursery(|n| {
            let failing = n.spawn(|| Err::<(), _>("no"));
            let skipped = n.spawn(|| Ok::<(), _>(()));
            n.spawn(|| Ok::<(), _>(()));
            drop(failing);
            skipped.join()
        });
        assert_eq!(told(&failures.unwrap_err()), [(Some("0".into()), "no")]);
    });
}

#[test]
fn an_error_of_a_child_that_knew_of_the_cancellation_is_late() {
    on_no_worker(|pool| {
        let failures = pool.try_nursery(|n| {
            n.spawn_body(|| {
                n.spawn(|| Err::<(), _>("first"));
                Ok(())
            });
            n.spawn_body(|| Ok(()));
            Ok(())
        });
        assert_eq!(failures.unwrap_err().late().len(), 0);
        let failures = pool.try_nursery(|n| {
            n.spawn(|| {
                assert!(n.spawn(|| Err::<(), _>("first")).join().is_err());
                assert!(hatchery::checkpoint().is_err());
                Err::<(), _>("second")
            });
            Ok(())
        });
        let failures = failures.unwrap_err();
        assert_eq!(
            failures.cancelled().unwrap().reason(),
            CancelReason::ChildFailed
        );
        assert_eq!(
            failures.late().iter().map(error).collect::<Vec<_>>(),
            ["second"]
        );
    });
}

#[test]
fn the_cancellation_of_another_nursery_is_a_failure_like_any_other() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        token.cancel();
        let stopped = || {
            Options::new()
                .cancel_on(&token)
                .try_nursery::<(), _, _>(|n| {
                    n.checkpoint()?;
                    Ok(())
                })
        };
        // In a child, in the body, and taken out of its nursery.
        let by_child = pool.try_nursery::<(), _, _>(|n| {
            n.spawn_body(|| Ok(stopped()?));
            Ok(())
        });
        let by_body = pool.try_nursery::<(), (), _>(|_| Ok(stopped()?));
        let by_cause = pool.try_nursery::<(), (), _>(|_| stopped().map_err(Failures::into_cause));
        for failures in [by_child, by_body, by_cause] {
            let failures = failures.unwrap_err();
            assert_eq!(failures.cancelled().unwrap().reason(), CancelReason::Token);
            assert_eq!(failures.late().len(), 0);
        }
        // It cancels the siblings.
        let failures = pool.try_nursery::<(), _, _>(|n| {
            assert!(n.spawn_body(|| Ok(stopped()?)).join().is_err());
            assert!(n.is_cancelled());
            Ok(())
        });
        failures.unwrap();
        // Who was told of it in a nursery further in was not told of its own.
        let failures = pool.try_nursery(|n| {
            n.spawn(|| {
                let token = CancelToken::new();
                token.cancel();
                Options::new().cancel_on(&token).nursery(|n| {
                    assert!(n.is_cancelled());
                    Err::<(), _>("no")
                })
            });
            Ok(())
        });
        assert_eq!(told(&failures.unwrap_err()), [(Some("0".into()), "no")]);
    });
}

#[test]
fn panics_of_children_and_bodies_are_failures() {
    on_every_pool(|pool| {
        let failures = pool.try_nursery::<(), (), _>(|n| {
            n.spawn(|| -> Result<(), ()> { panic!("child {}", n.is_cancelled()) });
            Ok(())
        });
        let failures = failures.unwrap_err();
        match failures.cause().kind() {
            FailureKind::Panic(panic) => {
                assert_eq!(panic.message(), Some("child false"));
                assert_eq!(panic.spawned_at().unwrap().file(), file!());
            }
            _ => panic!("no panic"),
        }
        let payload = payload_of(|| failures.resume_panic());
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "child false");

        let failures = pool.try_nursery::<&str, (), _>(|_| panic!("body"));
        let failures = failures.unwrap_err();
        assert!(failures.cause().child().is_none());
        assert_eq!(failures.to_string(), "panicked: body");
    });
}

#[test]
fn every_value_is_dropped_once_whatever_happens() {
    on_every_pool(|pool| {
        for failing in 0..20 {
            let ledger = Ledger::default();
            let result = pool.try_nursery(|n| {
                let ledger = &ledger;
                let mut kept = Vec::new();
                for i in 0..20 {
                    let captured = ledger.entry::<8>();
                    let child = n.spawn(move || {
                        let _captured = captured;
                        if i == failing {
                            Err("no")
                        } else {
                            Ok(ledger.entry::<16>())
                        }
                    });
                    if i % 2 == 0 {
                        kept.push(child);
                    }
                }
                kept.into_iter()
                    .map(|child| child.join())
                    .collect::<Result<Vec<_>, _>>()
            });
            assert!(result.is_err());
            drop(result);
            let made = ledger.made.load(Ordering::Relaxed);
            ledger.is_balanced(made);
        }
    });
}

#[test]
fn e8_destructors_that_panic_are_failures() {
    on_every_pool(|pool| {
        let ledger = Ledger::default();
        let failures = pool.try_nursery::<(), (), _>(|n| {
            n.spawn(|| Ok(ledger.bomb()));
            n.spawn_each(0..10, |i| {
                if i == 5 {
                    Ok(Some(ledger.bomb()))
                } else {
                    Ok(None)
                }
            });
            Ok(())
        });
        let failures = failures.unwrap_err();
        assert!(
            failures
                .iter()
                .all(|f| matches!(f.kind(), FailureKind::Panic(_)))
        );
        let made = ledger.made.load(Ordering::Relaxed);
        ledger.is_balanced(made);
    });
}
