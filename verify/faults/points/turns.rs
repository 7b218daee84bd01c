//! What a thread exposes when it is the turn of others.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::Watch;
use crate::platform::failpoint::{Failpoint, Plan};
use crate::{Nursery, Options, Pool, block_in_place, nursery};

/// Many times as many children as a thread begins before it looks whether it is the turn of others.
const RESPAWNS: u32 = 1000;

fn respawn<'scope>(n: &'scope Nursery<'scope, '_>, left: u32) {
    if left > 0 {
        n.spawn(move || respawn(n, left - 1));
    }
}

/// What a child's nursery holds is exposed for something in line that may run below it, and not for
/// the child's sibling.
#[test]
fn a_line_with_nothing_below_a_nursery_has_it_expose_nothing() {
    // Whether the home holds the sibling back, and has given its place up since. Until then more threads
    // compute than the pool has places, and the worker exposes what it has in order to stand down.
    static IS_HELD_BACK: AtomicBool = AtomicBool::new(false);
    static HAS_PARKED: AtomicBool = AtomicBool::new(false);
    let plan = Plan::new(|point, _| match point {
        Failpoint::PermitHeldBack => IS_HELD_BACK.store(true, Ordering::Relaxed),
        Failpoint::PlaceGivenUp if IS_HELD_BACK.load(Ordering::Relaxed) => {
            HAS_PARKED.store(true, Ordering::Relaxed);
        }
        _ => {}
    });
    let test = move || {
        plan.adopt();
        let pool = Pool::builder().threads(1).build().unwrap();
        let has_begun = &AtomicUsize::new(0);
        let wait_for = |has_come: &dyn Fn() -> bool| {
            while !has_come() {
                thread::yield_now();
            }
        };
        let limited = Options::new().limit(1).pool(&pool);
        limited.nursery(|n| {
            n.spawn(move || {
                has_begun.store(1, Ordering::Relaxed);
                wait_for(&|| HAS_PARKED.load(Ordering::Relaxed));
                nursery(|inner| {
                    inner.spawn(|| respawn(inner, RESPAWNS));
                    inner.spawn(|| ());
                    let before = plan.hits(Failpoint::RunExposed);
                    inner.spawn(|| ()).join();
                    assert_eq!(plan.hits(Failpoint::RunExposed), before);
                });
            });
            // The worker takes it, and this thread takes the sibling, which finds no permit.
            block_in_place(|| wait_for(&|| has_begun.load(Ordering::Relaxed) > 0));
            n.spawn(|| ());
        });
    };
    Watch::default().during(|| thread::spawn(test).join().unwrap());
}
