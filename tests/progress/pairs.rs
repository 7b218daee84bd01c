//! Of two children one waits for the other, by means of their own. Two places are enough for them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use crate::host::{Handle, Host};

visible! {
    two_children_answer_each_other
    a_child_sends_more_than_there_is_room_for_to_a_sibling
    a_child_receives_what_a_sibling_behind_it_sends
    two_children_meet_at_a_barrier_again_and_again
    a_child_spins_on_a_flag_that_a_sibling_behind_it_sets
    a_child_accepts_a_connection_of_a_sibling_behind_it
    a_child_joins_a_thread_that_waits_for_a_sibling_behind_it
    a_child_is_in_a_pool_of_rayon_that_waits_for_a_sibling_behind_it
    children_of_two_pools_answer_each_other
}

fn two_children_answer_each_other(host: Host<'_>) {
    let ((ask, questions), (answer, answers)) = (channel(), channel());
    let sum = host.scope(|n| {
        let asks = n.spawn(move || {
            let ask = |i| {
                ask.send(i).unwrap();
                answers.recv().unwrap()
            };
            (0..100).map(ask).sum::<i32>()
        });
        n.spawn(move || {
            for question in questions {
                answer.send(2 * question).unwrap();
            }
        });
        asks.join()
    });
    assert_eq!(sum, 9900);
}

fn a_child_sends_more_than_there_is_room_for_to_a_sibling(host: Host<'_>) {
    let (sender, receiver) = sync_channel(1);
    let received: Vec<_> = host.scope(|n| {
        n.spawn(move || (0..200).for_each(|i| sender.send(i).unwrap()));
        n.spawn(move || receiver.iter().collect()).join()
    });
    assert!(received.into_iter().eq(0..200));
}

fn a_child_receives_what_a_sibling_behind_it_sends(host: Host<'_>) {
    let (sender, receiver) = channel();
    let received = host.scope(|n| {
        let receives = n.spawn(move || receiver.recv());
        n.spawn(move || sender.send(7));
        receives.join()
    });
    assert_eq!(received, Ok(7));
}

fn a_child_accepts_a_connection_of_a_sibling_behind_it(host: Host<'_>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = host.scope(|n| {
        let hears = n.spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut text = String::new();
            connection.read_to_string(&mut text).unwrap();
            text
        });
        n.spawn(move || {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(b"hello").unwrap();
        });
        hears.join()
    });
    assert_eq!(heard, "hello");
}

fn a_child_joins_a_thread_that_waits_for_a_sibling_behind_it(host: Host<'_>) {
    let (sender, receiver) = channel();
    let received = host.scope(|n| {
        let joins = n.spawn(move || thread::spawn(move || receiver.recv()).join().unwrap());
        n.spawn(move || sender.send(7));
        joins.join()
    });
    assert_eq!(received, Ok(7));
}

fn a_child_is_in_a_pool_of_rayon_that_waits_for_a_sibling_behind_it(host: Host<'_>) {
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(1);
    let rayon = rayon.build().unwrap();
    let (sender, receiver) = channel();
    let received = host.scope(|n| {
        let waits = n.spawn(move || rayon.install(move || receiver.recv()));
        n.spawn(move || sender.send(7));
        waits.join()
    });
    assert_eq!(received, Ok(7));
}

fn children_of_two_pools_answer_each_other(host: Host<'_>) {
    let ((ask, questions), (answer, answers)) = (channel(), channel());
    let received = host.scope(|n| {
        host.other().scope(|m| {
            let asks = n.spawn(move || {
                ask.send(3).unwrap();
                answers.recv()
            });
            m.spawn(move || answer.send(2 * questions.recv().unwrap()));
            asks.join()
        })
    });
    assert_eq!(received, Ok(6));
}

/// Each time, one of them is the leader.
fn two_children_meet_at_a_barrier_again_and_again(host: Host<'_>) {
    let barrier = &Barrier::new(2);
    let meet = move || (0..50).filter(|_| barrier.wait().is_leader()).count();
    let led = host.scope(|n| {
        let children = [n.spawn(meet), n.spawn(meet)];
        children.map(Handle::join)
    });
    assert_eq!(led[0] + led[1], 50);
}

fn a_child_spins_on_a_flag_that_a_sibling_behind_it_sets(host: Host<'_>) {
    let flag = &AtomicBool::new(false);
    let spun = host.scope(|n| {
        let spins = n.spawn(|| {
            while !flag.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            7
        });
        n.spawn(|| flag.store(true, Ordering::Relaxed));
        spins.join()
    });
    assert_eq!(spun, 7);
}
