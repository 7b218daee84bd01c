//! The parker: no token is lost, and what was done before it is seen.

use loom::sync::Arc;
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
fn parker_takes_one_of_two_tokens_or_both_as_one() {
    within_bounds(|| {
        let parker = Arc::new(Parker::new());
        let wakers = [(); 2].map(|()| {
            let parker = Arc::clone(&parker);
            thread::spawn(move || parker.unpark())
        });
        parker.park();
        for waker in wakers {
            waker.join().unwrap();
        }
        // Whatever became of the second one: a new token ends a new wait.
        parker.unpark();
        parker.park();
    });
}
