//! A body that spawns children and does not come back to them: others have to take them from it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::open::PAUSE;
use super::{Contender, Pools};

/// Children of the body.
pub(crate) const CHILDREN: usize = 100;

/// Contenders whose body waits until all children have written into a channel. What each gives is the time from
/// before the first spawn until the first child has begun, and until the last one has. The pools sleep before that.
pub(crate) fn contenders(pools: &Pools) -> Vec<Contender<'_>> {
    vec![
        Contender::values("std::thread::scope", || {
            let children = Children::after_a_pause();
            thread::scope(|s| {
                for _ in 0..CHILDREN {
                    s.spawn(children.child());
                }
                children.drained()
            })
        }),
        Contender::values("rayon in_place_scope", || {
            let children = Children::after_a_pause();
            pools.rayon.in_place_scope(|s| {
                for _ in 0..CHILDREN {
                    let child = children.child();
                    s.spawn(|_| child());
                }
                children.drained()
            })
        }),
        Contender::values("hatchery spawn", || {
            let children = Children::after_a_pause();
            pools.hatchery.nursery(|n| {
                for _ in 0..CHILDREN {
                    n.spawn(children.child());
                }
                children.drained()
            })
        }),
        // The body says that it blocks, so nobody has to find out.
        Contender::values("hatchery block_in_place", || {
            let children = Children::after_a_pause();
            pools.hatchery.nursery(|n| {
                for _ in 0..CHILDREN {
                    n.spawn(children.child());
                }
                hatchery::block_in_place(|| children.drained())
            })
        })
        .reference(),
    ]
}

/// The channel that the children write into when they begin.
struct Children {
    start: Instant,
    sender: Sender<Duration>,
    receiver: Receiver<Duration>,
}

impl Children {
    fn after_a_pause() -> Self {
        let (sender, receiver) = channel();
        thread::sleep(PAUSE);
        Self {
            start: Instant::now(),
            sender,
            receiver,
        }
    }

    /// What one child does.
    fn child(&self) -> impl FnOnce() + Send + use<> {
        let (start, sender) = (self.start, self.sender.clone());
        move || sender.send(start.elapsed()).expect("received")
    }

    /// When the first child has begun, and when the last one has, in nanoseconds.
    fn drained(&self) -> [f64; 2] {
        let mut begun: Vec<_> = self.receiver.iter().take(CHILDREN).collect();
        begun.sort();
        [begun[0], begun[CHILDREN - 1]].map(|time| time.as_secs_f64() * 1e9)
    }
}
