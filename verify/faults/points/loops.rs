//! Loops that other threads take parts of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::programs::{Ending, with_saboteur};
use super::world::{Value, World};
use super::{Act, Tally, Watch, cases, seed};
use crate::platform::failpoint::Failpoint;

/// What happens to a loop of which another thread takes a part.
const TAKEN: [Failpoint; 4] = [
    Failpoint::BatchSplit,
    Failpoint::ForkShown,
    Failpoint::RunStolen,
    Failpoint::ForkStolen,
];

/// Usually a few are enough.
const ROUNDS: usize = 10_000;

/// A `fold`, a `map` and loops in a loop, again and again until other threads have taken parts.
pub(super) fn loops(w: &World) -> Ending {
    let numbers = || 0..40_u64;
    let values = || numbers().map(|i| w.value(i)).collect::<Vec<_>>();
    let busy = || {
        w.user();
        thread::yield_now();
    };
    let once = || {
        let in_order = crate::fold(
            values(),
            Vec::new,
            |mut list, value| {
                busy();
                list.push(value);
                list
            },
            |left, right| left.into_iter().chain(right).collect(),
        );
        let doubled = crate::map(values(), |value| {
            busy();
            w.value(2 * value.get())
        });
        let sum = AtomicU64::new(0);
        let captured: Vec<_> = (0..16).map(|i| w.value(i)).collect();
        crate::for_each(crate::chunks(&captured, 4), |chunk| {
            crate::for_each(chunk, |value| {
                busy();
                sum.fetch_add(value.get(), Ordering::Relaxed);
            });
        });
        let are_right = [
            in_order.iter().map(Value::get).eq(numbers()),
            doubled.iter().map(Value::get).eq(numbers().map(|i| 2 * i)),
        ];
        are_right.map(u64::from).iter().sum::<u64>() + sum.into_inner()
    };
    Ok(with_saboteur(w, |n| {
        let is_taken = || TAKEN.iter().all(|point| w.plan.hits(*point) > 0);
        let mut sums = (0..ROUNDS).map(|_| once());
        let is_over = |_: &u64| w.pool.threads() == 1 || is_taken() || n.is_cancelled();
        sums.find(is_over).unwrap_or_default()
    }))
}

#[test]
fn parts_of_a_loop_are_split_off_and_stolen() {
    let (watch, mut tally) = (Watch::default(), Tally::default());
    let seed = seed();
    watch.during(|| {
        for round in 0..20 {
            let act = |_| Act::Perturb(seed.wrapping_add(round));
            let loops = cases(act).filter(|case| case.program.name == "loops" && case.threads > 1);
            for case in loops {
                let text = case.to_string();
                let plan = tally.run(case, &watch);
                let missed: Vec<_> = TAKEN
                    .iter()
                    .filter(|point| plan.hits(**point) == 0)
                    .collect();
                assert!(missed.is_empty(), "{text}: {missed:?} were not reached");
            }
        }
    });
    tally.print("loops");
}
