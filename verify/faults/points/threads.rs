//! Programs whose threads come and go, wait for each other, and are refused.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::programs::{Ending, with_saboteur};
use super::world::World;
use crate::platform::failpoint::Failpoint;

/// A home that has to park, and asks the thread that has taken its child.
pub(super) fn parks(w: &World) -> Ending {
    Ok(with_saboteur(w, |n| {
        let until_parked = n.spawn_blocking(|| {
            w.until_reached(n, Failpoint::WaiterParks);
            w.value(1)
        });
        let one = until_parked.join().get();
        if w.pool.threads() > 1 {
            let home = thread::current().id();
            let is_taken = AtomicBool::new(false);
            crate::nursery(|m| {
                m.spawn(|| {
                    is_taken.store(true, Ordering::Relaxed);
                    if thread::current().id() != home {
                        w.until(n, || w.plan.hits(Failpoint::RequestAsked) > 0);
                    }
                });
                w.until(n, || {
                    let child = m.spawn(|| ());
                    thread::yield_now();
                    child.join();
                    is_taken.load(Ordering::Relaxed)
                });
            });
        }
        // A child that is awaited by a child on another thread.
        let two = n.spawn_blocking(|| {
            let awaited = n.spawn_blocking(|| {
                thread::yield_now();
                w.value(2)
            });
            awaited.join().get()
        });
        one + two.join()
    }))
}

/// Opens at the end of a body, however that ends.
struct Opens<'a>(&'a AtomicBool);

impl Drop for Opens<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Side threads and spares that start, and end when nobody needs them.
pub(super) fn retires(w: &World) -> Ending {
    let (have_come, may_go) = (AtomicUsize::new(0), AtomicBool::new(false));
    let threads = w.pool.threads();
    let sum = with_saboteur(w, |n| {
        let one = n.spawn_blocking(|| w.value(1)).join().get();
        w.until_reached(n, Failpoint::SideThreadRetires);
        let opens = Opens(&may_go);
        // Every worker.
        let blocked = || {
            crate::block_in_place(|| {
                have_come.fetch_add(1, Ordering::Relaxed);
                while !may_go.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            });
            w.value(3).get()
        };
        let mut blocked: Vec<_> = (0..threads).map(|_| n.spawn(blocked)).collect();
        crate::block_in_place(|| {
            w.until(n, || have_come.load(Ordering::Relaxed) == threads);
        });
        w.until(n, || {
            n.spawn(|| crate::join(|| drop(w.value(0)), || ()));
            crate::block_in_place(|| ());
            w.plan.hits(Failpoint::SpareStarted) > 0
        });
        drop(opens);
        let sum = one + blocked.pop().map_or(0, crate::Child::join);
        crate::block_in_place(|| w.until_reached(n, Failpoint::SpareRetires));
        sum
    });
    Ok(sum)
}

/// Children that handles claim out of runs that nobody takes, because all other threads are busy.
pub(super) fn claims(w: &World) -> Ending {
    let (may_go, busy) = (AtomicBool::new(false), AtomicBool::new(false));
    let home = thread::current().id();
    Ok(with_saboteur(w, |n| {
        let _opens = Opens(&may_go);
        if w.pool.threads() == 2 {
            n.spawn(|| {
                busy.store(true, Ordering::Relaxed);
                if thread::current().id() != home {
                    while !may_go.load(Ordering::Relaxed) {
                        thread::yield_now();
                    }
                }
            });
            w.until(n, || {
                n.spawn(|| ()).join();
                thread::yield_now();
                busy.load(Ordering::Relaxed)
            });
        }
        crate::nursery(|m| {
            let children: Vec<_> = (0..100)
                .map(|i| {
                    let captured = w.value(i);
                    m.spawn(move || {
                        w.user();
                        captured.get()
                    })
                })
                .collect();
            children.into_iter().rev().map(crate::Child::join).sum()
        })
    }))
}

/// Workers that are woken for nothing.
pub(super) fn naps(w: &World) -> Ending {
    Ok(with_saboteur(w, |n| {
        for _ in 0..300 {
            if w.plan.hits(Failpoint::WorkerNaps) > 0 || n.is_cancelled() {
                break;
            }
            w.user();
            w.pool.nursery(|m| m.spawn(|| w.value(0)).join());
            thread::yield_now();
        }
        1
    }))
}

/// Blocking children and spares on a pool that gets half of the threads it asks for.
pub(super) fn refused(w: &World) -> Ending {
    fn tree(w: &World, depth: usize) -> u64 {
        if depth == 0 {
            w.user();
            return w.value(1).get();
        }
        crate::nursery(|n| {
            let computes = n.spawn(move || tree(w, depth - 1));
            let may_block = n.spawn_blocking(move || {
                crate::block_in_place(|| ());
                tree(w, depth - 1)
            });
            computes.join() + may_block.join()
        })
    }
    Ok(w.options().nursery(|n| {
        let trees: Vec<_> = (0..2)
            .map(|_| {
                n.spawn(|| {
                    crate::block_in_place(thread::yield_now);
                    tree(w, 4)
                })
            })
            .collect();
        trees.into_iter().map(crate::Child::join).sum()
    }))
}
