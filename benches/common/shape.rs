//! Contenders under criterion: `shape/contender/size`, the serial program first.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};

use super::{Contender, How, Pools};

/// Sizes of the pools, in threads.
const THREADS: [usize; 2] = [1, 2];

/// One shape at one size.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) size: u64,
    pub(crate) answer: u64,
}

pub(crate) fn pools() -> [Pools; 2] {
    THREADS.map(Pools::new)
}

/// Measures every contender on every pool, references once.
pub(crate) fn measure<'a>(
    criterion: &mut Criterion,
    shape: &Shape,
    pools: &'a [Pools],
    contenders: impl Fn(&'a Pools) -> Vec<Contender<'a>>,
) {
    let mut group = criterion.benchmark_group(shape.name);
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(800));
    for (i, pools) in pools.iter().enumerate() {
        let mut contenders = contenders(pools);
        contenders.retain(|contender| i == 0 || !contender.is_reference);
        for contender in contenders {
            let name = contender.name.replace("::", "_").replace(", ", "_");
            let name = name.replace(' ', "_");
            let name = match contender.is_reference {
                true => name,
                false => format!("{name}_t{}", pools.threads),
            };
            group.bench_function(BenchmarkId::new(name, shape.size), |b| {
                match &contender.how {
                    How::Call(call) => b.iter(|| assert_eq!(call(), shape.answer)),
                    How::Timed(timed) => b.iter_custom(|calls| (0..calls).map(|_| timed()).sum()),
                    How::Values(_) => unreachable!("only the table has these"),
                }
            });
        }
    }
}
