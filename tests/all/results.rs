//! Laws R1 to R5: results are where they belong, in the order of the serial program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Gate, on_every_pool, on_no_worker, on_pool, payload_of, seeded};
use fastrand::Rng;
use hatchery::{Nursery, Pool};

#[test]
fn r1_result_i_belongs_to_spawn_i() {
    on_every_pool(|pool| {
        let squares: Vec<usize> = pool.nursery(|n| n.spawn_each(0..10_000, |i| i * i).collect());
        assert!(squares.into_iter().eq((0..10_000).map(|i| i * i)));

        let gathered = pool.gather(|g| {
            for i in 0..1000 {
                if i % 100 == 0 {
                    g.spawn_blocking(move || i);
                } else {
                    g.spawn(move || i);
                }
            }
        });
        assert!(gathered.into_iter().eq(0..1000));

        // Joined in reverse, and in a random order.
        pool.nursery(|n| {
            let mut children: Vec<_> = (0..1000).map(|i| (i, n.spawn(move || i))).collect();
            seeded("r1").shuffle(&mut children[..500]);
            for (i, child) in children.into_iter().rev() {
                assert_eq!(child.join(), i);
            }
        });
    });
}

#[test]
fn r1_the_size_is_exact_and_counts_down() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut children = n.spawn_each(["a", "b", "c"], str::len);
            assert_eq!(children.len(), 3);
            assert_eq!(children.next(), Some(1));
            assert_eq!(children.len(), 2);
            assert_eq!(children.by_ref().count(), 2);
            assert_eq!(children.next(), None);
        });
    });
}

#[test]
fn r2_each_child_ends_in_exactly_one_of_done_panicked_skipped() {
    on_every_pool(|pool| {
        let mut rng = seeded("r2");
        for _ in 0..50 {
            let culprit = rng.usize(..300);
            let counts = &[const { AtomicUsize::new(0) }; 3];
            struct Ends<'a> {
                counts: &'a [AtomicUsize; 3],
                how: usize,
            }
            impl Drop for Ends<'_> {
                fn drop(&mut self) {
                    self.counts[self.how].fetch_add(1, Ordering::Relaxed);
                }
            }
            payload_of(|| {
                pool.nursery(|n| {
                    for i in 0..300 {
                        let mut ends = Ends { counts, how: 2 };
                        n.spawn(move || {
                            let ends = &mut ends;
                            ends.how = 1;
                            assert_ne!(i, culprit, "on purpose");
                            ends.how = 0;
                        });
                    }
                });
            });
            let [done, panicked, skipped] =
                [0, 1, 2].map(|how: usize| counts[how].load(Ordering::Relaxed));
            assert_eq!(panicked, 1);
            assert_eq!(done + panicked + skipped, 300);
        }
    });
}

#[test]
fn r3_a_computed_value_is_never_thrown_away_by_a_cancellation() {
    // The first child has started when the second one panics: its value arrives all the same.
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (started, go_on) = (&Gate::default(), &Gate::default());
            let value = &Mutex::new(0);
            let payload = payload_of(|| {
                pool.nursery(|n| {
                    let first = n.spawn_blocking(|| {
                        started.open();
                        go_on.wait();
                        42
                    });
                    started.wait();
                    let second = n.spawn(|| panic!("on purpose"));
                    payload_of(|| second.join());
                    go_on.open();
                    *value.lock().unwrap() = first.join();
                    panic!("the body goes last");
                });
            });
            assert_eq!(*payload.downcast::<&str>().unwrap(), "the body goes last");
            assert_eq!(*value.lock().unwrap(), 42);
        });
    }
}

#[test]
fn r3_values_computed_before_a_cancellation_are_there_to_be_taken_after_it() {
    on_every_pool(|pool| {
        for _ in 0..20 {
            let computed = &Mutex::new([false; 200]);
            pool.nursery(|n| {
                let mut children = n.spawn_each(0..200, |i| {
                    if i == 150 {
                        std::panic::resume_unwind(Box::new(i));
                    }
                    computed.lock().unwrap()[i] = true;
                    i
                });
                // By now it may be over for all of them, or for none.
                let next = |_| catch_unwind(AssertUnwindSafe(|| children.next())).ok();
                let taken: Vec<_> = (0..200).map(next).collect();
                let computed = computed.lock().unwrap();
                for (i, value) in taken.into_iter().enumerate() {
                    assert_eq!(value, computed[i].then_some(Some(i)));
                }
            });
        }
    });
}

