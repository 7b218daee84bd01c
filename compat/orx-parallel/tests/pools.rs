//! orx-parallel on hatchery's pools: results, nesting, panics, threads.

mod common;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use common::{on_each_pool, watched};
use hatchery::Pool;
use hatchery_orx_parallel::{On, OnCurrent};
use orx_parallel::*;

/// A runner on the pool.
fn on(pool: &Pool) -> impl ParRunner {
    Runner::adaptive_with_pool(On(pool))
}

/// Computes something small that takes a while and is not left out.
fn work(seed: usize) -> usize {
    let step = |sum: usize, step| std::hint::black_box(sum.wrapping_mul(31) ^ step);
    (0..200).fold(seed, step) % 1000
}

#[test]
fn values_are_those_of_the_serial_program() {
    on_each_pool(|pool| {
        for length in [0, 1, 2, 3, 7, 1000, 20_000] {
            let numbers: Vec<usize> = (0..length).collect();
            let serial: Vec<usize> = numbers.iter().map(|&n| work(n)).collect();

            let all: Vec<_> = numbers.par().runner(on(pool)).map(|&n| work(n)).collect();
            assert_eq!(all, serial, "collect of {length}");

            let fixed = numbers.par().runner(Runner::fixed_with_pool(On(pool)));
            let odd: Vec<_> = fixed.map(|&n| work(n)).filter(|n| n % 2 == 1).collect();
            let serially: Vec<_> = serial.iter().copied().filter(|n| n % 2 == 1).collect();
            assert_eq!(odd, serially, "filter of {length}");

            let most = numbers.par().runner(on(pool)).map(|&n| work(n));
            assert_eq!(most.reduce(usize::max), serial.iter().copied().max());

            let pairs = numbers.par().runner(on(pool)).flat_map(|&n| [n, n + 1]);
            assert_eq!(pairs.sum(), length * length, "sum of {length}");

            let late = numbers.par().runner(on(pool)).filter(|&&n| n >= length / 2);
            assert_eq!(late.first(), numbers.get(length / 2));
        }
    });
}

#[test]
fn an_iterator_that_is_not_indexed_gives_each_item_once() {
    on_each_pool(|pool| {
        let mut asked = 0;
        let items = std::iter::from_fn(|| {
            asked += 1;
            (asked <= 5000).then_some(asked)
        });
        let runner = Runner::adaptive_with_pool(On(pool));
        let sum = items.iter_into_par().runner(runner).map(|n: usize| n).sum();
        assert_eq!(sum, 5000 * 5001 / 2);
    });
}

#[test]
fn what_grows_while_it_is_visited_is_visited_whole() {
    on_each_pool(|pool| {
        let children = |n: &usize| [2 * n, 2 * n + 1].into_iter().filter(|&n| n < 4096);
        let tree = par_recursive([1], children).runner(Runner::adaptive_with_pool(On(pool)));
        assert_eq!(tree.sum(), 4095 * 4096 / 2);
    });
}

#[test]
fn the_work_is_done_by_children_of_the_pool() {
    on_each_pool(|pool| {
        let before = pool.stats().spawned;
        let sum = (0..10_000).into_par().runner(on(pool)).map(work).sum();
        assert_eq!(sum, (0..10_000).map(work).sum());
        let spawned = pool.stats().spawned - before;
        let threads = u64::try_from(pool.threads()).expect("a small number");
        assert!((1..=threads).contains(&spawned), "{spawned} children");
    });
}

#[test]
fn tasks_run_at_the_same_time_even_on_one_thread() {
    on_each_pool(|pool| {
        let (both, here) = (Barrier::new(2), thread::current().id());
        let seen = Mutex::new(HashSet::new());
        let meet = || {
            both.wait();
            let thread = thread::current();
            let ours =
                thread.id() == here || thread.name().is_some_and(|name| name.starts_with('w'));
            assert!(ours, "a thread of the pool, or the one that waits");
            seen.lock().unwrap().insert(thread.id());
        };
        On(pool).run_all(tasks![meet, meet]);
        assert_eq!(seen.into_inner().unwrap().len(), 2);
    });
}

#[test]
fn nested_computations_on_a_busy_pool_end() {
    let leaf = |row, cell, leaf| work(400 * row + 20 * cell + leaf) % 8;
    let cells = |row| (0..20).map(move |cell| (0..20).map(|n| leaf(row, cell, n)).sum::<usize>());
    let serial: usize = (0..20).flat_map(cells).sum();
    on_each_pool(|pool| {
        let sum = || {
            let rows = (0..20).into_par().runner(on(pool)).map(|row| {
                let cells = (0..20).into_par().runner(on(pool)).map(|cell| {
                    let leaves = (0..20)
                        .into_par()
                        .runner(Runner::adaptive_with_pool(OnCurrent));
                    leaves.map(|n| leaf(row, cell, n)).sum()
                });
                cells.sum()
            });
            rows.sum()
        };
        // More callers than threads, each with computations three deep.
        thread::scope(|scope| {
            let callers: Vec<_> = (0..6).map(|_| scope.spawn(sum)).collect();
            for caller in callers {
                assert_eq!(caller.join().unwrap(), serial);
            }
        });
    });
}

