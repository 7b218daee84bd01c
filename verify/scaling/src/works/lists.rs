//! Programs whose children know nothing of each other.

use laboratory::thread;
use laboratory::work;

use super::{Pool, Work};

/// Computes for as long as is said, and returns that.
fn worked(nanos: u64) -> u64 {
    work(nanos);
    nanos
}

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;

/// Children of these costs in nanoseconds, `times` times.
fn repeated(pool: Pool, cores: usize, times: u64, costs: Vec<u64>) -> Work {
    let answer = times * costs.iter().sum::<u64>();
    let span = times * costs.iter().max().copied().unwrap_or_default();
    let once = move || pool.sum(costs.len(), &|i| worked(costs[i]));
    let run = Box::new(move || (0..times).map(|_| once()).sum());
    Work {
        run,
        answer,
        span,
        cores,
    }
}

pub(crate) fn flat(pool: Pool, cores: usize, nanos: u64) -> Work {
    repeated(pool, cores, 1, vec![nanos; 10_000])
}

pub(crate) fn burst(pool: Pool, cores: usize, count: u64) -> Work {
    repeated(pool, cores, 1, vec![20 * US; count as usize])
}

pub(crate) fn phases(pool: Pool, cores: usize, times: u64) -> Work {
    repeated(pool, cores, times, vec![25 * US; 4 * cores])
}

pub(crate) fn mandelbrot(pool: Pool, cores: usize, rows: u64) -> Work {
    /// Steps until it is clear that the point is not in the set.
    fn steps(re: f64, im: f64) -> u64 {
        let (mut x, mut y) = (0.0, 0.0);
        for step in 0..1000 {
            let (xx, yy) = (x * x, y * y);
            if xx + yy > 4.0 {
                return step;
            }
            y = 2.0 * x * y + im;
            x = xx - yy + re;
        }
        1000
    }
    // Every fourth point stands for four. A step takes 3.4 ns, as on the machine of BENCHMARKS.md.
    let scale = 3.0 / rows as f64;
    let row = |y: u64| -> u64 {
        let im = y as f64 * scale - 1.5;
        let points = (0..rows).step_by(4);
        let sum: u64 = points.map(|x| steps(x as f64 * scale - 2.0, im)).sum();
        4 * sum * 3393 / 1000
    };
    repeated(pool, cores, 1, (0..rows).map(row).collect())
}

pub(crate) fn matrix(pool: Pool, cores: usize, tiles: u64) -> Work {
    let (before, after) = (250 * US, 100 * US);
    let multiplied = repeated(pool, cores, 1, vec![540 * US; tiles as usize]);
    Work {
        cores,
        answer: before + multiplied.answer + after,
        span: before + multiplied.span + after,
        run: Box::new(move || worked(before) + (multiplied.run)() + worked(after)),
    }
}

pub(crate) fn paced(pool: Pool, cores: usize, gap: u64) -> Work {
    let (child, gap) = (20 * MS, gap * US);
    let count = cores as u64;
    Work {
        cores,
        answer: count * child,
        span: count * gap + child,
        run: Box::new(move || pool.sum_paced(cores, gap, &|_| worked(child))),
    }
}

pub(crate) fn uneven(pool: Pool, cores: usize, long: u64) -> Work {
    let places = [0, 1, 125, 250, 500, 750, 998, 999];
    let runs = places.map(|place| {
        let mut costs = vec![10 * US; 1000];
        costs[place] = long * US;
        repeated(pool, cores, 1, costs)
    });
    Work {
        cores,
        answer: runs.iter().map(|run| run.answer).sum(),
        span: runs.iter().map(|run| run.span).sum(),
        run: Box::new(move || runs.iter().map(|run| (run.run)()).sum()),
    }
}

pub(crate) fn periodic(pool: Pool, cores: usize, period: u64) -> Work {
    let (times, gap) = (500, period * US);
    let once = repeated(pool, cores, 1, vec![US; 2]);
    Work {
        cores,
        answer: times * (once.answer + gap),
        span: times * (once.span + gap),
        run: Box::new(move || (0..times).map(|_| (once.run)() + worked(gap)).sum()),
    }
}

pub(crate) fn nurseries(pool: Pool, cores: usize, count: u64) -> Work {
    let (children, nanos) = (2000, 10 * US);
    let one = move || pool.sum(children, &|_| worked(nanos));
    let run = move || -> u64 {
        let threads: Vec<_> = (0..count).map(|_| thread::spawn(one)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    };
    Work {
        cores: cores.max(count as usize),
        answer: count * children as u64 * nanos,
        span: nanos,
        run: Box::new(run),
    }
}
