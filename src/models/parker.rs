//! The parker: no token is lost, and what was done before it is seen.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::{Memory, exhaustively, within_bounds};
use crate::platform::parker::Parker;

struct Shared {
    parker: Parker,
    data: Memory<u32>,
}

#[test]
fn parker_loses_no_token() {
    exhaustively(|| {
        let shared = Arc::new(Shared {
            parker: Parker::new(),
            data: Memory::new(0),
        });
        let waker = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.data.write(1);
                shared.parker.unpark();
            })
        };
        shared.parker.park();
        assert_eq!(shared.data.read(), 1);
        waker.join().unwrap();
    });
}

#[test]
fn parker_passes_on_what_two_wakers_did() {
    within_bounds(|| {
        let shared = Arc::new((
            Parker::new(),
            [AtomicBool::new(false), AtomicBool::new(false)],
        ));
        let wakers = [0, 1].map(|index| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (parker, done) = &*shared;
                done[index].store(true, Ordering::Relaxed);
                parker.unpark();
            })
        });
        let (parker, done) = &*shared;
        // A token taken without its waker's news would leave this waiting for ever.
        while !done.iter().all(|done| done.load(Ordering::Relaxed)) {
            parker.park();
        }
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}
