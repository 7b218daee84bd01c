//! What becomes of a task's result on its way to whoever joins it, or to its nursery.

use crate::facts::{Facts, Role, Step, TaskFacts, Told};
use crate::program::Bomb;
use crate::seen::{Hop, Raw, Seen, Sign, Source};
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
    /// As it says itself, since it came from another child of the nursery.
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
            Raw::Failed(seen, source) => self.failed(task, *ended, (seen, *source), &child),
        }
    }

    /// What a failure that a task has returned may mean.
    fn failed(
        &self,
        task: &TaskFacts<'_>,
        ended: Time,
        (seen, source): (&Seen, Source),
        child: &Child,
    ) -> Vec<Verdict> {
        let mut seen = seen.clone();
        match source {
            Source::Child(nursery, joined) if nursery == task.nursery => {
                return self.passed_on(joined, &seen);
            }
            // Whatever it means in the nursery that it was taken out of.
            _ if source
                .nursery()
                .is_some_and(|nursery| nursery != task.nursery) =>
            {
                let sign = Sign::Nested(vec![seen], Vec::new());
                seen = Seen { child: None, sign };
            }
            _ => {}
        }
        let silent = |seen: Seen| match seen.is_late() {
            true => Verdict::Late(seen, child.clone()),
            false => Verdict::Silent(seen, child.clone()),
        };
        let real = |seen: Seen| Verdict::Real(seen, child.clone());
        let (is_told, is_untold) = (task.told != Told::No, task.told != Told::Yes);
        let mut verdicts = Vec::new();
        match &seen.sign {
            Sign::Error(fault) => {
                let told = match task.is_nested {
                    true => task.told_as_error,
                    false => task.told,
                };
                let (is_told, is_untold) = (told != Told::No, told != Told::Yes);
                if is_told {
                    let sign = Sign::Late(*fault);
                    verdicts.push(silent(Seen { child: None, sign }));
                }
                if is_untold {
                    verdicts.push(real(seen));
                }
            }
            Sign::Nested(failures, _) => {
                let may_be = self.may_be_cancelled(task.nursery, Time::MAX);
                let may_not_be = !self.is_certain(task.nursery, ended);
                let says_so = |or_late| failures.iter().all(|seen| seen.says_cancelled(or_late));
                // Without a cancellation; with one that it has not learned of; with one that it has.
                let may_mean = [
                    (may_not_be && is_untold, false),
                    (may_be && is_untold, says_so(false)),
                    (may_be && is_told, says_so(true)),
                ];
                if may_mean.contains(&(true, true)) {
                    verdicts.push(silent(seen.clone()));
                }
                if may_mean.contains(&(true, false)) {
                    verdicts.push(real(seen));
                }
            }
            // Of this nursery, who has told it so.
            Sign::Cancelled(_) => verdicts.push(silent(seen)),
            // Nobody can make one, and what is taken out of another nursery is nested.
            Sign::Panic(_) | Sign::Late(_) => {}
        }
        verdicts
    }

    /// What another child's failure means that was joined, or that there were no more items.
    fn passed_on(&self, joined: Option<usize>, seen: &Seen) -> Vec<Verdict> {
        let (seen, as_seen) = (seen.clone(), Child::AsSeen);
        let Some(joined) = joined else {
            return vec![Verdict::Silent(seen, as_seen)];
        };
        let verdicts = self.verdicts(&self.tasks[joined]).into_iter();
        let same = verdicts.filter_map(|verdict| {
            let is_it = |expected: &Seen, child| {
                expected.sign == seen.sign && is_child(child, expected, &seen)
            };
            let (seen, child) = (seen.clone(), as_seen.clone());
            match verdict {
                Verdict::Skipped => Some(Verdict::Silent(seen, child)),
                Verdict::Real(own, of) if is_it(&own, &of) => Some(Verdict::Real(seen, child)),
                Verdict::Late(own, of) if is_it(&own, &of) => Some(Verdict::Late(seen, child)),
                Verdict::Silent(own, of) if is_it(&own, &of) => Some(Verdict::Silent(seen, child)),
                _ => None,
            }
        });
        same.collect()
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
