//! Prints how long programs take that use rayon: one line for each, with its name and the nanoseconds of each of its runs.
//! Each checks its answer. `run` compiles it with rayon's own scheduler and with this one.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rayon::prelude::*;

/// Computes for about this many nanoseconds.
fn spin(nanoseconds: usize, seed: usize) -> usize {
    // A step takes about a nanosecond: a multiplication that waits for the one before.
    (0..nanoseconds).fold(seed, |sum, step| black_box(sum.wrapping_mul(31)) ^ step)
}

/// Numbers that look random and are the same each time.
fn numbers(len: usize) -> Vec<u64> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len).map(next).collect()
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// Runs it a few times and prints the times.
fn time<T: PartialEq + std::fmt::Debug>(name: &str, runs: usize, expected: T, run: impl Fn() -> T) {
    print!("{name}");
    assert_eq!(run(), expected, "{name}");
    for _ in 0..runs {
        let start = Instant::now();
        let value = run();
        let taken = start.elapsed().as_nanos();
        assert_eq!(value, expected, "{name}");
        print!(" {taken}");
    }
    println!();
}

fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    let time = |name: &str, runs, expected: usize, run: &dyn Fn() -> usize| {
        if name.contains(&only) {
            time(name, runs, expected, run);
        }
    };
    time("empty:1M", 9, 1_000_000, &|| {
        (0..1_000_000_usize).into_par_iter().map(black_box).count()
    });
    let sum = |len: usize, ns| (0..len).map(|item| spin(ns, item) & 1).sum();
    time("100ns:10k", 9, sum(10_000, 100), &|| {
        (0..10_000)
            .into_par_iter()
            .map(|item| spin(100, item) & 1)
            .sum()
    });
    time("1us:10k", 5, sum(10_000, 1000), &|| {
        (0..10_000)
            .into_par_iter()
            .map(|item| spin(1000, item) & 1)
            .sum()
    });
    time("1ms:40", 5, sum(40, 1_000_000), &|| {
        (0..40)
            .into_par_iter()
            .map(|item| spin(1_000_000, item) & 1)
            .sum()
    });
    // The last items take by far the longest.
    let steep = |item: usize| spin(item * item / 40, item) & 1;
    time("steep:1000", 5, (0..1000).map(steep).sum(), &|| {
        (0..1000).into_par_iter().map(steep).sum()
    });
    time("small:100x100", 9, 100 * 100, &|| {
        (0..100)
            .map(|_| {
                (0..100)
                    .into_par_iter()
                    .map(|item| (spin(20, item) & 1) + 1 - (spin(20, item) & 1))
                    .sum::<usize>()
            })
            .sum()
    });
    let unsorted = numbers(1_000_000);
    let mut sorted = unsorted.clone();
    sorted.sort_unstable();
    let middle = sorted[500_000] as usize;
    time("sort:1M", 5, middle, &|| {
        let mut numbers = unsorted.clone();
        numbers.par_sort();
        numbers[500_000] as usize
    });
    time("sort_unstable:1M", 5, middle, &|| {
        let mut numbers = unsorted.clone();
        numbers.par_sort_unstable();
        numbers[500_000] as usize
    });
    time("collect:1M", 9, 1_000_000, &|| {
        let all: Vec<_> = unsorted
            .par_iter()
            .map(|number| number.wrapping_mul(3))
            .collect();
        all.len()
    });
    let even = unsorted.iter().filter(|number| **number % 2 == 0).count();
    time("filter:1M", 9, even, &|| {
        let all: Vec<_> = unsorted
            .par_iter()
            .filter(|number| **number % 2 == 0)
            .collect();
        all.len()
    });
    time("flat_map:1000x1000", 5, 499_500_000, &|| {
        (0..1000_usize)
            .into_par_iter()
            .flat_map(|_| (0..1000_usize).into_par_iter())
            .sum()
    });
    let text: String = (0..200_000).map(|word| format!("word{word} ")).collect();
    time("words:200k", 9, 200_000, &|| {
        text.par_split_whitespace()
            .filter(|word| !word.is_empty())
            .count()
    });
    time("strings:100k", 5, 488_890, &|| {
        let all: Vec<String> = (0..100_000)
            .into_par_iter()
            .map(|item| item.to_string())
            .collect();
        all.iter().map(String::len).sum()
    });
    time("par_bridge:20k", 5, sum(20_000, 200), &|| {
        (0..20_000)
            .par_bridge()
            .map(|item| spin(200, item) & 1)
            .sum()
    });
    let bytes: Vec<u8> = (0..64_u32 << 20).map(|at| (at % 251) as u8).collect();
    let hash = |hash: blake3::Hash| usize::from(hash.as_bytes()[0]);
    time("blake3:64MB", 5, hash(blake3::hash(&bytes)), &|| {
        hash(blake3::Hasher::new().update_rayon(&bytes).finalize())
    });
    time("fib:27", 5, 196_418, &|| {
        rayon::join(|| fib(27), || ()).0 as usize
    });
    time("scope:10k", 9, 10_000, &|| {
        let count = AtomicUsize::new(0);
        rayon::scope(|s| {
            (0..10_000).for_each(|_| s.spawn(|_| _ = count.fetch_add(1, Ordering::Relaxed)))
        });
        count.into_inner()
    });
    time("scope_fifo:10k", 9, 10_000, &|| {
        let count = AtomicUsize::new(0);
        rayon::scope_fifo(|s| {
            (0..10_000).for_each(|_| s.spawn_fifo(|_| _ = count.fetch_add(1, Ordering::Relaxed)))
        });
        count.into_inner()
    });
    time("spawn:10k", 5, 10_000, &|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        rayon::scope(|_| {
            (0..10_000).for_each(|_| {
                let sender = sender.clone();
                rayon::spawn(move || sender.send(1_usize).unwrap());
            });
        });
        drop(sender);
        receiver.iter().sum()
    });
    time("install:1000", 5, 1000, &|| {
        (0..1000).map(|_| rayon::join(|| 1, || ()).0).sum()
    });
    time(
        "broadcast:200",
        5,
        200 * rayon::current_num_threads(),
        &|| (0..200).map(|_| rayon::broadcast(|_| 1_usize).len()).sum(),
    );
}
