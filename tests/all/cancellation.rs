//! Cancellation, law by law: who is the first, who starts, who is told, and why.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::{Ledger, on_every_pool, on_no_worker};
use hatchery::{
    CancelReason, CancelToken, Cancelled, Failure, FailureKind, Options, Pool, TryNursery,
};

/// More threads than any of the pools computes with at a time.
const THREADS: usize = 5;

/// Runs `f` on so many plain threads at once.
fn at_once(threads: usize, f: impl Fn(usize) + Sync) {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        for i in 0..threads {
            let (f, start) = (&f, &start);
            scope.spawn(move || {
                start.wait();
                f(i);
            });
        }
    });
}

/// What is told to those who ask.
fn told<E: Send>(n: &TryNursery<'_, '_, E>) -> Option<Cancelled> {
    n.checkpoint().err().map(|failure| cancelled(&failure))
}

fn cancelled<E>(failure: &Failure<E>) -> Cancelled {
    match failure.kind() {
        FailureKind::Cancelled(cancelled) => *cancelled,
        _ => panic!("something else"),
    }
}

/// Cancels a nursery whose deadline and token these are.
type Way = for<'s> fn(&'s TryNursery<'s, '_, ()>, &CancelToken);

/// The ways to cancel a nursery from its body, which goes on.
const WAYS: [(CancelReason, Way); 5] = [
    (CancelReason::Requested, |n, _| assert!(n.cancel())),
    (CancelReason::Token, |_, token| assert!(token.cancel())),
    // It is over when the nursery opens.
    (CancelReason::Deadline, |_, _| {}),
    (CancelReason::ChildFailed, |n, _| {
        assert!(n.spawn(|| Err::<(), _>(())).join().is_err());
    }),
    (CancelReason::ChildPanicked, |n, _| {
        let child = n.spawn(|| -> Result<(), ()> { std::panic::resume_unwind(Box::new(())) });
        assert!(child.join().is_err());
    }),
];

/// Runs `body` in a nursery that was cancelled for each of the reasons, with its token.
fn for_every_reason<'env>(
    pool: &Pool,
    body: impl for<'s> Fn(&'s TryNursery<'s, 'env, ()>, &CancelToken, CancelReason),
) {
    for (reason, way) in WAYS {
        let token = CancelToken::new();
        let mut options = Options::new().pool(pool).cancel_on(&token);
        if reason == CancelReason::Deadline {
            options = options.timeout(Duration::ZERO);
        }
        let result = options.try_nursery::<(), _, _>(|n| {
            way(n, &token);
            assert_eq!(told(n).map(|told| told.reason()), Some(reason));
            body(n, &token, reason);
            Ok(7)
        });
        // Who has skipped nothing has lost nothing.
        assert_eq!(result.unwrap(), 7);
    }
}

#[test]
fn x1_cancelling_is_idempotent_and_true_for_exactly_one_of_many_callers() {
    on_every_pool(|pool| {
        for _ in 0..50 {
            let token = CancelToken::new();
            let [firsts, firsts_of_token] = [const { AtomicUsize::new(0) }; 2];
            let cancel = |n: &TryNursery<'_, '_, ()>| {
                firsts.fetch_add(n.cancel().into(), Ordering::Relaxed);
                assert!(n.is_cancelled());
            };
            let cancel_token = || {
                firsts_of_token.fetch_add(token.cancel().into(), Ordering::Relaxed);
                assert!(token.is_cancelled());
            };
            let result = pool.try_nursery::<(), _, _>(|n| {
                for _ in 0..10 {
                    n.spawn(|| {
                        cancel(n);
                        Ok(())
                    });
                }
                at_once(THREADS, |_| (0..3).for_each(|_| cancel(n)));
                at_once(THREADS, |_| (0..3).for_each(|_| cancel_token()));
                Ok(())
            });
            result.unwrap();
            assert_eq!(firsts.into_inner(), 1);
            assert_eq!(firsts_of_token.into_inner(), 1);
        }
    });
}

