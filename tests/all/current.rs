//! Code on foreign threads that is part of a nursery.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{Gate, Number, number_of, on_every_pool, on_pool, raise};
use hatchery::{
    CancelReason, CancelToken, Cancelled, Current, Options, Pool, block_in_place, checkpoint,
    current,
};

/// Calls `f` on a thread of std, and in a job of rayon.
fn elsewhere<R: Send>(f: impl Fn() -> R + Sync) -> [R; 2] {
    let on_thread = block_in_place(|| thread::scope(|s| s.spawn(&f).join()));
    let mut in_job = None;
    block_in_place(|| rayon::scope(|s| s.spawn(|_| in_job = Some(f()))));
    [on_thread.unwrap(), in_job.unwrap()]
}

/// The same, as a part of the innermost nursery.
fn entered<R: Send>(f: impl Fn() -> R + Sync) -> [R; 2] {
    current(|current| {
        let current = current.expect("it is in a nursery");
        elsewhere(|| current.enter(&f))
    })
}

#[test]
fn a_foreign_thread_is_told_of_the_cancellation_once_it_has_entered() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        Options::new().pool(pool).cancel_on(&token).nursery(|n| {
            assert!(entered(checkpoint).iter().all(Result::is_ok));
            assert!(n.spawn(|| entered(checkpoint)).join()[0].is_ok());
            token.cancel();
            assert!(elsewhere(checkpoint).iter().all(Result::is_ok));
            for told in [entered(checkpoint), n.spawn(|| entered(checkpoint)).join()] {
                for told in told.map(Result::unwrap_err) {
                    assert_eq!(told.reason(), CancelReason::Token);
                    assert!(!told.is_inherited());
                }
            }
            // The nursery's own methods are for threads that have a name for it.
            let told = elsewhere(|| n.enter(checkpoint));
            assert!(told.iter().all(Result::is_err));
        });
    });
}

#[test]
fn the_deadline_holds_in_a_nursery_that_a_foreign_thread_opens() {
    on_every_pool(|pool| {
        let over = Options::new().pool(pool).timeout(Duration::ZERO);
        over.nursery(|_| {
            let inner = || hatchery::try_nursery::<(), _, _>(|n| n.spawn(|| Ok(())).join());
            assert!(elsewhere(inner).iter().all(Result::is_ok));
            for stopped in entered(inner) {
                let cancelled = stopped.unwrap_err().cancelled().unwrap();
                assert_eq!(cancelled.reason(), CancelReason::Deadline);
                assert!(cancelled.is_inherited());
            }
            // A shield there is a shield.
            let shielded = || hatchery::shield(checkpoint);
            assert!(entered(shielded).iter().all(Result::is_ok));
        });
    });
}

#[test]
fn the_limit_counts_the_children_of_a_nursery_that_a_foreign_thread_opens() {
    on_every_pool(|pool| {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let child = || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
        };
        Options::new().pool(pool).limit(2).nursery(|_| {
            current(|current| {
                let current = current.unwrap();
                let work = || {
                    current.enter(|| {
                        hatchery::nursery(|n| {
                            for _ in 0..20 {
                                n.spawn(child);
                                n.spawn_blocking(child);
                            }
                        });
                    });
                };
                block_in_place(|| {
                    thread::scope(|s| {
                        (0..4).for_each(|_| _ = s.spawn(work));
                    });
                });
            });
        });
        assert!((1..=2).contains(&most.into_inner()));
    });
}

#[test]
fn a_task_counts_as_told_of_what_code_that_works_for_it_was_told() {
    on_every_pool(|pool| {
        for is_told in [true, false] {
            let ended = pool.try_nursery::<&str, (), _>(|n| {
                n.spawn(|| {
                    n.cancel();
                    let told = entered(|| is_told && checkpoint().is_err());
                    assert_eq!(told, [is_told; 2]);
                    Err::<(), _>("a consequence, or not")
                });
                Ok(())
            });
            // An error that is late is no failure.
            assert_eq!(ended.is_ok(), is_told);
        }
    });
}

#[test]
fn a_task_counts_as_told_through_a_nursery_of_the_foreign_thread() {
    on_every_pool(|pool| {
        let ended = pool.try_nursery::<&str, (), _>(|n| {
            n.spawn(|| {
                n.cancel();
                let told = || hatchery::nursery(|inner| inner.spawn(checkpoint).join().is_err());
                // A nursery of the child's is around.
                hatchery::nursery(|_| assert_eq!(entered(told), [true; 2]));
                Err::<(), _>("a consequence")
            });
            Ok(())
        });
        assert!(ended.is_ok());
    });
}

#[test]
fn children_that_a_visitor_spawns_run_elsewhere_or_where_it_joins_them() {
    on_every_pool(|pool| {
        let sum = AtomicUsize::new(0);
        pool.nursery(|n| {
            let spawn = || {
                n.spawn(|| sum.fetch_add(1, Ordering::SeqCst));
                let twice = n.spawn(|| n.spawn(|| 1).join() + 1).join();
                sum.fetch_add(twice, Ordering::SeqCst);
                let each: usize = n.spawn_each(0..10, |_| 1).sum();
                sum.fetch_add(each, Ordering::SeqCst);
                let (a, b) = hatchery::join(|| 1, || 2);
                sum.fetch_add(a + b, Ordering::SeqCst);
                let doubled: Vec<usize> = hatchery::map(0..10_usize, |i| i);
                assert_eq!(doubled.len(), 10);
            };
            entered(spawn);
            elsewhere(|| n.enter(spawn));
        });
        assert_eq!(sum.into_inner(), 4 * (1 + 2 + 10 + 3));
    });
}

