//! What may happen in a program, given what has happened: the laws of partial nurseries.
//!
//! Which children were started, and what those were told who asked, depends on the schedule, so that
//! is taken from the run and held against the times of what may have caused it. All else follows.

use crate::facts::{Facts, NestFacts, Role, Step, TaskFacts};
use crate::program::Kind;
use crate::seen::{Answer, Outcome, Raw, Seen, Sign};
use crate::verdict::{Child, Verdict, is_child, take};
use crate::world::{Time, World};
use hatchery::CancelReason;

/// What is wrong.
pub(crate) type Wrong = String;

macro_rules! ensure {
    ($law:literal, $holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!("{}: {}", $law, format_args!($($text)+)));
        }
    };
}

/// Holds a run against the laws, and returns what the program has come to.
pub(crate) fn check(world: &World<'_>, is_alone: bool) -> Result<Outcome, Wrong> {
    for (id, track) in world.tracks.iter().enumerate() {
        let balanced = track.captures.is_balanced() && track.values.is_balanced();
        ensure!("L2", balanced, "task {id}: {track:?}");
    }
    let facts = Facts::of(world, is_alone);
    for task in &facts.tasks {
        facts.check_life(task)?;
        facts.check_join(task)?;
    }
    for nest in &facts.nests {
        facts.check_answers(nest)?;
        facts.check_outcome(nest)?;
    }
    for (token, switches) in facts.switches.iter().enumerate() {
        let first = switches.iter().filter(|first| **first).count();
        let expected = !world.program.tokens[token] && !switches.is_empty();
        ensure!(
            "X1",
            first == usize::from(expected),
            "token {token}: {switches:?}"
        );
    }
    if is_alone && !world.program.has_joins() {
        facts.check_order()?;
    }
    match &facts.nests[0].opened {
        Some((_, _, outcome)) => Ok(outcome.clone()),
        None => Err("L3: the outermost nursery did not end".to_owned()),
    }
}

