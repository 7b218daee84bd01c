//! Which failure is the cause, how it says where it happened, and how deep failures may be nested.

use std::error::Error;
use std::fmt;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;

use crate::common::{Ledger, on_every_pool, on_no_worker, on_pool};
use hatchery::{Failure, FailureKind, Failures, OnFailure, Options, Pool};

/// Calls `test` with pools that run what blocks beside the body.
fn with_company(test: impl Fn(&Pool)) {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), &test);
    }
}

/// Whoever fails first cancels the nursery, and its siblings fail for that.
#[test]
fn e3_the_cause_is_what_failed_first_whoever_was_spawned_first() {
    on_every_pool(|pool| {
        let failures = pool.try_nursery(|n| {
            let (sender, receiver) = channel::<u8>();
            n.spawn_blocking(move || receiver.recv().map_err(|error| error.to_string()));
            let written = n.spawn(|| Err::<(), _>("disk full".to_owned())).join();
            drop(sender);
            written
        });
        let failures = failures.unwrap_err();
        let cause = "child 1: disk full";
        assert_eq!(failures.cause().to_string(), cause);
        assert_eq!(failures.iter().len(), failures.len());
        // On one thread the reader may not have been started.
        if failures.len() == 2 {
            let reader = "child 0: receiving on a closed channel";
            assert_eq!(failures.to_string(), format!("{cause} (and 1 more)"));
            assert_eq!(format!("{failures:#}"), format!("{cause}\n{reader}"));
            let texts: Vec<_> = failures.iter().map(ToString::to_string).collect();
            assert_eq!(texts, [reader, cause], "in spawn order");
        }
        assert_eq!(failures.into_cause().to_string(), cause);
    });
}

/// Siblings: the body that fails for a child's failure, panics, further in, and what was taken on.
#[test]
fn e3_the_cause_is_what_cancelled_the_nursery_whatever_it_was() {
    with_company(|pool| {
        // The body's own failure is a consequence here.
        let both = Barrier::new(2);
        let failures = pool.try_nursery::<_, (), _>(|n| {
            let child = n.spawn_blocking(|| {
                both.wait();
                Err::<(), _>("disk full")
            });
            both.wait();
            while !child.is_finished() {
                thread::yield_now();
            }
            Err("no answer".into())
        });
        let failures = failures.unwrap_err();
        assert_eq!(failures.to_string(), "child 0: disk full (and 1 more)");
        let list = "child 0: disk full\nno answer";
        assert_eq!(format!("{failures:#}"), list);

        // A panic, and a nursery further in.
        let both = Barrier::new(2);
        let failures = pool.try_nursery::<_, (), _>(|n| {
            let early = n.spawn_blocking(|| {
                both.wait();
                while hatchery::checkpoint().is_ok() {
                    thread::yield_now();
                }
                panic!("a consequence")
            });
            let late = n.spawn_blocking(|| {
                both.wait();
                let inner =
                    hatchery::try_nursery::<&str, (), _>(|n| n.spawn(|| Err("disk full")).join());
                inner.map_err(|failures| failures.into_cause().into_error().unwrap())
            });
            late.join()?;
            early.join()
        });
        assert_eq!(
            failures.unwrap_err().to_string(),
            "child 1: disk full (and 1 more)"
        );
    });
    // A destructor.
    on_no_worker(|pool| {
        let ledger = Ledger::default();
        let failures = pool.try_nursery::<&str, (), _>(|n| {
            n.spawn_body(|| {
                n.spawn(|| Ok(ledger.bomb()));
                n.spawn_body(|| n.checkpoint());
                Ok(())
            });
            Ok(())
        });
        let failures = failures.unwrap_err();
        assert!(matches!(failures.cause().kind(), FailureKind::Panic(_)));
    });
}

#[test]
fn e3_where_no_failure_cancelled_the_nursery_the_cause_is_the_first_in_spawn_order() {
    with_company(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let both = Barrier::new(2);
        let failures = options.try_nursery::<_, (), _>(|n| {
            n.spawn_blocking(|| {
                both.wait();
                Err::<(), _>("first in order")
            });
            let other = n.spawn_blocking(|| Err::<(), _>("first in time"));
            while !other.is_finished() {
                thread::yield_now();
            }
            both.wait();
            other.join()
        });
        let cause = "child 0: first in order (and 1 more)";
        assert_eq!(failures.unwrap_err().to_string(), cause);
        // What cancelled it was joined and handled.
        let failures = pool.try_nursery::<_, (), _>(|n| {
            let handled = n.spawn(|| Err::<(), _>("handled"));
            assert!(handled.join().is_err());
            Err("body".into())
        });
        assert_eq!(failures.unwrap_err().to_string(), "body");
    });
}

