//! Failures, law by law: every child has one end, no failure is lost, and nobody waits in vain.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};

use crate::common::{Ledger, on_every_pool, on_no_worker, on_pool, seeded};
use fastrand::Rng;
use hatchery::{Failure, FailureKind, Failures, OnFailure, Options, Pool};

const BOTH: [OnFailure; 2] = [OnFailure::Cancel, OnFailure::Continue];

/// The index of the child that failed with its own index, which is its place.
fn index(failure: &Failure<u64>) -> u64 {
    let index = failure.child().expect("a child").index();
    match failure.kind() {
        FailureKind::Error(error) => assert_eq!(*error, index),
        _ => panic!("no error"),
    }
    index
}

#[test]
fn r2_each_child_ends_in_exactly_one_of_done_failed_panicked_skipped() {
    const CHILDREN: usize = 300;
    on_every_pool(|pool| {
        let mut rng = seeded("r2");
        for on_failure in BOTH {
            for _ in 0..20 {
                let [fails, panics] = [(); 2].map(|()| rng.usize(..CHILDREN));
                let captures = Ledger::default();
                let run = [const { AtomicUsize::new(0) }; 3];
                let child = |i: usize| {
                    let how = match i {
                        _ if i == fails => 1,
                        _ if i == panics => 2,
                        _ => 0,
                    };
                    run[how].fetch_add(1, Ordering::Relaxed);
                    match how {
                        0 => Ok(i),
                        1 => Err(i),
                        _ => resume_unwind(Box::new(i)),
                    }
                };
                let options = Options::new().pool(pool).on_failure(on_failure);
                let ends = options.try_nursery(|n| {
                    let (child, captures) = (&child, &captures);
                    let each = n.spawn_each((0..CHILDREN).map(|i| (i, captures.entry::<8>())), {
                        |(i, _entry)| child(i)
                    });
                    let single = (0..CHILDREN).map(|i| {
                        let entry = captures.entry::<8>();
                        n.spawn(move || {
                            let _entry = entry;
                            child(i)
                        })
                    });
                    let single: Vec<_> = single.collect();
                    let single = single.into_iter().map(hatchery::Child::join);
                    let mut ends = [0; 4];
                    for end in single.chain(each) {
                        let how = match end.map_err(Failure::into_kind) {
                            Ok(_) => 0,
                            Err(FailureKind::Error(_)) => 1,
                            Err(FailureKind::Panic(_)) => 2,
                            Err(FailureKind::Cancelled(_)) => 3,
                            Err(kind) => panic!("{kind:?}"),
                        };
                        ends[how] += 1;
                    }
                    Ok(ends)
                });
                let [done, failed, panicked, skipped] = ends.unwrap();
                let run = run.map(AtomicUsize::into_inner);
                assert_eq!([done, failed, panicked], run);
                let made = captures.made.load(Ordering::Relaxed);
                captures.is_balanced(made);
                match on_failure {
                    OnFailure::Continue => {
                        assert_eq!((skipped, made), (0, 2 * CHILDREN));
                    }
                    // The iterator may have been asked for no more; one child stands for the rest.
                    _ => assert!(made <= done + failed + panicked + skipped),
                }
            }
        }
    });
}

#[test]
fn r3_a_value_that_was_computed_is_there_after_the_cancellation() {
    const CHILDREN: usize = 200;
    on_every_pool(|pool| {
        for _ in 0..20 {
            let computed = [const { AtomicBool::new(false) }; CHILDREN];
            let result = pool.try_nursery::<(), _, _>(|n| {
                let computed = &computed;
                let child = move |i: usize| {
                    if i == CHILDREN / 2 {
                        n.cancel();
                    }
                    computed[i].store(true, Ordering::Relaxed);
                    Ok(i)
                };
                let (front, back) = (0..CHILDREN / 2, CHILDREN / 2..CHILDREN);
                let front = front.map(|i| n.spawn(move || child(i)));
                let front: Vec<_> = front.collect();
                let back = n.spawn_each(back, child);
                let front = front.into_iter().map(hatchery::Child::join);
                let values: Vec<_> = front.chain(back).collect();
                for (i, value) in values.into_iter().enumerate() {
                    // What follows the end of the children says that the iterator was left.
                    let was_computed = computed.get(i).map(|it| it.load(Ordering::Relaxed));
                    assert_eq!(value.ok(), was_computed.unwrap_or(false).then_some(i));
                }
                Ok(())
            });
            result.unwrap();
            assert!(computed[CHILDREN / 2].load(Ordering::Relaxed));
        }
    });
}

