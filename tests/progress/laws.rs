//! Laws S10 and S11, each as one small program. They assert no time: a watchdog says if one hangs.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::common::watched_for;
use hatchery::{Options, Pool};

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

/// The items need dropping, so that many of them would take much memory; and they do not.
#[test]
fn s10_items_begin_while_an_iterator_without_an_end_is_pulled() {
    for threads in [1, 2] {
        twice_on_a_pool_of(threads, |pool| {
            let options = Options::new().pool(pool);
            let wins = |i: u64| if i == 3 { Ok(i) } else { Err(()) };
            assert_eq!(
                options
                    .race_each((0..).map(Box::new), |i| wins(*i))
                    .unwrap(),
                3
            );
            assert_eq!(options.race_each(0.., wins).unwrap(), 3);
        });
    }
}

/// The thread that pulls the items runs none of them: it holds a lock that they take.
#[test]
fn s10_a_caller_may_hold_a_lock_that_its_items_take() {
    for threads in [1, 2] {
        twice_on_a_pool_of(threads, |pool| {
            let sum = Mutex::new(0_u64);
            let items = 200_000;
            pool.nursery(|n| {
                let holds = sum.lock().unwrap();
                n.spawn_each((0..items).map(Box::new), |i| *sum.lock().unwrap() += *i);
                drop(holds);
            });
            assert_eq!(sum.into_inner().unwrap(), items * (items - 1) / 2);
        });
    }
}
