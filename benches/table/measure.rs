//! Rows, their turns, and what comes out.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::common::{Contender, How, ROUNDS_100_NS, work};
use crate::goals::Goal;
use crate::options::Options;

/// What a turn of a short contender takes at least, so that reading the clock (20 ns) is nothing.
const TURN: Duration = Duration::from_millis(2);
/// Turns of each contender, if the row takes no longer than its budget: enough for
/// quartiles that mean something.
const ROUNDS: u32 = 31;
const LEAST_ROUNDS: u32 = 5;
/// What a row may take before its rounds get fewer.
const BUDGET: Duration = Duration::from_secs(3);

/// The work of the control, some 5 ms.
const CONTROL_ROUNDS: u32 = 50_000 * ROUNDS_100_NS;

/// From this figure of the control on, the machine had other things to do.
pub(crate) const NOT_FREE: f64 = 1.1;

/// Rows of one kind: one table and one chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Flat,
    Forks,
    Opening,
    Cancellation,
    Kernels,
    Adversarial,
    Footprint,
}

pub(crate) const GROUPS: [Group; 7] = [
    Group::Flat,
    Group::Forks,
    Group::Opening,
    Group::Cancellation,
    Group::Kernels,
    Group::Adversarial,
    Group::Footprint,
];

impl Group {
    /// Its name in markers and file names.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Forks => "forks",
            Self::Opening => "opening",
            Self::Cancellation => "cancellation",
            Self::Kernels => "kernels",
            Self::Adversarial => "adversarial",
            Self::Footprint => "footprint",
        }
    }
}

