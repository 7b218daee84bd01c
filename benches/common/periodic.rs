//! A small nursery again and again: what it takes, and what the pool burns between two of them.

use std::time::{Duration, Instant};

use super::others::Others;
use super::{Contender, Pools, ROUNDS_100_NS, work};

/// How long a turn is at least, and how many nurseries it has at least.
const TURN: Duration = Duration::from_millis(100);
const NURSERIES: u32 = 20;
/// Children of a nursery, of 1 us each.
pub(crate) const CHILDREN: usize = 2;

/// Contenders that open such a nursery every `period`; what each gives is the median time of a nursery and
/// the CPU time of the pool.
pub(crate) fn contenders(pools: &Pools, period: Duration) -> Vec<Contender<'_>> {
    fn turn<'a>(
        name: &'static str,
        period: Duration,
        nursery: impl Fn(&mut [u64; CHILDREN]) + 'a,
    ) -> Contender<'a> {
        Contender::values(name, move || paced(period, &nursery))
    }
    vec![
        turn("serial", period, |slots| slots.fill_with(child)).reference(),
        turn("rayon scope", period, |slots| {
            pools.rayon.scope(|scope| {
                for slot in slots {
                    scope.spawn(|_| *slot = child());
                }
            });
        }),
        turn("rayon in_place_scope", period, |slots| {
            pools.rayon.in_place_scope(|scope| {
                for slot in slots {
                    scope.spawn(|_| *slot = child());
                }
            });
        }),
        turn("chili join", period, |slots| {
            let [a, b] = slots;
            let mut scope = pools.chili.scope();
            scope.join(|_| *a = child(), |_| *b = child());
        }),
        turn("hatchery nursery", period, |slots| {
            pools.hatchery.nursery(|n| {
                for slot in slots {
                    n.spawn(|| *slot = child());
                }
            });
        }),
    ]
}

fn child() -> u64 {
    work(std::hint::black_box(7), 10 * ROUNDS_100_NS)
}

/// The median time of a nursery, in nanoseconds, and the CPU time of all threads but this one, in
/// percent of one CPU.
fn paced(period: Duration, nursery: &dyn Fn(&mut [u64; CHILDREN])) -> [f64; 2] {
    let answer = [child(); CHILDREN];
    let others = Others::listed();
    let before = others.usage();
    let start = Instant::now();
    let mut times = Vec::new();
    let mut next = start;
    while start.elapsed() < TURN || times.len() < NURSERIES as usize {
        // It does not sleep: that would measure how exactly the system wakes it.
        while Instant::now() < next {
            std::hint::spin_loop();
        }
        let mut slots = [0; CHILDREN];
        let open = Instant::now();
        nursery(&mut slots);
        times.push(open.elapsed());
        assert_eq!(slots, answer);
        // A nursery that is late is not made up for.
        next = (next + period).max(Instant::now());
    }
    let burnt = (others.usage().cpu - before.cpu).as_secs_f64() / start.elapsed().as_secs_f64();
    times.sort();
    [times[times.len() / 2].as_secs_f64() * 1e9, 100.0 * burnt]
}