#[test]
fn x2_nothing_that_is_spawned_after_the_cancellation_starts() {
    on_every_pool(|pool| {
        let (started, captures) = (AtomicUsize::new(0), Ledger::default());
        let start = || {
            started.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        for_every_reason(pool, |n, _, reason| {
            let mut children = Vec::new();
            for _ in 0..100 {
                let captured = captures.entry::<8>();
                children.push(n.spawn(move || {
                    let _captured = captured;
                    start()
                }));
                children.push(n.spawn_blocking(start));
                children.push(n.spawn_body(move || Ok(start()?)));
            }
            let each = n.spawn_each(0..100, move |_| start());
            let of_others = thread::scope(|scope| {
                let spawn = || n.spawn(start).join();
                scope.spawn(spawn).join().unwrap()
            });
            let joined = children.into_iter().map(hatchery::Child::join);
            for result in joined.chain(each).chain([of_others]) {
                assert_eq!(cancelled(&result.unwrap_err()).reason(), reason);
            }
            // Nor in nurseries further in.
            let inner = hatchery::try_nursery::<(), _, _>(|inner| {
                inner.spawn(start);
                Ok(())
            });
            assert_eq!(inner.unwrap_err().cancelled().unwrap().reason(), reason);
            let race = hatchery::race(|r| r.spawn(start));
            assert_eq!(race.unwrap_err().cancelled().unwrap().reason(), reason);
            // A total one must come to its value.
            assert_eq!(hatchery::nursery(|n| n.spawn(|| 7).join()), 7);
        });
        assert_eq!(started.into_inner(), 0);
        captures.is_balanced(100 * WAYS.len());
    });
}

#[test]
fn x2_of_what_stands_in_line_no_thread_starts_anything_after_the_cancellation() {
    const QUEUED: usize = 10_000;
    on_every_pool(|pool| {
        for (_, way) in WAYS {
            let started = &AtomicUsize::new(0);
            let token = CancelToken::new();
            let options = Options::new().pool(pool).cancel_on(&token);
            let mut before = 0;
            let result = options.try_nursery(|n| {
                for _ in 0..QUEUED {
                    n.spawn(|| {
                        started.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    });
                }
                // Deadlines are not among them: this one's is not over.
                way(n, &token);
                n.cancel();
                before = started.load(Ordering::SeqCst);
                Ok(())
            });
            drop(result);
            // Each may have been about to start the one that it had asked for.
            let after = started.load(Ordering::SeqCst);
            assert!(after < before + THREADS, "{before}, {after}");
        }
    });
}

#[test]
fn x2_on_one_thread_nothing_behind_the_child_that_cancels_starts() {
    on_no_worker(|pool| {
        let starts = AtomicUsize::new(0);
        let started = &starts;
        let result = pool.try_nursery::<(), _, _>(|n| {
            let child = move |i| {
                started.fetch_add(1, Ordering::Relaxed);
                Ok(i == 50 && n.cancel())
            };
            n.spawn_each(0..100, child);
            n.spawn(move || child(100));
            Ok(())
        });
        result.unwrap();
        assert_eq!(starts.into_inner(), 51);
    });
}

/// Asks so deep, in nurseries of both kinds and in both sides of a fork; counts who is told what.
fn ask_below(depth: u32, expected: Option<CancelReason>, asked: &AtomicUsize) {
    let ask = || {
        let told = hatchery::checkpoint().err();
        assert_eq!(told.map(|told| told.reason()), expected);
        assert!(told.is_none_or(|told| told.is_inherited()));
        asked.fetch_add(1, Ordering::Relaxed);
        if depth > 0 {
            ask_below(depth - 1, expected, asked);
        }
    };
    hatchery::nursery(|n| {
        n.spawn(ask);
    });
    let result = hatchery::try_nursery::<(), _, _>(|_| {
        hatchery::join(ask, ask);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn x3_cancellation_flows_down_to_every_depth_and_not_up() {
    on_every_pool(|pool| {
        let result = pool.try_nursery::<(), _, _>(|outer| {
            let asked = AtomicUsize::new(0);
            ask_below(3, None, &asked);
            let inner = hatchery::try_nursery::<(), _, _>(|inner| {
                inner.cancel();
                ask_below(3, Some(CancelReason::Requested), &asked);
                assert!(!told(inner).unwrap().is_inherited());
                Ok(())
            });
            inner.unwrap();
            assert_eq!(asked.into_inner(), 2 * (3 + 9 + 27 + 81));
            assert_eq!(hatchery::checkpoint(), Ok(()));
            outer.checkpoint()?;
            outer.spawn(|| Ok(7)).join()
        });
        assert_eq!(result.unwrap(), 7);
    });
}

#[test]
fn x3_cancellation_does_not_flow_sideways() {
    on_every_pool(|pool| {
        pool.nursery(|outer| {
            outer.spawn_each(0..20, |i| {
                let cancels = i % 2 == 0;
                let result = hatchery::try_nursery::<Cancelled, _, _>(|n| {
                    if cancels {
                        assert!(n.cancel());
                    }
                    for _ in 0..100 {
                        assert_eq!(n.is_cancelled(), cancels);
                        assert!(!outer.is_cancelled());
                    }
                    n.spawn(hatchery::checkpoint).join()
                });
                assert_eq!(result.is_err(), cancels);
                assert_eq!(hatchery::checkpoint(), Ok(()));
            });
        });
    });
}

#[test]
fn x4_a_deadline_that_is_over_is_in_force_wherever_it_was_set() {
    const FAR: Duration = Duration::from_secs(1 << 30);
    on_every_pool(|pool| {
        for (outer, inner) in [(Duration::ZERO, FAR), (FAR, Duration::ZERO)] {
            let outer_options = Options::new().pool(pool).timeout(outer);
            outer_options.nursery(|n| {
                let is_over = || {
                    // In between is one without any deadline.
                    hatchery::nursery(|_| {
                        let options = Options::new().timeout(inner);
                        let result = options.try_nursery::<(), (), _>(|n| n.checkpoint());
                        result.unwrap_err().cancelled().unwrap()
                    })
                };
                for told in [is_over(), n.spawn(is_over).join()] {
                    assert_eq!(told.reason(), CancelReason::Deadline);
                    assert_eq!(told.is_inherited(), outer < inner);
                }
                assert_eq!(n.is_cancelled(), outer < inner);
            });
        }
    });
}

#[test]
fn x5_a_nursery_stays_cancelled_and_its_first_reason_stays_the_reason() {
    on_every_pool(|pool| {
        for_every_reason(pool, |n, token, reason| {
            // None of these is the first any more.
            assert!(!n.cancel());
            token.cancel();
            drop(n.spawn(|| Err::<(), _>(())).join());
            for _ in 0..100 {
                assert!(n.is_cancelled());
                let told = told(n).unwrap();
                assert_eq!((told.reason(), told.is_inherited()), (reason, false));
            }
        });
    });
}

/// Calls `f` so many nurseries further in.
fn deep(levels: u32, f: &dyn Fn()) {
    match levels {
        0 => f(),
        _ => hatchery::nursery(|_| deep(levels - 1, f)),
    }
}

#[test]
fn x5_all_who_ask_are_told_the_same_whoever_cancels_at_once() {
    on_every_pool(|pool| {
        for _ in 0..200 {
            let all = Mutex::new(Vec::new());
            let note = |told: Cancelled| {
                all.lock()
                    .unwrap()
                    .push((told.reason(), told.is_inherited()));
            };
            let result = pool.try_nursery::<(), _, _>(|outer| {
                // The way to the outer one takes time enough for the others.
                deep(100, &|| {
                    let token = CancelToken::new();
                    let options = Options::new().cancel_on(&token);
                    let result = options.try_nursery(|n| {
                        at_once(THREADS, |i| {
                            let _is_first = match i {
                                0 => n.cancel(),
                                1 => token.cancel(),
                                2 => outer.cancel(),
                                3 => n.spawn(|| Err::<(), _>(())).join().is_ok(),
                                _ => false,
                            };
                            while !n.is_cancelled() {}
                            (0..20).for_each(|_| note(told(n).unwrap()));
                        });
                        n.checkpoint()
                    });
                    note(result.unwrap_err().cancelled().unwrap());
                });
                Ok(())
            });
            result.unwrap();
            let all = all.into_inner().unwrap();
            assert!(all.iter().all(|told| *told == all[0]), "{all:?}");
        }
    });
}

#[test]
fn x7_an_expiry_is_told_apart_from_every_other_end_an_inherited_one_too() {
    on_every_pool(|pool| {
        for_every_reason(pool, |n, _, reason| {
            let is_expiry = reason == CancelReason::Deadline;
            // In between is one that must come to a value.
            let inner = hatchery::nursery(|_| {
                hatchery::try_nursery::<(), (), _>(|n| n.checkpoint()).unwrap_err()
            });
            let [own, inherited] = [told(n), inner.cancelled()].map(Option::unwrap);
            for (told, is_inherited) in [(own, false), (inherited, true)] {
                assert_eq!(told.reason() == CancelReason::Deadline, is_expiry);
                assert_eq!(told.overshoot().is_some(), is_expiry);
                assert_eq!(told.to_string().contains("deadline"), is_expiry);
                assert_eq!(told.is_inherited(), is_inherited);
            }
        });
    });
}