#[test]
fn a_visitor_keeps_nothing_that_it_spawns() {
    on_pool(Pool::builder().threads(2), |pool| {
        let has_run = &Gate::default();
        pool.nursery(|n| {
            current(|current| {
                let current = current.unwrap();
                block_in_place(|| {
                    thread::scope(|s| {
                        s.spawn(|| {
                            current.enter(|| {
                                n.spawn(|| has_run.open());
                                // Somebody else runs it, although this thread says nothing.
                                has_run.wait();
                            });
                        });
                    });
                });
            });
        });
    });
}

#[test]
fn children_of_a_visitor_are_spawned_elsewhere() {
    on_every_pool(|pool| {
        let failed = pool.try_nursery::<&str, (), _>(|n| {
            entered(|| _ = n.spawn(|| Err::<(), _>("no")));
            Ok(())
        });
        let failures = failed.unwrap_err();
        assert!(failures.cause().child().unwrap().is_elsewhere());
    });
}

#[test]
fn a_panic_leaves_the_nursery_and_goes_on() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            n.cancel();
            current(|current| {
                let current = current.unwrap();
                let visit = || {
                    let panics = || current.enter(|| raise(3));
                    assert_eq!(number_of(panics), 3);
                    // It has left the nursery.
                    checkpoint().is_ok()
                };
                assert_eq!(elsewhere(visit), [true; 2]);
            });
        });
        // A panic of the caller's closure is the caller's.
        let raised = number_of(|| pool.nursery(|_| current(|_| -> () { raise(4) })));
        assert_eq!(raised, 4);
    });
}

#[test]
fn outside_of_any_nursery_there_is_none() {
    assert!(current(|current| current.is_none()));
    on_every_pool(|pool| {
        pool.nursery(|_| {
            assert!(current(|current| current.is_some()));
            let is_none = || current(|current: Option<&Current<'_>>| current.is_none());
            assert_eq!(elsewhere(is_none), [true; 2]);
            assert_eq!(entered(is_none), [false; 2]);
        });
    });
}

#[test]
fn at_home_and_in_a_child_it_is_a_plain_call() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let here = thread::current().id();
            let seen = current(|current| current.unwrap().enter(|| thread::current().id()));
            assert_eq!(seen, here);
            n.enter(|| n.spawn(|| n.enter(|| ())).join());
            // The outer one, below an inner one.
            let outer = n;
            outer.cancel();
            hatchery::shield(|| {
                assert!(checkpoint().is_ok());
                assert!(outer.enter(checkpoint).is_err());
                assert!(checkpoint().is_ok());
            });
        });
    });
}

#[test]
fn visitors_come_from_threads_of_other_pools() {
    let other = Pool::builder().threads(2).name("other").build().unwrap();
    on_every_pool(|pool| {
        let told: Mutex<Vec<Result<(), Cancelled>>> = Mutex::default();
        Options::new().pool(pool).name("host").nursery(|n| {
            n.cancel();
            current(|current| {
                let current = current.unwrap();
                let visits = || {
                    other.nursery(|o| {
                        for _ in 0..20 {
                            o.spawn(|| {
                                let visit = || hatchery::nursery(|v| v.spawn(checkpoint).join());
                                told.lock().unwrap().push(current.enter(visit));
                                // It is back in its own nursery and pool.
                                assert!(checkpoint().is_ok());
                                assert_eq!(hatchery::threads(), other.threads());
                            });
                        }
                    });
                };
                block_in_place(|| thread::scope(|s| _ = s.spawn(visits)));
                let text = format!("{current:?}");
                assert!(
                    text.contains("host") && text.contains("Requested"),
                    "{text}"
                );
            });
        });
        let told = told.into_inner().unwrap();
        assert_eq!(told.len(), 20);
        assert!(told.iter().all(Result::is_err));
    });
}

#[test]
fn the_payload_is_unchanged() {
    on_every_pool(|pool| {
        let raised = number_of(|| {
            pool.nursery(|n| {
                let visit = || n.enter(|| std::panic::resume_unwind(Box::new(Number(9))));
                thread::scope(|s| {
                    let payload = s.spawn(visit).join().unwrap_err();
                    std::panic::resume_unwind(payload)
                })
            })
        });
        assert_eq!(raised, 9);
    });
}

#[test]
fn a_dump_shows_a_visitor_in_the_nursery() {
    on_pool(Pool::builder().threads(2), |pool| {
        Options::new().pool(pool).name("visited").nursery(|n| {
            let told = thread::scope(|s| {
                s.spawn(|| n.enter(|| hatchery::nursery(|_| pool.dump().to_string())))
                    .join()
                    .unwrap()
            });
            assert!(told.contains("visited"), "{told}");
        });
    });
}
