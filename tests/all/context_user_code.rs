//! The functions of a context are user code: they may panic, and end with their pool.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::workers::start_all_workers;
use crate::common::{Gate, caught, number_of, on_pool, raise, watched};
use crate::context::{Calls, is_told, tagged};
use hatchery::{Options, Pool, block_in_place};

/// Where user code panics.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Where {
    Capture,
    Enter,
    DropOfGuard,
    DropOfCaptured,
}

struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 {
            resume_unwind(Box::new("on purpose"));
        }
    }
}

#[test]
fn e7_a_panic_in_any_part_of_the_context_harms_nobody() {
    use Where::{Capture, DropOfCaptured, DropOfGuard, Enter};
    for place in [Capture, Enter, DropOfGuard, DropOfCaptured] {
        let calls = Arc::new(AtomicUsize::new(0));
        let (at_capture, at_enter) = (Arc::clone(&calls), Arc::clone(&calls));
        let panic_in = move |here, calls: &AtomicUsize| {
            if place == here {
                calls.fetch_add(1, Ordering::SeqCst);
                resume_unwind(Box::new("on purpose"));
            }
        };
        let builder = Pool::builder().threads(2).context(
            move || {
                panic_in(Capture, &at_capture);
                Bomb(place == DropOfCaptured)
            },
            move |_| {
                panic_in(Enter, &at_enter);
                Bomb(place == DropOfGuard)
            },
        );
        on_pool(builder, |pool| {
            start_all_workers(pool);
            for _ in 0..20 {
                let sum: u32 = pool.nursery(|n| {
                    let blocking = n.spawn_blocking(|| 1);
                    let has_run = Gate::default();
                    let (a, b) = hatchery::join(
                        || block_in_place(|| has_run.wait()),
                        || {
                            has_run.open();
                            1
                        },
                    );
                    let () = a;
                    let children: u32 = n.spawn_each(0..10, |_| 1).sum();
                    blocking.join() + b + children
                });
                assert_eq!(sum, 12, "{place:?}");
                assert_eq!(pool.submit(|| 7).join(), 7);
                // Beside a panic of the nursery itself.
                let raised = number_of(|| {
                    pool.nursery(|n| {
                        n.spawn_blocking(|| raise(5)).join();
                    });
                });
                assert_eq!(raised, 5);
            }
        });
        let has_panicked = calls.load(Ordering::SeqCst) > 0;
        assert_eq!(has_panicked, matches!(place, Capture | Enter));
    }
}

#[test]
fn l1_no_context_is_alive_after_the_end_of_its_pool() {
    let calls: Arc<Calls> = Arc::default();
    let alive = || calls.alive.load(Ordering::SeqCst);
    drop(tagged(2, &calls));
    assert_eq!(alive(), 0);
    let pool = tagged(2, &calls).build().unwrap();
    let options = Options::new().pool(&pool);
    watched(Pool::shared(), || {
        pool.nursery(|n| n.spawn_blocking(|| is_told(0)).join());
        assert_eq!(alive(), 2);
        pool.shutdown();
        assert_eq!(alive(), 0);
        // The pool is over, and its nurseries have no context.
        let before = calls.get();
        assert_eq!(options.nursery(|n| n.spawn_blocking(|| 3).join()), 3);
        assert_eq!(calls.get(), before);
    });
    // Functions that panic as they are dropped, both.
    let bombs = [Bomb(true), Bomb(true)];
    let [in_capture, in_enter] = bombs;
    let builder = Pool::builder().context(
        move || {
            let _ = &in_capture;
        },
        move |()| {
            let _ = &in_enter;
        },
    );
    caught(|| drop(builder.build().unwrap()));
}
