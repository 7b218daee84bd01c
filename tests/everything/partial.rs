//! What a partial nursery has come to: no failure is lost, and none is made up.

use crate::everything::facts::{End, Facts, NestFacts, TaskFacts};
use crate::everything::oracle::{Wrong, ensure, is_of};
use crate::everything::program::Kind;
use crate::everything::seen::{Outcome, Raw, Seen, Thrown};
use crate::everything::world::Time;

impl Facts<'_> {
    pub(super) fn check_partial(
        &self,
        nest: &NestFacts<'_>,
        outcome: &Outcome,
    ) -> Result<(), Wrong> {
        let body = (nest.nest.kind == Kind::Partial).then(|| &self.tasks[nest.nest.tasks[0].id]);
        match outcome {
            Outcome::Value(task, sum) => {
                let is_bodys = body.is_some_and(|body| {
                    body.task.id == *task && body.end == End::Came(Raw::Value(*sum))
                });
                ensure!("R1", is_bodys, "the body has {body:?}");
                self.check_nothing_is_lost(nest)
            }
            Outcome::Failed(failures, late) => self.check_failures(nest, body, failures, late),
            _ => Err("a partial nursery does not panic".to_owned()),
        }
    }

    /// Where there is a value, what nobody has joined has not failed.
    fn check_nothing_is_lost(&self, nest: &NestFacts<'_>) -> Result<(), Wrong> {
        for child in self.children(nest).filter(|child| child.is_left()) {
            let is_fine = match &child.end {
                End::Skipped => !nest.cancels.is_empty(),
                End::Came(Raw::Value(_)) => child.exploded.is_none(),
                End::Came(Raw::Error) => child.may_know,
                End::Came(Raw::Told) => true,
                End::Came(Raw::Passed(seen)) => child.may_know || seen.may_follow(),
                End::Came(Raw::Panicked(_)) => false,
            };
            ensure!("E1", is_fine, "task {}: {child:?}", child.task.id);
        }
        Ok(())
    }

    /// Laws E1 and E4: each failure is listed, each that is listed is one, and a cancellation is none.
    fn check_failures(
        &self,
        nest: &NestFacts<'_>,
        body: Option<&TaskFacts<'_>>,
        failures: &[Seen],
        late: &[Seen],
    ) -> Result<(), Wrong> {
        ensure!("E2", !failures.is_empty(), "nothing is listed");
        let left = self.children(nest).filter(|child| child.is_left());
        let tasks: Vec<_> = left.chain(body).collect();
        let must_be: Vec<_> = tasks.iter().filter(|task| must_be_listed(task)).collect();
        let listed: Vec<_> = failures.iter().chain(late).collect();
        // Whose a panic is may not be known, so that several may be that of several. If one assignment
        // has all that must be listed, and one has all that is, there is one that has both (Mendelsohn
        // and Dulmage, "Some generalizations of the problem of distinct representatives", 1958).
        let lost = unassigned(&must_be, &listed, |task, seen| may_be_of(seen, task));
        if let Some(task) = lost {
            return Err(format!("E1: task {} is not listed: {task:?}", task.task.id));
        }
        // Alone it is nobody's failure.
        let is_cancelled = matches!(failures, [Seen::Cancelled(..)]);
        let mut unexplained = listed;
        unexplained.drain(..usize::from(is_cancelled));
        unexplained.retain(|seen| !self.is_by_the_way(nest, seen));
        let made_up = unassigned(&unexplained, &tasks, |seen, task| may_be_of(seen, task));
        if let Some(seen) = made_up {
            return Err(format!("E4: nobody has failed with {seen:?}"));
        }
        if is_cancelled && !tasks.iter().any(|task| may_be_of(&failures[0], task)) {
            let may_be = self.may_be_cancelled(nest.nest.id, Time::MAX);
            let is_nobodys = nest.nest.kind.is_race() && nest.children.is_empty();
            ensure!("X3", may_be || is_nobodys, "nobody has cancelled it");
        }
        Ok(())
    }

    /// What is listed although nobody has returned it: destructors of errors, and failures of a child
    /// that a join of several has handed to somebody who passed it on.
    fn is_by_the_way(&self, nest: &NestFacts<'_>, seen: &Seen) -> bool {
        let all = nest.nest.tasks.iter().map(|task| task.id);
        let mut all = all.chain(nest.children.iter().copied());
        match seen {
            Seen::Panic(Thrown::Exploded(id)) => {
                all.any(|task| task == *id) && self.tasks[*id].exploded.is_some()
            }
            Seen::Panic(Thrown::Other) => all.any(|task| self.tasks[task].thrown().is_some()),
            _ => false,
        }
    }
}

/// Whether that is what the nursery has made of what the task has come to.
fn may_be_of(seen: &Seen, task: &TaskFacts<'_>) -> bool {
    match &task.end {
        End::Skipped => false,
        End::Came(Raw::Value(_)) => {
            let own = Seen::Panic(Thrown::Exploded(task.task.id));
            task.exploded.is_some() && (*seen == own || *seen == Seen::Panic(Thrown::Other))
        }
        End::Came(raw) => is_of(seen, task.task.id, raw, task.may_know),
    }
}

fn must_be_listed(task: &TaskFacts<'_>) -> bool {
    match &task.end {
        End::Skipped => false,
        End::Came(Raw::Value(_)) => task.exploded.is_some(),
        // It is listed where nothing else is.
        End::Came(Raw::Told) => false,
        End::Came(Raw::Passed(seen)) => !task.may_know && !seen.may_follow(),
        End::Came(Raw::Error | Raw::Panicked(_)) => true,
    }
}

/// One of `those` that is left over, whichever of `others` each of them is assigned to (by augmenting
/// paths).
fn unassigned<'a, A, B>(
    those: &'a [A],
    others: &[B],
    fit: impl Fn(&A, &B) -> bool,
) -> Option<&'a A> {
    fn assign(
        this: usize,
        fit: &dyn Fn(usize, usize) -> bool,
        seen: &mut [bool],
        owners: &mut [Option<usize>],
    ) -> bool {
        for other in 0..owners.len() {
            if !fit(this, other) || std::mem::replace(&mut seen[other], true) {
                continue;
            }
            let owner = owners[other];
            if owner.is_none_or(|owner| assign(owner, fit, seen, owners)) {
                owners[other] = Some(this);
                return true;
            }
        }
        false
    }
    let mut owners = vec![None; others.len()];
    let fit = |this: usize, other: usize| fit(&those[this], &others[other]);
    let left_over = |this: &usize| {
        let mut seen = vec![false; others.len()];
        !assign(*this, &fit, &mut seen, &mut owners)
    };
    (0..those.len()).find(left_over).map(|this| &those[this])
}
