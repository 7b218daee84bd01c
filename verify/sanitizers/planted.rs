//! Faults that a sanitizer must report, each planted in a child, and a program without any.
//!
//! Whoever runs them demands the report: a sanitizer that does not see these sees nothing.
#![allow(unsafe_code, reason = "wrong on purpose")]

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use hatchery::Pool;

/// A cell that says falsely that it may be shared.
struct Shared(UnsafeCell<u64>);

// SAFETY: none: this is the fault.
unsafe impl Sync for Shared {}

impl Shared {
    fn add(&self, number: u64) {
        // SAFETY: none, unless the caller has seen to it that nobody else is here.
        unsafe { *self.0.get() += number };
    }
}

/// Two children write one cell, at the same time on two threads. A relaxed counter sees to that, and
/// orders nothing. Once in a while the pool orders them all the same: one ends before the other one
/// looks at its thread again. So there are many.
fn race(pool: &Pool) {
    for _ in 0..200 {
        let cell = &Shared(UnsafeCell::new(0));
        let there = &AtomicUsize::new(0);
        pool.nursery(|n| {
            for number in [1, 2] {
                n.spawn(move || {
                    there.fetch_add(1, Ordering::Relaxed);
                    while there.load(Ordering::Relaxed) < 2 {
                        // Answers the worker that asks for the other child.
                        hatchery::join(|| (), || ());
                    }
                    cell.add(number);
                });
            }
        });
    }
}

/// The same, one after the other: the end of a nursery is before what comes behind it, and a join
/// after what the child did.
fn clean(pool: &Pool) {
    let cell = &Shared(UnsafeCell::new(0));
    for number in 0..100 {
        pool.nursery(|n| {
            n.spawn_blocking(move || cell.add(number)).join();
            n.spawn(move || cell.add(number));
        });
        cell.add(1);
    }
}

/// A child reads what its spawner has freed.
fn use_after_free(pool: &Pool) {
    let number = AtomicPtr::new(Box::into_raw(Box::new(7_u64)));
    let at = number.load(Ordering::Relaxed);
    pool.nursery(|n| {
        let child = n.spawn(move || {
            // SAFETY: none: it has been freed.
            unsafe { number.load(Ordering::Relaxed).read_volatile() }
        });
        // SAFETY: it is the one box, which was given away as a pointer.
        drop(unsafe { Box::from_raw(at) });
        println!("{}", child.join());
    });
}

/// Where a local stood.
#[inline(never)]
fn dangling() -> *mut [u64; 4] {
    let mut local = black_box([7; 4]);
    black_box(&raw mut local)
}

/// A child reads a local of a function that has returned.
fn use_after_return(pool: &Pool) {
    let gone = AtomicPtr::new(dangling());
    let read = move || {
        // SAFETY: none: the frame is gone.
        unsafe { gone.load(Ordering::Relaxed).read_volatile() }
    };
    println!("{:?}", pool.nursery(|n| n.spawn(read).join()));
}

/// A child forgets what it has.
fn leak(pool: &Pool) {
    pool.nursery(|n| {
        n.spawn_each(0..100_u64, |i| std::mem::forget(black_box(Box::new(i))))
            .for_each(drop);
    });
}

fn main() -> ExitCode {
    let fault: fn(&Pool) = match std::env::args().nth(1).as_deref() {
        Some("race") => race,
        Some("use_after_free") => use_after_free,
        Some("use_after_return") => use_after_return,
        Some("leak") => leak,
        Some("clean") => clean,
        _ => return ExitCode::from(2),
    };
    let pool = Pool::builder().threads(2).build();
    fault(&pool.expect("a valid configuration"));
    ExitCode::SUCCESS
}