#[test]
fn r4_with_deterministic_children_the_outcome_is_the_same_for_every_pool() {
    fn grow(rng: &mut Rng, depth: usize) -> u64 {
        let width = rng.u64(1..5);
        if depth == 0 {
            return width;
        }
        let seeds: Vec<u64> = (0..width).map(|_| rng.u64(..)).collect();
        let values = hatchery::nursery(|n| {
            n.spawn_each(seeds, |seed| grow(&mut Rng::with_seed(seed), depth - 1))
                .collect::<Vec<_>>()
        });
        values
            .into_iter()
            .fold(7, |all, one| all * 31 % 1_000_003 + one)
    }
    let seed = seeded("r4").u64(..);
    let outcomes = Mutex::new(Vec::new());
    on_every_pool(|pool| {
        let outcome = pool.nursery(|_| grow(&mut Rng::with_seed(seed), 6));
        outcomes.lock().unwrap().push(outcome);
    });
    let outcomes = outcomes.into_inner().unwrap();
    assert!(
        outcomes.iter().all(|one| *one == outcomes[0]),
        "{outcomes:?}"
    );
}

/// A program: what one child does, in order.
enum Step {
    /// Spawns a sibling into the same nursery.
    Spawn(Program),
    /// Opens a nursery with one child per program, and returns when all have ended.
    Nest(Vec<Program>),
    /// Forks.
    Fork(Box<[Program; 2]>),
}

struct Program {
    id: usize,
    steps: Vec<Step>,
}

fn program(rng: &mut Rng, next: &mut usize, depth: usize) -> Program {
    let id = *next;
    *next += 1;
    let count = if depth == 0 { 0 } else { rng.usize(..4) };
    let mut sub = |rng: &mut Rng| program(rng, next, depth - 1);
    let steps = (0..count)
        .map(|_| match rng.usize(..4) {
            0 | 1 => Step::Spawn(sub(rng)),
            2 => Step::Nest((0..rng.usize(..4)).map(|_| sub(rng)).collect()),
            _ => Step::Fork(Box::new([sub(rng), sub(rng)])),
        })
        .collect();
    Program { id, steps }
}

/// Runs a program in `n`, noting who starts.
fn run<'s>(n: &'s Nursery<'s, '_>, program: &'s Program, started: &'s Mutex<Vec<usize>>) {
    started.lock().unwrap().push(program.id);
    for step in &program.steps {
        match step {
            Step::Spawn(sibling) => {
                n.spawn(move || run(n, sibling, started));
            }
            Step::Nest(children) => hatchery::nursery(|inner| {
                for child in children {
                    inner.spawn(move || run(inner, child, started));
                }
            }),
            Step::Fork(sides) => {
                let [a, b] = &**sides;
                hatchery::join(
                    || hatchery::nursery(|inner| run(inner, a, started)),
                    || hatchery::nursery(|inner| run(inner, b, started)),
                );
            }
        }
    }
}

/// The serial program's order: a nursery's children when it ends, in the order of their spawning,
/// and what a child spawned before what stood behind it.
fn serial(program: &Program, started: &mut Vec<usize>) -> Vec<usize> {
    fn one<'p>(program: &'p Program, started: &mut Vec<usize>, spawned: &mut Vec<&'p Program>) {
        started.push(program.id);
        for step in &program.steps {
            match step {
                Step::Spawn(sibling) => spawned.push(sibling),
                Step::Nest(children) => drain(children.iter().collect(), started),
                Step::Fork(sides) => {
                    for side in sides.iter() {
                        drain(vec![side], started);
                    }
                }
            }
        }
    }
    fn drain(children: Vec<&Program>, started: &mut Vec<usize>) {
        let mut behind: Vec<&Program> = children.into_iter().rev().collect();
        while let Some(child) = behind.pop() {
            let mut spawned = Vec::new();
            one(child, started, &mut spawned);
            behind.extend(spawned.into_iter().rev());
        }
    }
    drain(vec![program], started);
    std::mem::take(started)
}

#[test]
fn r5_on_one_thread_children_start_in_the_order_of_the_serial_program() {
    let mut rng = seeded("r5");
    let check = |pool: &Pool, rng: &mut Rng| {
        for _ in 0..300 {
            let program = program(rng, &mut 0, 5);
            let started = Mutex::new(Vec::new());
            pool.nursery(|n| {
                n.spawn(|| run(n, &program, &started));
            });
            let expected = serial(&program, &mut Vec::new());
            assert_eq!(started.into_inner().unwrap(), expected);
        }
    };
    let seed = rng.u64(..);
    on_no_worker(|pool| check(pool, &mut Rng::with_seed(seed)));
    on_pool(Pool::builder().threads(1), |pool| {
        check(pool, &mut Rng::with_seed(seed))
    });
}

#[test]
fn r5_joining_in_order_keeps_the_order() {
    on_no_worker(|pool| {
        let started = &Mutex::new(Vec::new());
        pool.nursery(|n| {
            let note = |i| n.spawn(move || started.lock().unwrap().push(i));
            let children: Vec<_> = (0..100).map(note).collect();
            for child in children.into_iter().take(50) {
                child.join();
            }
        });
        assert!(started.lock().unwrap().iter().copied().eq(0..100));
    });
}
