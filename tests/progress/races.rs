//! Small scopes by the thousand, whose bodies wait at once: against threads that fall asleep just then.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{doing, seeded};
use crate::host::{Handle, Host, Scope};

tests! { plain_threads, AT_THE_CALLER, ON_PLAIN_THREADS, bodies_wait_for_one_to_three_children }
tests! { pools, AT_THE_CALLER, ON_POOLS, bodies_wait_for_one_to_three_children }
tests! { pools_of_one, AT_THE_CALLER, ON_POOLS_OF_ONE, bodies_wait_for_one_to_three_children }

const SCOPES: usize = if cfg!(debug_assertions) {
    5_000
} else {
    100_000
};

/// Where others use the machine, too, fewer scopes have to do. It is no failure.
const ENOUGH: Duration = Duration::from_secs(20);

fn bodies_wait_for_one_to_three_children(host: Host<'_>) {
    let mut random = seeded("races");
    let scopes = host.pools.map_or(SCOPES / 10, |_| SCOPES);
    let begun = Instant::now();
    for scope in 0..scopes {
        if scope % 50 == 0 {
            doing(format!("scope {scope} of {scopes}"));
            if begun.elapsed() > ENOUGH {
                println!("{scope} scopes of {scopes}");
                break;
            }
        }
        let children = random.usize(1..=3);
        // Between moments at which workers look for work and those at which they sleep.
        let spins = random.usize(0..4) * random.usize(0..1000);
        (0..spins).for_each(|_| spin_loop());
        let sum = host.scope(|n| match random.u8(0..5) {
            0 => polls(n, children),
            1 => spins_on_a_counter(n, children),
            2 => drains(n, children),
            3 => host.scope(|_| drains(n, children)),
            _ => drains_after_a_join(n, children, random.usize(0..children)),
        });
        assert_eq!(sum, children * (children + 1) / 2);
    }
}

fn polls<'scope>(n: Scope<'scope, '_>, children: usize) -> usize {
    let children: Vec<_> = (1..=children).map(|i| n.spawn(move || i)).collect();
    while !children.iter().all(Handle::is_finished) {
        thread::yield_now();
    }
    children.into_iter().map(Handle::join).sum()
}

fn drains<'scope>(n: Scope<'scope, '_>, children: usize) -> usize {
    let (sender, receiver) = channel();
    for i in 1..=children {
        let sender = sender.clone();
        n.spawn(move || sender.send(i).unwrap());
    }
    receiver.iter().take(children).sum()
}

/// A child that is joined may be claimed by its handle just when it is taken; the other handles are dropped.
fn drains_after_a_join<'scope>(n: Scope<'scope, '_>, children: usize, joined: usize) -> usize {
    let (sender, receiver) = channel();
    let spawn = |i| {
        let sender = sender.clone();
        n.spawn(move || {
            sender.send(i).unwrap();
            i
        })
    };
    let mut spawned: Vec<_> = (1..=children).map(spawn).collect();
    assert_eq!(spawned.swap_remove(joined).join(), joined + 1);
    receiver.iter().take(children).sum()
}

fn spins_on_a_counter<'scope>(n: Scope<'scope, '_>, children: usize) -> usize {
    let counters = Arc::new([const { AtomicUsize::new(0) }; 2]);
    for i in 1..=children {
        let counters = Arc::clone(&counters);
        n.spawn(move || {
            let [ran, sum] = &*counters;
            sum.fetch_add(i, Ordering::Relaxed);
            ran.fetch_add(1, Ordering::Release);
        });
    }
    let [ran, sum] = &*counters;
    while ran.load(Ordering::Acquire) < children {
        thread::yield_now();
    }
    sum.load(Ordering::Relaxed)
}
