//! Leapfrogging: a waiter asks the thread that took its children for some of what that holds.

use std::sync::Arc;

use loom::thread;

use super::nursery::Nursery;
use super::runs::Pool;
use super::{exhaustively, twins};
use crate::task::list::PendingList;

const HOME: usize = 0;
const RUNNER: usize = 1;

/// A nursery of two children, both of which the runner has taken along, and about to run.
fn taken(pool: &Arc<Pool>) -> (Arc<Nursery>, PendingList) {
    let nursery = Nursery::new(&pool.seat(HOME), 2);
    let list = PendingList::of(nursery.spawn_unjoined(0));
    list.push(nursery.spawn_unjoined(1));
    list.share(0);
    nursery.count.add(1);
    pool.slots[RUNNER].requests.clear();
    (nursery, list)
}

/// The waiter has asked; the runner shows one of the two, and is busy with the other one for ever, or
/// until it is done.
#[test]
fn leapfrog_waiter_is_woken_for_what_is_shown() {
    exhaustively(|| {
        let pool = Pool::new(2, 0);
        let (nursery, children) = taken(&pool);
        let home = pool.seat(HOME);
        pool.slots[RUNNER].requests.ask_as(home.slot());
        let runner = pool.seat(RUNNER);
        let runner = {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || {
                runner.answer_request(&nursery, &children);
                runner.drain(&nursery, &children);
                runner.release(&nursery);
            })
        };
        let list = PendingList::new();
        // As `Seat::wait`, with one look before each park.
        loop {
            home.drain(&nursery, &list);
            if nursery.count.is_zero() {
                break;
            }
            match home.steal(RUNNER) {
                Some(run) => run.take_back(&home, &list),
                None => home.slot().parker.park(),
            }
        }
        nursery.close();
        runner.join().unwrap();
    });
}

/// A request that is made while the runner takes back an earlier one is answered, or stands.
#[test]
fn leapfrog_request_is_answered_or_stands() {
    exhaustively(|| {
        let pool = Pool::new(2, 0);
        let (nursery, children) = taken(&pool);
        pool.slots[RUNNER].requests.arm();
        let runner = pool.seat(RUNNER);
        let runner = {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || {
                runner.answer_request(&nursery, &children);
                children
            })
        };
        let home = pool.seat(HOME);
        pool.slots[RUNNER].requests.ask_as(home.slot());
        let children = runner.join().unwrap();
        let is_answered = children.len() == 1;
        assert!(
            is_answered || pool.slots[RUNNER].requests.are_made(),
            "the request is lost"
        );
        if is_answered {
            // The waiter has been told.
            home.slot().parker.park();
        }
    });
}

/// The runner has gone on to a nursery of its own: what is stolen of that goes where it looks.
#[test]
fn leapfrog_what_is_not_below_is_not_lost() {
    exhaustively(|| {
        let pool = Pool::new(2, 0);
        let own = Nursery::new(&pool.seat(HOME), 0);
        let other = Nursery::new(&pool.seat(RUNNER), 1);
        let runner = pool.seat(RUNNER);
        runner.expose(&other, PendingList::of(other.spawn_unjoined(0)));
        let runner = thread::spawn(move || {
            runner.wait_for_end(&other, &PendingList::new());
            other.close();
        });
        let home = pool.seat(HOME);
        assert!(!home.leapfrog(&own, &PendingList::new(), RUNNER));
        runner.join().unwrap();
    });
}

twins! {
    leapfrog_waiter_is_woken_for_what_is_shown {
        the_waiter_is_not_told: step("the waiter is not told") => Deadlock;
        the_run_is_visible_before_it_is_counted: step("a run is visible before it is counted")
            => Says("every child has run");
    }
    leapfrog_request_is_answered_or_stands {
        a_request_counts_whose_word_is_not_seen: relaxed("protocol/requests.rs", "ask_as", "fence")
            => Says("the request is lost");
        the_waiter_is_not_told: step("the waiter is not told") => Deadlock;
    }
    leapfrog_what_is_not_below_is_not_lost {
        the_home_is_told_too_early: step("the home is told before the stray is there")
            => Deadlock;
    }
}
