//! Programs that hang, or overflow the stack, where a waiting thread runs whatever it finds: from rayon's issues. Each is
//! written anew. The number is the issue's.
//!
//! Those that are made of `beside` fail with rayon's own scheduler each time, and so does 1174. The others are what users
//! wrote: there they fail now and then, and some of them no longer.

mod common;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, RwLock};
use std::thread;

use common::{in_each_pool, pool, watched, work};
use rayon::prelude::*;

/// The tasks that are on a thread's stack, one on top of the other.
fn nested<R>(f: impl FnOnce(usize) -> R) -> R {
    thread_local!(static DEPTH: Cell<usize> = const { Cell::new(0) });
    DEPTH.set(DEPTH.get() + 1);
    let result = f(DEPTH.get());
    DEPTH.set(DEPTH.get() - 1);
    result
}

/// How often a thread looks whether another one takes what it should not.
const LOOKS: usize = 20_000;

/// Has one thread call `hold`, whose argument waits for something that a second thread runs; meanwhile a third thread has
/// `foreign` for everybody to take.
fn beside(hold: impl FnOnce(&(dyn Fn() + Sync)) + Send, foreign: impl FnOnce() + Send) {
    let [has_started, has_begun, is_enough] = [(); 3].map(|()| AtomicBool::new(false));
    let until = |flag: &AtomicBool| {
        while !flag.load(Ordering::Acquire) {
            thread::yield_now();
        }
    };
    let wait = || {
        let long = || {
            has_started.store(true, Ordering::Release);
            until(&is_enough);
        };
        _ = rayon::join(|| until(&has_started), long);
    };
    let offer = || {
        until(&has_started);
        rayon::scope(|s| {
            s.spawn(|_| {
                has_begun.store(true, Ordering::Release);
                foreign();
            });
            for _ in 0..LOOKS {
                if has_begun.load(Ordering::Acquire) {
                    break;
                }
                thread::yield_now();
            }
            is_enough.store(true, Ordering::Release);
        });
    };
    watched(|| pool(3).install(|| rayon::join(|| hold(&wait), offer)));
}

#[test]
fn who_holds_a_lock_waits_for_nothing_that_takes_it_592() {
    let lock = Mutex::new(());
    let hold = |wait: &(dyn Fn() + Sync)| {
        let _held = lock.lock();
        wait();
    };
    beside(hold, || drop(lock.lock()));
}

#[test]
fn who_fills_a_cell_waits_for_nothing_that_reads_it_1251() {
    let cell = OnceLock::new();
    let hold = |wait: &(dyn Fn() + Sync)| {
        cell.get_or_init(|| {
            wait();
            1
        });
    };
    beside(hold, || assert_eq!(*cell.get_or_init(|| 2), 1));
}

#[test]
fn who_reads_waits_for_nobody_who_writes_1205() {
    let table = RwLock::new(());
    let hold = |wait: &(dyn Fn() + Sync)| {
        let _read = table.read();
        wait();
    };
    beside(hold, || drop(table.write()));
}

#[test]
fn nothing_foreign_runs_on_top_of_a_wait_751_854() {
    let hold = |wait: &(dyn Fn() + Sync)| nested(|_| wait());
    beside(hold, || nested(|depth| assert_eq!(depth, 1)));
}

#[test]
fn a_lock_may_be_held_around_a_parallel_iterator_592() {
    in_each_pool(|| {
        let total = Mutex::new(0);
        (0..200).into_par_iter().for_each(|item| {
            let mut total = total.lock().unwrap();
            *total += (0..64)
                .into_par_iter()
                .map(|step| work(item + step) % 2)
                .sum::<usize>();
        });
        let expected = |item: usize| (0..64).map(|step| work(item + step) % 2).sum::<usize>();
        assert_eq!(
            total.into_inner().unwrap(),
            (0..200).map(expected).sum::<usize>()
        );
    });
}

