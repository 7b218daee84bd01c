//! Law S8: memory is bounded by what is outstanding or retained, not by what has been.
#![allow(unsafe_code, reason = "an allocator that counts")]

mod common;
#[path = "memory/jobs.rs"]
mod jobs;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Gate, on_every_pool, on_no_worker, on_pool};
use hatchery::{CancelToken, Nursery, Options, Pool, TryNursery};

/// Counts the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const ROUNDS: usize = 500;
const OUTSTANDING: usize = 1000;
/// Far more than a thousand children need, far less than half a million do.
const SLACK: usize = 1 << 20;

#[test]
fn s8_a_long_lived_nursery_gives_the_memory_of_its_ended_children_back() {
    let _alone = ALONE.lock();
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut after_first = 0;
            for round in 0..ROUNDS {
                // Joined at once, in order, from behind, and by a child that runs elsewhere.
                for i in 0..OUTSTANDING {
                    assert_eq!(n.spawn(move || vec![i; 2]).join(), [i; 2]);
                }
                n.spawn_each(0..OUTSTANDING, |i| i).for_each(drop);
                let children: Vec<_> = (0..OUTSTANDING).map(|i| n.spawn(move || i)).collect();
                for child in children.into_iter().rev() {
                    child.join();
                }
                let spawner = n.spawn(|| {
                    for i in 0..OUTSTANDING {
                        assert_eq!(n.spawn(move || i).join(), i);
                    }
                });
                spawner.join();
                if round == 2 {
                    after_first = IN_USE.load(Ordering::Relaxed);
                }
            }
            let grown = IN_USE.load(Ordering::Relaxed).saturating_sub(after_first);
            assert!(grown < SLACK, "{grown} bytes more");
        });
    });
}

/// What the body offers and nobody takes, because the only worker with a place is busy.
#[test]
fn s8_children_joined_by_their_handles_leave_nothing_in_public() {
    let _alone = ALONE.lock();
    on_pool(Pool::builder().threads(2), |pool| {
        let (started, over) = (Gate::default(), Gate::default());
        pool.nursery(|n| {
            let opener = n.spawn(|| {
                started.open();
                over.wait();
            });
            while !started.is_open() {
                // Answers requests, until the worker has taken the child.
                n.spawn(|| {}).join();
            }
            let mut after_first = 0;
            for round in 0..ROUNDS {
                let children: Vec<_> = (0..OUTSTANDING).map(|i| n.spawn(move || i)).collect();
                for (i, child) in children.into_iter().enumerate().rev() {
                    assert_eq!(child.join(), i);
                }
                if round == 2 {
                    after_first = IN_USE.load(Ordering::Relaxed);
                }
            }
            let grown = IN_USE.load(Ordering::Relaxed).saturating_sub(after_first);
            over.open();
            opener.join();
            assert!(grown < SLACK, "{grown} bytes more");
        });
    });
}

/// No side thread can be had, so each child is claimed by its handle and stays queued behind that.
#[test]
fn s8_blocking_children_joined_by_their_handles_leave_nothing_queued() {
    let _alone = ALONE.lock();
    on_no_worker(|pool| {
        pool.nursery(|n| {
            let mut after_first = 0;
            for i in 0..20_000 {
                assert_eq!(n.spawn_blocking(move || [i; 16]).join(), [i; 16]);
                if i == 200 {
                    after_first = IN_USE.load(Ordering::Relaxed);
                }
            }
            let grown = IN_USE.load(Ordering::Relaxed).saturating_sub(after_first);
            assert!(grown < SLACK, "{grown} bytes more");
        });
    });
}

/// Each one is claimed by its handle, while a side thread has it stand in line for a permit.
#[test]
fn s8_blocking_children_joined_under_a_limit_leave_nothing_in_line() {
    let _alone = ALONE.lock();
    on_every_pool(|pool| {
        Options::new().pool(pool).limit(1).nursery(|n| {
            n.spawn(|| {
                let mut after_first = 0;
                for i in 0..20_000 {
                    assert_eq!(n.spawn_blocking(move || [i; 16]).join(), [i; 16]);
                    if i == 200 {
                        after_first = IN_USE.load(Ordering::Relaxed);
                    }
                }
                let grown = IN_USE.load(Ordering::Relaxed).saturating_sub(after_first);
                assert!(grown < SLACK, "{grown} bytes more");
            });
        });
    });
}

#[test]
fn s8_a_chain_of_children_spawned_by_children_keeps_no_memory() {
    fn chain<'s>(n: &'s Nursery<'s, '_>, left: usize, peak: &'s AtomicUsize) {
        peak.fetch_max(IN_USE.load(Ordering::Relaxed), Ordering::Relaxed);
        if left > 0 {
            n.spawn(move || chain(n, left - 1, peak));
        }
    }
    let _alone = ALONE.lock();
    on_every_pool(|pool| {
        // The threads' own memory comes first.
        pool.nursery(|n| n.spawn_each(0..100, |i| i).for_each(drop));
        let before = IN_USE.load(Ordering::Relaxed);
        let peak = AtomicUsize::new(0);
        pool.nursery(|n| {
            for _ in 0..4 {
                n.spawn(|| chain(n, 50_000, &peak));
            }
        });
        let grown = peak.into_inner().saturating_sub(before);
        assert!(grown < SLACK, "{grown} bytes more");
    });
}

