//! The iterator of `by_completion`: its length, its end, its name, and what it has claimed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Gate, Ledger, on_every_pool, on_pool, raise};
use hatchery::{ByCompletion, Pool};

#[test]
fn by_completion_knows_how_many_are_left_and_stays_at_its_end() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut children = n.spawn_each(0..1000, |i| i).by_completion();
            for left in (0..1000).rev() {
                assert!(children.next().is_some());
                assert_eq!(children.len(), left);
                assert_eq!(children.size_hint(), (left, Some(left)));
            }
            let text = format!("{children:?}");
            assert_eq!(text, "ByCompletion { unjoined: 0 }");
            assert!(
                [children.next(), children.next()]
                    .iter()
                    .all(Option::is_none)
            );
            assert_eq!(children.len(), 0);
        });
    });
}

#[test]
fn by_completion_counts_a_child_that_has_panicked_as_taken() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut children = n
                .spawn_each(0..3, |i| if i == 0 { raise(i) } else { i })
                .by_completion();
            let mut panics = 0;
            for left in (0..3).rev() {
                if catch_unwind(AssertUnwindSafe(|| children.next())).is_err() {
                    panics += 1;
                }
                assert_eq!(children.len(), left);
            }
            // Those behind it may have been skipped for it.
            assert!(panics >= 1);
            assert_eq!(children.next(), None);
        });
    });
}

/// By its name, in a field.
struct Stored<'scope>(ByCompletion<'scope, usize>);

#[test]
fn by_completion_is_stored_and_dropped_early() {
    on_every_pool(|pool| {
        let ran = AtomicUsize::new(0);
        pool.nursery(|n| {
            let count = |i: usize| {
                ran.fetch_add(1, Ordering::Relaxed);
                i
            };
            let mut stored = Stored(n.spawn_each(0..100, count).by_completion());
            assert!(stored.0.next().is_some());
        });
        assert_eq!(ran.into_inner(), 100);
    });
}

/// A thread that waits for any child claims a child and runs it. Another child may have ended meanwhile, and
/// is taken first; then the claimed child has ended, is still queued, and nobody joins it.
#[test]
fn l2_a_child_that_was_claimed_and_is_not_joined_is_dropped() {
    on_pool(Pool::builder().threads(2), |pool| {
        let values = &Ledger::default();
        let gates: [Gate; 4] = Default::default();
        let [is_first_started, is_last_started, is_first_over, is_dropped] = &gates;
        pool.nursery(|n| {
            // Who spawns hands over what others ask for.
            let wait_for = move |gate: &Gate| {
                while !gate.is_open() {
                    n.spawn(|| {});
                    std::thread::yield_now();
                }
            };
            // From in here they are anybody's, and are not run while this one waits for them.
            hatchery::nursery(|_| {
                let items = (0..2).inspect(|i| {
                    if *i == 1 {
                        // Queued between the two.
                        n.spawn(|| {
                            is_first_over.open();
                            is_dropped.wait();
                        });
                    }
                });
                let children = n.spawn_each(items, move |i| {
                    if i == 0 {
                        is_first_started.open();
                        is_last_started.wait();
                    } else {
                        is_last_started.open();
                        wait_for(is_first_over);
                    }
                    values.entry::<8>()
                });
                wait_for(is_first_started);
                drop(children.by_completion().next());
                is_dropped.open();
            });
        });
        values.is_balanced(2);
    });
}