#[test]
fn a_cell_may_be_filled_by_a_parallel_iterator_1251() {
    in_each_pool(|| {
        for _ in 0..50 {
            let cell = OnceLock::new();
            let fill = || {
                (0..256)
                    .into_par_iter()
                    .map(work)
                    .reduce(|| 0, usize::wrapping_add)
            };
            let values: Vec<_> = (0..64)
                .into_par_iter()
                .map(|_| *cell.get_or_init(fill))
                .collect();
            assert!(values.iter().all(|value| *value == values[0]));
        }
    });
}

#[test]
fn a_lock_may_be_held_around_a_call_into_another_pool_1174() {
    for threads in [1, 2, 4] {
        watched(|| {
            let (outer, inner) = (pool(threads), pool(2));
            let count = Mutex::new(0);
            outer.install(|| {
                (0..200).into_par_iter().for_each(|item| {
                    let mut count = count.lock().unwrap();
                    *count += inner.install(|| work(item) % 2);
                });
            });
            let expected = (0..200).map(|item| work(item) % 2).sum::<usize>();
            assert_eq!(count.into_inner().unwrap(), expected);
        });
    }
}

#[test]
fn an_iterator_that_is_bridged_may_use_the_pool_itself_1142() {
    in_each_pool(|| {
        // `next` runs under the bridge's lock.
        let mut left = 200;
        let items = std::iter::from_fn(|| {
            left -= 1;
            let parts = (0..32).into_par_iter().map(|part| work(left + part) % 2);
            (left > 0).then(|| parts.sum::<usize>())
        });
        let count = AtomicUsize::new(0);
        items.par_bridge().for_each(|item| {
            rayon::join(|| work(item), || work(item + 1));
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 199);
    });
}

#[test]
fn what_a_bridge_yields_may_hold_a_lock_around_the_pool_1322() {
    in_each_pool(|| {
        let cache = Mutex::new(HashMap::new());
        (0..400_usize).par_bridge().for_each(|item| {
            let mut cache = cache.lock().unwrap();
            cache.entry(item % 7).or_insert_with(|| {
                (0..64)
                    .into_par_iter()
                    .map(|step| work(item % 7 + step))
                    .max()
            });
        });
        assert_eq!(cache.into_inner().unwrap().len(), 7);
    });
}

#[test]
fn no_item_runs_on_top_of_another_751() {
    in_each_pool(|| {
        let deepest = AtomicUsize::new(0);
        (0..2_000).into_par_iter().with_max_len(1).for_each(|item| {
            nested(|depth| {
                deepest.fetch_max(depth, Ordering::Relaxed);
                // A wait, in which others are stolen elsewhere.
                rayon::join(|| work(item), || work(item + 1));
            });
        });
        assert_eq!(deepest.into_inner(), 1);
    });
}

#[test]
fn stacks_stay_as_deep_as_the_program_854() {
    watched(|| {
        let small = rayon::ThreadPoolBuilder::new()
            .num_threads(4)
            .stack_size(256 << 10);
        let small = small.build().unwrap();
        let sum = small.install(|| {
            // Each item needs a third of a stack.
            let item = |item: usize| {
                let room = std::hint::black_box([item as u8; 80 << 10]);
                rayon::join(|| work(item), || work(usize::from(room[item])));
                1
            };
            (0..3_000)
                .into_par_iter()
                .with_max_len(1)
                .map(item)
                .sum::<usize>()
        });
        assert_eq!(sum, 3_000);
    });
}

#[test]
fn readers_may_use_the_pool_while_a_writer_waits_1205() {
    in_each_pool(|| {
        let table = RwLock::new(vec![1; 64]);
        (0..400).into_par_iter().for_each(|item| {
            if item % 20 == 0 {
                table.write().unwrap()[item % 64] += 1;
            } else {
                let table = table.read().unwrap();
                let sum: usize = table.par_iter().map(|entry| work(*entry) % 2).sum();
                assert!(sum <= 64);
            }
        });
        let sum: usize = table.into_inner().unwrap().into_iter().sum();
        assert_eq!(sum, 64 + 20);
    });
}
