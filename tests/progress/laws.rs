//! Laws S10 and S11, each as one small program. They assert no time: a watchdog says if one hangs.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::common::watched_for;
use hatchery::Pool;

const PATIENCE: Duration = Duration::from_secs(20);

/// Calls `f` with a pool of that many threads, first new and then used.
fn twice_on_a_pool_of(threads: usize, f: impl Fn(&Pool)) {
    let pool = Pool::builder().threads(threads).build().unwrap();
    for _ in 0..2 {
        watched_for(PATIENCE, [&pool], || f(&pool));
    }
}

/// It calls nothing of the pool until they have run.
#[test]
fn s10_children_start_while_their_spawner_computes() {
    twice_on_a_pool_of(2, |pool| {
        let ran = &AtomicUsize::new(0);
        pool.nursery(|n| {
            for _ in 0..3 {
                n.spawn(|| ran.fetch_add(1, Ordering::Relaxed));
            }
            let mut steps: u64 = 0;
            while ran.load(Ordering::Relaxed) < 3 {
                steps = black_box(steps + 1);
            }
        });
        assert_eq!(ran.load(Ordering::Relaxed), 3);
    });
}

/// First the body blocks, then a child that waits for the one behind it.
#[test]
fn s11_the_only_place_is_lent_while_its_thread_is_blocked() {
    twice_on_a_pool_of(1, |pool| {
        let (to_body, at_body) = channel();
        let (to_child, at_child) = channel();
        let received = pool.nursery(|n| {
            n.spawn(move || to_body.send(3).unwrap());
            let first: i32 = at_body.recv().unwrap();
            let receives = n.spawn(move || at_child.recv().unwrap());
            n.spawn(move || to_child.send(4).unwrap());
            first + receives.join()
        });
        assert_eq!(received, 7);
    });
}
