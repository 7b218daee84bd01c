//! Laws L1 to L6: nobody outlives the nursery, nobody is lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::workers::start_all_workers;
use crate::common::{Gate, on_every_pool, on_no_worker, on_pool, payload_of};
use hatchery::Pool;

/// Counts itself while it is alive.
struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn l1_no_closure_capture_or_result_is_alive_after_the_nursery_returns() {
    on_every_pool(|pool| {
        for _ in 0..20 {
            let alive = &AtomicUsize::new(0);
            pool.nursery(|n| {
                for i in 0..100 {
                    let capture = Alive::new(alive);
                    // The value is dropped unjoined, or joined, or its handle goes early.
                    let child = n.spawn(move || {
                        let _capture = capture;
                        Alive::new(alive)
                    });
                    if i % 3 == 0 {
                        drop(child.join());
                    } else if i % 3 == 1 {
                        n.spawn_blocking(move || Alive::new(alive));
                    }
                }
            });
            assert_eq!(alive.load(Ordering::Relaxed), 0);
        }
    });
}

#[test]
fn l1_no_child_is_alive_after_the_nursery_unwinds() {
    on_every_pool(|pool| {
        for culprit in [0, 1, 50, 99, 1000] {
            let alive = &AtomicUsize::new(0);
            payload_of(|| {
                pool.nursery(|n| {
                    for i in 0..100 {
                        let capture = Alive::new(alive);
                        n.spawn(move || {
                            let _capture = capture;
                            assert_ne!(i, culprit, "on purpose");
                            Alive::new(alive)
                        });
                    }
                    assert_ne!(culprit, 1000, "on purpose");
                });
            });
            assert_eq!(alive.load(Ordering::Relaxed), 0);
        }
    });
}

#[test]
fn l2_every_closure_is_consumed_exactly_once_run_or_dropped_as_skipped() {
    on_every_pool(|pool| {
        for panics in [false, true] {
            let (ran, dropped) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
            struct Dropped<'a>(&'a AtomicUsize);
            impl Drop for Dropped<'_> {
                fn drop(&mut self) {
                    self.0.fetch_add(1, Ordering::Relaxed);
                }
            }
            let run = || {
                pool.nursery(|n| {
                    for i in 0..500 {
                        let capture = Dropped(dropped);
                        n.spawn(move || {
                            let _capture = capture;
                            ran.fetch_add(1, Ordering::Relaxed);
                            assert!(!(panics && i == 250), "on purpose");
                        });
                    }
                });
            };
            if panics {
                payload_of(run);
                assert!(ran.load(Ordering::Relaxed) <= 500);
            } else {
                run();
                assert_eq!(ran.load(Ordering::Relaxed), 500);
            }
            assert_eq!(dropped.load(Ordering::Relaxed), 500);
        }
    });
}

#[test]
fn l3_the_nursery_waits_also_when_the_body_panics_or_returns_early() {
    // A child that has started is waited for: here it cannot end before the body has.
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            for panics in [false, true] {
                let (started, body_is_over) = (&Gate::default(), &Gate::default());
                let ended = &AtomicUsize::new(0);
                let run = || {
                    pool.nursery(|n| {
                        struct Over<'a>(&'a Gate);
                        impl Drop for Over<'_> {
                            fn drop(&mut self) {
                                self.0.open();
                            }
                        }
                        n.spawn_blocking(|| {
                            started.open();
                            body_is_over.wait();
                            ended.fetch_add(1, Ordering::Relaxed);
                        });
                        let _over = Over(body_is_over);
                        started.wait();
                        assert!(!panics, "on purpose");
                    });
                };
                if panics {
                    payload_of(run);
                } else {
                    run();
                }
                assert_eq!(ended.load(Ordering::Relaxed), 1);
            }
        });
    }
}

