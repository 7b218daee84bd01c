//! Random programs on random pools, checked against their serial evaluation.
//!
//! `HATCHERY_SEED` repeats a run, `HATCHERY_STRESS_SECONDS` makes it longer.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{REFUSED_STACK, payload_of, seeded, watched};
use fastrand::Rng;
use hatchery::{Nursery, Pool};

/// What a task does, in order; its value is the wrapping sum of what it gets.
#[derive(Debug)]
enum Step {
    /// Spawns a child into the own nursery, and does this with its handle.
    Spawn(Box<Task>, Fate),
    /// The same, on a side thread.
    SpawnBlocking(Box<Task>, Fate),
    /// Spawns into the outermost nursery of the program, and drops the handle.
    SpawnOutside(Box<Task>),
    /// Spawns several children, joins them from behind.
    SpawnMany(Vec<Task>),
    /// Opens a nursery for a task.
    Nest(Box<Task>),
    /// Forks.
    Fork(Box<[Task; 2]>),
    /// Opens a nursery in which one of the children panics, and catches it.
    Panic(Vec<Task>),
    /// Adds a number.
    Add(u64),
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Joined,
    Dropped,
    DroppedLate,
}

#[derive(Debug)]
struct Task(Vec<Step>);

fn task(rng: &mut Rng, depth: usize) -> Task {
    let sub = |rng: &mut Rng| Box::new(task(rng, depth - 1));
    let several = |rng: &mut Rng| (0..rng.usize(1..6)).map(|_| task(rng, depth - 1)).collect();
    let count = rng.usize(1..5);
    let step = |_| {
        if depth == 0 {
            return Step::Add(rng.u64(..100));
        }
        let fate = [Fate::Joined, Fate::Dropped, Fate::DroppedLate][rng.usize(..3)];
        match rng.usize(..16) {
            0..4 => Step::Spawn(sub(rng), fate),
            4 => Step::SpawnBlocking(sub(rng), fate),
            5 => Step::SpawnOutside(sub(rng)),
            6..9 => Step::SpawnMany(several(rng)),
            9..11 => Step::Nest(sub(rng)),
            11..13 => Step::Fork(Box::new([*sub(rng), *sub(rng)])),
            13 => Step::Panic(several(rng)),
            _ => Step::Add(rng.u64(..100)),
        }
    };
    Task((0..count).map(step).collect())
}

/// What every capture and every value is counted in while it is alive, and what unjoined children
/// add up to.
#[derive(Default)]
struct Ledger {
    alive: AtomicI64,
    unjoined: AtomicI64,
}

impl Ledger {
    fn entry(&self) -> Entry<'_> {
        self.alive.fetch_add(1, Ordering::Relaxed);
        Entry(self)
    }

    fn add_unjoined(&self, value: u64) {
        self.unjoined.fetch_add(value as i64, Ordering::Relaxed);
    }
}

struct Entry<'a>(&'a Ledger);

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A value that counts itself.
struct Value<'a>(
    u64,
    #[expect(dead_code, reason = "alive while the value is")] Entry<'a>,
);

/// Runs a task in its nursery; `outer` is the program's outermost one.
fn run<'s, 'o: 's>(
    own: &'s Nursery<'s, '_>,
    outer: &'o Nursery<'o, '_>,
    ledger: &'o Ledger,
    task: &'o Task,
) -> u64 {
    let child = |task: &'o Task| {
        let capture = ledger.entry();
        move || {
            let _capture = capture;
            Value(run(own, outer, ledger, task), ledger.entry())
        }
    };
    // A child nobody joins accounts for its value itself.
    let unjoined = |task: &'o Task| {
        let child = child(task);
        move || {
            let value = child();
            ledger.add_unjoined(value.0);
            value
        }
    };
    let mut late = Vec::new();
    let mut sum = 0_u64;
    for step in &task.0 {
        sum = sum.wrapping_add(match step {
            Step::Add(number) => *number,
            Step::Spawn(task, Fate::Joined) => own.spawn(child(task)).join().0,
            Step::SpawnBlocking(task, Fate::Joined) => own.spawn_blocking(child(task)).join().0,
            Step::Spawn(task, fate) | Step::SpawnBlocking(task, fate) => {
                let handle = match step {
                    Step::Spawn(..) => own.spawn(unjoined(task)),
                    _ => own.spawn_blocking(unjoined(task)),
                };
                if matches!(fate, Fate::DroppedLate) {
                    late.push(handle);
                }
                0
            }
            Step::SpawnOutside(task) => {
                let capture = ledger.entry();
                outer.spawn(move || {
                    let _capture = capture;
                    ledger.add_unjoined(run(outer, outer, ledger, task));
                });
                0
            }
            Step::SpawnMany(tasks) => {
                let children: Vec<_> = tasks.iter().map(|task| own.spawn(child(task))).collect();
                let values = children.into_iter().rev().map(|child| child.join().0);
                values.fold(0, u64::wrapping_add)
            }
            Step::Nest(task) => hatchery::nursery(|inner| run(inner, outer, ledger, task)),
            Step::Fork(sides) => {
                let [a, b] = &**sides;
                let side = |task| hatchery::nursery(|inner| run(inner, outer, ledger, task));
                let (a, b) = hatchery::join(|| side(a), || side(b));
                a.wrapping_add(b)
            }
            Step::Panic(tasks) => {
                panicking(ledger, tasks);
                0
            }
        });
    }
    sum
}

