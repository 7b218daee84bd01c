//! Splitting a stolen run: its thief shares the newer half of the rest.

use std::sync::Arc;

use loom::thread;

use super::nursery::Nursery;
use super::runs::{Pool, Thread};
use super::{exhaustively, twins, within_bounds};
use crate::task::list::PendingList;

const HOME: usize = 0;
const THIEF: usize = 1;
const OTHER: usize = 2;

/// A home whose children are all in one run, which the thief has taken.
fn stolen(pool: &Arc<Pool>, nursery: &Arc<Nursery>, list: PendingList) -> thread::JoinHandle<()> {
    pool.idle.search();
    pool.seat(HOME).expose(nursery, list);
    let thief = pool.seat(THIEF);
    let run = thief.steal(HOME).expect("exposed");
    thread::spawn(move || {
        thief.execute(run);
        // As a worker does next.
        if let Some(run) = thief.pop() {
            thief.execute(run);
        }
    })
}

fn other(pool: &Arc<Pool>) -> thread::JoinHandle<()> {
    let other = pool.seat(OTHER);
    let rob = |other: &Thread| other.steal(THIEF).map(|run| other.execute(run));
    thread::spawn(move || _ = rob(&other))
}

/// Whoever runs the other half may be done before the thief is, and after it.
#[test]
fn split_run_keeps_the_nursery_open() {
    within_bounds(|| {
        let pool = Pool::new(3, 2);
        let nursery = Nursery::new(&pool.seat(HOME), 2);
        let list = PendingList::of(nursery.spawn_unjoined(0));
        list.push(nursery.spawn_unjoined(1));
        let thief = stolen(&pool, &nursery, list);
        let other = other(&pool);
        pool.seat(HOME).wait_for_end(&nursery, &PendingList::new());
        nursery.close();
        thief.join().unwrap();
        other.join().unwrap();
    });
}

/// The home claims a child by its handle while the thief shares it a second time, and then
/// takes it back itself.
#[test]
fn split_child_is_claimed_by_its_handle_or_stolen_again() {
    exhaustively(|| {
        let pool = Pool::new(2, 2);
        let nursery = Nursery::new(&pool.seat(HOME), 2);
        let list = PendingList::of(nursery.spawn_unjoined(0));
        let (child, handle) = nursery.spawn(1);
        list.push(child);
        let thief = stolen(&pool, &nursery, list);
        let home = pool.seat(HOME);
        let list = PendingList::new();
        if let Some(child) = handle.claim() {
            home.run_claimed(&nursery, child);
        }
        home.wait_for_end(&nursery, &list);
        assert_eq!(nursery.result(handle), 1);
        nursery.close();
        thief.join().unwrap();
    });
}

twins! {
    split_run_keeps_the_nursery_open {
        the_half_is_visible_before_it_is_counted: step("a run is visible before it is counted")
            => Says("every child has run");
        a_half_is_not_counted: skipped("protocol/count.rs", "add", "fetch_add")
            => Says("every child has run");
        what_the_first_half_did_is_not_published:
            relaxed("protocol/count.rs", "release", "fetch_sub") => Race;
    }
    split_child_is_claimed_by_its_handle_or_stolen_again {
        a_claim_is_not_one_step: split("task/state.rs", "set", "fetch_or")
            => Race;
    }
}
