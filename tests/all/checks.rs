//! Law X6: a cancelled nursery whose children check comes to its end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::common::on_every_pool;
use hatchery::TryNursery;

/// Whether a nursery further in is cancelled.
fn further_in() -> bool {
    hatchery::try_nursery::<(), _, _>(|n| n.checkpoint()).is_err()
}

fn free() -> bool {
    hatchery::checkpoint().is_err()
}

/// By counts instead of by the clock: who knows of the cancellation is told when it asks next.
#[test]
fn x6_a_cancelled_nursery_whose_children_check_ends() {
    struct Asking {
        times: AtomicUsize,
        is_known: AtomicBool,
    }
    impl Asking {
        fn until_told(&self, ask: impl Fn() -> bool) {
            loop {
                let knows = self.is_known.load(Ordering::Acquire);
                if ask() {
                    return;
                }
                assert!(!knows, "not told");
                self.times.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let kinds: [fn(&TryNursery<'_, '_, ()>, &Asking); 5] = [
        |n, asking| asking.until_told(|| n.is_cancelled()),
        |_, asking| asking.until_told(free),
        |_, asking| asking.until_told(further_in),
        |_, asking| {
            hatchery::nursery(|n| drop(n.spawn_each(0..2, |_| asking.until_told(free))));
        },
        |_, asking| {
            hatchery::join(|| asking.until_told(free), || asking.until_told(further_in));
        },
    ];
    on_every_pool(|pool| {
        for kind in kinds {
            let asking = Asking {
                times: AtomicUsize::new(0),
                is_known: AtomicBool::new(false),
            };
            let result = pool.try_nursery::<(), _, _>(|n| {
                let asking = &asking;
                let child = move || {
                    kind(n, asking);
                    Ok(())
                };
                for _ in 0..1000 {
                    n.spawn(child);
                }
                thread::scope(|scope| {
                    scope.spawn(|| {
                        while asking.times.load(Ordering::Relaxed) < 100 {
                            thread::yield_now();
                        }
                        n.cancel();
                        asking.is_known.store(true, Ordering::Release);
                    });
                    // Whoever else there is, this thread takes part.
                    drop(n.spawn(child).join());
                });
                Ok(())
            });
            result.unwrap();
        }
    });
}
