//! A long-lived nursery, through which children pass; no more than [`OUTSTANDING`] at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use hatchery::{Child, Nursery, OnFailure, Options, TryNursery};

use crate::measure::{KEPT, Memory, live};
use crate::{Task, leak, planted, watched};

/// Children in a round, all of which have ended when it does.
const OUTSTANDING: usize = 10_000;
/// How often memory is looked at.
const SAMPLES: usize = 100;
/// One child in so many leaves something behind, if that is planted.
const LEAKS: usize = 100;

/// What children do.
fn tiny(i: usize) -> usize {
    if planted(i, LEAKS) {
        leak(1024);
    }
    std::hint::black_box(i)
}

/// `round` runs as many children as it is told, of these numbers, again and again.
fn rounds(task: Task, per_round: usize, mut round: impl FnMut(std::ops::Range<usize>)) {
    let all = task.size.div_ceil(per_round).max(SAMPLES);
    let mut memory = Memory::new(SAMPLES);
    for n in 0..all {
        round(n * per_round..(n + 1) * per_round);
        if (n + 1) * SAMPLES / all > n * SAMPLES / all {
            memory.sample();
        }
    }
    println!("  children: {}", all * per_round);
    memory.is_flat(task.threads);
}

fn in_nursery(
    task: Task,
    round: impl for<'scope> Fn(&'scope Nursery<'scope, '_>, std::ops::Range<usize>),
) {
    watched(task, |pool| {
        pool.nursery(|n| rounds(task, OUTSTANDING, |numbers| round(n, numbers)));
    });
}

fn all_of<'scope>(
    n: &'scope Nursery<'scope, '_>,
    numbers: std::ops::Range<usize>,
) -> Vec<Child<'scope, usize>> {
    numbers.map(|i| n.spawn(move || tiny(i))).collect()
}

pub(crate) fn joined(task: Task) {
    in_nursery(task, |n, numbers| {
        for (i, child) in numbers.clone().zip(all_of(n, numbers)) {
            assert_eq!(child.join(), i);
        }
    });
}

pub(crate) fn joined_backwards(task: Task) {
    in_nursery(task, |n, numbers| {
        for (i, child) in numbers.clone().zip(all_of(n, numbers)).rev() {
            assert_eq!(child.join(), i);
        }
    });
}

pub(crate) fn joined_at_once(task: Task) {
    in_nursery(task, |n, numbers| {
        for i in numbers {
            assert_eq!(n.spawn(move || tiny(i)).join(), i);
        }
    });
}

/// Nobody joins them; they run while the body waits for the last one of the round.
pub(crate) fn dropped(task: Task) {
    let ended = &AtomicUsize::new(0);
    watched(task, |pool| {
        pool.nursery(|n| {
            rounds(task, OUTSTANDING, |numbers| {
                let end = numbers.end;
                for i in numbers {
                    n.spawn(move || {
                        tiny(i);
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                }
                while ended.load(Ordering::Relaxed) < end {
                    n.spawn(|| ()).join();
                    // Those that another thread runs.
                    n.spawn_blocking(std::thread::yield_now).join();
                }
            });
        });
    });
}

/// Spawned by children, on whatever thread these run.
pub(crate) fn by_siblings(task: Task) {
    in_nursery(task, |n, numbers| {
        let parts = numbers.clone().step_by(OUTSTANDING / 10);
        let spawners: Vec<_> = parts
            .map(|start| {
                n.spawn(move || {
                    let numbers = start..start + OUTSTANDING / 10;
                    all_of(n, numbers)
                        .into_iter()
                        .map(Child::join)
                        .sum::<usize>()
                })
            })
            .collect();
        let sum: usize = spawners.into_iter().map(Child::join).sum();
        assert_eq!(sum, numbers.sum());
    });
}

/// Spawned by a thread that is none of the pool's.
pub(crate) fn foreign(task: Task) {
    // How far this thread gets ahead of those that run its children is for the system to say, and it keeps chunks, too.
    let with_outside = Task {
        threads: task.threads + 1,
        ..task
    };
    watched(task, |pool| {
        pool.nursery(|n| {
            std::thread::scope(|scope| {
                let outside = || {
                    rounds(with_outside, OUTSTANDING, |numbers| {
                        for (i, child) in numbers.clone().zip(all_of(n, numbers)) {
                            assert_eq!(child.join(), i);
                        }
                    });
                };
                scope.spawn(outside).join().expect("it has passed");
            });
        });
    });
}

pub(crate) fn each(task: Task) {
    in_nursery(task, |n, numbers| {
        let sum: usize = n.spawn_each(numbers.clone(), tiny).sum();
        assert_eq!(sum, numbers.sum());
    });
}

pub(crate) fn completion(task: Task) {
    in_nursery(task, |n, numbers| {
        let children = n.spawn_each(numbers.clone(), |i| vec![tiny(i)]);
        let sum: usize = children.by_completion().map(|(_, value)| value[0]).sum();
        assert_eq!(sum, numbers.sum());
    });
}

/// Each child is a tree of forks, whose leaves count.
pub(crate) fn forks(task: Task) {
    fn tree(numbers: std::ops::Range<usize>) -> usize {
        if numbers.len() <= 1 {
            return numbers.map(tiny).sum();
        }
        let middle = numbers.start + numbers.len() / 2;
        let left = numbers.start..middle;
        let (a, b) = hatchery::join(|| tree(left), || tree(middle..numbers.end));
        a + b
    }
    in_nursery(task, |n, numbers| {
        let children: Vec<_> = numbers
            .clone()
            .step_by(100)
            .map(|start| n.spawn(move || tree(start..start + 100)))
            .collect();
        let sum: usize = children.into_iter().map(Child::join).sum();
        assert_eq!(sum, numbers.sum());
    });
}

pub(crate) fn blocking(task: Task) {
    watched(task, |pool| {
        pool.nursery(|n| {
            rounds(task, 100, |numbers| {
                let blocking = numbers.clone().map(|i| n.spawn_blocking(move || tiny(i)));
                let children: Vec<_> = blocking.collect();
                let sum: usize = children.into_iter().map(Child::join).sum();
                assert_eq!(sum, numbers.sum());
            });
        });
    });
}

pub(crate) fn limited(task: Task) {
    watched(task, |pool| {
        let limited = Options::new().pool(pool).limit(1);
        limited.nursery(|n| {
            rounds(task, OUTSTANDING, |numbers| {
                let sum: usize = all_of(n, numbers.clone())
                    .into_iter()
                    .map(Child::join)
                    .sum();
                assert_eq!(sum, numbers.sum());
            });
        });
    });
}

fn in_partial_nursery(
    task: Task,
    round: impl for<'scope> Fn(&'scope TryNursery<'scope, '_, usize>, std::ops::Range<usize>),
) {
    watched(task, |pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let ended = options.try_nursery(|n| {
            rounds(task, OUTSTANDING, |numbers| round(n, numbers));
            Ok(())
        });
        assert!(ended.is_ok());
    });
}

