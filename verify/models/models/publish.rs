//! Publishing a run while a thief looks, and taking it back at home.

use loom::sync::Arc;
use loom::thread;

use super::nursery::Nursery;
use super::runs::{Pool, Thread};
use super::{exhaustively, idle, twins};
use crate::platform::planted;
use crate::platform::sync::atomic::Ordering;
use crate::task::list::PendingList;

const HOME: usize = 0;
const THIEF: usize = 1;

/// A thief that has asked, and looks once.
fn look_once(thief: &Thread) {
    if let Some(run) = thief.steal(HOME) {
        thief.execute(run);
    }
}

/// Each child is exposed at its spawn, or with the one after it.
#[test]
fn publish_a_run_is_stolen_or_taken_back() {
    exhaustively(|| {
        let pool = Pool::new(2, 1);
        pool.idle.search();
        let nursery = Nursery::new(&pool.seat(HOME), 2);
        let thief = pool.seat(THIEF);
        let thief = thread::spawn(move || look_once(&thief));
        let home = pool.seat(HOME);
        let list = PendingList::new();
        for index in 0..2 {
            list.push(nursery.spawn_unjoined(index));
            home.answer_request(&nursery, &list);
        }
        home.wait_for_end(&nursery, &list);
        nursery.close();
        thief.join().unwrap();
    });
}

/// A thread that has woken a worker gives once more, so that the run in the deque is not the last one.
#[test]
fn publish_what_is_given_twice_is_two_runs() {
    exhaustively(|| {
        let pool = Pool::new(2, 1);
        pool.idle.search();
        let nursery = Nursery::new(&pool.seat(HOME), 2);
        let home = pool.seat(HOME);
        let list = PendingList::new();
        for index in 0..2 {
            list.push(nursery.spawn_unjoined(index));
            home.answer_request(&nursery, &list);
            home.slot().requests.renew();
        }
        let thief = pool.seat(THIEF);
        let thief = thread::spawn(move || look_once(&thief));
        home.wait_for_end(&nursery, &list);
        nursery.close();
        thief.join().unwrap();
    });
}

/// The home shows each of two children; then it takes back what the thief has not taken, each in its place.
#[test]
fn publish_what_comes_back_stands_in_its_place() {
    exhaustively(|| {
        let pool = Pool::new(2, 1);
        let nursery = Nursery::new(&pool.seat(HOME), 2);
        let thief = pool.seat(THIEF);
        let home = pool.seat(HOME);
        let list = PendingList::new();
        let mut second = None;
        for index in 0..2 {
            list.push(nursery.spawn_unjoined(index));
            second = list.only();
            home.expose(&nursery, list.split_behind(0));
        }
        let thief = thread::spawn(move || look_once(&thief));
        home.take_back_next(&nursery, &list);
        if list.len() == 2 {
            home.run_next(&nursery, &list);
            assert!(list.only() == second, "in line");
        }
        home.wait_for_end(&nursery, &list);
        nursery.close();
        thief.join().unwrap();
    });
}

/// The home joins the child while the thief may take it.
#[test]
fn publish_a_child_is_claimed_by_its_handle_or_stolen() {
    exhaustively(|| {
        let pool = Pool::new(2, 1);
        pool.idle.search();
        let nursery = Nursery::new(&pool.seat(HOME), 1);
        let home = pool.seat(HOME);
        let list = PendingList::new();
        let (child, handle) = nursery.spawn(0);
        list.push(child);
        home.answer_request(&nursery, &list);
        let thief = pool.seat(THIEF);
        let thief = thread::spawn(move || look_once(&thief));
        if let Some(child) = handle.claim() {
            home.run_claimed(&nursery, child);
        }
        home.wait_for_end(&nursery, &list);
        assert_eq!(nursery.result(handle), 0);
        nursery.close();
        thief.join().unwrap();
    });
}

/// Who looks into its own deque hides a run for a moment: whoever goes to sleep then is woken.
#[test]
fn publish_what_is_put_back_is_seen() {
    exhaustively(|| {
        let pool = idle::Pool::new(2);
        pool.idle.take_place_anyway();
        pool.idle.take_place_anyway();
        pool.idle.search();
        pool.visible.store(1, Ordering::Relaxed);
        // As `Seat::pop` and `Seat::put_back`.
        assert!(pool.take());
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                pool.idle.announce(idle::SLEEPER, &*pool);
                pool.sleep();
                assert!(pool.take());
            })
        };
        if planted::step("nobody is woken for what is put back") {
            pool.visible.fetch_add(1, Ordering::Release);
        } else {
            pool.expose();
        }
        worker.join().unwrap();
    });
}

twins! {
    publish_a_run_is_stolen_or_taken_back {
        a_run_is_pushed_without_its_contents: relaxed("door/deque.rs", "push", "fence") => Race;
        the_last_run_is_taken_by_both: split("door/deque.rs", "pop", "compare_exchange")
            => Race;
        whom_to_wake_is_looked_up_after_the_release:
            step("whom to wake is looked up after the release") => Race;
    }
    publish_what_is_given_twice_is_two_runs {
        the_end_is_not_waited_for: step("the home does not wait for what was stolen") => Race;
        the_oldest_run_is_taken_by_both: split("door/deque.rs", "steal", "compare_exchange")
            => Race;
    }
    publish_what_comes_back_stands_in_its_place {
        the_newest_comes_first: step("what was shown last comes back first") => Says("in line");
    }
    publish_a_child_is_claimed_by_its_handle_or_stolen {
        a_shared_child_is_not_marked: skipped("task/state.rs", "share", "store") => Race;
        a_claim_is_not_one_step: split("task/state.rs", "set", "fetch_or")
            => Race;
    }
    publish_what_is_put_back_is_seen {
        nobody_is_woken: step("nobody is woken for what is put back") => Deadlock;
    }
}
