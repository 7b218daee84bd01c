//! `for_each`, `map` and `fold`: every item once, in order, on whichever thread. What panics: see
//! `for_each_panics`.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::common::{on_every_pool, on_pool, payload_of};
use hatchery::{CancelToken, Indexed, Options, Pool, chunks, chunks_mut};

/// How many items: around the lengths of stretches, and enough to be divided many times.
pub(crate) const LENGTHS: [usize; 9] = [0, 1, 2, 3, 9, 10, 100, 5000, 70_001];

/// The items in the order in which they are folded, each looked at by `look`.
fn listed<I>(pool: &Pool, items: I, look: impl Fn(&I::Item) + Sync) -> Vec<I::Item>
where
    I: Indexed<Item: Send>,
{
    let fold = |mut list: Vec<_>, item| {
        look(&item);
        list.push(item);
        list
    };
    let reduce = |mut left: Vec<_>, mut right: Vec<_>| {
        left.append(&mut right);
        left
    };
    pool.fold(items, Vec::new, fold, reduce)
}

/// Checks that the items are these, on a thread outside of the pool, in a body, in a child, in a
/// child that may block, and in a function that is folded itself.
fn check<I>(pool: &Pool, items: impl Fn() -> I + Sync, expected: &[I::Item])
where
    I: Indexed<Item: Send + Sync + PartialEq + Debug>,
{
    // A thread that goes to sleep now and then is asked for work.
    let check = || assert_eq!(listed(pool, items(), |_| ()), expected);
    check();
    pool.nursery(|n| {
        check();
        n.spawn(check);
        n.spawn_blocking(check);
        n.spawn_each(0..2, |_| check());
    });
    pool.for_each(0..3, |_| check());
    pool.join(check, check);
}

#[test]
fn r1_every_kind_of_input_is_folded_in_the_order_of_its_items() {
    on_every_pool(|pool| {
        for len in LENGTHS {
            let mut vec: Vec<usize> = (0..len).collect();
            check(pool, || 0..len, &vec);
            check(pool, || vec.clone(), &vec);
            check(pool, || &vec, &vec.iter().collect::<Vec<_>>());
            check(pool, || &vec[..], &vec.iter().collect::<Vec<_>>());
            let numbered: Vec<_> = (7..).zip(vec.clone()).collect();
            check(pool, || (7.., vec.clone()), &numbered);
            let pairs: Vec<_> = vec.iter().zip(vec.iter().skip(1)).collect();
            check(pool, || (&vec, vec.get(1..).unwrap_or(&[])), &pairs);
            for of in [1, 7, len + 1, usize::MAX] {
                let expected: Vec<_> = vec.chunks(of).collect();
                check(pool, || chunks(&vec, of), &expected);
                pool.for_each((0.., chunks_mut(&mut vec, of)), |(number, chunk)| {
                    assert_eq!(chunk, expected_chunk(number, of, len));
                });
            }
            pool.for_each(&mut vec, |item| *item += 1);
            pool.for_each(&mut vec[..], |item| *item += 1);
            assert_eq!(vec, (2..len + 2).collect::<Vec<_>>());
        }
        let mut array = [1, 2, 3];
        pool.for_each(&mut array, |item| *item *= 2);
        check(pool, || &array, &[&2, &4, &6]);
    });
}

/// The numbers in a chunk of the numbers up to `len`.
fn expected_chunk(number: usize, of: usize, len: usize) -> Vec<usize> {
    let begin = number.saturating_mul(of);
    (begin..begin.saturating_add(of).min(len)).collect()
}

#[test]
fn ranges_may_reach_to_the_ends_of_their_types() {
    fn all<T>(pool: &Pool, range: RangeInclusive<T>)
    where
        T: Send + Sync + PartialEq + Debug + Copy,
        RangeInclusive<T>: Indexed<Item = T> + Iterator<Item = T>,
    {
        let expected: Vec<_> = range.clone().collect();
        check(pool, || range.clone(), &expected);
    }
    on_every_pool(|pool| {
        all(pool, i8::MIN..=i8::MAX);
        all(pool, u8::MIN..=u8::MAX);
        all(pool, u64::MAX - 20..=u64::MAX);
        all(pool, i64::MAX..=i64::MAX);
        all(pool, i16::MIN..=100);
        #[allow(clippy::reversed_empty_ranges, reason = "it is what is checked")]
        all(pool, 1..=0);
        check(
            pool,
            || i8::MIN..i8::MAX,
            &(i8::MIN..i8::MAX).collect::<Vec<_>>(),
        );
        #[allow(clippy::reversed_empty_ranges, reason = "it is what is checked")]
        check(pool, || 7..3, &[0; 0]);
        let mut used = 3..=3;
        used.next();
        check(pool, || used.clone(), &[0; 0]);
        check(
            pool,
            || (u64::MAX - 2..=u64::MAX, 0..u64::MAX),
            &[(u64::MAX - 2, 0), (u64::MAX - 1, 1), (u64::MAX, 2)],
        );
    });
}