/// What a row's figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds of wall or CPU time, per something.
    Time(&'static str),
    Bytes(&'static str),
    /// A number of things.
    Count(&'static str),
    Percent(&'static str),
}

/// A row before it has run.
pub(crate) struct Row {
    pub(crate) group: Group,
    pub(crate) name: String,
    pub(crate) threads: usize,
    unit: Unit,
    /// Children, forks or nodes of one call.
    units: u64,
    goal: Option<Goal>,
    rounds: u32,
    second: Option<(String, Unit, Option<Goal>)>,
}

impl Row {
    /// A row about the time of a whole call.
    pub(crate) fn new(group: Group, name: impl Into<String>, threads: usize) -> Self {
        Self {
            group,
            name: name.into(),
            threads,
            unit: Unit::Time("call"),
            units: 1,
            goal: None,
            rounds: ROUNDS,
            second: None,
        }
    }

    /// Sets how many of `what` one call has.
    pub(crate) fn per(mut self, what: &'static str, units: u64) -> Self {
        self.unit = Unit::Time(what);
        self.units = units;
        self
    }

    pub(crate) fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// The goal for a contender, for pools of `threads`.
    pub(crate) fn goal(mut self, threads: usize, goal: Goal) -> Self {
        if self.threads == threads {
            self.goal = Some(goal);
        }
        self
    }

    /// Limits the number of rounds, for a row that does not vary or takes long.
    pub(crate) fn rounds(mut self, most: u32) -> Self {
        self.rounds = most;
        self
    }

    /// The row of the second values.
    pub(crate) fn second(
        mut self,
        name: impl Into<String>,
        unit: Unit,
        goal: Option<Goal>,
    ) -> Self {
        self.second = Some((name.into(), unit, goal));
        self
    }
}

/// A row that has run.
pub(crate) struct Outcome {
    pub(crate) group: Group,
    pub(crate) name: String,
    pub(crate) threads: usize,
    pub(crate) unit: Unit,
    pub(crate) goal: Option<Goal>,
    pub(crate) rounds: u32,
    pub(crate) contenders: Vec<Measured>,
    /// How free the CPUs were, see [`control`].
    pub(crate) control: f64,
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

impl Outcome {
    /// The fastest contender among those that compete and that `which` picks.
    pub(crate) fn best(&self, which: impl Fn(&Measured) -> bool) -> Option<&Measured> {
        let competing = self.contenders.iter().filter(|c| !c.is_reference);
        let picked = competing.filter(|contender| which(contender));
        picked.min_by(|a, b| a.median().total_cmp(&b.median()))
    }

    /// The serial program or the bare wake-up.
    pub(crate) fn reference(&self) -> Option<&Measured> {
        self.contenders.iter().find(|c| c.is_reference)
    }

    /// How many times the best of the row a value is; nothing where the best is nothing.
    pub(crate) fn over_best(&self, value: f64) -> Option<f64> {
        let best = self.best(|_| true)?.median();
        (best > 0.0).then(|| value / best)
    }

    /// The name with the number of threads.
    pub(crate) fn title(&self) -> String {
        format!("{}, T={}", self.name, self.threads)
    }
}

/// All rows that have run.
pub(crate) struct Table<'a> {
    options: &'a Options,
    outcomes: Vec<Outcome>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self {
            options,
            outcomes: Vec::new(),
        }
    }

    pub(crate) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// How free the CPUs were during all rows.
    pub(crate) fn control(&self) -> String {
        let mut all: Vec<_> = self
            .outcomes
            .iter()
            .map(|outcome| outcome.control)
            .collect();
        all.sort_by(f64::total_cmp);
        let [median, high] = [all.len() / 2, all.len() * 9 / 10].map(|at| all[at]);
        let warning = match median > NOT_FREE {
            true => " **The CPUs were not free: rows at several threads say little.**",
            false => "",
        };
        format!(
            "Before and after each row, two threads of std computed side by side. They took \
             {median:.2} times as long as one thread alone, and more than {high:.2} times as long \
             at a tenth of the rows.{warning}"
        )
    }

    /// Runs a row, if it is wanted, with the answer and contenders that `make` gives.
    pub(crate) fn row<'c>(&mut self, row: Row, make: impl FnOnce() -> (u64, Vec<Contender<'c>>)) {
        let title = format!("{}, T={}", row.name, row.threads);
        let is_wanted = |only: &String| title.contains(only.as_str());
        if !self.options.only.as_ref().is_none_or(is_wanted) {
            return;
        }
        let (answer, contenders) = make();
        let units = row.units as f64;
        let mut turns: Vec<_> = contenders
            .into_iter()
            .map(|contender| Turns {
                contender,
                answer,
                units,
                repetitions: 1,
                values: [Vec::new(), Vec::new()],
            })
            .collect();
        let control_before = control();
        let rounds = self.rounds(&row, &mut turns);
        for round in 0..rounds as usize {
            // So that no contender always runs after the same other contender.
            let first = round % turns.len();
            let (head, tail) = turns.split_at_mut(first);
            tail.iter_mut().chain(head).for_each(Turns::take);
        }
        let control = f64::midpoint(control_before, control());
        let first = (row.name, row.unit, row.goal);
        for (which, (name, unit, goal)) in std::iter::once(first).chain(row.second).enumerate() {
            let outcome = Outcome {
                group: row.group,
                name,
                threads: row.threads,
                unit,
                goal,
                rounds,
                contenders: turns.iter_mut().map(|turns| turns.result(which)).collect(),
                control,
            };
            crate::report::print(&outcome);
            self.outcomes.push(outcome);
        }
    }

    /// Warms up, and says how many rounds there will be.
    fn rounds(&self, row: &Row, turns: &mut [Turns<'_>]) -> u32 {
        if self.options.test {
            return 1;
        }
        let round: Duration = turns.iter_mut().map(Turns::warm_up).sum();
        if let Some(rounds) = self.options.rounds {
            return rounds;
        }
        let affordable = BUDGET.as_secs_f64() / round.as_secs_f64();
        (affordable as u32).max(LEAST_ROUNDS).min(row.rounds)
    }
}

/// How much longer two threads that compute side by side take than one alone: 1 on a machine that
/// has two CPUs to spare. What is more is not the contenders' doing.
fn control() -> f64 {
    let compute = || black_box(work(black_box(7), CONTROL_ROUNDS));
    let start = Instant::now();
    compute();
    let alone = start.elapsed();
    let both = Barrier::new(2);
    let slower = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| {
            scope.spawn(|| {
                both.wait();
                let start = Instant::now();
                compute();
                start.elapsed()
            })
        });
        threads.map(|thread| thread.join().expect("no panic"))
    });
    let slower = slower.into_iter().max().expect("two threads");
    slower.as_secs_f64() / alone.as_secs_f64()
}

/// The turns of a contender.
struct Turns<'a> {
    contender: Contender<'a>,
    answer: u64,
    units: f64,
    /// Calls of a turn.
    repetitions: u32,
    values: [Vec<f64>; 2],
}

impl Turns<'_> {
    /// Has a first turn that does not count, finds out how often a short contender is called in
    /// one, and says how long it takes.
    fn warm_up(&mut self) -> Duration {
        loop {
            let start = Instant::now();
            self.take();
            let took = start.elapsed();
            self.values = [Vec::new(), Vec::new()];
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

    fn take(&mut self) {
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

    fn result(&mut self, which: usize) -> Measured {
        let values = &mut self.values[which];
        values.sort_by(f64::total_cmp);
        Measured {
            name: self.contender.name,
            is_reference: self.contender.is_reference,
            quartiles: [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4]),
        }
    }
}
