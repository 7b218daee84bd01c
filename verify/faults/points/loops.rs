//! Loops that other threads take parts of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::programs::{Ending, with_saboteur};
use super::world::{Value, World};
use crate::platform::failpoint::Failpoint;

/// What happens to a loop of which another thread takes a part, and to nothing else in this program.
const TAKEN: [Failpoint; 3] = [
    Failpoint::BatchSplit,
    Failpoint::ForkShown,
    Failpoint::ForkStolen,
];

/// Usually a few are enough.
const ROUNDS: usize = 10_000;

/// What each round comes to: two lists that are right, and the sum of 0 to 15.
pub(super) const EXPECTED: u64 = 2 + 120;

/// A `fold`, a `map` and loops in a loop, again and again until other threads have taken parts, or a round
/// has come to something else.
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
        let missed = || TAKEN.into_iter().filter(|point| w.plan.hits(*point) == 0);
        for _ in 0..ROUNDS {
            let sum = once();
            let is_over = w.pool.threads() == 1 || n.is_cancelled() || missed().next().is_none();
            if sum != EXPECTED || is_over {
                return sum;
            }
        }
        let missed: Vec<_> = missed().collect();
        panic!("{ROUNDS} rounds, and never reached: {missed:?}")
    }))
}
