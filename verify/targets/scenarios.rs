//! Everything of the crate once. These are tests; and where the host calls functions, they are functions that it calls.
//! There the caller may be the only thread, and a look at the clock may trap.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hatchery::{CancelToken, FailureKind, Failures, Gate, OnFailure, Options, Pool};

/// Functions, each of which panics or traps if what it asserts does not hold.
macro_rules! scenarios {
    ($(fn $name:ident() $body:block)+) => {
        $(
            #[cfg(test)]
            #[test]
            fn $name() $body
            #[cfg(not(test))]
            #[unsafe(no_mangle)]
            extern "C" fn $name() $body
        )+
    };
}

/// Where there is none, the standard library panics if it is asked for the time, and starts no threads.
const IS_CLOCK_THERE: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

fn sum_by_forks(numbers: &[u64]) -> u64 {
    match numbers {
        [] => 0,
        [only] => *only,
        _ => {
            let (left, right) = numbers.split_at(numbers.len() / 2);
            let sums = hatchery::join(|| sum_by_forks(left), || sum_by_forks(right));
            sums.0 + sums.1
        }
    }
}

scenarios! {
    fn scenario_forks_many_and_deep() {
        let numbers: Vec<u64> = (0..1000).collect();
        assert_eq!(sum_by_forks(&numbers), 499_500);
        fn down(left: u64) -> u64 {
            if left == 0 { 0 } else { hatchery::join(|| 1, || down(left - 1)).1 + 1 }
        }
        assert_eq!(down(200), 200);
    }

    fn scenario_join_all() {
        assert_eq!(hatchery::join_all((|| 1, || 2, || 3)), (1, 2, 3));
    }

    fn scenario_nurseries_in_each_other() {
        let sum = hatchery::nursery(|n| {
            let children: Vec<_> = (0..100).map(|i| n.spawn(move || {
                hatchery::nursery(|n| n.spawn(move || i).join() + n.spawn(|| 1).join())
            })).collect();
            children.into_iter().map(|child| child.join()).sum::<u64>()
        });
        assert_eq!(sum, 4950 + 100);
    }

    fn scenario_items() {
        let squares = hatchery::nursery(|n| {
            n.spawn_each(0..10_000_u64, |i| i * i).collect::<Vec<_>>()
        });
        assert_eq!(squares.len(), 10_000);
        assert_eq!(squares[100], 10_000);
        let sum = hatchery::nursery(|n| {
            n.spawn_each(vec![String::from("a"); 1000], |text| text.len())
                .by_completion()
                .map(|(_, len)| len)
                .sum::<usize>()
        });
        assert_eq!(sum, 1000);
    }

    fn scenario_gather() {
        let values = hatchery::gather(|g| for i in 0..10 { g.spawn(move || i) });
        assert_eq!(values, (0..10).collect::<Vec<_>>());
    }

    fn scenario_blocking_children() {
        let sum = hatchery::nursery(|n| {
            n.spawn_blocking(|| 1).join() + hatchery::block_in_place(|| 2)
        });
        assert_eq!(sum, 3);
    }

    fn scenario_a_shared_pool_without_threads() {
        let here = || std::thread::current().id();
        let elsewhere = hatchery::nursery(|n| n.spawn_blocking(here).join() != here());
        assert_eq!(elsewhere, !cfg!(any(target_family = "wasm", miri)));
    }

    fn scenario_failures() {
        let failed: Result<(), Failures<&str>> = hatchery::try_nursery(|n| {
            n.spawn(|| Err::<(), _>("full"));
            n.spawn(|| Ok(()));
            Ok(())
        });
        assert!(matches!(failed.unwrap_err().cause().kind(), FailureKind::Error("full")));
        let options = Options::new().on_failure(OnFailure::Continue);
        let failed: Result<(), Failures<u32>> = options.try_nursery(|n| {
            for i in 0..10 {
                n.spawn(move || Err::<(), _>(i));
            }
            Ok(())
        });
        assert_eq!(failed.unwrap_err().len(), 10);
    }

    fn scenario_races() {
        let first = hatchery::race(|r| {
            r.spawn(|| Err("lost"));
            r.spawn(|| Ok(2));
        });
        assert_eq!(first.unwrap(), 2);
        let first = hatchery::race_each(0..1000, |i| if i < 500 { Err(i) } else { Ok(i) });
        assert!(first.unwrap() >= 500);
    }

    fn scenario_timeouts() {
        for timeout in [Duration::ZERO, Duration::from_secs(1 << 20), Duration::MAX] {
            let options = Options::new().timeout(timeout);
            let value: Result<_, Failures<()>> = options.try_nursery(|n| {
                n.spawn(|| Ok(1));
                n.checkpoint()?;
                Ok(2)
            });
            if IS_CLOCK_THERE && timeout.is_zero() {
                assert!(value.unwrap_err().cancelled().is_some());
            } else {
                assert_eq!(value.unwrap(), 2);
            }
        }
    }

    fn scenario_a_token_and_a_limit() {
        let token = CancelToken::new();
        let options = Options::new().cancel_on(&token).limit(2).name("both");
        let run = || -> Result<u64, Failures<()>> {
            options.try_nursery(|n| {
                let children: Vec<_> = (0..10).map(|i| n.spawn(move || Ok(i))).collect();
                let mut sum = 0;
                for child in children {
                    sum += child.join()?;
                }
                Ok(sum)
            })
        };
        assert_eq!(run().unwrap(), 45);
        token.cancel();
        assert!(run().unwrap_err().cancelled().is_some());
    }

    fn scenario_dumps_from_inside_and_outside() {
        assert!(Pool::shared().dump().to_string().contains("pool"));
        let texts = Mutex::new(Vec::new());
        hatchery::nursery(|n| {
            n.spawn(|| texts.lock().unwrap().push(Pool::shared().dump().to_string()));
            texts.lock().unwrap().push(Pool::shared().dump().to_string());
        });
        assert_eq!(texts.into_inner().unwrap().len(), 2);
    }

    fn scenario_a_pool_of_its_own_with_a_watchdog() {
        let builder = Pool::builder().threads(4).watchdog(Duration::from_millis(1));
        let pool = builder.build().unwrap();
        assert_eq!(pool.join(|| 1, || 2), (1, 2));
        assert_eq!(pool.nursery(|n| n.spawn(|| 3).join()), 3);
        assert!(pool.stats().to_string().contains("spawned"));
        pool.shutdown();
        assert!(Pool::shared().threads() == 1 || !cfg!(target_family = "wasm"));
    }

    fn scenario_loops_and_long_iterators() {
        let sum = AtomicUsize::new(0);
        hatchery::for_each(0..1000_usize, |i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 499_500);
        assert_eq!(hatchery::map(vec![1, 2, 3], |i| i + 1), [2, 3, 4]);
        assert_eq!(hatchery::fold(0..1000_u64, || 0, |sum, i| sum + i, |a, b| a + b), 499_500);
        let first: Vec<u64> = hatchery::nursery(|n| {
            n.spawn_buffered(4, 1_u64.., |i| i * i).take(10).collect()
        });
        assert_eq!(first[9], 100);
    }

    fn scenario_jobs() {
        let job = hatchery::submit(|| hatchery::join(|| 1, || 2));
        assert_eq!(job.join(), (1, 2));
        let failed = hatchery::try_submit(|n| n.spawn(|| Err::<(), _>("full")).join());
        assert_eq!(failed.join().unwrap_err().into_cause().into_error().unwrap(), "full");
        let gate = Gate::new(1);
        assert_eq!(gate.try_submit(|| 3).unwrap().join(), 3);
        assert_eq!(gate.inside(), 0);
        let pool = Pool::builder().threads(2).build().unwrap();
        assert_eq!(pool.install(|| hatchery::nursery(|n| n.spawn(|| 4).join())), 4);
    }

    fn scenario_sets_and_scoped_threads() {
        let sum: u32 = hatchery::nursery(|n| {
            let mut set = n.set();
            for i in 0..100 {
                set.spawn(move || i);
            }
            set.map(|(_, i)| i).sum()
        });
        assert_eq!(sum, 4950);
        let lengths = hatchery::thread::scope(|s| {
            let texts = ["a", "bc"].map(|text| s.spawn(move || text.len()));
            texts.map(|thread| thread.join().unwrap())
        });
        assert_eq!(lengths, [1, 2]);
    }
}