/// A thread that is idle gets the second half of the items at once, and parts of the first half when it has
/// come to the end of its own. The order stays the same.
#[test]
fn threads_that_are_idle_take_part_again_and_again() {
    on_pool(Pool::builder().threads(2), |pool| {
        for len in [2_usize, 100, 1_000_000] {
            let runs = |is_helped: &AtomicBool| {
                let home = thread::current().id();
                let look = |item: &usize| {
                    let is_at_home = thread::current().id() == home;
                    // A few times: on a busy machine it may take long to come back.
                    if is_at_home && item % len.div_ceil(10) == 0 {
                        thread::yield_now();
                    }
                    if !is_at_home && (*item < len / 2 || len == 2) {
                        is_helped.store(true, Relaxed);
                    }
                };
                let list = listed(pool, 0..len, look);
                assert!(list.into_iter().eq(0..len));
            };
            let is_helped = AtomicBool::new(false);
            while !is_helped.load(Relaxed) {
                runs(&is_helped);
            }
            is_helped.store(false, Relaxed);
            while !is_helped.load(Relaxed) {
                pool.nursery(|n| n.spawn(|| runs(&is_helped)).join());
            }
        }
    });
}

#[test]
fn x2_all_items_are_run_in_a_nursery_that_is_cancelled_and_are_told() {
    on_every_pool(|pool| {
        let told = || {
            let told = |told, _| told + usize::from(hatchery::checkpoint().is_err());
            hatchery::fold(0..10_000, || 0, told, |left, right| left + right)
        };
        let token = CancelToken::new();
        let options = Options::new().pool(pool).cancel_on(&token);
        assert_eq!(options.nursery(|_| told()), 0);
        token.cancel();
        assert_eq!(options.nursery(|_| told()), 10_000);
        assert_eq!(options.nursery(|n| n.spawn(told).join()), 10_000);
        let run = AtomicUsize::new(0);
        options.for_each(0..1000, |_| _ = run.fetch_add(1, Relaxed));
        let ended = pool.try_nursery::<(), _, _>(|n| {
            n.cancel();
            pool.for_each(0..1000, |_| _ = run.fetch_add(1, Relaxed));
            Ok(())
        });
        ended.expect("the body has seen nothing of it");
        assert_eq!(run.into_inner(), 2000);
        // A panic of a sibling keeps no item from running.
        let run = AtomicU64::new(0);
        let payload = payload_of(|| {
            pool.nursery(|n| {
                let failed = n.spawn(|| resume_unwind(Box::new("the sibling's")));
                let joined = payload_of(|| -> () { failed.join() });
                pool.for_each(0..1000, |_| _ = run.fetch_add(1, Relaxed));
                resume_unwind(joined)
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&"the sibling's"));
        assert_eq!(run.into_inner(), 1000);
    });
}

/// What an item spawns, opens and folds is computed on its pool, and ends with its nursery.
#[test]
fn items_may_spawn_fork_and_fold() {
    on_every_pool(|pool| {
        let sum = AtomicU64::new(0);
        let add = |n: u64| _ = sum.fetch_add(n, Relaxed);
        pool.nursery(|n| {
            hatchery::for_each(0..100_u64, |i| {
                assert_eq!(hatchery::threads(), pool.threads());
                n.spawn(move || add(i));
                hatchery::join(|| add(i), || hatchery::for_each(0..i, |_| add(1)));
                hatchery::nursery(|inner| {
                    inner.spawn_each(0..i, |_| add(1));
                });
            });
        });
        assert_eq!(sum.into_inner(), 4 * 4950);
        pool.for_each(0..2, |_| assert_eq!(hatchery::threads(), pool.threads()));
        let limited = Options::new().pool(pool).limit(1);
        let sum = limited.fold(0..1000, || 0, |sum, n| sum + n, |left, right| left + right);
        assert_eq!(sum, 499_500);
    });
}

/// A pool in a pool: each has its own threads.
#[test]
fn items_may_be_folded_on_another_pool() {
    on_every_pool(|pool| {
        let other = Pool::builder().threads(3).build().unwrap();
        pool.for_each(0..10, |_| {
            let sum = |of: &Pool| of.fold(0..1000, || 0, |sum, n| sum + n, |a, b| a + b);
            assert_eq!((sum(&other), sum(pool)), (499_500, 499_500));
            other.for_each(0..10, |_| assert_eq!(hatchery::threads(), 3));
        });
    });
}

#[test]
#[should_panic(expected = "at least one item")]
fn chunks_of_nothing_are_refused() {
    let _ = chunks(&[1, 2, 3], 0);
}

#[test]
fn r1_a_map_returns_the_value_of_each_item_in_its_place() {
    on_every_pool(|pool| {
        for len in LENGTHS {
            let expected: Vec<_> = (0..len).map(|item| item.to_string()).collect();
            let check = || {
                assert_eq!(pool.map(0..len, |item| item.to_string()), expected);
                let owned: Vec<_> = (0..len).collect();
                assert_eq!(pool.map(owned, |item| item.to_string()), expected);
                // Values that are smaller, and values that take no memory.
                assert!(
                    pool.map(&expected, |_| 7_u8)
                        .iter()
                        .all(|value| *value == 7)
                );
                assert_eq!(pool.map(0..len, drop).len(), len);
            };
            check();
            pool.nursery(|n| n.spawn_each(0..2, |_| check()).for_each(drop));
        }
        let squares = pool.map(0..100, |i| pool.map(0..i, |j| j).len());
        assert_eq!(squares, hatchery::map(0..100, |i| i));
        assert_eq!(Options::new().pool(pool).map(&[1, 2], |i| i + 1), [2, 3]);
    });
}

#[test]
fn a_map_of_more_than_memory_has_room_for_panics_at_once() {
    let items = AtomicUsize::new(0);
    let map = || hatchery::map((0..u64::MAX, 0..u64::MAX), |_| items.fetch_add(1, Relaxed));
    assert!(crate::common::outcome(map).is_err());
    assert_eq!(items.into_inner(), 0);
}
