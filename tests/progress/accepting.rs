//! Items come one after the other, and the next one comes when the child of the last one has run: servers, bridges.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::host::Host;

visible! {
    a_connection_is_opened_when_the_one_before_was_answered
    one_item_of_spawn_each_ends_the_items
    each_of_three_items_is_sent_by_the_child_of_the_one_before
    each_of_a_hundred_items_is_sent_by_the_child_of_the_one_before
    an_iterator_polls_until_the_child_of_the_item_before_has_run
    a_thread_outside_sends_an_item_when_the_one_before_was_answered
}

fn a_connection_is_opened_when_the_one_before_was_answered(host: Host<'_>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ask = |question| {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(&[question]).unwrap();
        let mut answer = [0];
        connection.read_exact(&mut answer).unwrap();
        answer[0]
    };
    let answer = |mut connection: TcpStream| {
        let mut question = [0];
        connection.read_exact(&mut question).unwrap();
        connection.write_all(&[2 * question[0]]).unwrap();
    };
    thread::scope(|scope| {
        let client = scope.spawn(|| (0..20).map(ask).collect::<Vec<_>>());
        host.scope(|n| {
            for connection in listener.incoming().take(20) {
                n.spawn(|| answer(connection.unwrap()));
            }
        });
        let answers = client.join().unwrap();
        assert!(answers.into_iter().eq((0..20).map(|i| 2 * i)));
    });
}

fn one_item_of_spawn_each_ends_the_items(host: Host<'_>) {
    children_send_the_items(host, 1);
}

fn each_of_three_items_is_sent_by_the_child_of_the_one_before(host: Host<'_>) {
    children_send_the_items(host, 3);
}

fn each_of_a_hundred_items_is_sent_by_the_child_of_the_one_before(host: Host<'_>) {
    children_send_the_items(host, 100);
}

/// The child of the last item closes the channel.
fn children_send_the_items(host: Host<'_>, last: usize) {
    let (sender, receiver) = channel();
    sender.send(1).unwrap();
    let open: &Mutex<Option<Sender<usize>>> = &Mutex::new(Some(sender));
    let child = |item| {
        let mut open = open.lock().unwrap();
        if item < last {
            open.as_ref().unwrap().send(item + 1).unwrap();
        } else {
            open.take();
        }
        2 * item
    };
    let values = host.scope(|n| n.each(receiver.iter(), child));
    assert!(values.into_iter().eq((1..=last).map(|item| 2 * item)));
}

fn an_iterator_polls_until_the_child_of_the_item_before_has_run(host: Host<'_>) {
    let ran = &AtomicUsize::new(0);
    let items = (0..30).inspect(|item| {
        while ran.load(Ordering::Relaxed) < *item {
            thread::yield_now();
        }
    });
    // Each finds how many there were before it.
    let child = |_| ran.fetch_add(1, Ordering::Relaxed);
    let values = host.scope(|n| n.each(items, child));
    assert!(values.into_iter().eq(0..30));
}

fn a_thread_outside_sends_an_item_when_the_one_before_was_answered(host: Host<'_>) {
    let ((sender, items), (answers, receiver)) = (channel(), channel());
    thread::scope(|scope| {
        let outside = scope.spawn(move || {
            let ask = |item| {
                sender.send(item).unwrap();
                receiver.recv().unwrap()
            };
            (0..20).map(ask).collect::<Vec<usize>>()
        });
        host.scope(|n| n.each(items, |item| answers.send(2 * item).unwrap()));
        let answers = outside.join().unwrap();
        assert!(answers.into_iter().eq((0..20).map(|i| 2 * i)));
    });
}
