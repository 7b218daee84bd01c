//! `par_core::join` on hatchery: recursion, panics, borrows, and par-iter's iterators.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use hatchery::Pool;
use par_core::join;
use par_iter::prelude::*;

/// How long a test may take before it counts as hanging. Not a measurement: each takes a small part of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long the pool of a hanging test may take to describe itself.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `test`. If it hangs, says what the pool does, and ends the process.
fn watched<R>(pool: &Pool, test: impl FnOnce() -> R) -> R {
    let (finished, is_finished) = channel::<()>();
    let name = thread::current().name().unwrap_or("?").to_owned();
    thread::scope(|scope| {
        scope.spawn(move || {
            if is_finished.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{name} hangs");
                let (said, has_said) = channel();
                thread::scope(|scope| {
                    scope.spawn(move || {
                        eprintln!("{}", pool.dump());
                        _ = said.send(());
                    });
                    // Not for ever: who hangs may hold what the dump needs.
                    if has_said.recv_timeout(GRACE).is_err() {
                        eprintln!("the pool does not answer");
                    }
                    std::process::exit(101);
                });
            }
        });
        let result = catch_unwind(AssertUnwindSafe(test));
        drop(finished);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    })
}

/// Runs `test` in a nursery on pools of 1, 2 and 4 threads.
fn on_each_pool(test: impl Fn()) {
    for threads in [1, 2, 4] {
        let pool = Pool::builder().threads(threads).name("socket");
        let pool = pool.build().expect("a valid configuration");
        watched(&pool, || pool.nursery(|_| test()));
    }
}

fn sum(numbers: &[usize]) -> usize {
    if let [number] = numbers {
        return *number;
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let (left, right) = join(|| sum(left), || sum(right));
    left + right
}

#[test]
fn forks_nest_and_return_what_their_closures_return() {
    on_each_pool(|| {
        let numbers: Vec<usize> = (0..20_000).collect();
        assert_eq!(sum(&numbers), 20_000 * 19_999 / 2);
        assert_eq!(join(|| "a", || vec![1]), ("a", vec![1]));
    });
}

#[test]
fn it_works_outside_of_every_nursery() {
    watched(Pool::shared(), || {
        let numbers: Vec<usize> = (0..1000).collect();
        assert_eq!(sum(&numbers), 1000 * 999 / 2);
    });
}

/// Calls `items` on a pool until it has run what it is given on a worker: as often as that takes, and if nothing is parallel,
/// a few times. Returns whether it has.
fn reaches_a_worker(items: impl Fn(&(dyn Fn() + Sync))) -> bool {
    let pool = Pool::builder().threads(2).name("socket").build().unwrap();
    let found = AtomicBool::new(false);
    let look = || {
        let thread = thread::current();
        let is_worker = thread.name().is_some_and(|name| name.starts_with("socket"));
        found.fetch_or(is_worker, Ordering::Relaxed);
    };
    let rounds = if cfg!(feature = "parallel") {
        usize::MAX
    } else {
        100
    };
    watched(&pool, || {
        pool.nursery(|_| {
            for _ in 0..rounds {
                items(&look);
                if found.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
    });
    found.into_inner()
}

#[test]
fn forks_run_on_the_threads_of_the_pool() {
    fn fork(depth: u32, look: &(dyn Fn() + Sync)) {
        if depth == 0 {
            return look();
        }
        join(|| fork(depth - 1, look), || fork(depth - 1, look));
    }
    let found = reaches_a_worker(|look| fork(10, look));
    assert_eq!(found, cfg!(feature = "parallel"));
}

#[test]
fn the_items_of_par_iter_run_on_the_threads_of_the_pool() {
    let numbers = [0; 1000];
    let found = reaches_a_worker(|look| numbers.par_iter().for_each(|_| look()));
    assert_eq!(found, cfg!(feature = "parallel"));
}

/// What `f` panics with.
fn message(f: impl FnOnce()) -> &'static str {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    payload.downcast_ref::<&str>().expect("the payload")
}

#[test]
fn a_panic_of_either_arrives_after_the_other_has_run() {
    on_each_pool(|| {
        let runs = AtomicUsize::new(0);
        let run = || _ = runs.fetch_add(1, Ordering::Relaxed);
        assert_eq!(message(|| _ = join(|| panic_any("a"), run)), "a");
        // Where nothing is parallel, the panic goes on at once.
        let others = usize::from(cfg!(feature = "parallel"));
        assert_eq!(runs.swap(0, Ordering::Relaxed), others);
        assert_eq!(message(|| _ = join(run, || panic_any("b"))), "b");
        assert_eq!(runs.into_inner(), 1);
        let both = || _ = join::<_, _, (), ()>(|| panic_any("a"), || panic_any("b"));
        assert_eq!(message(both), "a");
        let deep = || _ = join(|| join(|| 1, || join(|| 2, || panic_any("deep"))), || 3);
        assert_eq!(message(deep), "deep");
        assert_eq!(sum(&[1, 2, 3, 4]), 10);
    });
}

#[test]
fn closures_may_borrow_and_change_what_is_around() {
    fn fill(numbers: &mut [usize], from: usize) {
        if let [number] = numbers {
            *number = from;
            return;
        }
        let middle = numbers.len() / 2;
        let (left, right) = numbers.split_at_mut(middle);
        join(|| fill(left, from), || fill(right, from + middle));
    }
    on_each_pool(|| {
        let mut numbers = vec![0; 5000];
        fill(&mut numbers, 0);
        assert!(numbers.iter().enumerate().all(|(i, &number)| i == number));
    });
}

/// Is sent to another thread, borrows, and is not shared.
struct Counted<'a> {
    alive: &'a AtomicUsize,
    name: Cell<&'a str>,
}

impl<'a> Counted<'a> {
    fn new(alive: &'a AtomicUsize, name: &'a str) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        let name = Cell::new(name);
        Self { alive, name }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn captures_and_values_are_moved_in_and_out_and_dropped_once() {
    on_each_pool(|| {
        let alive = AtomicUsize::new(0);
        let text = String::from("north south");
        let (north, south) = text.split_at(6);
        for _ in 0..100 {
            let (a, b) = (Counted::new(&alive, north), Counted::new(&alive, south));
            let swap = move || {
                b.name.set("west");
                b
            };
            let (a, b) = join(move || a, swap);
            assert_eq!((a.name.get(), b.name.get()), ("north ", "west"));
            assert_eq!(alive.load(Ordering::Relaxed), 2);
        }
        assert_eq!(alive.into_inner(), 0);
    });
}

#[test]
fn the_iterators_of_par_iter_return_what_they_should() {
    on_each_pool(|| {
        let numbers: Vec<u64> = (0..10_000).map(|n| n * 7919 % 10_007).collect();
        let doubled: Vec<u64> = numbers.par_iter().map(|n| n * 2).collect();
        assert!(
            numbers
                .iter()
                .zip(&doubled)
                .all(|(n, twice)| n * 2 == *twice)
        );
        let mut sorted = numbers.clone();
        sorted.par_sort_unstable();
        assert!(sorted.is_sorted());
        assert_eq!(numbers.par_iter().sum::<u64>(), sorted.iter().sum());
        let find = |&n: &u64| {
            if n == 77 {
                panic_any("found");
            }
        };
        assert_eq!(message(|| numbers.par_iter().for_each(find)), "found");
    });
}