/// Their ids are paths as long as the chain, in which one index follows itself.
#[test]
fn s8_a_chain_of_failing_children_keeps_no_memory() {
    fn chain<'s>(n: &'s TryNursery<'s, '_, ()>, left: usize, peak: &'s AtomicUsize) {
        peak.fetch_max(IN_USE.load(Ordering::Relaxed), Ordering::Relaxed);
        if left > 0 {
            n.spawn(|| Ok(()));
            n.spawn(move || {
                chain(n, left - 1, peak);
                Ok(())
            });
        }
    }
    let _alone = ALONE.lock();
    on_every_pool(|pool| {
        pool.nursery(|n| n.spawn_each(0..100, |i| i).for_each(drop));
        let before = IN_USE.load(Ordering::Relaxed);
        let peak = AtomicUsize::new(0);
        let result = pool.try_nursery::<(), _, _>(|n| {
            for _ in 0..4 {
                n.spawn(|| {
                    chain(n, 50_000, &peak);
                    Ok(())
                });
            }
            Ok(())
        });
        result.unwrap();
        let grown = peak.into_inner().saturating_sub(before);
        assert!(grown < SLACK, "{grown} bytes more");
    });
}

#[test]
fn s8_a_child_with_a_u64_result_takes_at_most_48_bytes() {
    const CHILDREN: usize = 100_000;
    let _alone = ALONE.lock();
    on_no_worker(|pool| {
        let (a, b) = (&1_u64, &2_u64);
        pool.nursery(|n| {
            let before = IN_USE.load(Ordering::Relaxed);
            for _ in 0..CHILDREN {
                n.spawn(move || a + b);
            }
            let each = (IN_USE.load(Ordering::Relaxed) - before) as f64 / CHILDREN as f64;
            println!("{each:.1} bytes per outstanding child");
            assert!(each <= 48.0, "{each}");
        });
    });
}

#[test]
fn s8_threads_that_have_ended_leave_no_memory_behind() {
    let _alone = ALONE.lock();
    on_pool(Pool::builder().threads(2), |pool| {
        let outside = || {
            pool.nursery(|n| {
                n.spawn_each(0..100, |i| i).for_each(drop);
                n.spawn(|| vec![0_u8; 1000]);
            });
        };
        let round = || {
            for _ in 0..1000 {
                std::thread::scope(|scope| scope.spawn(outside).join().unwrap());
            }
            IN_USE.load(Ordering::Relaxed)
        };
        let after_first = round();
        for _ in 0..8 {
            round();
        }
        let grown = round().saturating_sub(after_first);
        assert!(grown < SLACK, "{grown} bytes more");
    });
}

/// The body keeps its place and does not help, so nobody comes for what stands among the strays.
#[test]
fn s8_children_of_a_thread_outside_joined_by_their_handles_leave_nothing_among_the_strays() {
    fn spawn_and_join<'s>(n: &'s Nursery<'s, '_>) -> usize {
        let mut after_first = 0;
        for i in 0..20_000 {
            assert_eq!(n.spawn(move || [i; 16]).join(), [i; 16]);
            if i == 200 {
                after_first = IN_USE.load(Ordering::Relaxed);
            }
        }
        IN_USE.load(Ordering::Relaxed).saturating_sub(after_first)
    }
    let _alone = ALONE.lock();
    on_pool(Pool::builder().threads(1), |pool| {
        pool.nursery(|n| {
            let grown = std::thread::scope(|scope| scope.spawn(|| spawn_and_join(n)).join());
            let grown = grown.unwrap();
            assert!(grown < SLACK, "{grown} bytes more");
        });
        // Nor for what a child spawns that may block.
        let over = Gate::default();
        pool.nursery(|n| {
            let child = n.spawn_blocking(|| {
                let grown = spawn_and_join(n);
                over.open();
                grown
            });
            over.wait();
            let grown = child.join();
            assert!(grown < SLACK, "{grown} bytes more");
        });
    });
}

/// A fork that another thread takes becomes a nursery, in the frame of its caller.
#[test]
fn s8_forks_that_others_take_leave_no_memory_behind() {
    const FORKS: usize = 5000;
    let _alone = ALONE.lock();
    on_pool(Pool::builder().threads(2), |pool| {
        let fork = || {
            let begun = Gate::default();
            pool.join(
                || hatchery::block_in_place(|| begun.wait()),
                || begun.open(),
            );
        };
        // What threads keep for later is there afterwards.
        (0..FORKS / 10).for_each(|_| fork());
        let before = IN_USE.load(Ordering::Relaxed);
        (0..FORKS).for_each(|_| fork());
        let more = IN_USE.load(Ordering::Relaxed).saturating_sub(before);
        assert!(more < SLACK / 8, "{more} bytes more");
    });
}

