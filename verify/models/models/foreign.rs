//! Spawning from elsewhere: who does so holds a unit of the count, directly or by way of a nursery
//! further in, so that it is not zero in between.

use std::sync::Arc;

use loom::thread;

use super::nursery::Nursery;
use super::runs::Pool;
use super::{exhaustively, twins, within_bounds};
use crate::task::list::PendingList;

const HOME: usize = 0;
const WORKER: usize = 1;
const OTHER: usize = 2;

/// The body ends while a child that a worker runs spawns another one, which nobody joins. It lies in
/// memory of its own, which goes with it.
#[test]
fn foreign_spawn_keeps_the_nursery_open_while_its_body_ends() {
    exhaustively(|| {
        let pool = Pool::new(2, 0);
        let nursery = Nursery::new(&pool.seat(HOME), 1);
        nursery.count.add(1);
        let worker = pool.seat(WORKER);
        let worker = {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || {
                let (child, handle) = nursery.spawn_single(0);
                assert!(handle.abandon_in_private().is_ok());
                worker.spawn_elsewhere(&nursery, child);
                worker.release(&nursery);
            })
        };
        pool.seat(HOME).wait_for_end(&nursery, &PendingList::new());
        nursery.end();
        worker.join().unwrap();
    });
}

/// A child of the nursery has opened another one, whose child spawns into the first: it has no unit of
/// that itself.
#[test]
fn foreign_spawn_from_further_in_keeps_the_nursery_open() {
    within_bounds(|| {
        let pool = Pool::new(3, 0);
        let outer = Nursery::new(&pool.seat(HOME), 1);
        let inner = Nursery::new(&pool.seat(WORKER), 1);
        // A run of each is taken.
        outer.count.add(1);
        let home_of_inner = pool.seat(WORKER);
        home_of_inner.expose(&inner, PendingList::of(inner.spawn_unjoined(0)));
        let other = pool.seat(OTHER);
        let taken = other.steal(WORKER).expect("exposed");
        let other = {
            let outer = Arc::clone(&outer);
            thread::spawn(move || {
                let (child, handle) = outer.spawn_single(0);
                assert!(handle.abandon_in_private().is_ok());
                other.spawn_elsewhere(&outer, child);
                other.execute(taken);
            })
        };
        let worker = {
            let (outer, inner) = (Arc::clone(&outer), Arc::clone(&inner));
            thread::spawn(move || {
                home_of_inner.wait_for_end(&inner, &PendingList::new());
                inner.close();
                home_of_inner.release(&outer);
            })
        };
        pool.seat(HOME).wait_for_end(&outer, &PendingList::new());
        outer.end();
        other.join().unwrap();
        worker.join().unwrap();
    });
}

twins! {
    foreign_spawn_keeps_the_nursery_open_while_its_body_ends {
        it_is_visible_before_it_is_counted: step("a stray is visible before it is counted")
            => Race;
        it_is_not_counted: skipped("protocol/count.rs", "add", "fetch_add")
            => Says("every child has run");
    }
    foreign_spawn_from_further_in_keeps_the_nursery_open {
        it_is_visible_before_it_is_counted: step("a stray is visible before it is counted")
            => Race;
        what_was_spawned_from_further_in_is_not_published:
            relaxed("protocol/count.rs", "release", "fetch_sub") => Race;
    }
}
