//! Many children wait for each other: they end if each thread that blocks leaves its place to another one.

use std::sync::mpsc::sync_channel;
use std::sync::{Barrier, Condvar, Mutex};

use crate::common::Gate;
use crate::host::{Handle, Host};

blocked! {
    a_row_of_children_hands_items_on
    one_child_more_than_there_are_places_meets_at_a_barrier
    as_many_children_as_there_may_be_spares_meet_at_a_barrier
    children_take_turns_by_a_condvar
    as_many_children_as_there_are_places_wait_for_the_one_behind_them
    each_item_but_the_last_waits_for_the_last
    bodies_of_scopes_in_children_wait_for_the_last_child
}

/// Spare workers of a pool that does not set a number.
const SPARES: usize = 64;

fn a_row_of_children_hands_items_on(host: Host<'_>) {
    let (first, mut last) = sync_channel(1);
    let received: Vec<i32> = host.scope(|n| {
        for _ in 0..10 {
            let (sender, receiver) = sync_channel(1);
            let before = std::mem::replace(&mut last, receiver);
            n.spawn(move || {
                for item in before {
                    sender.send(item + 1).unwrap();
                }
            });
        }
        n.spawn(move || (0..50).for_each(|item| first.send(item).unwrap()));
        last.iter().collect()
    });
    assert!(received.into_iter().eq(10..60));
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

/// They are so few that each is a batch of its own. Items of one batch may wait for none behind them.
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