impl Facts<'_> {
    /// Law R5: on one thread, and if nobody joins, children start in the order of their identities.
    fn check_order(&self) -> Result<(), Wrong> {
        for nest in &self.nests {
            let children = nest.children.iter().map(|child| &self.tasks[*child]);
            let nth = |step: &Step| match step {
                Step::Nth(nth) => Some(*nth),
                _ => None,
            };
            let place = |child: &TaskFacts<'_>| {
                let path: Option<Vec<_>> = child.path.iter().map(nth).collect();
                path.zip(child.started)
            };
            let mut places: Vec<_> = children.filter_map(place).collect();
            places.sort();
            let is_in_order = places.is_sorted_by_key(|(_, started)| *started);
            ensure!("R5", is_in_order, "nursery {}: {places:?}", nest.nest.id);
        }
        Ok(())
    }

    /// Laws L1, L2, R2, X2: it has started once or was skipped for a reason, and ended in time.
    fn check_life(&self, task: &TaskFacts<'_>) -> Result<(), Wrong> {
        let id = task.task.id;
        ensure!(
            "R2",
            task.started.is_some() == task.ended.is_some(),
            "task {id}: {task:?}"
        );
        let Some(spawned) = task.spawned else {
            return Ok(());
        };
        let nest = &self.nests[task.nursery];
        let Some((_, end, _)) = &nest.opened else {
            return Err(format!("L1: the nursery of task {id} did not end"));
        };
        ensure!("L1", task.consumed < *end, "task {id} outlived its nursery");
        match task.started {
            Some(_) => {
                let was_cancelled = self.is_certain(task.nursery, spawned);
                ensure!("X2", !was_cancelled, "task {id} was started: {task:?}");
            }
            None => {
                let may_be = self.may_be_cancelled(task.nursery, task.consumed);
                ensure!("L2", may_be, "task {id} was skipped: {task:?}");
            }
        }
        Ok(())
    }

    /// Law R3, and what a failure becomes on its way.
    fn check_join(&self, task: &TaskFacts<'_>) -> Result<(), Wrong> {
        let Some((_, result)) = &task.joined else {
            return Ok(());
        };
        let id = task.task.id;
        let verdicts = self.verdicts(task);
        let is_right = verdicts.iter().any(|verdict| match (verdict, result) {
            (Verdict::Fine, Ok(value)) => *value == id,
            (Verdict::Skipped, Err(seen)) => {
                matches!(seen.sign, Sign::Cancelled(answer) if answer != Answer::No)
                    && is_child(&Child::Of(task.path.clone()), seen, seen)
            }
            (
                Verdict::Real(expected, child)
                | Verdict::Late(expected, child)
                | Verdict::Silent(expected, child),
                Err(seen),
            ) => expected.sign == seen.sign && is_child(child, expected, seen),
            _ => false,
        });
        ensure!(
            "R3",
            is_right,
            "task {id} was joined: {result:?}, not {verdicts:?}; {task:?}"
        );
        Ok(())
    }

    /// Laws X1, X3, X5: who asks learns what is so, and always the same.
    fn check_answers(&self, nest: &NestFacts<'_>) -> Result<(), Wrong> {
        let id = nest.nest.id;
        let mut reason = None;
        for (from, to, answer) in &nest.answers {
            match answer {
                Answer::No => {
                    let was_cancelled = self.is_certain(id, *from);
                    ensure!(
                        "X5",
                        !was_cancelled,
                        "nursery {id} is not at {from}: {nest:?}"
                    );
                }
                Answer::Yes => {
                    let may_be = self.may_be_cancelled(id, *to);
                    ensure!("X3", may_be, "nursery {id} is at {to}: {nest:?}");
                }
                Answer::Because(..) if nest.nest.kind.is_plain() => {}
                Answer::Because(why, is_inherited) => {
                    let may_be = self
                        .reasons(id, *to)
                        .any(|reason| reason == (*why, *is_inherited));
                    ensure!("X3", may_be, "nursery {id} is {answer:?} at {to}: {nest:?}");
                    let first = *reason.get_or_insert(*answer);
                    ensure!("X5", first == *answer, "nursery {id}: {nest:?}");
                }
            }
        }
        let firsts = nest.cancels.iter().filter(|first| **first).count();
        ensure!("X1", firsts <= 1, "nursery {id}: {nest:?}");
        let is_another = |(_, why): &(_, _)| *why != CancelReason::Requested;
        let may_be_another = nest.causes.iter().any(is_another)
            || nest
                .parent
                .is_some_and(|parent| self.may_be_cancelled(parent, Time::MAX));
        ensure!(
            "X1",
            firsts == 1 || may_be_another || nest.cancels.is_empty(),
            "nobody has cancelled nursery {id}: {nest:?}"
        );
        if firsts == 1
            && let Some(reason) = reason
        {
            let requested = Answer::Because(CancelReason::Requested, false);
            ensure!("X5", reason == requested, "nursery {id}: {nest:?}");
        }
        Ok(())
    }

    /// What a nursery has come to follows from what its tasks have.
    fn check_outcome(&self, nest: &NestFacts<'_>) -> Result<(), Wrong> {
        let Some((_, _, outcome)) = &nest.opened else {
            return Ok(());
        };
        let id = nest.nest.id;
        match (nest.nest.kind, outcome) {
            (Kind::Partial(_), _) => self.check_partial(nest, outcome),
            (Kind::Race | Kind::RaceEach, Outcome::Value(value, _)) => {
                let has_won = nest.children.contains(value)
                    && matches!(self.tasks[*value].ended, Some((_, Raw::Value)));
                ensure!("race", has_won, "in {id} it is {value}, who has not won");
                Ok(())
            }
            (Kind::Race | Kind::RaceEach, _) => self.check_partial(nest, outcome),
            (kind, Outcome::All(results)) if kind.is_total() => {
                let tasks = nest.nest.tasks.iter().zip(results);
                for (task, result) in tasks {
                    let raw = self.tasks[task.id].ended.as_ref().map(|(_, raw)| raw);
                    let is_right = match (raw, result) {
                        (Some(Raw::Value), Ok(value)) => *value == task.id,
                        (Some(Raw::Failed(expected, _)), Err(seen)) => expected == seen,
                        _ => false,
                    };
                    ensure!(
                        "R1",
                        is_right,
                        "task {} gave {result:?}, not {raw:?}",
                        task.id
                    );
                }
                ensure!(
                    "R1",
                    results.len() == nest.nest.tasks.len(),
                    "{id}: {nest:?}"
                );
                Ok(())
            }
            (kind, Outcome::Raised(text)) if kind.is_plain() => {
                self.check_first_panic(nest, text.as_deref())
            }
            (Kind::Total, Outcome::Raised(text)) => {
                let mut tasks = nest.nest.tasks.iter();
                let is_anybodys = tasks.any(|task| {
                    matches!(&self.tasks[task.id].ended, Some((_, Raw::Panicked(own))) if own == text)
                });
                ensure!("E1", is_anybodys, "nobody panicked in {id}: {nest:?}");
                Ok(())
            }
            (_, outcome) => Err(format!("{id}: {outcome:?}")),
        }
    }

    /// Law E6: the first panic, in order, goes on, and all sides, or all items before it, have run.
    fn check_first_panic(&self, nest: &NestFacts<'_>, raised: Option<&str>) -> Result<(), Wrong> {
        let id = nest.nest.id;
        let tasks = nest.nest.tasks.iter();
        let mut ended = tasks.map(|task| self.tasks[task.id].ended.as_ref().map(|(_, raw)| raw));
        if nest.nest.kind == Kind::Fork {
            let have_run = ended.clone().all(|raw| raw.is_some());
            ensure!("E6", have_run, "not all of {id} ran");
        }
        let first = ended.find(|raw| !matches!(raw, Some(Raw::Value | Raw::Failed(..))));
        let is_first = match first {
            Some(Some(Raw::Panicked(own))) => own.as_deref() == raised,
            _ => false,
        };
        ensure!("E6", is_first, "{first:?} comes first in {id}: {nest:?}");
        Ok(())
    }

    /// Law E3: the cause is the failure that has cancelled the nursery, or the first one.
    fn check_cause(
        &self,
        nest: &NestFacts<'_>,
        failures: &[Seen],
        cause: usize,
    ) -> Result<(), Wrong> {
        if cause == 0 {
            return Ok(());
        }
        let (id, seen) = (nest.nest.id, &failures[cause]);
        ensure!(
            "E3",
            !nest.continues(),
            "{seen:?} has cancelled {id}: {nest:?}"
        );
        let reasons = match (&seen.sign, &seen.child) {
            (Sign::Panic(_), _) => [CancelReason::ChildPanicked, CancelReason::BodyPanicked],
            (_, Some(_)) => [CancelReason::ChildFailed; 2],
            (_, None) => [CancelReason::BodyFailed; 2],
        };
        let mut answers = nest.answers.iter();
        let is_right = answers.all(|(_, _, answer)| match answer {
            Answer::Because(why, is_inherited) => reasons.contains(why) && !is_inherited,
            _ => true,
        });
        ensure!("E3", is_right, "{seen:?} has cancelled {id}: {nest:?}");
        Ok(())
    }

    /// The table in the documentation of `try_nursery`, and laws E1, E3, E4.
    fn check_partial(&self, nest: &NestFacts<'_>, outcome: &Outcome) -> Result<(), Wrong> {
        let id = nest.nest.id;
        let (mut failures, mut late) = match outcome {
            Outcome::Failed(failures, late, cause) => {
                self.check_cause(nest, failures, *cause)?;
                (failures.clone(), late.clone())
            }
            Outcome::Value(_, late) => (Vec::new(), late.clone()),
            _ => return Err(format!("nursery {id} has {outcome:?}")),
        };
        let is_race = matches!(nest.nest.kind, Kind::Race | Kind::RaceEach);
        let body = (!is_race).then(|| &self.tasks[nest.nest.tasks[0].id]);
        let unjoined = nest.children.iter().map(|child| &self.tasks[*child]);
        let unjoined = unjoined.filter(|child| child.joined.is_none());
        let tasks: Vec<_> = unjoined.chain(body).collect();
        let exploded: Vec<_> = tasks
            .iter()
            .copied()
            .filter(|task| task.exploded.is_some())
            .collect();
        let dropped = failures.split_off(failures.len().saturating_sub(exploded.len()));
        check_dropped(&exploded, &dropped)
            .map_err(|wrong| format!("{wrong} in nursery {id}, which has {outcome:?}"))?;
        let children = failures.iter().map(|failure| &failure.child);
        let late_children = late.iter().map(|failure| &failure.child);
        let is_sorted = children.is_sorted() && late_children.is_sorted();
        ensure!("E3", is_sorted, "nursery {id} has {outcome:?}");
        let (mut are_real, mut are_some_cancelled) = (false, nest.unjoined_ends > 0);
        let mut own = None;
        for task in tasks {
            let verdicts = self.verdicts(task);
            let mut found = None;
            for verdict in &verdicts {
                let is_in = match verdict {
                    Verdict::Real(seen, child) => take(&mut failures, seen, child),
                    Verdict::Late(seen, child) => take(&mut late, seen, child),
                    _ => false,
                };
                if is_in {
                    found = Some(verdict);
                    break;
                }
            }
            let silent = |verdict: &&Verdict| {
                matches!(
                    verdict,
                    Verdict::Fine | Verdict::Skipped | Verdict::Silent(..)
                )
            };
            let found = found.or_else(|| verdicts.iter().find(silent));
            let Some(found) = found else {
                return Err(format!(
                    "E1: nursery {id} has {outcome:?} without task {}, {verdicts:?}",
                    task.task.id
                ));
            };
            are_real |= matches!(found, Verdict::Real(..));
            let is_body = task.role == Role::Body;
            match found {
                Verdict::Fine | Verdict::Real(..) => {}
                Verdict::Late(..) if is_body => own = Some(None),
                Verdict::Silent(seen, _) if is_body => own = Some(Some(seen.clone())),
                _ => are_some_cancelled = true,
            }
            are_real |= task.exploded.is_some() && !is_body;
        }
        // A body's value is dropped only if there is another reason to fail.
        if body.is_some_and(|body| body.exploded.is_some()) {
            let may_fail = are_real || are_some_cancelled;
            ensure!("table", may_fail, "nursery {id} has {outcome:?}: {nest:?}");
            are_real = true;
        }
        ensure!(
            "E1",
            late.is_empty(),
            "nursery {id} has {outcome:?}: {late:?}"
        );
        if are_real {
            ensure!(
                "E4",
                failures.is_empty(),
                "nursery {id} has {outcome:?}: {failures:?}"
            );
            let is_failed = matches!(outcome, Outcome::Failed(..));
            ensure!("table", is_failed, "nursery {id} has {outcome:?}: {nest:?}");
            return Ok(());
        }
        let known = nest.answers.iter().find_map(|(_, _, answer)| match answer {
            Answer::Because(why, is_inherited) => Some((*why, *is_inherited)),
            _ => None,
        });
        let requested = (CancelReason::Requested, false);
        let may_be = |why: (CancelReason, bool)| match known {
            Some(known) => known == why,
            None => self.reasons(id, Time::MAX).any(|reason| reason == why),
        };
        let by_reason = |failures: &[Seen]| {
            matches!(failures, [Seen { child: None, sign: Sign::Cancelled(Answer::Because(why, is_inherited)) }]
                if may_be((*why, *is_inherited)))
        };
        let is_right = match (own, outcome) {
            (Some(Some(own)), Outcome::Failed(..)) => failures == [own],
            (Some(None), Outcome::Failed(..)) => by_reason(&failures),
            (None, Outcome::Value(..)) => !are_some_cancelled || may_be(requested),
            (None, Outcome::Failed(..)) if is_race && nest.children.is_empty() => true,
            (None, Outcome::Failed(..)) => {
                (are_some_cancelled || is_race)
                    && by_reason(&failures)
                    && failures[0].sign
                        != Sign::Cancelled(Answer::Because(CancelReason::Requested, false))
            }
            _ => false,
        };
        ensure!("table", is_right, "nursery {id} has {outcome:?}: {nest:?}");
        Ok(())
    }
}

