//! Law E8: a panic in a destructor is reported, the others still finish, nothing returns early.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{on_every_pool, payload_of};
use hatchery::Pool;

/// Panics when dropped.
struct Bomb<'a> {
    dropped: &'a AtomicUsize,
}

impl Drop for Bomb<'_> {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        std::panic::resume_unwind(Box::new("a destructor panicked"));
    }
}

/// A payload that panics when dropped, with a payload that panics when dropped.
struct Nasty(usize);

impl Drop for Nasty {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::resume_unwind(Box::new(Nasty(self.0 - 1)));
        }
    }
}

/// A payload that panics with its like when dropped, without end.
struct Endless;

impl Drop for Endless {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new(Endless));
    }
}

/// Disarms a payload so that the test itself can drop it.
fn defuse(payload: Box<dyn std::any::Any + Send>) {
    match payload.downcast::<Nasty>() {
        Ok(mut nasty) => nasty.0 = 0,
        Err(other) if other.is::<Endless>() => std::mem::forget(other),
        Err(_) => {}
    }
}

/// Runs the nursery: it has to panic, after all others have ended; then the pool is used again.
fn survives<'env>(
    pool: &Pool,
    others: usize,
    body: impl for<'s> Fn(&'s hatchery::Nursery<'s, 'env>),
) {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let ended = Arc::new(AtomicUsize::new(0));
    let payload = payload_of(|| {
        pool.nursery(|n| {
            let spawn_others = || {
                for _ in 0..others {
                    let counted = Counted(Arc::clone(&ended));
                    n.spawn(move || drop(counted));
                }
            };
            spawn_others();
            body(n);
            spawn_others();
        });
    });
    defuse(payload);
    // Run or skipped, all were consumed before the nursery returned.
    assert_eq!(Arc::strong_count(&ended), 1);
    assert!(ended.load(Ordering::Relaxed) >= others);
    assert_eq!(pool.join(|| 1, || 2), (1, 2));
}

#[test]
fn e8_a_capture_that_panics_on_drop_is_reported_and_the_others_still_finish() {
    on_every_pool(|pool| {
        let dropped: &AtomicUsize = &AtomicUsize::new(0);
        for _ in 0..20 {
            survives(pool, 20, |n| {
                let bomb = Bomb { dropped };
                n.spawn(move || {
                    let _bomb = &bomb;
                });
            });
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 20);
    });
}

#[test]
fn e8_a_skipped_capture_that_panics_on_drop_is_no_harm() {
    on_every_pool(|pool| {
        let dropped: &AtomicUsize = &AtomicUsize::new(0);
        for _ in 0..20 {
            survives(pool, 20, |n| {
                for _ in 0..5 {
                    let bomb = Bomb { dropped };
                    n.spawn(move || {
                        let _bomb = &bomb;
                    });
                }
                std::panic::resume_unwind(Box::new("the body panics first"));
            });
        }
    });
}

#[test]
fn e8_an_unjoined_result_that_panics_on_drop_is_reported() {
    on_every_pool(|pool| {
        let dropped: &AtomicUsize = &AtomicUsize::new(0);
        for _ in 0..20 {
            survives(pool, 20, |n| {
                n.spawn(move || Bomb { dropped });
            });
            survives(pool, 20, |n| {
                let child = n.spawn(move || Bomb { dropped });
                while !child.is_finished() {
                    n.spawn(|| ()).join();
                    if pool.threads() == 1 || pool_has_no_worker(pool) {
                        break;
                    }
                }
                drop(child);
            });
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 40);
    });
}

fn pool_has_no_worker(pool: &Pool) -> bool {
    format!("{pool:?}").contains("workers_started: 0")
}

#[test]
fn e8_a_value_dropped_while_the_body_unwinds_is_no_harm() {
    on_every_pool(|pool| {
        let dropped: &AtomicUsize = &AtomicUsize::new(0);
        for _ in 0..20 {
            survives(pool, 5, |n| {
                let sibling = n.spawn(|| 1);
                let child = n.spawn_blocking(move || Bomb { dropped });
                sibling.join();
                while !child.is_finished() {
                    if pool_has_no_worker(pool) {
                        break;
                    }
                    std::thread::yield_now();
                }
                // The handle goes while this panic unwinds, and the value with it.
                std::panic::panic_any("the body panics first");
            });
        }
        assert!(dropped.load(Ordering::Relaxed) <= 20);
    });
}

