//! The turns that the contenders of a row take: one each in a round, so that a machine whose speed changes by the
//! second is the same for all.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::{Contender, How, ROUNDS_100_NS, work};

/// What a turn of a short contender takes at least, so that reading the clock (20 ns) is nothing.
const TURN: Duration = Duration::from_millis(2);
/// The work of the control, some 5 ms.
const CONTROL_ROUNDS: u32 = 50_000 * ROUNDS_100_NS;

/// How much longer `threads` threads of std that compute side by side take than one alone: 1 on a machine
/// with as many idle CPUs. The contenders do not cause what is above that.
pub(crate) fn control(threads: usize) -> f64 {
    let compute = || {
        let start = Instant::now();
        black_box(work(black_box(7), CONTROL_ROUNDS));
        start.elapsed()
    };
    let alone = compute();
    let all = Barrier::new(threads);
    let slowest = thread::scope(|scope| {
        let computing = || {
            all.wait();
            compute()
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(computing)).collect();
        let took = threads.into_iter().map(|t| t.join().expect("no panic"));
        took.max().expect("a thread")
    });
    slowest.as_secs_f64() / alone.as_secs_f64()
}

/// All turns of a round: no contender always runs after the same other contender.
pub(crate) fn in_order<T>(turns: &mut [T], round: usize) -> impl Iterator<Item = &mut T> {
    let first = round % turns.len();
    let (head, tail) = turns.split_at_mut(first);
    tail.iter_mut().chain(head)
}

/// The turns of a contender.
pub(crate) struct Turns<'a> {
    contender: Contender<'a>,
    answer: u64,
    units: f64,
    /// Calls of a turn.
    repetitions: u32,
    values: [Vec<f64>; 2],
}

impl<'a> Turns<'a> {
    /// `units` is how many children, forks or nodes one call has.
    pub(crate) fn new(contender: Contender<'a>, answer: u64, units: u64) -> Self {
        Self {
            contender,
            answer,
            units: units as f64,
            repetitions: 1,
            values: [Vec::new(), Vec::new()],
        }
    }

    /// Has a turn that does not count, and says how long it took.
    pub(crate) fn rehearse(&mut self) -> Duration {
        let start = Instant::now();
        self.take();
        let took = start.elapsed();
        self.values = [Vec::new(), Vec::new()];
        took
    }

    /// Rehearses, finds out how often a short contender is called in a turn, and says how long it takes.
    pub(crate) fn warm_up(&mut self) -> Duration {
        loop {
            let took = self.rehearse();
            let is_short = matches!(self.contender.how, How::Call(_)) && took < TURN / 2;
            if !is_short {
                return took;
            }
            // It doubles at least, since the first calls take longer than the others.
            let factor = TURN.as_nanos() / took.as_nanos().max(1);
            let factor = u32::try_from(factor.clamp(2, 16)).expect("a small number");
            self.repetitions *= factor;
        }
    }

    pub(crate) fn take(&mut self) {
        let name = self.contender.name;
        match &self.contender.how {
            How::Call(call) => {
                let start = Instant::now();
                for _ in 0..self.repetitions {
                    assert_eq!(black_box(call()), self.answer, "{name}");
                }
                let took = start.elapsed().as_secs_f64() / f64::from(self.repetitions);
                self.values[0].push(took * 1e9 / self.units);
            }
            How::Timed(timed) => {
                self.values[0].push(timed().as_secs_f64() * 1e9 / self.units);
            }
            How::Values(values) => {
                for (values, value) in self.values.iter_mut().zip(values()) {
                    values.push(value);
                }
            }
        }
    }

    /// What came of the turns: of a row, or of its second row.
    pub(crate) fn result(&mut self, which: usize) -> Measured {
        let values = &mut self.values[which];
        values.sort_by(f64::total_cmp);
        Measured {
            name: self.contender.name,
            is_reference: self.contender.is_reference,
            quartiles: [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4]),
        }
    }
}

/// What a contender did in a row.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) is_reference: bool,
    /// First quartile, median, third quartile.
    pub(crate) quartiles: [f64; 3],
}

impl Measured {
    pub(crate) fn median(&self) -> f64 {
        self.quartiles[1]
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.name.starts_with("hatchery")
    }
}
