//! Rows, their turns, and what comes out.

use std::time::Duration;

use crate::common::Contender;
pub(crate) use crate::common::turns::Measured;
use crate::common::turns::{Turns, control, in_order};
use crate::goals::Goal;
use crate::options::Options;

/// Turns of each contender, if the row takes no longer than its budget: enough for
/// quartiles that mean something.
const ROUNDS: u32 = 31;
const LEAST_ROUNDS: u32 = 5;
/// What a row may take before its rounds get fewer.
const BUDGET: Duration = Duration::from_secs(3);

/// Threads of the control.
const CONTROL: usize = 2;
/// From this figure of the control on, the machine had other things to do.
pub(crate) const NOT_FREE: f64 = 1.1;

/// Rows of one kind: one table and one chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Flat,
    Forks,
    Opening,
    Jobs,
    Cancellation,
    Kernels,
    Adversarial,
    Footprint,
}

pub(crate) const GROUPS: [Group; 8] = [
    Group::Flat,
    Group::Forks,
    Group::Opening,
    Group::Jobs,
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
            Self::Jobs => "jobs",
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
        let mut turns: Vec<_> = contenders
            .into_iter()
            .map(|contender| Turns::new(contender, answer, row.units))
            .collect();
        let control_before = control(CONTROL);
        let rounds = self.rounds(&row, &mut turns);
        for round in 0..rounds as usize {
            in_order(&mut turns, round).for_each(Turns::take);
        }
        let control = f64::midpoint(control_before, control(CONTROL));
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
