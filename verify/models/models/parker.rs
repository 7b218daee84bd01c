//! The parker: no token is lost, and what was done before it is seen.

use crate::platform::sync::atomic::{AtomicBool, Ordering};
use loom::sync::Arc;
use loom::thread;

use super::{Memory, exhaustively, twins, within_bounds};
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

/// A time that is up at once, and an unpark that comes at the last moment: it leaves its token, or
/// is noticed.
#[test]
fn parker_whose_time_is_up_loses_no_token() {
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
        if !shared.parker.park_unless(|_, gate| drop(gate)) {
            shared.parker.park();
        }
        assert_eq!(shared.data.read(), 1);
        waker.join().unwrap();
    });
}

/// One that wakes up without reason goes on waiting.
#[test]
fn parker_that_wakes_up_without_reason_waits_on() {
    within_bounds(|| {
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
        let nobody = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.parker.ring())
        };
        shared.parker.park();
        assert_eq!(shared.data.read(), 1);
        waker.join().unwrap();
        nobody.join().unwrap();
    });
}

/// Two tokens before the owner looks are one, and none is left behind.
#[test]
fn parker_keeps_one_token_of_two() {
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
                shared.parker.unpark();
            })
        };
        shared.parker.park();
        assert_eq!(shared.data.read(), 1);
        waker.join().unwrap();
        shared.parker.unpark();
        shared.parker.park();
        let has_token = shared.parker.park_unless(|_, gate| drop(gate));
        assert!(!has_token, "no token is left");
    });
}

twins! {
    parker_loses_no_token {
        the_waker_publishes_nothing: relaxed("platform/parker.rs", "unpark", "swap") => Race;
        the_owner_acquires_nothing: relaxed("platform/parker.rs", "take_token", "compare_exchange") => Race;
        the_waker_overwrites_who_parks: split("platform/parker.rs", "unpark", "swap") => Deadlock;
        the_owner_parks_over_a_token: split("platform/parker.rs", "park", ".compare_exchange") => Deadlock;
    }
    parker_passes_on_what_two_wakers_did {
        a_later_token_is_taken_unseen: relaxed("platform/parker.rs", "park", "swap") => Deadlock;
    }
    parker_whose_time_is_up_loses_no_token {
        a_late_token_is_taken_unseen: relaxed("platform/parker.rs", "park_unless", "swap") => Race;
        a_late_token_is_lost: split("platform/parker.rs", "park_unless", "swap") => Deadlock;
    }
    parker_that_wakes_up_without_reason_waits_on {
        it_takes_what_is_not_there: split("platform/parker.rs", "unpark", "swap") => Deadlock;
    }
    parker_keeps_one_token_of_two {
        it_keeps_them: skipped("platform/parker.rs", "take_token", "compare_exchange") => Says("no token is left");
    }
}