#[test]
fn a_long_path_is_abbreviated_and_can_be_had_whole() {
    const DEPTH: usize = 1000;
    fn chain<'s>(n: &'s hatchery::TryNursery<'s, '_, &'static str>, left: usize) {
        n.spawn_body(move || match left {
            0 => Err("no".into()),
            _ => {
                chain(n, left - 1);
                Ok(())
            }
        });
    }
    on_every_pool(|pool| {
        for (depth, text) in [
            (1, "0"),
            (9, "0.0.0.0.0.0.0.0.0"),
            (10, "0.0.0.0.(2 more).0.0.0.0"),
            (DEPTH, "0.0.0.0.(992 more).0.0.0.0"),
        ] {
            let failures = pool.try_nursery(|n| {
                chain(n, depth - 1);
                Ok(())
            });
            let failures = failures.unwrap_err();
            let child = failures.cause().child().unwrap();
            assert_eq!(child.to_string(), text);
            assert_eq!(format!("{child:?}"), format!("ChildId({text})"));
            assert_eq!(child.path().collect::<Vec<_>>(), vec![0; depth]);
        }
    });
}

#[test]
fn the_ends_of_an_abbreviated_path_are_right() {
    on_no_worker(|pool| {
        let failures = pool.try_nursery(|n| {
            fn next<'s>(n: &'s hatchery::TryNursery<'s, '_, ()>, depth: u64) {
                n.spawn_body(move || {
                    if depth == 12 {
                        return Err(().into());
                    }
                    (0..depth).for_each(|_| drop(n.spawn(|| Ok(()))));
                    next(n, depth + 1);
                    Ok(())
                });
            }
            next(n, 1);
            Ok(())
        });
        let failures = failures.unwrap_err();
        let child = failures.cause().child().unwrap();
        assert_eq!(child.to_string(), "0.1.2.3.(4 more).8.9.10.11");
        assert!(child.path().eq(0..12));
        assert!(child.path().rev().eq((0..12).rev()));
    });
}

/// Failures as deep as that are made by a loop that goes on with what came of its last round.
fn nested<E: Send + fmt::Debug>(error: E, depth: usize) -> Failures<E> {
    let mut failures = Failures::from(Failure::from(error));
    for _ in 0..depth {
        let around = hatchery::try_nursery::<E, (), _>(|_| Err(failures.into()));
        failures = around.unwrap_err();
    }
    failures
}

/// What is done at each level takes as long at each; nothing recurses, or it would not fit in the stack.
#[test]
fn failures_may_be_nested_as_deep_as_one_likes() {
    const DEPTH: usize = 4_000;
    let walk_at_each_level = || {
        let mut failures = nested("no", 0);
        for _ in 0..DEPTH {
            assert!(failures.cancelled().is_none());
            assert_eq!(failures.len(), 1);
            failures = failures.resume_panic();
            let around = hatchery::try_nursery::<_, (), _>(|_| Err(failures.into()));
            failures = around.unwrap_err();
        }
        let text = "body: body: body: body: (3991 more): body: body: body: body: no";
        assert_eq!(failures.to_string(), text);
        assert_eq!(format!("{failures:#}"), text);
        let debug = text.replace("no", r#"Error("no")"#);
        assert_eq!(format!("{failures:?}"), format!("Failures [{debug}]"));
        let failures = failures.boxed();
        assert_eq!(failures.to_string(), text);
        assert!(failures.source().is_none());
        assert_eq!(failures.into_error_at_the_bottom().to_string(), "no");
        drop(nested("no", DEPTH));
        assert_eq!(
            nested(anyhow::anyhow!("no"), DEPTH)
                .into_error()
                .to_string(),
            "no"
        );
        let won = hatchery::race(|r| {
            r.spawn(|| Err(nested("no", DEPTH)));
            r.spawn(|| Ok(()));
        });
        assert!(won.is_ok());
    };
    let small = thread::Builder::new().stack_size(192 << 10);
    small.spawn(walk_at_each_level).unwrap().join().unwrap();
}

trait IntoErrorAtTheBottom<E> {
    fn into_error_at_the_bottom(self) -> E;
}

impl<E: fmt::Debug> IntoErrorAtTheBottom<E> for Failures<E> {
    fn into_error_at_the_bottom(mut self) -> E {
        loop {
            match self.into_cause().into_kind() {
                FailureKind::Nested(nested) => self = nested,
                FailureKind::Error(error) => return error,
                kind => panic!("{kind:?}"),
            }
        }
    }
}
