//! Children that block, and wait for each other.

use hatchery::{Pool, block_in_place};
use shuttle::sync::mpsc;

use crate::common::{Ledger, pause, pool};
use crate::explore::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "blocking_children",
        share: 80,
        play: blocking_children,
    },
    Scenario {
        name: "blocking_children_talk",
        share: 80,
        play: blocking_children_talk,
    },
    Scenario {
        name: "blocking_without_side_threads",
        share: 80,
        play: without_side_threads,
    },
    Scenario {
        name: "blocking_in_place",
        share: 80,
        play: blocking_in_place,
    },
    Scenario {
        name: "blocking_in_place_in_a_child",
        share: 60,
        play: blocking_in_place_in_a_child,
    },
    Scenario {
        name: "blocking_in_place_again",
        share: 120,
        play: blocking_in_place_again,
    },
];

fn blocking_children() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let sum: u32 = pool.nursery(|n| {
        let children = [1, 2, 3].map(|i| {
            let value = ledger.value();
            n.spawn_blocking(move || {
                pause();
                let more = hatchery::nursery(|n| n.spawn(move || i).join());
                (more, value)
            })
        });
        n.spawn(pause);
        children.into_iter().map(|child| child.join().0).sum()
    });
    ledger.check(3);
    assert_eq!(sum, 6);
}

/// One waits for what the other sends, and the body for both.
fn blocking_children_talk() {
    let ledger = Ledger::default();
    let pool = pool(1);
    let received = pool.nursery(|n| {
        let (sender, receiver) = mpsc::channel();
        let (back, answers) = mpsc::channel();
        let value = ledger.value();
        n.spawn_blocking(move || {
            for number in receiver {
                back.send(number * 2).expect("somebody listens");
            }
            drop(value);
        });
        let asking = n.spawn_blocking(move || {
            sender.send(1).expect("somebody listens");
            let first: u32 = answers.recv().expect("an answer");
            sender.send(first + 1).expect("somebody listens");
            answers.recv().expect("an answer")
        });
        asking.join()
    });
    ledger.check(1);
    assert_eq!(received, 6);
}

/// Whoever waits runs them.
fn without_side_threads() {
    let ledger = Ledger::default();
    let built = Pool::builder().threads(2).blocking_threads(0).build();
    let pool = built.expect("a pool");
    let sum = pool.nursery(|n| {
        let (a, b) = (ledger.value(), ledger.value());
        let first = n.spawn_blocking(move || (1, a));
        let other = n.spawn(move || n.spawn_blocking(move || (2, b)).join().0);
        other.join() + first.join().0
    });
    ledger.check(2);
    assert_eq!(sum, 3);
}

fn blocking_in_place() {
    let ledger = Ledger::default();
    let pool = pool(1);
    let sum = pool.nursery(|n| {
        let (sender, receiver) = mpsc::channel();
        let value = ledger.value();
        n.spawn(move || {
            drop(value);
            sender.send(20)
        });
        let received: u32 = block_in_place(|| receiver.recv().expect("a number"));
        received + 1
    });
    ledger.check(1);
    assert_eq!(sum, 21);
}

/// A worker blocks, and what it waits for comes from a child that nobody but a spare can run, or the body.
fn blocking_in_place_in_a_child() {
    let ledger = Ledger::default();
    let pool = pool(1);
    let sum: u32 = pool.nursery(|n| {
        let ledger = &ledger;
        let children = [1, 2].map(|i| {
            n.spawn(move || {
                let (sender, receiver) = mpsc::channel();
                let value = ledger.value();
                n.spawn(move || {
                    drop(value);
                    sender.send(i)
                });
                block_in_place(|| receiver.recv().expect("a number"))
            })
        });
        children.into_iter().map(|child| child.join()).sum()
    });
    ledger.check(2);
    assert_eq!(sum, 3);
}

/// So that workers go to sleep and have to be woken, or the body waits for ever.
fn blocking_in_place_again() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let sum = pool.nursery(|n| {
        let (sender, receiver) = mpsc::channel();
        let mut sum = 0;
        for i in 1..=4 {
            let (value, sender) = (ledger.value(), sender.clone());
            n.spawn(move || {
                drop(value);
                sender.send(i)
            });
            sum += block_in_place(|| receiver.recv().expect("a number"));
        }
        sum
    });
    ledger.check(4);
    assert_eq!(sum, 10);
}
