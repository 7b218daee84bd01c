//! Lending a place: what it costs when nobody needs it, and how soon somebody takes it.

use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::{Contender, Pools};

/// Calls in one child.
pub(crate) const CALLS: u64 = 1000;

/// A call that does not block, by itself and with the place lent meanwhile; nobody wants the place.
pub(crate) fn for_nothing(pools: &Pools) -> Vec<Contender<'_>> {
    let sum = |call: &dyn Fn(u64) -> u64| (0..CALLS).map(|i| call(black_box(i))).sum();
    vec![
        Contender::new("serial", move || sum(&|i| i + 1)).reference(),
        Contender::new("hatchery block_in_place", move || {
            pools.hatchery.nursery(|n| {
                n.spawn(move || sum(&|i| hatchery::block_in_place(|| i + 1)))
                    .join()
            })
        }),
    ]
}

/// Spawns a child and blocks until another thread has run it.
pub(crate) fn to_a_child(pools: &Pools) -> Vec<Contender<'_>> {
    fn link() -> (Sender<u64>, Receiver<u64>) {
        channel()
    }
    vec![
        Contender::new("std::thread::scope", || {
            let (sender, receiver) = link();
            thread::scope(|s| {
                s.spawn(move || sender.send(7));
                receiver.recv().expect("sent")
            })
        }),
        Contender::new("rayon in_place_scope", || {
            let (sender, receiver) = link();
            pools.rayon.in_place_scope(|s| {
                s.spawn(move |_| sender.send(7).expect("received"));
                receiver.recv().expect("sent")
            })
        }),
        Contender::new("hatchery block_in_place", || {
            let (sender, receiver) = link();
            pools.hatchery.nursery(|n| {
                n.spawn(move || sender.send(7));
                hatchery::block_in_place(|| receiver.recv()).expect("sent")
            })
        }),
    ]
}
