//! Side threads that retire, and what their thread-locals do then.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;

use super::watched;
use crate::Pool;

fn side_threads(pool: &Pool) -> usize {
    let text = format!("{pool:?}");
    let count = text.split("side_threads: ").nth(1).expect("shown");
    let end = count.find(|c: char| !c.is_ascii_digit());
    count[..end.unwrap()].parse().unwrap()
}

#[test]
fn side_threads_retire_when_they_have_been_idle() {
    let pool = Pool::builder().threads(1).name("retire").build().unwrap();
    watched("retire", || {
        for _ in 0..3 {
            let here = Barrier::new(4);
            pool.nursery(|n| {
                for _ in 0..3 {
                    n.spawn_blocking(|| {
                        here.wait();
                    });
                }
                here.wait();
            });
            assert!(side_threads(&pool) <= 3);
            while side_threads(&pool) > 0 {
                thread::yield_now();
            }
        }
    });
}

#[test]
fn the_end_of_a_pool_waits_for_the_thread_locals_of_side_threads_that_have_retired() {
    struct Late(Arc<[AtomicBool; 3]>);
    impl Drop for Late {
        fn drop(&mut self) {
            let [has_begun, is_shut_down, has_ended] = &*self.0;
            has_begun.store(true, Ordering::Relaxed);
            // A pool that waits for this shuts down later; one that does not has time for it here.
            for _ in 0..10_000 {
                if is_shut_down.load(Ordering::Relaxed) {
                    return;
                }
                thread::yield_now();
            }
            has_ended.store(true, Ordering::Relaxed);
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    let pool = Pool::builder().threads(1).name("late").build().unwrap();
    let flags = Arc::<[AtomicBool; 3]>::default();
    let runs = AtomicUsize::new(0);
    watched("late", || {
        let late = Late(Arc::clone(&flags));
        pool.nursery(|n| n.spawn_blocking(move || LATE.set(Some(late))).join());
        while !flags[0].load(Ordering::Relaxed) {
            thread::yield_now();
        }
        // The start of another side thread lets go of those that are over.
        pool.nursery(|n| {
            n.spawn_blocking(|| runs.fetch_add(1, Ordering::Relaxed))
                .join()
        });
        pool.shutdown();
        flags[1].store(true, Ordering::Relaxed);
    });
    assert!(flags[2].load(Ordering::Relaxed));
}

/// Its thread-locals hold the last handle, and drop it when the exit hook has been called.
#[test]
fn l1_no_hook_is_alive_when_a_thread_local_of_a_side_thread_has_dropped_its_pool() {
    struct Last(Option<Arc<Pool>>, Arc<()>, Sender<usize>);
    impl Drop for Last {
        fn drop(&mut self) {
            let pool = self.0.take().expect("dropped once");
            // The side thread may retire before the test has dropped its handle.
            while Arc::strong_count(&pool) > 1 {
                thread::yield_now();
            }
            drop(pool);
            let _ = self.2.send(Arc::strong_count(&self.1));
        }
    }
    thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });
    let captured = Arc::new(());
    let [at_start, at_exit] = [(); 2].map(|()| Arc::clone(&captured));
    let builder = Pool::builder()
        .threads(2)
        .on_thread_start(move |_| _ = &at_start)
        .on_thread_exit(move |_| _ = &at_exit);
    let pool = Arc::new(builder.build().unwrap());
    let (sender, receiver) = channel();
    watched("last", || {
        let last = Last(Some(Arc::clone(&pool)), Arc::clone(&captured), sender);
        pool.nursery(|n| {
            n.spawn(|| ());
            n.spawn_blocking(move || LAST.set(Some(last)));
        });
        drop(pool);
        assert_eq!(receiver.recv(), Ok(2), "this one, and that in `Last`");
    });
}
