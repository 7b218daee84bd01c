//! Somebody waits for children that are further out, further in, or beside it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::host::{Handle, Host};

visible! {
    a_child_spawns_siblings_and_drains_what_they_send
    a_child_drains_what_the_children_of_its_own_scope_send
    the_body_of_an_inner_scope_drains_what_children_of_the_outer_one_send
    the_body_of_an_inner_scope_polls_a_child_of_the_outer_one
    each_child_in_its_turn_waits_for_the_forty_others
    each_eighth_child_in_its_turn_spins_until_the_forty_others_have_run
    #[ignore = "the items of a batch run one after the other"]
    each_item_in_its_turn_waits_for_the_forty_others
    a_body_waits_for_children_of_two_pools_that_it_has_open
    a_child_waits_for_children_of_another_pool_and_of_its_own
}

fn a_child_spawns_siblings_and_drains_what_they_send(host: Host<'_>) {
    let (sender, receiver) = channel();
    let sum: i32 = host.scope(|n| {
        let drains = n.spawn(move || {
            for i in 0..200 {
                let sender = sender.clone();
                n.spawn(move || sender.send(i).unwrap());
            }
            drop(sender);
            receiver.iter().sum()
        });
        drains.join()
    });
    assert_eq!(sum, (0..200).sum());
}

fn a_child_drains_what_the_children_of_its_own_scope_send(host: Host<'_>) {
    let drains = |further| {
        let (sender, receiver) = channel();
        host.scope(|n| {
            for i in 0..10 {
                let sender = sender.clone();
                n.spawn(move || sender.send(further + i).unwrap());
            }
            receiver.iter().take(10).sum::<i32>()
        })
    };
    // One after the other: of those that wait at once, each takes a place.
    let sums = (0..5).map(|i| host.scope(|n| n.spawn(move || drains(100 * i)).join()));
    assert!(sums.eq((0..5).map(|i| 1000 * i + 45)));
}

fn the_body_of_an_inner_scope_drains_what_children_of_the_outer_one_send(host: Host<'_>) {
    let (sender, receiver) = channel();
    host.scope(|outer| {
        for i in 0..10 {
            let sender = sender.clone();
            outer.spawn(move || sender.send(i).unwrap());
        }
        let sum = host.scope(|inner| {
            inner.spawn(|| sender.send(100).unwrap());
            receiver.iter().take(11).sum::<i32>()
        });
        assert_eq!(sum, 145);
    });
}

fn the_body_of_an_inner_scope_polls_a_child_of_the_outer_one(host: Host<'_>) {
    host.scope(|outer| {
        let child = outer.spawn(|| 7);
        host.scope(|_| {
            while !child.is_finished() {
                thread::yield_now();
            }
        });
        assert_eq!(child.join(), 7);
    });
}

const RUN: usize = 41;

/// Forty tell their numbers to the one at this place, which waits for all of them.
struct Waiting {
    place: usize,
    sender: Sender<usize>,
    receiver: Mutex<Receiver<usize>>,
}

impl Waiting {
    fn at(place: usize) -> Self {
        let (sender, receiver) = channel();
        let receiver = Mutex::new(receiver);
        Self {
            place,
            sender,
            receiver,
        }
    }

    fn child(&self, number: usize) -> usize {
        if number == self.place {
            let receiver = self.receiver.lock().unwrap();
            return receiver.iter().take(RUN - 1).sum();
        }
        self.sender.send(number).unwrap();
        number
    }

    fn is_right(&self, values: &[usize]) {
        let mut expected: Vec<_> = (0..RUN).collect();
        expected[self.place] = (0..RUN).sum::<usize>() - self.place;
        assert_eq!(values, expected);
    }
}

fn each_child_in_its_turn_waits_for_the_forty_others(host: Host<'_>) {
    for waiting in (0..RUN).map(Waiting::at) {
        let values: Vec<_> = host.scope(|n| {
            let waiting = &waiting;
            let child = |i| n.spawn(move || waiting.child(i));
            let children: Vec<_> = (0..RUN).map(child).collect();
            children.into_iter().map(Handle::join).collect()
        });
        waiting.is_right(&values);
    }
}

/// Items behind it in the same batch do not start before it ends.
fn each_item_in_its_turn_waits_for_the_forty_others(host: Host<'_>) {
    for waiting in (0..RUN).map(Waiting::at) {
        let values = host.scope(|n| n.each(0..RUN, |i| waiting.child(i)));
        waiting.is_right(&values);
    }
}

fn each_eighth_child_in_its_turn_spins_until_the_forty_others_have_run(host: Host<'_>) {
    // Not in each place: a thread that spins is found out after 100 ms of CPU time, which takes long on a busy machine.
    for place in (0..RUN).step_by(8) {
        let ran = &AtomicUsize::new(0);
        host.scope(|n| {
            for i in 0..RUN {
                n.spawn(move || {
                    while i == place && ran.load(Ordering::Relaxed) < RUN - 1 {
                        thread::yield_now();
                    }
                    ran.fetch_add(1, Ordering::Relaxed)
                });
            }
        });
        assert_eq!(ran.load(Ordering::Relaxed), RUN);
    }
}

fn a_body_waits_for_children_of_two_pools_that_it_has_open(host: Host<'_>) {
    let (sender, receiver) = channel();
    host.scope(|n| {
        host.other().scope(|m| {
            host.scope(|inner| {
                for i in 0..30 {
                    let sender = sender.clone();
                    let child = move || sender.send(i).unwrap();
                    match i % 3 {
                        0 => drop(n.spawn(child)),
                        1 => drop(m.spawn(child)),
                        _ => drop(inner.spawn(child)),
                    }
                }
                assert_eq!(receiver.iter().take(30).sum::<i32>(), (0..30).sum());
            });
        });
    });
}

fn a_child_waits_for_children_of_another_pool_and_of_its_own(host: Host<'_>) {
    let (sender, receiver) = channel();
    let sum: i32 = host.scope(|n| {
        let waits = n.spawn(move || {
            host.other().scope(|m| {
                for i in 0..10 {
                    let (of_one, of_the_other) = (sender.clone(), sender.clone());
                    n.spawn(move || of_one.send(i).unwrap());
                    m.spawn(move || of_the_other.send(100 * i).unwrap());
                }
                receiver.iter().take(20).sum()
            })
        });
        waits.join()
    });
    assert_eq!(sum, 101 * 45);
}
