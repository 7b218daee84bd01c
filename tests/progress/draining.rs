//! The body spawns, and then takes what its children bring: the most common way to hand results over.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Condvar, Mutex};
use std::thread;

use crate::host::Host;

visible! {
    the_body_drains_a_channel_that_its_children_send_into
    the_body_drains_a_bounded_channel_that_its_children_send_into
    the_body_waits_with_a_condvar_until_all_children_have_counted
    the_body_spins_on_a_counter_until_all_children_have_added
    the_body_lets_go_of_a_lock_once_a_child_has_begun
    the_body_of_a_gather_drains_a_channel_that_its_children_send_into
}

#[cfg(unix)]
mod unix {
    use super::the_body_reads_a_pipe_that_its_children_write_to;
    visible! { the_body_reads_a_pipe_that_its_children_write_to }
}

const CHILDREN: usize = 200;

/// What `CHILDREN` of them send, if each sends its number.
const SUM: usize = CHILDREN * (CHILDREN - 1) / 2;

fn the_body_drains_a_channel_that_its_children_send_into(host: Host<'_>) {
    let (sender, receiver) = channel();
    let sum: usize = host.scope(|n| {
        for i in 0..CHILDREN {
            let sender = sender.clone();
            n.spawn(move || sender.send(i).unwrap());
        }
        receiver.iter().take(CHILDREN).sum()
    });
    assert_eq!(sum, SUM);
}

/// It ends when the last child has dropped its end.
fn the_body_drains_a_bounded_channel_that_its_children_send_into(host: Host<'_>) {
    let (sender, receiver) = sync_channel(1);
    let sum: usize = host.scope(|n| {
        for i in 0..CHILDREN {
            let sender = sender.clone();
            n.spawn(move || sender.send(i).unwrap());
        }
        drop(sender);
        receiver.iter().sum()
    });
    assert_eq!(sum, SUM);
}

fn the_body_waits_with_a_condvar_until_all_children_have_counted(host: Host<'_>) {
    let (counted, bell) = (&Mutex::new((0, 0)), &Condvar::new());
    let sum = host.scope(|n| {
        for i in 0..CHILDREN {
            n.spawn(move || {
                let mut counted = counted.lock().unwrap();
                *counted = (counted.0 + 1, counted.1 + i);
                bell.notify_all();
            });
        }
        let counted = counted.lock().unwrap();
        let counted = bell.wait_while(counted, |(count, _)| *count < CHILDREN);
        counted.unwrap().1
    });
    assert_eq!(sum, SUM);
}

fn the_body_spins_on_a_counter_until_all_children_have_added(host: Host<'_>) {
    let sum = &AtomicUsize::new(0);
    host.scope(|n| {
        for i in 0..CHILDREN {
            n.spawn(move || sum.fetch_add(i, Ordering::Relaxed));
        }
        while sum.load(Ordering::Relaxed) < SUM {
            thread::yield_now();
        }
    });
    assert_eq!(sum.load(Ordering::Relaxed), SUM);
}

fn the_body_lets_go_of_a_lock_once_a_child_has_begun(host: Host<'_>) {
    let (begun, has_begun) = channel();
    let ran = &Mutex::new(Vec::new());
    host.scope(|n| {
        let mut held = ran.lock().unwrap();
        for i in 1..=3 {
            let begun = begun.clone();
            n.spawn(move || {
                begun.send(()).unwrap();
                ran.lock().unwrap().push(i);
            });
        }
        has_begun.recv().unwrap();
        held.push(0);
    });
    let mut ran = ran.lock().unwrap();
    assert_eq!(ran[0], 0);
    ran.sort_unstable();
    assert_eq!(*ran, [0, 1, 2, 3]);
}

fn the_body_of_a_gather_drains_a_channel_that_its_children_send_into(host: Host<'_>) {
    let (sender, receiver) = channel();
    let mut sum = 0;
    let values = host.gather(|spawn| {
        for i in 0..CHILDREN {
            let sender = sender.clone();
            spawn(Box::new(move || {
                sender.send(i).unwrap();
                2 * i
            }));
        }
        sum = receiver.iter().take(CHILDREN).sum();
    });
    assert_eq!(sum, SUM);
    assert!(values.into_iter().eq((0..CHILDREN).map(|i| 2 * i)));
}

/// To its end, which is there when the last child has closed its own.
#[cfg(unix)]
fn the_body_reads_a_pipe_that_its_children_write_to(host: Host<'_>) {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let [mut reader, writer] = [reader, writer].map(File::from);
    let mut bytes = Vec::new();
    host.scope(|n| {
        for i in 0..CHILDREN {
            let mut writer = writer.try_clone().unwrap();
            n.spawn(move || writer.write_all(&[i as u8]).unwrap());
        }
        drop(writer);
        reader.read_to_end(&mut bytes).unwrap();
    });
    bytes.sort_unstable();
    assert!(bytes.into_iter().eq(0..CHILDREN as u8));
}