#[test]
fn e8_a_value_of_the_body_that_panics_on_drop_does_not_hide_a_childs_panic() {
    on_every_pool(|pool| {
        let dropped: &AtomicUsize = &AtomicUsize::new(0);
        let payload = payload_of(|| {
            pool.nursery(|n| {
                n.spawn(|| std::panic::resume_unwind(Box::new("the child's")));
                Bomb { dropped }
            })
        });
        assert_eq!(*payload.downcast::<&str>().unwrap(), "the child's");
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn e8_losing_payloads_that_panic_on_drop_do_no_harm() {
    on_every_pool(|pool| {
        for _ in 0..20 {
            survives(pool, 10, |n| {
                for _ in 0..5 {
                    n.spawn(|| std::panic::resume_unwind(Box::new(Nasty(3))));
                }
            });
            survives(pool, 10, |n| {
                n.spawn(|| std::panic::resume_unwind(Box::new(Nasty(3))));
                let started = n.spawn(|| ());
                drop(started);
                std::panic::resume_unwind(Box::new(Nasty(3)));
            });
            survives(pool, 10, |n| {
                for _ in 0..3 {
                    n.spawn(|| std::panic::resume_unwind(Box::new(Endless)));
                }
            });
        }
    });
}

#[test]
fn e8_what_a_losing_payload_panics_with_as_it_is_dropped_is_dropped_too() {
    struct Link(Arc<()>, usize);
    impl Drop for Link {
        fn drop(&mut self) {
            if self.1 > 0 {
                let next = Self(Arc::clone(&self.0), self.1 - 1);
                std::panic::resume_unwind(Box::new(next));
            }
        }
    }
    on_every_pool(|pool| {
        let alive = Arc::new(());
        let payload = payload_of(|| {
            pool.nursery(|n| {
                let link = Link(Arc::clone(&alive), 4);
                n.spawn(|| std::panic::resume_unwind(Box::new(link)));
                std::panic::resume_unwind(Box::new("the body's"))
            })
        });
        assert!(payload.is::<&str>());
        assert_eq!(Arc::strong_count(&alive), 1);
    });
}

#[test]
fn e8_join_survives_destructors_that_panic() {
    on_every_pool(|pool| {
        let dropped: &AtomicUsize = &AtomicUsize::new(0);
        let raise = |what: &'static str| -> () { std::panic::resume_unwind(Box::new(what)) };
        let bomb = || Bomb { dropped };
        let capture = bomb();
        // `b` runs, and its capture is dropped.
        let payload = payload_of(|| {
            pool.join(
                || raise("a"),
                move || {
                    let _capture = &capture;
                },
            )
        });
        assert_eq!(*payload.downcast::<&str>().unwrap(), "a");
        // The value of `a` is dropped when `b` panics.
        let payload = payload_of(|| pool.join(bomb, || raise("b")).1);
        assert_eq!(*payload.downcast::<&str>().unwrap(), "b");
        let payload = payload_of(|| {
            pool.join(
                || std::panic::resume_unwind(Box::new(Nasty(3))),
                || std::panic::resume_unwind(Box::new(Nasty(3))),
            )
        });
        defuse(payload);
        assert_eq!(dropped.load(Ordering::Relaxed), 2);
    });
}

/// Far down in a recursion of forks the second closure is not offered any more, but called.
#[test]
fn e8_deep_forks_survive_destructors_that_panic() {
    const DEPTH: usize = 30;
    fn left(dropped: &AtomicUsize, depth: usize) -> Bomb<'_> {
        if depth == 0 {
            std::panic::resume_unwind(Box::new(7_u32));
        }
        let bomb = Bomb { dropped };
        hatchery::join(
            || left(dropped, depth - 1),
            move || std::mem::size_of_val(&bomb),
        )
        .0
    }
    fn right(dropped: &AtomicUsize, depth: usize) -> Bomb<'_> {
        if depth > 0 {
            let (bomb, ()) = hatchery::join(
                || right(dropped, depth - 1),
                || {
                    if depth == 1 {
                        std::panic::resume_unwind(Box::new(8_u32));
                    }
                },
            );
            return bomb;
        }
        Bomb { dropped }
    }
    on_every_pool(|pool| {
        let dropped = AtomicUsize::new(0);
        let payload = payload_of(|| pool.nursery(|_| std::mem::forget(left(&dropped, DEPTH))));
        assert_eq!(payload.downcast_ref(), Some(&7_u32));
        assert_eq!(dropped.load(Ordering::Relaxed), DEPTH);

        let dropped = AtomicUsize::new(0);
        let payload = payload_of(|| pool.nursery(|_| std::mem::forget(right(&dropped, DEPTH))));
        assert_eq!(payload.downcast_ref(), Some(&8_u32));
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn e8_values_of_any_shape_are_dropped_in_place() {
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let page = Page([7; 4096]);
            let large = [3_u8; 1 << 14];
            let aligned = n.spawn(move || {
                assert!(std::ptr::from_ref(&page).addr() % 4096 == 0);
                page
            });
            let big = n.spawn(move || large);
            let nothing = n.spawn(|| ());
            n.spawn(|| Page([9; 4096]));
            n.spawn(move || n.spawn(|| Page([5; 4096])).join().0[0]);
            let page = aligned.join();
            assert!(page.0.iter().all(|byte| *byte == 7));
            assert!(big.join().iter().all(|byte| *byte == 3));
            nothing.join();
        });
    });
}
