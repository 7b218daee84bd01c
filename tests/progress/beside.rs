//! The body waits for threads of others, which wait for its children.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::host::{Host, Scope};

visible! {
    the_body_joins_a_thread_that_drains_what_the_children_send
    the_body_joins_a_thread_that_spawns_children_and_drains_what_they_send
    the_body_sends_to_a_thread_that_first_hears_of_the_children
    the_body_is_in_a_join_of_rayon_that_drains_what_the_children_send
    the_body_is_in_a_pool_of_rayon_that_drains_what_the_children_send
}

const CHILDREN: i32 = 50;

fn children_send<'scope>(n: Scope<'scope, '_>) -> Receiver<i32> {
    let (sender, receiver) = channel();
    for i in 0..CHILDREN {
        let sender = sender.clone();
        n.spawn(move || sender.send(i).unwrap());
    }
    receiver
}

fn is_the_sum_of_all(sum: i32) {
    assert_eq!(sum, (0..CHILDREN).sum());
}

fn the_body_joins_a_thread_that_drains_what_the_children_send(host: Host<'_>) {
    is_the_sum_of_all(host.scope(|n| {
        let receiver = children_send(n);
        let drains = thread::spawn(move || receiver.iter().sum());
        drains.join().unwrap()
    }));
}

fn the_body_joins_a_thread_that_spawns_children_and_drains_what_they_send(host: Host<'_>) {
    is_the_sum_of_all(host.scope(|n| {
        thread::scope(|scope| {
            let drains = scope.spawn(move || children_send(n).iter().sum());
            drains.join().unwrap()
        })
    }));
}

/// Over a channel without room, so that the body waits until it is listened to.
fn the_body_sends_to_a_thread_that_first_hears_of_the_children(host: Host<'_>) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(0);
    let sum = host.scope(|n| {
        let of_children = children_send(n);
        let listens =
            thread::spawn(move || of_children.iter().sum::<i32>() + receiver.recv().unwrap());
        sender.send(1000).unwrap();
        listens.join().unwrap()
    });
    is_the_sum_of_all(sum - 1000);
}

fn the_body_is_in_a_join_of_rayon_that_drains_what_the_children_send(host: Host<'_>) {
    is_the_sum_of_all(host.scope(|n| {
        let receiver = children_send(n);
        let (sum, other) = rayon::join(move || receiver.iter().sum(), || 2);
        assert_eq!(other, 2);
        sum
    }));
}

fn the_body_is_in_a_pool_of_rayon_that_drains_what_the_children_send(host: Host<'_>) {
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(1);
    let rayon = rayon.build().unwrap();
    is_the_sum_of_all(host.scope(|n| {
        let receiver = children_send(n);
        rayon.install(move || receiver.iter().sum())
    }));
}
