//! Children that wait for each other: they end if a thread that blocks leaves its place to another one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Barrier, Condvar, Mutex};
use std::thread;

use crate::common::Gate;
use crate::host::{Handle, Host};

blocked! {
    two_children_answer_each_other
    a_child_sends_more_than_there_is_room_for_to_a_sibling
    a_child_receives_what_a_sibling_behind_it_sends
    a_row_of_children_hands_items_on
    two_children_meet_at_a_barrier_again_and_again
    one_child_more_than_there_are_places_meets_at_a_barrier
    as_many_children_as_there_may_be_spares_meet_at_a_barrier
    children_take_turns_by_a_condvar
    as_many_children_as_there_are_places_wait_for_the_one_behind_them
    each_item_but_the_last_waits_for_the_last
    a_child_accepts_a_connection_of_a_sibling_behind_it
    a_child_joins_a_thread_that_waits_for_a_sibling_behind_it
    a_child_is_in_a_pool_of_rayon_that_waits_for_a_sibling_behind_it
    bodies_of_scopes_in_children_wait_for_the_last_child
    children_of_two_pools_answer_each_other
}

/// Spare workers of a pool that does not set a number.
const SPARES: usize = 64;

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

fn a_row_of_children_hands_items_on(host: Host<'_>) {
    let (first, mut last) = sync_channel(1);
    let received: Vec<i32> = host.scope(|n| {
        for _ in 0..10 {
            let (sender, receiver) = sync_channel(1);
            let before = std::mem::replace(&mut last, receiver);
            n.spawn(move || {
                before
                    .iter()
                    .for_each(|item| sender.send(item + 1).unwrap())
            });
        }
        n.spawn(move || (0..50).for_each(|item| first.send(item).unwrap()));
        last.iter().collect()
    });
    assert!(received.into_iter().eq(10..60));
}

fn two_children_meet_at_a_barrier_again_and_again(host: Host<'_>) {
    children_meet(host, 2, 50);
}

fn one_child_more_than_there_are_places_meets_at_a_barrier(host: Host<'_>) {
    children_meet(host, host.threads() + 1, 5);
}

fn as_many_children_as_there_may_be_spares_meet_at_a_barrier(host: Host<'_>) {
    children_meet(host, SPARES, 2);
}

/// Each time, one of them is the leader.
fn children_meet(host: Host<'_>, children: usize, times: usize) {
    let barrier = &Barrier::new(children);
    let meet = move || (0..times).filter(|_| barrier.wait().is_leader()).count();
    let led: usize = host.scope(|n| {
        let children: Vec<_> = (0..children).map(|_| n.spawn(meet)).collect();
        children.into_iter().map(Handle::join).sum()
    });
    assert_eq!(led, times);
}

/// Against the order in which they start.
fn children_take_turns_by_a_condvar(host: Host<'_>) {
    let (turns, bell) = (&Mutex::new(Vec::new()), &Condvar::new());
    host.scope(|n| {
        for i in (0..10).rev() {
            n.spawn(move || {
                let turns = turns.lock().unwrap();
                let mut turns = bell.wait_while(turns, |turns| turns.len() < i).unwrap();
                turns.push(i);
                bell.notify_all();
            });
        }
    });
    assert!(turns.lock().unwrap().iter().copied().eq(0..10));
}

fn as_many_children_as_there_are_places_wait_for_the_one_behind_them(host: Host<'_>) {
    let (gate, count) = (&Gate::default(), host.threads());
    let values: Vec<_> = host.scope(|n| {
        let wait = |i| {
            n.spawn(move || {
                gate.wait();
                i
            })
        };
        let waiting: Vec<_> = (0..count).map(wait).collect();
        n.spawn(|| gate.open());
        waiting.into_iter().map(Handle::join).collect()
    });
    assert!(values.into_iter().eq(0..count));
}

fn each_item_but_the_last_waits_for_the_last(host: Host<'_>) {
    let gate = &Gate::default();
    let item = |i| {
        if i == 19 {
            gate.open();
        } else {
            gate.wait();
        }
        i
    };
    let values = host.scope(|n| n.each(0..20, item));
    assert!(values.into_iter().eq(0..20));
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
            TcpStream::connect(address)
                .unwrap()
                .write_all(b"hello")
                .unwrap()
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

fn bodies_of_scopes_in_children_wait_for_the_last_child(host: Host<'_>) {
    let gate = &Gate::default();
    let sum: i32 = host.scope(|n| {
        let wait = |i| {
            n.spawn(move || {
                host.scope(|inner| {
                    let child = inner.spawn(move || i);
                    gate.wait();
                    child.join()
                })
            })
        };
        let waiting: Vec<_> = (0..10).map(wait).collect();
        n.spawn(|| gate.open());
        waiting.into_iter().map(Handle::join).sum()
    });
    assert_eq!(sum, 45);
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
