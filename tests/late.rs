//! Whose error counts as late: that of a task that was told, or a task within it.

mod common;

use common::on_every_pool;
use hatchery::{Failures, Kind, Pool, checkpoint};

/// The failures of a cancelled nursery on this pool whose body does this, then returns an error.
fn failures_of(pool: &Pool, does: impl Fn()) -> Failures<&'static str> {
    let result = pool.try_nursery::<_, (), _>(|n| {
        n.cancel();
        does();
        Err("own".into())
    });
    result.unwrap_err()
}

#[test]
fn an_error_is_late_once_its_task_or_a_task_within_it_was_told() {
    on_every_pool(|pool| {
        let is_told = || assert!(checkpoint().is_err());
        let within: [&dyn Fn(); 5] = [
            &is_told,
            &|| hatchery::nursery(|n| n.spawn(is_told).join()),
            &|| assert_eq!(hatchery::join(|| (), is_told), ((), ())),
            // On another thread, where that is possible.
            &|| hatchery::nursery(|n| n.spawn_blocking(is_told).join()),
            &|| hatchery::nursery(|n| n.spawn_blocking(|| hatchery::nursery(|_| is_told())).join()),
        ];
        for does in within {
            let failures = failures_of(pool, does);
            assert_eq!(failures.late().len(), 1, "{failures:?}");
        }
        let failures = failures_of(pool, || ());
        assert!(failures.late().is_empty(), "{failures:?}");
    });
}

#[test]
fn who_waits_is_not_told_by_what_runs_on_top_of_it() {
    on_every_pool(|pool| {
        let outer = failures_of(pool, || {
            hatchery::nursery(|total| {
                let child = total.spawn(|| checkpoint().is_err());
                let inner = hatchery::try_nursery::<_, (), _>(|_| {
                    assert!(child.join());
                    Err("not told".into())
                });
                let inner = inner.unwrap_err();
                assert!(
                    matches!(inner.cause().kind(), Kind::Error("not told")),
                    "{inner:?}"
                );
            });
        });
        assert_eq!(outer.late().len(), 1, "{outer:?}");
    });
}