/// Nurseries in nurseries whose children fail and panic here and there, all of them run.
fn grow(rng: &mut Rng, depth: usize) -> Result<u64, Failures<u64>> {
    let seeds: Vec<_> = (0..rng.usize(1..5)).map(|_| rng.u64(..)).collect();
    let options = Options::new().on_failure(OnFailure::Continue);
    options.try_nursery(|n| {
        let mut sum = 0;
        for seed in seeds {
            let child = n.spawn_body(move || {
                let mut rng = Rng::with_seed(seed);
                let leaf = rng.u64(..100);
                // Others come meanwhile, if there are any.
                (0..500).for_each(|_| std::hint::spin_loop());
                n.spawn(move || if leaf < 20 { Err(leaf) } else { Ok(()) });
                match leaf {
                    ..5 => resume_unwind(Box::new("on purpose")),
                    5..15 => Err(leaf.into()),
                    _ if depth == 0 => Ok(leaf),
                    _ => Ok(grow(&mut rng, depth - 1)?),
                }
            });
            // Some are joined, and some of their failures handled.
            match seed % 3 {
                0 => sum += child.join()?,
                1 => sum += child.join().unwrap_or(1),
                _ => {}
            }
        }
        Ok(sum)
    })
}

#[test]
fn r4_under_continue_the_whole_outcome_is_the_same_for_every_pool() {
    let seed = seeded("r4").u64(..);
    let outcomes = Mutex::new(Vec::new());
    on_every_pool(|pool| {
        let mut rng = Rng::with_seed(seed);
        let outcome = pool.nursery(|_| [(); 20].map(|()| grow(&mut rng, 3)));
        outcomes.lock().unwrap().push(format!("{outcome:#?}"));
    });
    let outcomes = outcomes.into_inner().unwrap();
    assert!(outcomes.iter().all(|one| *one == outcomes[0]));
}

/// Calls `test` with every pool, and with how many children that wait for each other it runs.
fn on_every_pool_with_company(test: impl Fn(&Pool, usize)) {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| test(pool, 5));
    }
    on_no_worker(|pool| test(pool, 0));
}

/// A nursery in which many children fail that nobody joins, so many of them for sure: those that had
/// started, and what came of it.
fn many_fail(pool: &Pool, together: usize, rng: &mut Rng) -> (Vec<u64>, Failures<u64>) {
    let all_have_started = Barrier::new(together + 1);
    let fail: Vec<_> = (0..500).map(|_| rng.u8(..) < 30).collect();
    let started = Mutex::new(Vec::new());
    let result = pool.try_nursery(|n| {
        let (fail, started) = (&fail, &started);
        let child = |i: u64| {
            let fails = fail[i as usize] || i == 499;
            if fails {
                started.lock().unwrap().push(i);
            }
            if fails { Err(i) } else { Ok(()) }
        };
        n.spawn(|| Ok(()));
        for i in 1..=together as u64 {
            let all_have_started = &all_have_started;
            n.spawn_blocking(move || {
                started.lock().unwrap().push(i);
                all_have_started.wait();
                Err::<(), _>(i)
            });
        }
        all_have_started.wait();
        for i in together as u64 + 1..200 {
            n.spawn(move || child(i));
        }
        n.spawn_each(200..400, child);
        for i in 400..500 {
            n.spawn_blocking(move || child(i));
        }
        Ok(())
    });
    let mut started = started.into_inner().unwrap();
    started.sort_unstable();
    (started, result.unwrap_err())
}

#[test]
fn e1_every_failure_of_a_started_child_comes_back_and_no_other() {
    on_every_pool_with_company(|pool, together| {
        let mut rng = seeded("e1");
        for _ in 0..50 {
            let (started, failures) = many_fail(pool, together, &mut rng);
            assert!(started.len() >= together);
            assert_eq!(failures.iter().map(index).collect::<Vec<_>>(), started);
            assert_eq!(failures.late().len(), 0);
        }
    });
}

