//! Shields: what is in one hears of no cancellation from outside, until it ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Gate, on_every_pool, payload_of};
use hatchery::{CancelReason, CancelToken, Failure, Options, Pool, TryNursery, checkpoint, shield};

/// Something like a library: it opens nurseries of all kinds, asks, and comes to a value if nobody stops it.
fn library() -> Option<u64> {
    checkpoint().ok()?;
    let total = hatchery::nursery(|n| {
        let blocking = n.spawn_blocking(|| checkpoint().is_ok());
        let each = n.spawn_each(0..100, |i| u64::from(checkpoint().is_ok()) * i);
        each.sum::<u64>() * u64::from(blocking.join())
    });
    let (a, b) = hatchery::join(|| checkpoint().is_ok(), || checkpoint().is_ok());
    let partial = hatchery::try_nursery::<(), _, _>(|n| {
        n.checkpoint()?;
        let inner = n.spawn_body(|| {
            n.checkpoint()?;
            Ok(hatchery::try_nursery(|inner| inner.spawn(|| Ok(3)).join())?)
        });
        let sum: u64 = n.spawn_each(0..10, Ok).sum::<Result<_, Failure<_>>>()?;
        Ok(sum + inner.join()?)
    });
    let raced = hatchery::race(|r| r.spawn(|| Ok::<_, ()>(7))).ok()?;
    Some(total + u64::from(a && b) + partial.ok()? + raced)
}

const ALL: u64 = 4950 + 1 + 48 + 7;

/// Runs `test` in nurseries that are cancelled from somewhere.
fn in_cancelled_ones(pool: &Pool, test: impl for<'s> Fn(&'s TryNursery<'s, '_, ()>, CancelReason)) {
    let token = CancelToken::new();
    token.cancel();
    for (options, reason) in [
        (Options::new(), CancelReason::Requested),
        (Options::new().cancel_on(&token), CancelReason::Token),
        (
            Options::new().timeout(Duration::ZERO),
            CancelReason::Deadline,
        ),
    ] {
        let result = options.pool(pool).try_nursery::<(), _, _>(|n| {
            if reason == CancelReason::Requested {
                n.cancel();
            }
            assert_eq!(library(), None);
            test(n, reason);
            let told = checkpoint().unwrap_err();
            assert_eq!((told.reason(), told.is_inherited()), (reason, false));
            Ok(())
        });
        result.unwrap();
    }
}

#[test]
fn x3_what_is_shielded_hears_of_no_cancellation_from_outside() {
    on_every_pool(|pool| {
        in_cancelled_ones(pool, |n, reason| {
            assert_eq!(shield(library), Some(ALL));
            // In a child that has started, below others, and in shields in each other.
            let below = hatchery::nursery(|inner| inner.spawn(|| shield(library)).join());
            assert_eq!(below, Some(ALL));
            assert_eq!(shield(|| hatchery::nursery(|_| shield(library))), Some(ALL));
            let shielded = Options::new().shield();
            assert_eq!(shielded.nursery(|n| n.spawn(library).join()), Some(ALL));
            let partial = shielded.try_nursery::<(), _, _>(|n| n.spawn(|| Ok(library())).join());
            assert_eq!(partial.unwrap(), Some(ALL));
            let won = shielded.race(|r| r.spawn(|| library().ok_or(())));
            assert_eq!(won.unwrap(), ALL);
            let won = shielded.race_each(0..3, |_| library().ok_or(()));
            assert_eq!(won.unwrap(), ALL);
            // By its name the one outside says what is so.
            shield(|| {
                assert!(n.is_cancelled());
                let skipped = n.spawn(|| Ok(())).join().unwrap_err();
                let skipped = hatchery::Failures::from(skipped).cancelled().unwrap();
                assert_eq!(skipped.reason(), reason);
                assert_eq!(checkpoint(), Ok(()));
            });
        });
    });
}

#[test]
fn x3_a_cancellation_that_comes_during_a_shield_is_told_behind_it() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        let options = Options::new().pool(pool).cancel_on(&token);
        let steps = AtomicUsize::new(0);
        let result = options.try_nursery::<(), _, _>(|n| {
            n.checkpoint()?;
            shield(|| {
                let cancelled = Gate::default();
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        token.cancel();
                        cancelled.open();
                    });
                    cancelled.wait();
                });
                assert_eq!(library(), Some(ALL));
                steps.fetch_add(1, Ordering::Relaxed);
            });
            n.checkpoint()?;
            steps.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let cancelled = result.unwrap_err().cancelled().unwrap();
        assert_eq!(cancelled.reason(), CancelReason::Token);
        assert_eq!(steps.into_inner(), 1);
    });
}

#[test]
fn x3_a_shield_is_cancelled_by_itself_and_those_in_it_with_it() {
    on_every_pool(|pool| {
        in_cancelled_ones(pool, |_, _| {
            let token = CancelToken::new();
            token.cancel();
            let shielded = Options::new().shield();
            for (options, reason) in [
                (shielded.clone(), CancelReason::Requested),
                (shielded.clone().cancel_on(&token), CancelReason::Token),
                (shielded.timeout(Duration::ZERO), CancelReason::Deadline),
            ] {
                let result = options.try_nursery::<(), (), _>(|n| {
                    if reason == CancelReason::Requested {
                        n.cancel();
                    }
                    let inner = hatchery::nursery(|_| checkpoint()).unwrap_err();
                    assert_eq!((inner.reason(), inner.is_inherited()), (reason, true));
                    n.checkpoint()
                });
                let told = result.unwrap_err().cancelled().unwrap();
                assert_eq!((told.reason(), told.is_inherited()), (reason, false));
            }
        });
    });
}

#[test]
fn a_shield_is_a_call_like_any_other() {
    assert_eq!(shield(|| 7), 7);
    on_every_pool(|pool| {
        let payload = payload_of(|| pool.nursery(|_| shield(|| panic!("through"))));
        assert_eq!(payload.downcast_ref(), Some(&"through"));
        // It borrows, and what it waits for goes on.
        let mut seen = Vec::new();
        pool.nursery(|n| {
            let child = n.spawn(|| 7);
            shield(|| seen.push(child.join()));
        });
        assert_eq!(seen, [7]);
    });
}

/// What lies in a shield is cancelled by itself, and so is the nursery around it: neither has to do with the other.
#[test]
fn e1_a_cancellation_within_a_shield_makes_no_error_late_outside_of_it() {
    let token = CancelToken::new();
    token.cancel();
    on_every_pool(|pool| {
        let result = pool.try_nursery::<&str, (), _>(|n| {
            n.spawn(|| {
                n.cancel();
                let inner = Options::new().cancel_on(&token);
                assert!(shield(|| inner.nursery(|_| checkpoint().is_err())));
                Err::<(), _>("could not save")
            });
            Ok(())
        });
        let failures = result.unwrap_err();
        assert_eq!(failures.cause().to_string(), "child 0: could not save");
        assert_eq!(failures.late().len(), 0);
    });
}