/// A nursery whose last child panics: it ends with that panic, and everything in it is dropped.
fn panicking(ledger: &Ledger, tasks: &[Task]) {
    let payload = payload_of(|| {
        hatchery::nursery(|n| {
            for (i, task) in tasks.iter().enumerate() {
                let capture = ledger.entry();
                n.spawn(move || {
                    let _capture = capture;
                    if i + 1 == tasks.len() {
                        std::panic::resume_unwind(Box::new(i));
                    }
                    Value(serial(task, &mut 0), ledger.entry())
                });
            }
        });
    });
    assert_eq!(*payload.downcast::<usize>().unwrap(), tasks.len() - 1);
}

/// What the task is worth, without any concurrency.
fn serial(task: &Task, unjoined: &mut u64) -> u64 {
    let mut sum = 0_u64;
    for step in &task.0 {
        sum = sum.wrapping_add(match step {
            Step::Add(number) => *number,
            Step::Nest(task) => serial(task, unjoined),
            Step::Spawn(task, Fate::Joined) | Step::SpawnBlocking(task, Fate::Joined) => {
                serial(task, unjoined)
            }
            Step::Spawn(task, _) | Step::SpawnBlocking(task, _) | Step::SpawnOutside(task) => {
                let value = serial(task, unjoined);
                *unjoined = unjoined.wrapping_add(value);
                0
            }
            Step::SpawnMany(tasks) => tasks
                .iter()
                .fold(0, |sum, task| sum.wrapping_add(serial(task, unjoined))),
            Step::Fork(sides) => sides
                .iter()
                .fold(0, |sum, task| sum.wrapping_add(serial(task, unjoined))),
            Step::Panic(_) => 0,
        });
    }
    sum
}

fn check(pool: &Pool, task: &Task) {
    let ledger = Ledger::default();
    let value = pool.nursery(|n| run(n, n, &ledger, task));
    let mut unjoined = 0;
    assert_eq!(value, serial(task, &mut unjoined), "{task:?}");
    assert_eq!(ledger.unjoined.into_inner(), unjoined as i64, "{task:?}");
    assert_eq!(ledger.alive.into_inner(), 0, "{task:?}");
}

#[test]
fn random_programs_have_the_values_of_their_serial_evaluation() {
    let seconds = std::env::var("HATCHERY_STRESS_SECONDS");
    let seconds = seconds.ok().and_then(|seconds| seconds.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(20));
    let mut rng = seeded("stress");
    let mut programs = 0;
    while Instant::now() < end {
        let threads = rng.usize(1..6);
        let builder = Pool::builder().threads(threads);
        let builder = match rng.usize(..5) {
            0 => builder.stack_size(REFUSED_STACK),
            _ => builder,
        };
        let pool = builder.build().unwrap();
        let outside: Vec<Rng> = (0..rng.usize(1..4)).map(|_| rng.fork()).collect();
        watched(&pool, || {
            thread::scope(|scope| {
                for mut rng in outside {
                    let pool = &pool;
                    scope.spawn(move || {
                        for _ in 0..20 {
                            let depth = rng.usize(1..6);
                            check(pool, &task(&mut rng, depth));
                        }
                    });
                }
            });
        });
        programs += 20;
    }
    println!("{programs} programs or more");
}
