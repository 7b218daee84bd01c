//! What hatchery wants to reach, and whether it did.

use std::fmt;

use crate::common::cpus;
use crate::measure::{Measured, Outcome, Unit};
use crate::report::quantity;

/// A bound on one figure of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    /// The contender it is about.
    pub(crate) of: &'static str,
    figure: Figure,
    bound: f64,
    /// How much slower than the best of the row it may be besides, as a ratio.
    within: Option<f64>,
}

/// What is compared with the bound.
#[derive(Clone, Copy, Debug)]
enum Figure {
    /// The row's own.
    Plain,
    /// What is added to the reference.
    Over,
    /// Times the serial program divided by the CPUs in use; 1 is perfect.
    OverIdeal,
    /// The serial program's time over it: at least the bound.
    SpeedUp,
}

impl Goal {
    pub(crate) fn at_most(of: &'static str, bound: f64) -> Self {
        Self::new(of, Figure::Plain, bound)
    }

    /// At most this many nanoseconds more than the reference.
    pub(crate) fn over(of: &'static str, bound: f64) -> Self {
        Self::new(of, Figure::Over, bound)
    }

    /// At most this many times the ideal.
    pub(crate) fn over_ideal(of: &'static str, bound: f64) -> Self {
        Self::new(of, Figure::OverIdeal, bound)
    }

    /// At least this many times as fast as the serial program, and not over 5 % slower than the best.
    pub(crate) fn speed_up(of: &'static str, bound: f64) -> Self {
        Self {
            within: Some(1.05),
            ..Self::new(of, Figure::SpeedUp, bound)
        }
    }

    fn new(of: &'static str, figure: Figure, bound: f64) -> Self {
        Self {
            of,
            figure,
            bound,
            within: None,
        }
    }

    /// The figure of a contender, if the row has what it takes.
    pub(crate) fn figure(&self, outcome: &Outcome, contender: &Measured) -> Option<f64> {
        let value = contender.median();
        let reference = outcome.reference().map(Measured::median);
        Some(match self.figure {
            Figure::Plain => value,
            Figure::Over => value - reference?,
            Figure::OverIdeal => value / (reference? / outcome.threads.min(cpus()) as f64),
            Figure::SpeedUp => reference? / value,
        })
    }

    pub(crate) fn is_reached(&self, outcome: &Outcome, contender: &Measured) -> bool {
        let Some(figure) = self.figure(outcome, contender) else {
            return false;
        };
        let is_near = self.within.is_none_or(|within| {
            let over = outcome.over_best(contender.median());
            over.is_some_and(|over| over <= within)
        });
        is_near
            && match self.figure {
                Figure::SpeedUp => figure >= self.bound,
                _ => figure <= self.bound,
            }
    }

    /// A figure as it is printed.
    pub(crate) fn show(&self, unit: Unit, figure: f64) -> String {
        match self.figure {
            Figure::Plain | Figure::Over => quantity(unit, figure),
            Figure::OverIdeal | Figure::SpeedUp => format!("{figure:.2} x"),
        }
    }

    /// The bound as it is printed.
    pub(crate) fn bound(&self, unit: Unit) -> String {
        let bound = self.show(unit, self.bound);
        match self.figure {
            Figure::SpeedUp => format!("at least {bound}, within 5 % of the best"),
            _ => format!("at most {bound}"),
        }
    }
}

/// Says which figure it is.
impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.figure {
            Figure::Plain => "",
            Figure::Over => ", beyond the reference",
            Figure::OverIdeal => ", over the ideal",
            Figure::SpeedUp => ", speed-up over serial",
        })
    }
}