#[test]
fn e2_one_failure_has_the_same_shape_as_many_and_an_early_one_as_a_late_one() {
    on_every_pool(|pool| {
        for on_failure in BOTH {
            for (children, failing) in [(1, 1), (2, 1), (100, 1), (2, 2), (100, 100)] {
                for first in [0, children - failing] {
                    let fails = first..first + failing;
                    let options = Options::new().pool(pool).on_failure(on_failure);
                    // One in another, so that one in one is not folded either.
                    let failures = options.try_nursery(|_| {
                        let inner = options.try_nursery(|n| {
                            for i in 0..children {
                                let fails = fails.contains(&i);
                                n.spawn(move || if fails { Err(i) } else { Ok(()) });
                            }
                            Ok(())
                        });
                        Ok(inner?)
                    });
                    let outer = failures.unwrap_err();
                    assert_eq!(outer.len(), 1);
                    assert_eq!(outer.cause().child(), None);
                    let FailureKind::Nested(inner) = outer.into_cause().into_kind() else {
                        panic!("not as deep as it was");
                    };
                    let all: Vec<_> = inner.iter().map(index).collect();
                    let expected: Vec<_> = fails.collect();
                    assert_eq!(inner.late().len(), 0);
                    if on_failure == OnFailure::Continue {
                        assert_eq!(all, expected);
                    }
                    assert!(all.iter().all(|i| expected.contains(i)), "{all:?}");
                }
            }
        }
    });
}

#[test]
fn e3_the_cause_is_one_of_those_that_had_started_when_a_failure_cancels() {
    on_every_pool_with_company(|pool, together| {
        let mut rng = seeded("e3");
        for _ in 0..50 {
            let (started, failures) = many_fail(pool, together, &mut rng);
            assert!(started.len() >= together);
            let cause = index(failures.cause());
            assert!(started.contains(&cause));
            assert_eq!(index(&failures.into_cause()), cause);
        }
    });
}

#[test]
fn e4_children_that_were_skipped_or_told_are_no_failures_beside_a_real_one() {
    on_every_pool(|pool| {
        for _ in 0..50 {
            let failures = pool.try_nursery(|n| {
                let culprit = n.spawn(|| Err::<(), _>(0));
                let mut children = Vec::new();
                for _ in 0..20 {
                    children.push(n.spawn_body(|| {
                        // Some of them are told, in the nursery or in one further in.
                        for _ in 0..100 {
                            n.checkpoint()?;
                        }
                        Ok(hatchery::try_nursery(|inner| inner.checkpoint())?)
                    }));
                }
                let each = n.spawn_each(0..20, |_| Ok(()));
                for end in children.into_iter().map(hatchery::Child::join).chain(each) {
                    end?;
                }
                drop(culprit);
                n.checkpoint()
            });
            let failures = failures.unwrap_err();
            assert_eq!(failures.iter().map(index).collect::<Vec<_>>(), [0]);
            assert_eq!(failures.late().len(), 0);
        }
    });
}

#[test]
fn e6_a_failure_never_leaves_anybody_waiting_for_what_does_not_come() {
    on_every_pool(|pool| {
        for options in [Options::new(), Options::new().limit(1)] {
            let options = options.pool(pool);
            for _ in 0..20 {
                let failures = options.try_nursery::<_, Vec<()>, _>(|n| {
                    // One that waits for what it has spawned itself, behind the failure or before.
                    for _ in 0..5 {
                        n.spawn_body(|| {
                            let sibling = n.spawn(|| Ok(1));
                            let blocking = n.spawn_blocking(|| Ok(1));
                            sibling.join()?;
                            blocking.join()
                        });
                    }
                    let each = n.spawn_each(0..5000, |i| if i == 0 { Err("first") } else { Ok(i) });
                    let completed = n.spawn_each(0..5000, Ok).by_completion();
                    let children: Vec<_> = (0..100).map(|i| n.spawn(move || Ok(i))).collect();
                    let blocking: Vec<_> =
                        (0..10).map(|i| n.spawn_blocking(move || Ok(i))).collect();
                    completed.for_each(drop);
                    children.into_iter().for_each(|child| drop(child.join()));
                    blocking
                        .into_iter()
                        .rev()
                        .for_each(|child| drop(child.join()));
                    each.map(|end| end.map(drop)).collect()
                });
                let failures = failures.unwrap_err();
                assert_eq!(failures.to_string(), "child 5: first");
            }
        }
    });
}
