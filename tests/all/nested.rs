//! What children and bodies return that return failures: what they were told, and what nested ones may.

use crate::common::on_every_pool;
use hatchery::{CancelReason, CancelToken, Failure, FailureKind, Options};

#[test]
fn a_cancellation_is_passed_on_as_such_in_its_nursery_and_is_a_failure_elsewhere() {
    on_every_pool(|pool| {
        // What has been told in its nursery is no failure, whatever the error type.
        let value = pool.try_nursery::<&str, _, _>(|n| {
            n.cancel();
            let told = hatchery::checkpoint().unwrap_err();
            let inner: Result<(), _> = Err(Failure::<&str>::cancelled(told));
            assert!(inner.is_err());
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
        let value = pool.try_nursery::<&str, _, _>(|n| {
            n.spawn_body(|| {
                n.cancel();
                hatchery::checkpoint().map_err(Failure::cancelled)
            });
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
        let failures = pool.try_nursery::<&str, (), _>(|n| {
            n.cancel();
            hatchery::checkpoint().map_err(Failure::cancelled)
        });
        let failures = failures.unwrap_err();
        assert_eq!(
            failures.cancelled().unwrap().reason(),
            CancelReason::Requested
        );
        assert_eq!(failures.len(), 1);
        // That of another nursery is a failure: it cancels the siblings, and is not lost.
        let token = CancelToken::new();
        token.cancel();
        let others = Options::new().cancel_on(&token).nursery(|n| n.checkpoint());
        let others = others.unwrap_err();
        let failures = pool.try_nursery::<&str, _, _>(|n| {
            let child = n.spawn_body(|| Err::<(), _>(Failure::cancelled(others)));
            assert!(matches!(
                child.join().unwrap_err().kind(),
                FailureKind::Nested(_)
            ));
            assert!(n.is_cancelled());
            n.spawn_body(|| Err::<(), _>(Failure::cancelled(others)));
            Ok(())
        });
        let told = failures.unwrap_err().cancelled().unwrap();
        assert_eq!(told.reason(), CancelReason::ChildFailed);
        for is_body in [false, true] {
            let failures = pool.try_nursery::<&str, _, _>(|n| {
                let failed = || Err::<(), _>(Failure::cancelled(others));
                if is_body {
                    return failed();
                }
                n.spawn_body(failed);
                Ok(())
            });
            let told = failures.unwrap_err().cancelled().unwrap();
            assert_eq!(told.reason(), CancelReason::Token);
        }
    });
}

#[test]
fn a_blocking_child_may_be_nested() {
    on_every_pool(|pool| {
        let sum = pool.try_nursery::<&str, _, _>(|n| {
            let child = n.spawn_blocking_body(|| {
                n.checkpoint()?;
                let sibling = n.spawn(|| Ok(3));
                Ok(sibling.join()? + hatchery::try_nursery(|_| Ok(4))?)
            });
            child.join()
        });
        assert_eq!(sum.unwrap(), 7);
        let value = pool.try_nursery::<&str, _, _>(|n| {
            n.spawn_blocking_body(|| {
                n.cancel();
                n.checkpoint()
            });
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
        let failures = pool.try_nursery::<&str, _, _>(|n| {
            n.spawn_blocking_body(|| n.spawn(|| Err::<(), _>("no")).join());
            Ok(())
        });
        let failures = failures.unwrap_err();
        let [only] = failures.into_parts().0.try_into().unwrap();
        assert!(matches!(only.kind(), FailureKind::Error("no")), "{only:?}");
        assert_eq!(only.child().unwrap().to_string(), "0.0");
    });
}
