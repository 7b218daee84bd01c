//! The clock that deadlines go by, where it can be moved: in a build of the crate for checks.
//!
//! Elsewhere no time passes that anybody would notice: a deadline is over from the start, or far away.

#[cfg(hatchery_clock)]
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::everything::program::Program;
#[cfg(hatchery_clock)]
use crate::everything::program::Step;

/// There is one clock, so programs that move it, or look at it, run one at a time.
pub(crate) struct Alone {
    #[cfg(hatchery_clock)]
    _turn: Option<MutexGuard<'static, ()>>,
}

#[cfg(hatchery_clock)]
pub(crate) fn alone(program: &Program) -> Alone {
    static ALONE: Mutex<()> = Mutex::new(());
    let mut is_timed = false;
    program.each_step(&mut |step| is_timed |= matches!(step, Step::Forward));
    program.each_nest(&mut |nest| is_timed |= nest.terms.deadline.is_some());
    let turn = || ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    Alone {
        _turn: is_timed.then(turn),
    }
}

#[cfg(not(hatchery_clock))]
pub(crate) fn alone(_program: &Program) -> Alone {
    Alone {}
}

/// Moves the clock by an hour.
pub(crate) fn forward() {
    #[cfg(hatchery_clock)]
    hatchery::move_clock(crate::everything::world::HOUR);
}
