//! rayon's iterators below nurseries of hatchery that are cancelled.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{in_each_pool, pool, watched, work};
use hatchery::{CancelReason, CancelToken, Options};
use rayon::prelude::*;

#[test]
fn an_iterator_below_a_cancelled_nursery_stops_at_its_next_split() {
    in_each_pool(|| {
        let begun = AtomicUsize::new(0);
        let stopped = hatchery::try_nursery::<String, usize, _>(|n| {
            let items = (0..1 << 20).into_par_iter().with_max_len(1);
            Ok(items
                .map(|item| {
                    if begun.fetch_add(1, Ordering::Relaxed) == 100 {
                        n.cancel();
                    }
                    work(item) % 2
                })
                .sum())
        });
        assert!(stopped.unwrap_err().cancelled().is_some());
        assert!(begun.into_inner() < 1 << 19);
    });
}

#[test]
fn a_deadline_outside_of_the_pool_holds_inside() {
    watched(|| {
        let two = pool(2);
        let over = Options::new().timeout(Duration::from_millis(5));
        let stopped = over.try_nursery::<String, usize, _>(|_| {
            Ok(two.install(|| {
                let items = (0..usize::MAX / 2).into_par_iter().with_max_len(1 << 10);
                items.map(|item| work(item) % 2).sum()
            }))
        });
        let failures = stopped.unwrap_err();
        assert_eq!(
            failures.cancelled().unwrap().reason(),
            CancelReason::Deadline
        );
    });
}

#[test]
fn bridges_and_indexed_iterators_stop() {
    in_each_pool(|| {
        let token = CancelToken::new();
        token.cancel();
        let cancelled = Options::new().cancel_on(&token);
        let bridged = cancelled.try_nursery::<String, usize, _>(|_| {
            Ok((0..usize::MAX)
                .par_bridge()
                .map(|item| work(item) % 2)
                .sum())
        });
        assert!(bridged.unwrap_err().cancelled().is_some());
        let collected = cancelled.try_nursery::<String, Vec<_>, _>(|_| {
            let texts = vec![String::from("text"); 1000];
            Ok(texts.into_par_iter().map(|text| text + "s").collect())
        });
        assert!(collected.unwrap_err().cancelled().is_some());
    });
}

#[test]
fn what_must_run_whole_does() {
    in_each_pool(|| {
        let token = CancelToken::new();
        token.cancel();
        let done = Options::new()
            .cancel_on(&token)
            .try_nursery::<String, _, _>(|_| {
                let both = rayon::join(|| 1, || 2);
                let mut in_scope = [0; 10];
                rayon::scope(|s| {
                    in_scope
                        .iter_mut()
                        .for_each(|place| s.spawn(|_| *place = 1))
                });
                assert_eq!((both, in_scope), ((1, 2), [1; 10]));
                Err::<(), _>("checked".to_owned().into())
            });
        // Nobody was told of the cancellation.
        let cause = done.unwrap_err().into_cause();
        assert_eq!(cause.into_error().unwrap(), "checked");
    });
}

#[test]
fn a_sort_that_is_not_stopped_loses_nothing() {
    in_each_pool(|| {
        let token = CancelToken::new();
        let mut texts: Vec<_> = (0..50_000_usize)
            .map(|item| work(item).to_string())
            .collect();
        let mut sorted = texts.clone();
        sorted.sort();
        let until = Instant::now();
        let left = Options::new()
            .cancel_on(&token)
            .try_nursery::<String, _, _>(|_| {
                texts.par_sort_by(|a, b| {
                    token.cancel();
                    a.cmp(b)
                });
                Ok(())
            });
        // The sort is made of `join`, and perhaps of iterators which stop.
        drop((left, until));
        texts.sort();
        assert_eq!(texts, sorted);
    });
}

#[test]
fn without_a_nursery_nothing_stops() {
    in_each_pool(|| {
        let sum: usize = (0..1000).into_par_iter().with_max_len(1).sum();
        assert_eq!(sum, 499_500);
    });
}
