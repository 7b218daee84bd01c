//! Partial nurseries: what they cost beside total ones, checks, and skipped children.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use hatchery::{Cancelled, Failure, TryNursery};

use super::{Contender, Pools, work};

/// The flat fan-out: children that cannot fail, and children that could.
pub(crate) fn children(pools: &Pools, size: u64, rounds: u32) -> Vec<Contender<'_>> {
    let rounds = black_box(rounds);
    vec![
        Contender::new("hatchery spawn", move || {
            pools.hatchery.nursery(|n| {
                let children: Vec<_> = (0..size)
                    .map(|i| n.spawn(move || work(i, rounds)))
                    .collect();
                let values = children.into_iter().map(hatchery::Child::join);
                values.fold(0, u64::wrapping_add)
            })
        })
        .reference(),
        Contender::new("hatchery spawn, may fail", move || {
            let sum = pools.hatchery.try_nursery::<u8, _, _>(|n| {
                let children: Vec<_> = (0..size)
                    .map(|i| n.spawn(move || Ok(work(i, rounds))))
                    .collect();
                let mut values = children.into_iter().map(hatchery::Child::join);
                values.try_fold(0, |sum: u64, value| Ok(sum.wrapping_add(value?)))
            });
            sum.expect("nobody fails")
        }),
    ]
}

/// Checks inside nested nurseries, beside a flag that is read instead.
pub(crate) fn checks(pools: &Pools, size: u64, depth: u32) -> Vec<Contender<'_>> {
    let flag = AtomicBool::new(false);
    vec![
        Contender::new("a flag", move || {
            (0..size)
                .filter(|_| !black_box(&flag).load(Ordering::Acquire))
                .count() as u64
        })
        .reference(),
        Contender::new("hatchery nursery's checkpoint", move || {
            below(pools, depth, |n| {
                for i in 0..size {
                    n.checkpoint()?;
                    black_box(i);
                }
                Ok(size)
            })
        }),
        Contender::new("hatchery free checkpoint", move || {
            below(pools, depth, |_| {
                for i in 0..size {
                    hatchery::checkpoint()?;
                    black_box(i);
                }
                Ok(size)
            })
        }),
    ]
}

type Body<'a> = &'a dyn Fn(&TryNursery<'_, '_, Cancelled>) -> Result<u64, Failure<Cancelled>>;

/// Calls `f` inside this many nested partial nurseries.
fn below(
    pools: &Pools,
    depth: u32,
    f: impl Fn(&TryNursery<'_, '_, Cancelled>) -> Result<u64, Failure<Cancelled>>,
) -> u64 {
    fn nest(depth: u32, f: Body<'_>) -> Result<u64, Failure<Cancelled>> {
        Ok(hatchery::try_nursery(|n| match depth {
            1 => f(n),
            _ => nest(depth - 1, f),
        })?)
    }
    let value = pools.hatchery.nursery(|_| nest(depth, &f));
    value.expect("nobody cancels")
}

/// From cancelling a nursery with this many unstarted children to its end; for pools of one thread,
/// because other threads would have run some of the children.
pub(crate) fn skipped(pools: &Pools, size: u64) -> Vec<Contender<'_>> {
    vec![Contender::timed("hatchery cancel", move || {
        let started = AtomicU64::new(0);
        let mut cancelled = Instant::now();
        let result = pools.hatchery.try_nursery::<u8, _, _>(|n| {
            for _ in 0..size {
                n.spawn(|| Ok(started.fetch_add(1, Ordering::Relaxed)));
            }
            cancelled = Instant::now();
            n.cancel();
            Ok(())
        });
        let took = cancelled.elapsed();
        result.expect("cancelled by itself");
        assert_eq!(started.into_inner(), 0);
        took
    })]
}