/// Laws E3 and E8: values that panicked when they were dropped are listed last, in the order of those
/// that left them, the body's after all others; who is no child of the body may stand anywhere.
fn check_dropped(exploded: &[&TaskFacts<'_>], listed: &[Seen]) -> Result<(), Wrong> {
    let mut places = Vec::new();
    let mut left = exploded.to_vec();
    for seen in listed {
        let is_it = |task: &&TaskFacts<'_>| *seen == bomb(task);
        let Some(task) = left.iter().position(is_it).map(|place| left.remove(place)) else {
            return Err(format!("E8: {seen:?} is nobody's value"));
        };
        match (task.role, &task.path[..]) {
            (Role::Body, _) => places.push(u64::MAX),
            (_, [Step::Nth(nth)]) => places.push(*nth),
            _ => {}
        }
    }
    let (is_sorted, are_all) = (places.is_sorted(), left.is_empty());
    ensure!("E8", are_all, "not all values that panicked are listed");
    ensure!("E3", is_sorted, "values in the order of {places:?}");
    Ok(())
}

/// What becomes of a value that panics when it is dropped.
fn bomb(task: &TaskFacts<'_>) -> Seen {
    let sign = Sign::Panic(Some(task.task.id.to_string()));
    Seen { child: None, sign }
}
