//! Joining a fork: while nobody asks it is a plain call; asked, it becomes a nursery with one child in
//! its caller's frame, which goes away as soon as both sides are done.

use loom::thread;

use super::nursery::Nursery;
use super::runs::{Fork, Pool, Thread};
use super::{exhaustively, twins};
use crate::platform::planted;

const HOME: usize = 0;
const THIEF: usize = 1;

/// A thief that asks, and then looks.
fn ask_and_look(thief: &Thread) {
    thief.pool.ask(HOME);
    if let Some(run) = thief.steal(HOME) {
        thief.execute(run);
    }
}

#[test]
fn fork_is_called_or_taken_back_or_stolen() {
    exhaustively(|| {
        let pool = Pool::new(2, 1);
        pool.idle.search();
        pool.slots[HOME].requests.clear();
        let nursery = Nursery::new(&pool.seat(HOME), 1);
        let thief = pool.seat(THIEF);
        let thief = thread::spawn(move || ask_and_look(&thief));
        let home = pool.seat(HOME);
        let fork = Fork::new(&nursery);
        // Before the first closure, and in it.
        for _ in 0..2 {
            fork.answer_request(&home);
        }
        assert_eq!(fork.second(&home), 0);
        nursery.end();
        thief.join().unwrap();
    });
}

/// Two forks, one in the other, are given away at once, the outer one first: a waiter finds its own
/// among the newest.
#[test]
fn fork_rows_come_back_from_the_inside() {
    exhaustively(|| {
        let pool = Pool::new(2, 1);
        pool.idle.search();
        let nurseries = [
            Nursery::new(&pool.seat(HOME), 1),
            Nursery::new(&pool.seat(HOME), 1),
        ];
        let home = pool.seat(HOME);
        let [outer, inner] = nurseries.each_ref().map(Fork::new);
        let thief = pool.seat(THIEF);
        let thief = thread::spawn(move || ask_and_look(&thief));
        if planted::step("the inner fork is shown before the outer one") {
            inner.show(&home);
            outer.show(&home);
        } else {
            outer.show(&home);
            inner.show(&home);
        }
        assert_eq!(inner.second(&home), 0);
        nurseries[1].end();
        assert_eq!(outer.second(&home), 0);
        nurseries[0].end();
        thief.join().unwrap();
        assert!(!home.shares());
    });
}

twins! {
    fork_is_called_or_taken_back_or_stolen {
        the_frame_ends_with_its_child: step("a fork is over once its child has ended") => Race;
        the_result_is_not_published: relaxed("protocol/count.rs", "get", "load")
            => Says("waited for");
        whom_to_wake_is_looked_up_after_the_release:
            step("whom to wake is looked up after the release") => Race;
    }
    fork_rows_come_back_from_the_inside {
        the_inner_one_is_shown_first: step("the inner fork is shown before the outer one")
            => Deadlock;
    }
}
