//! Whatever ends a partial nursery but a panic, in a program that no panic would leave alive.

use std::time::Duration;

use hatchery::{CancelToken, Failures, Options, Pool, CancelReason};

/// Why the nursery was cancelled.
fn reason<T, E>(result: Result<T, Failures<E>>) -> Option<CancelReason> {
    Some(result.err()?.cancelled()?.reason())
}

fn all_ends(pool: &Pool) {
    let options = Options::new().pool(pool);

    let cancelled = options.try_nursery::<(), _, _>(|n| {
        let running = n.spawn(|| {
            while !n.is_cancelled() {}
            Ok(7)
        });
        n.spawn(|| Ok(n.cancel()));
        assert!(n.cancel() || n.is_cancelled());
        n.spawn_each(0..100, |_| -> Result<(), ()> { unreachable!("skipped") });
        assert!(n.checkpoint().is_err());
        running.join().or(Ok(7))
    });
    assert_eq!(cancelled.unwrap(), 7);

    let skipped = |n: &hatchery::TryNursery<'_, '_, ()>| n.checkpoint();
    let late = options.clone().timeout(Duration::ZERO);
    assert_eq!(reason(late.try_nursery(skipped)), Some(CancelReason::Deadline));
    let told = late.nursery(|n| n.spawn(hatchery::checkpoint).join());
    assert_eq!(told.unwrap_err().reason(), CancelReason::Deadline);

    let token = CancelToken::new();
    token.cancel();
    let stopped = options.clone().cancel_on(&token);
    assert_eq!(reason(stopped.try_nursery(skipped)), Some(CancelReason::Token));

    let failed = options.try_nursery(|n| {
        let children: Vec<_> = (0..100).map(|i| n.spawn(move || Err::<(), _>(i))).collect();
        children.into_iter().try_for_each(|child| child.join())
    });
    // Which of them is a matter of who was first.
    let failed = failed.unwrap_err();
    let child = failed.cause().child().expect("a child").index();
    assert_eq!(
        failed.to_string().split(" (").next(),
        Some(&*format!("child {child}: {child}"))
    );

    let won = options.race(|r| {
        r.spawn(|| Err("slow"));
        r.spawn(|| Ok(7));
        for _ in 0..100 {
            r.spawn(|| Err("slow"));
        }
    });
    assert_eq!(won.unwrap(), 7);
    let lost = options.race_each(0..3, Err::<(), _>);
    assert_eq!(lost.unwrap_err().len(), 3);
}

fn main() {
    for threads in [1, 2] {
        let pool = Pool::builder().threads(threads).build().unwrap();
        for _ in 0..20 {
            all_ends(&pool);
        }
    }
    println!("all of them end");
}
