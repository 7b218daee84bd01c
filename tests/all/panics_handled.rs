//! Law E6, where panics are handled: nobody is left in doubt about what they have kept from running.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{number_of, on_every_pool, on_no_worker, payload_of, raise};
use hatchery::Nursery;

/// The ways to leave a sibling behind that is skipped, how many they leave, and what a joiner may do.
type Leave = for<'s> fn(&'s Nursery<'s, '_>, &'s AtomicUsize);

const LEAVES: [(u32, Leave); 7] = [
    (1, |n, ran| drop(n.spawn(|| count(ran)))),
    (1, |n, ran| drop(n.spawn_blocking(|| count(ran)))),
    (1, |n, ran| std::mem::forget(n.spawn(|| count(ran)))),
    (9, |n, ran| drop(n.spawn_each(0..9, |_| count(ran)))),
    (9, |n, ran| {
        std::mem::forget(n.spawn_each(0..9, |_| count(ran)));
    }),
    // Those that were joined are not among them.
    (8, |n, ran| {
        let mut each = n.spawn_each(0..9, |_| count(ran));
        payload_of(|| each.next());
    }),
    (2, |n, ran| {
        let completed = n.spawn_each(0..3, |_| count(ran)).by_completion();
        let mut completed = completed;
        payload_of(|| completed.next());
    }),
];

fn count(ran: &AtomicUsize) {
    ran.fetch_add(1, Ordering::Relaxed);
}

/// The text of the panic that `f` ends with.
fn text_of<R>(f: impl FnOnce() -> R) -> String {
    let payload = payload_of(f);
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast().ok().map(|text| *text))
        .expect("a message")
}

#[test]
fn e6_a_handled_panic_does_not_hide_what_was_skipped() {
    on_every_pool(|pool| {
        for (skipped, leave) in LEAVES {
            let ran = AtomicUsize::new(0);
            let text = text_of(|| {
                pool.nursery(|n| {
                    let culprit = n.spawn(|| -> () { raise(1) });
                    assert_eq!(number_of(|| culprit.join()), 1);
                    leave(n, &ran);
                    5
                })
            });
            let were = if skipped == 1 {
                "child was"
            } else {
                "children were"
            };
            assert!(
                text.starts_with(&format!("{skipped} {were} dropped unrun")),
                "{text}"
            );
            assert_eq!(ran.into_inner(), 0);
        }
    });
}

#[test]
fn e6_what_a_child_has_skipped_by_handling_a_panic_is_said_too() {
    on_no_worker(|pool| {
        let text = text_of(|| {
            pool.nursery(|n| {
                let child = n.spawn(|| {
                    let culprit = n.spawn(|| -> () { raise(1) });
                    assert_eq!(number_of(|| culprit.join()), 1);
                    n.spawn(|| ());
                });
                n.spawn(|| ());
                child.join();
            });
        });
        assert!(text.starts_with("2 children were dropped unrun"), "{text}");
    });
}

#[test]
fn e6_a_child_that_a_skipped_one_took_along_is_not_lost() {
    on_no_worker(|pool| {
        let text = text_of(|| {
            pool.nursery(|n| {
                n.spawn(|| {
                    let culprit = n.spawn(|| -> () { raise(1) });
                    let skipped = n.spawn(|| 7);
                    assert_eq!(number_of(|| culprit.join()), 1);
                    skipped.join()
                });
            });
        });
        assert!(
            text.starts_with("joined a child that was skipped"),
            "{text}"
        );
    });
}

#[test]
fn e6_whoever_was_told_of_all_that_was_skipped_comes_to_a_value() {
    on_no_worker(|pool| {
        // Skipped ones are joined, each by itself or as items; a destructor panics instead of one.
        let five = pool.nursery(|n| {
            let culprit = n.spawn(|| -> () { raise(1) });
            let skipped = n.spawn(|| 7);
            let bomb = Bomb(2);
            let with_bomb = n.spawn(move || drop(bomb));
            let mut each = n.spawn_each([Some(Bomb(3)), None, None], drop);
            assert_eq!(number_of(|| culprit.join()), 1);
            payload_of(|| skipped.join());
            assert_eq!(number_of(|| with_bomb.join()), 2);
            assert_eq!(number_of(|| each.next()), 3);
            payload_of(|| each.next());
            payload_of(|| each.next());
            5
        });
        assert_eq!(five, 5);
        // Under `Continue` a panic skips nothing.
        let ran = &AtomicUsize::new(0);
        let options = hatchery::Options::new().on_failure(hatchery::OnFailure::Continue);
        options.pool(pool).nursery(|n| {
            let culprit = n.spawn(|| -> () { raise(1) });
            n.spawn_each(0..9, |_| count(ran));
            assert_eq!(number_of(|| culprit.join()), 1);
        });
        assert_eq!(ran.load(Ordering::Relaxed), 9);
    });
}

/// Panics with its number when it is dropped.
struct Bomb(usize);

impl Drop for Bomb {
    fn drop(&mut self) {
        raise(self.0);
    }
}