#[test]
fn l3_what_has_started_has_ended_when_the_nursery_is_over_however_its_body_ends() {
    on_every_pool(|pool| {
        for panics in [false, true].repeat(20) {
            let (started, ended) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
            let run = || {
                pool.nursery(|n| {
                    for _ in 0..100 {
                        n.spawn(|| {
                            started.fetch_add(1, Ordering::Relaxed);
                            hatchery::nursery(|inner| {
                                inner.spawn_each(0..10, |i| i).for_each(drop)
                            });
                            ended.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                    if panics {
                        std::panic::resume_unwind(Box::new("on purpose"));
                    }
                });
            };
            if panics {
                payload_of(run);
            } else {
                run();
                assert_eq!(ended.load(Ordering::Relaxed), 100);
            }
            let ended = ended.load(Ordering::Relaxed);
            pool.nursery(|n| n.spawn_each(0..100, |i| i).for_each(drop));
            assert_eq!(
                started.load(Ordering::Relaxed),
                ended,
                "nothing started later"
            );
        }
    });
}

#[test]
fn l4_all_a_child_wrote_happens_before_what_follows_the_join_or_the_nursery() {
    on_every_pool(|pool| {
        for _ in 0..200 {
            let mut plain = [0_u64; 16];
            pool.nursery(|n| {
                let (joined, unjoined) = plain.split_at_mut(8);
                let children: Vec<_> = joined
                    .iter_mut()
                    .map(|place| n.spawn(move || *place = 7))
                    .collect();
                for place in unjoined {
                    n.spawn(move || *place = 7);
                }
                children.into_iter().for_each(hatchery::Child::join);
            });
            assert_eq!(plain, [7; 16]);
        }
    });
}

#[test]
fn l4_all_a_child_wrote_happens_before_what_follows_its_being_finished() {
    // On a side thread, which needs nobody's help to finish it.
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            for _ in 0..200 {
                let written = &AtomicUsize::new(0);
                pool.nursery(|n| {
                    let child = n.spawn_blocking(|| written.store(7, Ordering::Relaxed));
                    while !child.is_finished() {
                        std::thread::yield_now();
                    }
                    assert_eq!(written.load(Ordering::Relaxed), 7);
                });
            }
        });
    }
}

#[test]
fn l5_a_child_may_spawn_siblings_and_such_spawns_are_never_lost() {
    fn spread<'s>(n: &'s hatchery::Nursery<'s, '_>, depth: usize, count: &'s AtomicUsize) {
        count.fetch_add(1, Ordering::Relaxed);
        if depth > 0 {
            for _ in 0..4 {
                n.spawn(move || spread(n, depth - 1, count));
            }
        }
    }
    on_every_pool(|pool| {
        for _ in 0..5 {
            let count = AtomicUsize::new(0);
            pool.nursery(|n| spread(n, 5, &count));
            assert_eq!(count.into_inner(), 1 + 4 + 16 + 64 + 256 + 1024);
        }
    });
}

#[test]
fn l5_a_spawn_into_an_outer_nursery_from_further_in_is_never_lost() {
    on_every_pool(|pool| {
        for _ in 0..50 {
            let seen = &Mutex::new(Vec::new());
            let note = move |what: usize| seen.lock().unwrap().push(what);
            pool.nursery(|outer| {
                for i in 0..8 {
                    outer.spawn(move || {
                        pool.nursery(|inner| {
                            inner.spawn(move || {
                                outer.spawn(move || note(i));
                            });
                            outer.spawn(move || note(i + 8));
                            hatchery::join(
                                || outer.spawn(move || note(i + 16)).join(),
                                || note(i + 24),
                            );
                        });
                    });
                }
            });
            let mut seen = seen.lock().unwrap().split_off(0);
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..32));
        }
    });
}

/// How often each thread of this process whose name begins with `name` has been switched to.
fn switches(name: &str) -> Vec<(String, u64)> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("checked by the caller");
    let mut switches: Vec<_> = tasks
        .flatten()
        .filter_map(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                Some(line.trim_start_matches(':').trim().to_owned())
            };
            let thread = field("Name")?;
            let count = field("voluntary_ctxt_switches")?.parse::<u64>().ok()?;
            thread
                .starts_with(name)
                .then(|| (format!("{:?}", task.file_name()), count))
        })
        .collect();
    switches.sort();
    switches
}

#[test]
fn l6_an_empty_nursery_starts_and_wakes_nobody() {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs /proc/self/task");
        return;
    }
    for threads in [1, 2, 4] {
        let name = format!("l6w{threads}");
        on_pool(Pool::builder().threads(threads).name(&name), |pool| {
            pool.nursery(|_| ());
            assert!(format!("{pool:?}").contains("workers_started: 0"));
            assert_eq!(switches(&name), [], "no thread was started");

            // Threads that are started and asleep stay so. The first rounds may meet a thread that
            // is on its way to sleep, so a quiet round is waited for.
            start_all_workers(pool);
            let is_quiet = || {
                let before = switches(&name);
                for _ in 0..1000 {
                    pool.nursery(|_| ());
                }
                before.len() == threads && switches(&name) == before
            };
            while !is_quiet() {}
        });
    }
    on_no_worker(|pool| assert_eq!(pool.nursery(|_| 5), 5));
}
