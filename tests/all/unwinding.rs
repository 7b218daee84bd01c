//! Cancellations that unwind through code which cannot return them.

use std::hint::spin_loop;

use crate::common::{on_every_pool, payload_of};
use hatchery::{CancelReason, Cancelled, Failure, Pool, TryNursery};

/// Waits for the cancellation of what is around, and unwinds with it.
fn until_told() -> ! {
    loop {
        if let Err(cancelled) = hatchery::checkpoint() {
            cancelled.unwind();
        }
        spin_loop();
    }
}

/// Opens a cancelled nursery with this body or child; returns why it says that it was cancelled.
fn reason_of(
    pool: &Pool,
    run: impl for<'s> FnOnce(&'s TryNursery<'s, '_, ()>) -> Result<(), Failure<()>>,
) -> CancelReason {
    let failures = pool.try_nursery(run).unwrap_err();
    assert_eq!(failures.late().len(), 0);
    failures.cancelled().expect("it was cancelled").reason()
}

#[test]
fn x3_a_body_and_its_children_may_be_unwound_by_the_cancellation_of_their_nursery() {
    on_every_pool(|pool| {
        let by_body = reason_of(pool, |n| {
            n.cancel();
            until_told()
        });
        let by_child = reason_of(pool, |n| {
            let child = n.spawn(|| until_told());
            n.cancel();
            child.join()
        });
        let by_a_blocking_child = reason_of(pool, |n| {
            let child = n.spawn_blocking(|| until_told());
            n.cancel();
            child.join()
        });
        for reason in [by_body, by_child, by_a_blocking_child] {
            assert_eq!(reason, CancelReason::Requested);
        }
    });
}

#[test]
fn x3_forks_and_total_nurseries_pass_on_what_unwinds_them() {
    on_every_pool(|pool| {
        let by_forks = reason_of(pool, |n| {
            n.cancel();
            hatchery::join(|| until_told(), || ());
            Ok(())
        });
        let by_stolen_fork = reason_of(pool, |n| {
            n.cancel();
            hatchery::join(|| (), || until_told());
            Ok(())
        });
        let by_nursery = reason_of(pool, |n| {
            n.cancel();
            hatchery::nursery(|inner| inner.spawn(|| until_told()).join());
            Ok(())
        });
        for reason in [by_forks, by_stolen_fork, by_nursery] {
            assert_eq!(reason, CancelReason::Requested);
        }
    });
}

/// Is unwound by the cancellation of a nursery of its own.
fn stopped() -> Result<(), Failure<()>> {
    hatchery::nursery(|n| {
        n.cancel();
        until_told()
    })
}

/// As one that is returned: see `outcomes`.
#[test]
fn what_unwinds_from_another_nursery_is_a_failure_and_cancels_the_siblings() {
    on_every_pool(|pool| {
        let failures = pool.try_nursery::<(), (), _>(|n| {
            let failed = n.spawn_body(stopped).join().is_err();
            assert!(failed && n.is_cancelled());
            Ok(())
        });
        failures.unwrap();
        let reason = reason_of(pool, |_| stopped());
        assert_eq!(reason, CancelReason::Requested);
    });
}

#[test]
fn a_total_nursery_raises_a_cancellation_as_it_is() {
    on_every_pool(|pool| {
        let payload = payload_of(|| {
            pool.nursery(|n| {
                n.cancel();
                until_told()
            })
        });
        let cancelled = payload.downcast::<Cancelled>().expect("nothing else");
        assert_eq!(cancelled.reason(), CancelReason::Requested);
    });
}
