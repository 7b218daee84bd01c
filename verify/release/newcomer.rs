//! What the README offers, row by row, as the program of somebody who has just added the crate. `verify/release/run`
//! builds it with the newest and the oldest versions of all dependencies, and with the oldest Rust.

use std::time::Duration;

use hatchery::{CancelReason, CancelToken, Options, Pool};

#[test]
fn a_few_different_things_at_once() {
    let words = ["structured", "concurrency"];
    let (letters, longest) = hatchery::nursery(|n| {
        let letters = n.spawn(|| words.iter().map(|word| word.len()).sum::<usize>());
        let longest = n.spawn(|| words.iter().max_by_key(|word| word.len()).copied());
        (letters.join(), longest.join())
    });
    assert_eq!((letters, longest), (21, Some("concurrency")));
}

#[test]
fn one_function_over_many_items() {
    let squares: Vec<u64> = hatchery::nursery(|n| n.spawn_each(0..1000, |i| i * i).collect());
    assert_eq!(squares[31], 961);
    let first: Vec<u64> =
        hatchery::nursery(|n| n.spawn_buffered(4, 1.., |i: u64| i * i).take(10).collect());
    assert_eq!(first[9], 100);
    assert_eq!(
        hatchery::map(0..10_u32, |i| i + 1),
        (1..11).collect::<Vec<_>>()
    );
}

#[test]
fn results_in_the_order_of_the_calls_and_forks() {
    let texts = hatchery::gather(|g| {
        for i in 0..100 {
            g.spawn(move || i.to_string());
        }
    });
    assert_eq!(texts[42], "42");
    assert_eq!(hatchery::join(|| 1, || "two"), (1, "two"));
    assert_eq!(hatchery::join_all((|| 1, || 2, || 3)), (1, 2, 3));
}

#[test]
fn children_that_block() {
    let sum = hatchery::nursery(|n| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let waits = n.spawn_blocking(move || receiver.recv().unwrap());
        n.spawn(move || hatchery::block_in_place(|| sender.send(2)).unwrap());
        waits.join() + 1
    });
    assert_eq!(sum, 3);
}

#[test]
fn children_that_fail() {
    let outcome = hatchery::try_nursery(|n| {
        n.spawn(|| "seven".parse::<u32>());
        n.spawn(|| "7".parse::<u32>());
        Ok(())
    });
    let failures = outcome.unwrap_err();
    assert_eq!(failures.len(), 1);
    assert!(failures.to_string().contains("invalid digit"));
    let first = hatchery::race(|r| {
        r.spawn(|| Err(()));
        r.spawn(|| Ok(2));
    });
    assert_eq!(first.unwrap(), 2);
}

#[test]
fn limits_timeouts_and_tokens() {
    let squares = Options::new()
        .limit(2)
        .timeout(Duration::from_secs(600))
        .nursery(|n| n.spawn_each(0..10_u64, |i| i * i).collect::<Vec<_>>());
    assert_eq!(squares[9], 81);
    let token = CancelToken::new();
    token.cancel();
    let options = Options::new().cancel_on(&token);
    let stopped = options.try_nursery::<String, _, _>(|n| n.spawn(|| Ok(7)).join());
    let cancelled = stopped.unwrap_err().cancelled().unwrap();
    assert_eq!(cancelled.reason(), CancelReason::Token);
}

#[test]
fn threads_of_ones_own() {
    let pool = Pool::builder().threads(3).build().unwrap();
    assert_eq!(pool.nursery(|n| n.spawn(hatchery::threads).join()), 3);
    assert!(pool.stats().to_string().contains("spawned"));
    assert_eq!(pool.dump().nurseries.len(), 0);
    pool.shutdown();
}

#[cfg(feature = "serde")]
#[test]
fn numbers_are_serialized() {
    fn is_serialized<T: serde::Serialize>(_: &T) {}
    let pool = Pool::builder().build().unwrap();
    is_serialized(&pool.stats());
    is_serialized(&pool.dump());
}
