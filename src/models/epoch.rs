//! The epoch of cancellations: no stale answer after a cancellation that is known of.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::within_bounds;
use crate::engine::epoch::{CleanAt, Epoch};

struct Nursery {
    outer_is_cancelled: AtomicBool,
    epoch: Epoch,
    clean_at: CleanAt,
}

impl Nursery {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            outer_is_cancelled: AtomicBool::new(false),
            epoch: Epoch::new(),
            clean_at: CleanAt::new(),
        })
    }

    fn cancel(&self) {
        self.outer_is_cancelled.store(true, Ordering::Relaxed);
        self.epoch.advance();
    }

    fn is_cancelled(&self) -> bool {
        let epoch = self.epoch.now();
        if self.clean_at.is(epoch) {
            return false;
        }
        if self.outer_is_cancelled.load(Ordering::Relaxed) {
            return true;
        }
        self.clean_at.set(epoch);
        false
    }
}

#[test]
fn epoch_whoever_knows_of_a_cancellation_is_told_of_it() {
    within_bounds(|| {
        let nursery = Nursery::new();
        let is_known = Arc::new(AtomicBool::new(false));
        let canceller = {
            let (nursery, is_known) = (Arc::clone(&nursery), Arc::clone(&is_known));
            thread::spawn(move || {
                nursery.cancel();
                is_known.store(true, Ordering::Release);
            })
        };
        let sibling = {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || nursery.is_cancelled())
        };
        nursery.is_cancelled();
        if is_known.load(Ordering::Acquire) {
            assert!(nursery.is_cancelled());
        }
        canceller.join().unwrap();
        let knew = sibling.join().unwrap();
        assert!(nursery.is_cancelled() || !knew);
    });
}
