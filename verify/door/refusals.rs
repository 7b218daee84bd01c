//! Thread creations that fail because a check wants them to.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Refuses = Box<dyn Fn(usize) -> bool + Send>;

struct Plan {
    prefix: String,
    asked: usize,
    is_refused: Refuses,
}

static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

fn plans() -> MutexGuard<'static, Vec<Plan>> {
    PLANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses threads with a name that begins with `prefix`, if `is_refused` says so of their
/// number, from 0. If `is_refused` panics, the start of the thread does.
pub(crate) fn plan(prefix: &str, is_refused: impl Fn(usize) -> bool + Send + 'static) {
    plans().push(Plan {
        prefix: prefix.to_owned(),
        asked: 0,
        is_refused: Box::new(is_refused),
    });
}

/// Ends the plan; returns how many threads with that prefix were asked for.
pub(crate) fn end(prefix: &str) -> usize {
    let mut plans = plans();
    let at = plans.iter().position(|plan| plan.prefix == prefix);
    plans.swap_remove(at.expect("planned")).asked
}

pub(crate) fn check(name: &str) -> io::Result<()> {
    let mut plans = plans();
    let Some(plan) = plans.iter_mut().find(|plan| name.starts_with(&plan.prefix)) else {
        return Ok(());
    };
    let number = plan.asked;
    plan.asked += 1;
    if (plan.is_refused)(number) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(())
}
