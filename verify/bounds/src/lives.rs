//! Pools and threads that come and go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hatchery::{Options, Pool};

use crate::measure::{Level, Memory, descriptors, mappings, threads};
use crate::{Task, leak, planted, watched};

const SAMPLES: usize = 100;

/// What a pool can have is had by some of them: side threads, spares, a watchdog, a deadline.
fn use_pool(n: usize, workers: usize) {
    let mut builder = Pool::builder().threads(workers).name("passing");
    if n % 5 == 0 {
        builder = builder.watchdog(Duration::from_secs(60));
    }
    let pool = builder.build().expect("a valid configuration");
    pool.nursery(|nursery| {
        let sum: usize = nursery.spawn_each(0..100, |i| i).sum();
        assert_eq!(sum, 4950);
        if n % 3 == 0 {
            nursery.spawn_blocking(|| ());
        }
        if n % 4 == 0 {
            nursery.spawn(|| hatchery::block_in_place(thread::yield_now));
        }
    });
    if n % 7 == 0 {
        let options = Options::new().pool(&pool).timeout(Duration::from_secs(60));
        let value = options.try_nursery::<(), _, _>(|n| n.spawn(|| Ok(1)).join());
        assert_eq!(value.ok(), Some(1));
    }
    if planted(n, 500) {
        // Its threads, and what they have, stay.
        pool.nursery(|nursery| nursery.spawn(|| ()).join());
        std::mem::forget(pool);
    }
}

pub(crate) fn pools(task: Task) {
    watched(task, |_| {
        use_pool(0, task.threads);
        let mut memory = Memory::new(SAMPLES);
        let mut counts = [
            (Level::new("threads"), threads as fn() -> usize),
            (Level::new("descriptors"), descriptors),
            (Level::new("mappings"), mappings),
        ];
        for n in 0..task.size {
            use_pool(n, task.threads);
            let sample = n * SAMPLES / task.size;
            if (n + 1) * SAMPLES / task.size > sample {
                memory.sample();
                for (level, now) in &mut counts {
                    level.sample(sample, SAMPLES, now());
                }
            }
        }
        println!("  pools: {}", task.size);
        for (level, _) in &counts {
            // A thread that has been joined may still be listed; arenas of the allocator are mappings.
            level.is_flat(
                0,
                if matches!(level.what(), "mappings") {
                    8
                } else {
                    1
                },
            );
        }
        memory.is_flat(task.threads);
    });
}

/// Short nurseries in one pool, from threads that do not live long.
pub(crate) fn guests(task: Task) {
    const EACH: usize = 1000;
    const AT_ONCE: usize = 4;
    watched(task, |pool| {
        let sum = AtomicUsize::new(0);
        let outside = |first: usize| {
            for i in first..first + EACH {
                let value = pool.nursery(|n| {
                    let children = [n.spawn(|| 1), n.spawn(|| 2)];
                    children.map(hatchery::Child::join)
                });
                sum.fetch_add(value[0] + value[1], Ordering::Relaxed);
                if planted(i, EACH) {
                    leak(16 << 10);
                }
            }
        };
        let rounds = task.size.div_ceil(EACH * AT_ONCE).max(SAMPLES);
        let mut memory = Memory::new(SAMPLES);
        let mut listed = Level::new("threads");
        for n in 0..rounds {
            thread::scope(|scope| {
                for i in 0..AT_ONCE {
                    scope.spawn(move || outside((n * AT_ONCE + i) * EACH));
                }
            });
            let sample = n * SAMPLES / rounds;
            if (n + 1) * SAMPLES / rounds > sample {
                memory.sample();
                listed.sample(sample, SAMPLES, threads());
            }
        }
        let nurseries = rounds * AT_ONCE * EACH;
        assert_eq!(sum.into_inner(), nurseries * 3);
        println!(
            "  nurseries: {nurseries}, from {} threads",
            rounds * AT_ONCE
        );
        let seats = format!("{pool:?}").matches("Thread {").count();
        println!("  seats: {seats}");
        // The main thread, the workers, and the guests of a moment, who overlap those of the next.
        assert!(
            seats <= task.threads + 2 + 2 * AT_ONCE,
            "seats are used again"
        );
        listed.is_flat(0, AT_ONCE);
        memory.is_flat(task.threads);
    });
}