#[test]
fn a_lock_may_be_held_around_a_computation() {
    on_each_pool(|pool| {
        let total = Mutex::new(0);
        (0..50).into_par().runner(on(pool)).for_each(|n| {
            let mut total = total.lock().unwrap();
            *total += (0..50)
                .into_par()
                .runner(on(pool))
                .map(|m| work(n + m) % 2)
                .sum();
        });
        let serial = (0..50)
            .flat_map(|n| (0..50).map(move |m| work(n + m) % 2))
            .sum();
        assert_eq!(total.into_inner().unwrap(), serial);
    });
}

/// What `f` panics with.
fn message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    *payload.downcast().expect("the payload as it was thrown")
}

#[test]
fn a_panic_arrives_and_leaves_the_pool_whole() {
    on_each_pool(|pool| {
        let fail = |n: usize| {
            if n == 700 {
                std::panic::panic_any(format!("item {n}"));
            }
            n
        };
        let flat = || _ = (0..1000).into_par().runner(on(pool)).map(fail).sum();
        assert_eq!(message(flat), "item 700");

        let row = |m: usize| {
            (0..100)
                .into_par()
                .runner(on(pool))
                .map(|n| fail(m * 100 + n))
                .sum()
        };
        let nested = || _ = (0..10).into_par().runner(on(pool)).map(row).sum();
        assert_eq!(message(nested), "item 700");

        assert_eq!(
            (0..700).into_par().runner(on(pool)).map(fail).sum(),
            700 * 699 / 2
        );
    });
}

/// Fills a scope with one task, and panics when the task has begun. It is generic, as orx-parallel's own code is: if the
/// type of the pool is known, the compiler wants the caller of `scope` to borrow for `'static`, whichever pool it is.
fn fill_and_fail<P: ThreadPool>(pool: &P, has_begun: &Barrier, has_run: &AtomicBool) {
    pool.scope(move |s| {
        s.run(move || {
            has_begun.wait();
            has_run.store(true, Ordering::Relaxed);
        });
        has_begun.wait();
        std::panic::panic_any("no more".to_owned());
    });
}

#[test]
fn a_panic_of_one_who_fills_the_scope_arrives_after_its_tasks() {
    on_each_pool(|pool| {
        let (has_begun, has_run) = (Barrier::new(2), AtomicBool::new(false));
        let fill = || fill_and_fail(&On(pool), &has_begun, &has_run);
        assert_eq!(message(fill), "no more");
        assert!(has_run.into_inner());
    });
}

#[test]
fn a_fallible_computation_is_told_that_its_nursery_is_cancelled() {
    on_each_pool(|pool| {
        let items = AtomicUsize::new(0);
        let outcome = pool.try_nursery::<hatchery::Cancelled, usize, _>(|n| {
            let sum = (0..1_000_000_usize)
                .into_par()
                .runner(on(pool))
                .map(|item| {
                    if items.fetch_add(1, Ordering::Relaxed) == 100 {
                        n.cancel();
                    }
                    hatchery::checkpoint().map(|()| item)
                });
            Ok(sum.into_fallible().sum()?)
        });
        assert!(outcome.is_err());
        let items = items.into_inner();
        assert!((101..1_000_000).contains(&items), "{items} items");
    });
}

#[test]
fn there_are_as_many_threads_as_the_pool_has() {
    on_each_pool(|pool| {
        let threads = NonZeroUsize::new(pool.threads()).unwrap();
        assert_eq!(On(pool).max_num_threads(), threads);
        assert_eq!(pool.nursery(|_| OnCurrent.max_num_threads()), threads);
        assert_eq!(pool.install(|| OnCurrent.max_num_threads()), threads);
    });
    let shared = OnCurrent.max_num_threads().get();
    assert_eq!(shared, Pool::shared().threads());
}

#[test]
fn the_current_pool_is_that_of_the_nursery_around() {
    on_each_pool(|pool| {
        let before = pool.stats().spawned;
        let runner = Runner::adaptive_with_pool(OnCurrent);
        let sum = pool.nursery(|_| (0..1000).into_par().runner(runner).map(work).sum());
        assert_eq!(sum, (0..1000).map(work).sum());
        assert!(pool.stats().spawned > before);
    });
}

#[test]
fn a_pool_may_be_owned_or_counted() {
    let pool = Arc::new(Pool::builder().threads(2).build().unwrap());
    watched(&pool, || {
        let runner = Runner::adaptive_with_pool(On(Arc::clone(&pool)));
        assert_eq!((0..100).into_par().runner(runner).sum(), 4950);
        let owned = On(Pool::builder().threads(2).build().unwrap());
        let runner = Runner::adaptive_with_pool(owned);
        assert_eq!((0..100).into_par().runner(runner).sum(), 4950);
    });
}

/// Set in the process that has a variable of orx-parallel set.
const ALONE: &str = "HATCHERY_ORX_ALONE";

#[test]
fn a_variable_of_orx_parallel_bounds_the_threads() {
    if std::env::var_os(ALONE).is_some() {
        let pool = Pool::builder().threads(4).build().unwrap();
        assert_eq!(On(&pool).max_num_threads().get(), 3);
        let small = Pool::builder().threads(2).build().unwrap();
        assert_eq!(On(&small).max_num_threads().get(), 2);
        return;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", "a_variable_of_orx_parallel_bounds_the_threads"]);
    alone.env(ALONE, "1").env("ORX_NUM_THREADS", "3");
    let output = alone.output().expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
