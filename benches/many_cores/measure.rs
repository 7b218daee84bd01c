//! A row: its rounds, as many as there is time for, and what comes out.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::others::Others;
use crate::common::turns::{Measured, Turns, control, in_order};
use crate::rows::Row;

/// Turns of each contender, if there is time.
const ROUNDS: usize = 31;
const LEAST_ROUNDS: usize = 5;
/// Before each turn, and as long as in the laboratory: all threads fall asleep.
const PAUSE: Duration = Duration::from_millis(5);

/// A row that has run, on pools of one size.
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) threads: usize,
    pub(crate) point: Option<&'static str>,
    least: f64,
    besides: Duration,
    /// How much longer as many threads of std take than one, see [`control`].
    pub(crate) control: f64,
    /// Nanoseconds of each contender.
    pub(crate) times: Vec<Measured>,
    /// The CPU time of the pools in percent of a CPU, where it is measured.
    pub(crate) burnt: Vec<Measured>,
}

impl Outcome {
    /// The least time in which the program could run, by the time that it took.
    pub(crate) fn efficiency(&self, contender: &Measured) -> f64 {
        let serial = self.times.iter().find(|contender| contender.is_reference);
        let serial = serial.expect("each row has it").median();
        let besides = self.besides.as_secs_f64() * 1e9;
        (self.least * serial + besides) / (contender.median() + besides)
    }
}

/// Runs a row for about this long, or once.
pub(crate) fn run(row: Row<'_>, threads: usize, time: Option<Duration>) -> Outcome {
    let start = Instant::now();
    let contenders = row.contenders.into_iter();
    let mut turns: Vec<_> = contenders
        .map(|contender| Turns::new(contender, row.answer, 1))
        .collect();
    let control = control(threads);
    if time.is_some() {
        for turns in &mut turns {
            turns.rehearse();
        }
    }
    let (least, time) = time.map_or((1, Duration::ZERO), |time| (LEAST_ROUNDS, time));
    let mut rounds = 0;
    while rounds < least || rounds < ROUNDS && start.elapsed() < time {
        for turns in in_order(&mut turns, rounds) {
            thread::sleep(PAUSE);
            turns.take();
        }
        rounds += 1;
    }
    eprintln!("T={threads}, {}: {rounds} rounds", row.name);
    let mut results = |which| turns.iter_mut().map(|turns| turns.result(which)).collect();
    let is_periodic = !row.besides.is_zero();
    Outcome {
        threads,
        point: row.point,
        least: row.least,
        besides: row.besides,
        control,
        times: results(0),
        burnt: match is_periodic && Others::are_known() {
            true => results(1),
            false => Vec::new(),
        },
        name: row.name,
    }
}
