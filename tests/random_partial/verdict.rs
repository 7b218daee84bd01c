//! What becomes of a task's result on its way to whoever joins it, or to its nursery.

use crate::facts::{Facts, Role, Step, TaskFacts, Told};
use crate::program::Bomb;
use crate::seen::{Hop, Raw, Seen, Sign};
use crate::world::Time;

/// What a task's result may mean to its nursery.
#[derive(Debug)]
pub(crate) enum Verdict {
    Fine,
    Skipped,
    /// It is a failure, and listed as one.
    Real(Seen, Child),
    /// It is a consequence of a cancellation, listed among the late ones.
    Late(Seen, Child),
    /// It is a consequence of a cancellation.
    Silent(Seen, Child),
}

/// Which child a failure should be of.
#[derive(Clone, Debug)]
pub(crate) enum Child {
    /// As it says itself, since it came from another child.
    AsSeen,
    Body,
    Of(Vec<Step>),
}

impl Facts<'_> {
    /// What a task's result may mean.
    pub(crate) fn verdicts(&self, task: &TaskFacts<'_>) -> Vec<Verdict> {
        let child = match task.role {
            Role::Body => Child::Body,
            _ => Child::Of(task.path.clone()),
        };
        let panic = |text: Option<String>| {
            let sign = Sign::Panic(text);
            vec![Verdict::Real(Seen { child: None, sign }, child.clone())]
        };
        let Some((ended, raw)) = &task.ended else {
            return match task.task.bomb {
                Bomb::Capture => panic(Some(task.task.id.to_string())),
                _ => vec![Verdict::Skipped],
            };
        };
        match raw {
            Raw::Panicked(text) => panic(text.clone()),
            _ if task.task.bomb == Bomb::Capture => panic(Some(task.task.id.to_string())),
            Raw::Value => vec![Verdict::Fine],
            Raw::Failed(seen) => self.failed(task, *ended, seen, &child),
        }
    }

    /// What a failure that a task has returned may mean.
    fn failed(
        &self,
        task: &TaskFacts<'_>,
        ended: Time,
        seen: &Seen,
        child: &Child,
    ) -> Vec<Verdict> {
        let may_be = self.may_be_cancelled(task.nursery, Time::MAX);
        let may_not_be = !self.is_certain(task.nursery, ended);
        let is_anothers = seen.child.is_some();
        let child = match is_anothers {
            true => Child::AsSeen,
            false => child.clone(),
        };
        let mut verdicts = Vec::new();
        let silent = |seen: &Seen, child: &Child| match seen.is_late() {
            true => Verdict::Late(seen.clone(), child.clone()),
            false => Verdict::Silent(seen.clone(), child.clone()),
        };
        match &seen.sign {
            Sign::Error(fault) if !is_anothers => {
                if task.told != Told::No {
                    let sign = Sign::Late(*fault);
                    verdicts.push(Verdict::Late(Seen { child: None, sign }, child.clone()));
                }
                if task.told != Told::Yes {
                    verdicts.push(Verdict::Real(seen.clone(), child));
                }
            }
            Sign::Error(_) | Sign::Panic(_) => verdicts.push(Verdict::Real(seen.clone(), child)),
            Sign::Late(_) => verdicts.push(Verdict::Late(seen.clone(), child)),
            Sign::Cancelled(_) if is_anothers => verdicts.push(silent(seen, &child)),
            Sign::Cancelled(_) => {
                if may_be {
                    verdicts.push(silent(seen, &child));
                }
                if may_not_be {
                    let sign = Sign::Nested(vec![seen.clone()], Vec::new());
                    verdicts.push(Verdict::Real(Seen { child: None, sign }, child));
                }
            }
            Sign::Nested(failures, _) => {
                let says_so = failures.iter().all(Seen::says_cancelled);
                if may_be && says_so {
                    verdicts.push(silent(seen, &child));
                }
                if may_not_be || !says_so || is_anothers {
                    verdicts.push(Verdict::Real(seen.clone(), child));
                }
            }
        }
        verdicts
    }
}

/// Takes an expected failure out of those that are there.
pub(crate) fn take(from: &mut Vec<Seen>, expected: &Seen, child: &Child) -> bool {
    let is_it = |seen: &Seen| seen.sign == expected.sign && is_child(child, expected, seen);
    match from.iter().position(is_it) {
        Some(place) => {
            from.remove(place);
            true
        }
        None => false,
    }
}

/// Whether a failure is of the child that it should be of.
pub(crate) fn is_child(child: &Child, expected: &Seen, seen: &Seen) -> bool {
    let is_hop = |(step, hop): (&Step, &Hop)| match step {
        Step::Nth(nth) => *hop == (false, *nth),
        Step::Elsewhere => hop.0,
        Step::Any => true,
    };
    match (child, &seen.child) {
        (Child::AsSeen, child) => *child == expected.child,
        (Child::Body, child) => child.is_none(),
        (Child::Of(_), None) => false,
        (Child::Of(steps), Some(hops)) => match steps.first() {
            // The whole path up to there is unknown.
            Some(Step::Any) => {
                hops.len() >= steps.len() && {
                    let skipped = hops.len() - steps.len();
                    steps.iter().zip(&hops[skipped..]).all(is_hop)
                }
            }
            _ => steps.len() == hops.len() && steps.iter().zip(hops).all(is_hop),
        },
    }
}
