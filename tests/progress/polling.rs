//! The body asks again and again: progress bars, statistics, games.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::host::{Handle, Host};

visible! {
    the_body_polls_its_only_child
    the_body_polls_the_last_of_its_children
    the_body_polls_all_its_children_in_turn
    the_body_counts_ticks_until_children_have_added_up
}

fn the_body_polls_its_only_child(host: Host<'_>) {
    let value = host.scope(|n| {
        let child = n.spawn(|| 7);
        while !child.is_finished() {
            thread::yield_now();
        }
        child.join()
    });
    assert_eq!(value, 7);
}

/// The others stand before it.
fn the_body_polls_the_last_of_its_children(host: Host<'_>) {
    let value = host.scope(|n| {
        let mut children: Vec<_> = (0..100).map(|i| n.spawn(move || i)).collect();
        let last = children.pop().unwrap();
        while !last.is_finished() {
            thread::yield_now();
        }
        last.join() + children.into_iter().map(Handle::join).sum::<i32>()
    });
    assert_eq!(value, (0..100).sum());
}

fn the_body_polls_all_its_children_in_turn(host: Host<'_>) {
    let mut values = host.scope(|n| {
        let mut children: Vec<_> = (0..10).map(|i| n.spawn(move || i)).collect();
        let mut values = Vec::new();
        while !children.is_empty() {
            let (ended, others): (Vec<_>, _) = children.into_iter().partition(Handle::is_finished);
            values.extend(ended.into_iter().map(Handle::join));
            children = others;
            thread::yield_now();
        }
        values
    });
    values.sort_unstable();
    assert!(values.into_iter().eq(0..10));
}

/// It computes all the while, and never gives its place up.
fn the_body_counts_ticks_until_children_have_added_up(host: Host<'_>) {
    let done = &AtomicUsize::new(0);
    host.scope(|n| {
        for _ in 0..3 {
            n.spawn(|| done.fetch_add(1, Ordering::Relaxed));
        }
        let mut ticks: u64 = 0;
        while done.load(Ordering::Relaxed) < 3 {
            ticks = std::hint::black_box(ticks + 1);
        }
    });
    assert_eq!(done.load(Ordering::Relaxed), 3);
}
