//! The partial nursery in its types: inference, borrows, `?`, sizes; and races.

use std::error::Error;
use std::num::ParseIntError;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{on_every_pool, on_no_worker};
use hatchery::{CancelReason, CancelToken, Failure, FailureKind, Failures, OnFailure, Options};

#[test]
fn recursive_nurseries_compose_by_question_marks() {
    fn sum(text: &str) -> Result<i64, Failures<ParseIntError>> {
        hatchery::try_nursery(|n| {
            let Some((left, right)) = text.split_once('+') else {
                return Ok(text.parse()?);
            };
            let right = n.spawn_body(move || Ok(sum(right)?));
            let left: i64 = left.parse()?;
            Ok(left + right.join()?)
        })
    }
    fn boxed(text: &str) -> Result<i64, Box<dyn Error + Send + Sync>> {
        Ok(sum(text)?)
    }
    on_every_pool(|_| {
        assert_eq!(sum("1+2+3").unwrap(), 6);
        let failures = sum("1+2+x").unwrap_err();
        let text = "child 0: child 0: invalid digit found in string";
        assert_eq!(failures.to_string(), text);
        assert_eq!(
            boxed("1+x").unwrap_err().to_string(),
            "child 0: invalid digit found in string"
        );
    });
}

#[test]
fn a_nursery_of_boxed_errors_borrows() {
    let lines = ["1".to_owned(), "x".to_owned()];
    let failures = hatchery::try_nursery::<Box<dyn Error + Send + Sync + '_>, _, _>(|n| {
        let children: Vec<_> = lines
            .iter()
            .map(|line| n.spawn(|| Ok(line.parse::<i32>()?)))
            .collect();
        let own: i32 = "3".parse().map_err(Failure::new)?;
        children
            .into_iter()
            .map(|child| Ok(child.join()? + own))
            .collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(
        failures.unwrap_err().to_string(),
        "child 1: invalid digit found in string"
    );
}

#[test]
fn types_are_inferred() {
    let one = hatchery::try_nursery::<(), _, _>(|n| n.spawn(|| Ok(1)).join());
    assert_eq!(one.unwrap(), 1);
    let line = "12";
    let parsed = hatchery::try_nursery(|n| n.spawn(|| line.parse::<i64>()).join());
    assert_eq!(parsed.unwrap(), 12);
    let all: Result<Vec<i64>, Failures<ParseIntError>> =
        hatchery::try_nursery(|n| n.spawn_each(["1", "2"], str::parse).collect());
    assert_eq!(all.unwrap(), [1, 2]);
}

#[test]
fn failures_say_the_cause_and_list_the_rest() {
    let options = Options::new().on_failure(OnFailure::Continue);
    let failures = options.try_nursery(|n| {
        n.spawn_each(["1", "x", "", "3"], str::parse::<i32>);
        Ok(())
    });
    let failures = failures.unwrap_err();
    assert_eq!(
        failures.to_string(),
        "child 1: invalid digit found in string (and 1 more)"
    );
    let all = "child 1: invalid digit found in string\n\
               child 2: cannot parse integer from empty string";
    assert_eq!(format!("{failures:#}"), all);
    assert_eq!(size_of::<Failures<String>>(), size_of::<usize>());
    assert_eq!(
        size_of::<Result<usize, Failures<String>>>(),
        2 * size_of::<usize>()
    );
}

#[test]
fn the_types_are_send_and_sync() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Failures<std::cell::Cell<u8>>>();
    sync::<Failures<u8>>();
    sync::<hatchery::TryNursery<'_, '_, std::cell::Cell<u8>>>();
    send::<CancelToken>();
    sync::<CancelToken>();
    sync::<Options>();
}

#[test]
fn the_first_success_wins_a_race() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool);
        let won = options.race(|r| {
            r.spawn(|| Err("slow"));
            r.spawn(|| Ok(7));
            r.spawn_blocking(|| Err("blocked"));
        });
        assert_eq!(won.unwrap(), 7);
        let lost = options.race::<(), _, _>(|r| {
            r.spawn(|| Err("slow"));
            r.spawn(|| panic!("fell"));
        });
        assert_eq!(lost.unwrap_err().len(), 2);
        let nobody = options.race::<(), (), _>(|_| {});
        let nobody = nobody.unwrap_err().cancelled().unwrap();
        assert_eq!(nobody.reason(), CancelReason::NoCompetitor);
        let found = options.race_each(0..1000, |i| if i == 700 { Ok(i) } else { Err(()) });
        assert_eq!(found.unwrap(), 700);
        let token = CancelToken::new();
        token.cancel();
        let stopped = options
            .cancel_on(&token)
            .race(|r| r.spawn(|| Ok::<_, ()>(1)));
        let stopped = stopped.unwrap_err().cancelled().unwrap();
        assert_eq!(stopped.reason(), CancelReason::Token);
    });
}

#[test]
fn e1_who_was_told_of_another_nurserys_cancellation_fails_as_ever() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        token.cancel();
        let total = Options::new().cancel_on(&token);
        let failures = pool.try_nursery(|n| {
            n.spawn(|| {
                assert!(total.nursery(|_| hatchery::checkpoint()).is_err());
                Err::<(), _>("no")
            });
            Ok(())
        });
        let failures = failures.unwrap_err();
        assert_eq!(failures.to_string(), "child 0: no");
        assert!(failures.late().is_empty());
    });
}

#[test]
fn e1_an_error_that_is_late_in_a_nursery_further_in_is_kept() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let failures = options.try_nursery::<&str, (), _>(|outer| {
            outer.spawn_body(|| {
                let middle = hatchery::try_nursery::<&str, (), _>(|_| {
                    let inner = hatchery::try_nursery::<&str, (), _>(|n| {
                        n.cancel();
                        assert!(hatchery::checkpoint().is_err());
                        Err(Failure::new("late"))
                    });
                    Ok(inner?)
                });
                outer.cancel();
                Ok(middle?)
            });
            Err(Failure::new("no"))
        });
        let failures = failures.unwrap_err();
        assert_eq!(failures.to_string(), "no");
        assert_eq!(failures.late().len(), 1);
    });
}

#[test]
fn x3_a_body_that_passes_on_that_a_nursery_in_it_was_cancelled_says_so() {
    on_every_pool(|pool| {
        let failures = pool.try_nursery::<(), (), _>(|outer| {
            let inner = hatchery::try_nursery(|n| {
                n.cancel();
                n.checkpoint()
            });
            assert!(!outer.is_cancelled());
            Ok(inner?)
        });
        let cancelled = failures.unwrap_err().cancelled().unwrap();
        assert_eq!(cancelled.reason(), CancelReason::Requested);
    });
}

#[test]
fn a_cancelled_nursery_takes_no_more_items() {
    on_no_worker(|pool| {
        let pulled = AtomicUsize::new(0);
        let failures = pool.try_nursery(|n| {
            let items = (0..).inspect(|i| {
                pulled.fetch_add(1, Ordering::Relaxed);
                if *i == 100 {
                    n.cancel();
                }
            });
            let mut children = n.spawn_each(items, Ok::<i32, ()>);
            let last = children.by_ref().last().unwrap();
            assert!(matches!(
                last.unwrap_err().kind(),
                FailureKind::Cancelled(_)
            ));
            Ok(())
        });
        failures.unwrap();
        assert_eq!(pulled.into_inner(), 101);
    });
}
