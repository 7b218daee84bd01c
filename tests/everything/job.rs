//! What a task submits, and what becomes of it.

use std::fmt;
use std::ops::RangeInclusive;

use crate::everything::program::{Nest, Program, Step};

/// A job: an outermost nursery, which is opened by whoever runs the job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) nest: Nest,
    pub(crate) way: Way,
    pub(crate) whose: Whose,
    /// Whether it is cancelled as soon as it is submitted.
    pub(crate) is_cancelled: bool,
    pub(crate) lot: Lot,
    /// Whether that is done at the end of the task, the last one first.
    pub(crate) is_late: bool,
}

/// How it is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A partial one as the child of a partial nursery.
    Plain,
    /// Through the gate, if there is room; if not, as it is.
    Gate,
    /// The same, and the task waits for its turn where that may be.
    Line,
    Install,
}

/// On which pool it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// That of the task's nursery.
    Own,
    First,
    Other,
    /// One that ends with the program, or meanwhile.
    Ending,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lot {
    Joined,
    /// Polled once, and then joined.
    Polled,
    Awaited,
    Dropped,
    Detached,
}

impl Job {
    /// The numbers of all tasks inside it.
    pub(crate) fn tasks(&self) -> RangeInclusive<usize> {
        let body = &self.nest.tasks[0];
        body.id..=body.last
    }
}

impl Lot {
    /// Whether somebody learns what the job has come to.
    pub(crate) fn is_told(self) -> bool {
        matches!(self, Self::Joined | Self::Polled | Self::Awaited)
    }
}

impl Program {
    /// Calls `f` with every job.
    pub(crate) fn each_job<'p>(&'p self, f: &mut impl FnMut(&'p Job)) {
        self.each_step(&mut |step| {
            if let Step::Submit(job) = step {
                f(job);
            }
        });
    }

    /// The nursery of that number.
    pub(crate) fn nest(&self, id: usize) -> &Nest {
        let mut found = None;
        self.each_nest(&mut |nest| {
            if nest.id == id {
                found = Some(nest);
            }
        });
        found.expect("a number of this program")
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "submit {:?} to {:?}", self.way, self.whose)?;
        if self.is_cancelled {
            write!(f, ", cancelled")?;
        }
        let late = if self.is_late { " at the end" } else { "" };
        write!(f, ", {:?}{late}", self.lot)
    }
}