pub(crate) fn partial(task: Task) {
    in_partial_nursery(task, |n, numbers| {
        let spawn = |i| n.spawn(move || Ok(tiny(i)));
        let children: Vec<_> = numbers.clone().map(spawn).collect();
        for (i, child) in numbers.zip(children) {
            assert_eq!(child.join().ok(), Some(i));
        }
    });
}

pub(crate) fn partial_each(task: Task) {
    in_partial_nursery(task, |n, numbers| {
        let sum = n.spawn_each(numbers.clone(), |i| Ok(tiny(i)));
        let sum: Result<usize, _> = sum.sum();
        assert_eq!(sum.ok(), Some(numbers.sum()));
    });
}

/// Children that fail, or panic now and then, and whose failures are joined and handled.
pub(crate) fn partial_failures(task: Task) {
    in_partial_nursery(task, |n, numbers| {
        let spawn = |i| {
            n.spawn(move || {
                if i % 1000 == 1 {
                    std::panic::resume_unwind(Box::new(i));
                }
                Err::<(), _>(tiny(i))
            })
        };
        let children: Vec<_> = numbers.clone().map(spawn).collect();
        for (i, child) in numbers.zip(children) {
            let failure = child.join().expect_err("all fail");
            assert_eq!(failure.into_error().ok(), (i % 1000 != 1).then_some(i));
        }
    });
}

/// A burst queues a hundred times as many children as outstand otherwise. The nursery keeps the memory
/// for the next burst, which takes no more; it is given back when the nursery ends.
pub(crate) fn burst(task: Task) {
    watched(task, |pool| {
        pool.nursery(|n| n.spawn_each(0..OUTSTANDING, tiny).for_each(drop));
        let before = live();
        let peaks = pool.nursery(|n| {
            [0, 1, 2, 3].map(|_| {
                let burst = all_of(n, 1..task.size + 1);
                let peak = live();
                assert_eq!(burst.into_iter().map(Child::join).last(), Some(task.size));
                for _ in 0..10 {
                    let small = all_of(n, 1..OUTSTANDING).into_iter().map(Child::join);
                    assert_eq!(small.last(), Some(OUTSTANDING - 1));
                }
                if planted(0, 1) {
                    leak(peak / 10);
                }
                [peak, live()]
            })
        });
        let after = live();
        println!("  children: {}", 4 * (task.size + 10 * OUTSTANDING));
        println!("  live bytes before {before}, in bursts and after each {peaks:?}, then {after}");
        let [first, .., last] = peaks;
        assert!(
            last[0] <= first[0] + first[0] / 20,
            "a later burst takes more"
        );
        assert!(
            last[1] <= first[1] + first[1] / 20,
            "a later burst leaves more"
        );
        assert!(
            after <= before + (task.threads + 1) * KEPT,
            "{before} to {after}"
        );
    });
}