/// Each child lies between others that are outstanding, so no memory is ever free of children.
#[test]
fn s8_an_iteration_without_an_end_takes_memory_for_what_is_outstanding() {
    const ITEMS: usize = 1_000_000;
    /// Far less than one word for each item.
    const MOST: usize = SLACK / 4;
    /// Takes that many values, and looks at the memory meanwhile.
    fn grown(values: impl Iterator<Item = [usize; 2]>, items: usize) -> usize {
        let (mut first, mut most) = (0, 0);
        for (i, value) in values.take(items).enumerate() {
            assert_eq!(value, [i; 2]);
            if i % 1000 == 999 {
                most = most.max(IN_USE.load(Ordering::Relaxed));
            }
            if i == items / 100 {
                first = most;
            }
        }
        most - first
    }
    let _alone = ALONE.lock();
    on_every_pool(|pool| {
        let total = pool.nursery(|n| grown(n.spawn_buffered(16, 0.., |i| [i; 2]), ITEMS));
        let partial = pool.try_nursery::<(), _, _>(|n| {
            let results = n.spawn_buffered(16, 0.., |i| Ok([i; 2]));
            Ok(grown(results.map(Result::unwrap), ITEMS / 10))
        });
        let in_a_child = pool.nursery(|n| {
            let child = n.spawn(|| grown(n.spawn_buffered(16, 0.., |i| [i; 2]), ITEMS / 10));
            child.join()
        });
        let grown = [total, partial.unwrap(), in_a_child];
        assert!(grown.iter().all(|&grown| grown < MOST), "{grown:?} bytes");
    });
}

/// Nothing is kept for an item, neither by the thread that calls nor by threads that take part.
#[test]
fn s8_a_set_keeps_no_memory_for_children_that_were_taken() {
    fn take_many(pool: &Pool, stays: bool) {
        let over = Gate::default();
        pool.nursery(|n| {
            let mut set = n.set();
            if stays {
                set.spawn_blocking(|| {
                    over.wait();
                    0
                });
            }
            let mut after_first = 0;
            for i in 0..ROUNDS * OUTSTANDING / 2 {
                set.spawn(move || i);
                assert!(set.next().is_some());
                if i == 2 * OUTSTANDING {
                    after_first = IN_USE.load(Ordering::Relaxed);
                }
            }
            let grown = IN_USE.load(Ordering::Relaxed).saturating_sub(after_first);
            over.open();
            assert!(grown < SLACK, "{grown} bytes more");
        });
    }
    let _alone = ALONE.lock();
    on_every_pool(|pool| take_many(pool, false));
    // A side thread has the first child all the while.
    for threads in [1, 2] {
        on_pool(Pool::builder().threads(threads), |pool| {
            take_many(pool, true);
        });
    }
}

#[test]
fn s8_items_that_are_folded_take_no_memory() {
    /// A bit for each item would be more.
    const MOST: usize = 64 << 10;
    let _alone = ALONE.lock();
    on_every_pool(|pool| {
        // The threads are there afterwards.
        pool.for_each(0..1000, drop);
        let before = IN_USE.load(Ordering::Relaxed);
        let look = |most: usize, item| match item % 1000 {
            0 => most.max(IN_USE.load(Ordering::Relaxed).saturating_sub(before)),
            _ => most,
        };
        let most = pool.fold(0..1_000_000_u64, || 0, look, usize::max);
        assert!(most < MOST, "{most} bytes");
    });
}

/// As a server does, which makes one for each request.
#[test]
fn s8_a_million_child_tokens_of_one_token_leave_no_memory_behind() {
    const REQUESTS: usize = 1_000_000;
    let _alone = ALONE.lock();
    on_pool(Pool::builder().threads(2), |pool| {
        let shutdown = CancelToken::new();
        let request = |i| {
            let token = shutdown.child_token();
            // Some are cancelled, some have children of their own, and nurseries heed some.
            if i % 3 == 0 {
                token.cancel();
            }
            let _guard = (i % 7 == 0).then(|| token.child_token().drop_guard());
            if i % 100 == 0 {
                let options = Options::new().pool(pool).cancel_on(&token);
                options.nursery(|n| assert_eq!(n.is_cancelled(), i % 3 == 0));
            }
        };
        (0..REQUESTS / 100).for_each(request);
        let before = IN_USE.load(Ordering::Relaxed);
        (0..REQUESTS).for_each(request);
        let more = IN_USE.load(Ordering::Relaxed).saturating_sub(before);
        // A bit for each request would be more.
        assert!(more < REQUESTS / 8, "{more} bytes more");
        assert!(!shutdown.is_cancelled());
    });
}
