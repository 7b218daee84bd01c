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
            Outcome::Failed(failures, late) => {
                self.check_failures(nest, body, failures.clone(), late.clone())
            }
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
        mut failures: Vec<Seen>,
        mut late: Vec<Seen>,
    ) -> Result<(), Wrong> {
        let is_listed = !failures.is_empty();
        ensure!("E2", is_listed, "nothing is listed");
        let is_cancelled = matches!(&failures[..], [Seen::Cancelled(..)]);
        let left = self.children(nest).filter(|child| child.is_left());
        let mut left: Vec<_> = left.chain(body).collect();
        // Those first of whom it is known what stands for them.
        left.sort_by_key(|task| match &task.end {
            End::Came(Raw::Panicked(Thrown::Other)) => 1,
            End::Came(Raw::Passed(_) | Raw::Told) => 2,
            _ => 0,
        });
        for task in left {
            let End::Came(raw) = &task.end else { continue };
            let id = task.task.id;
            let mut is_found = |is_it: &dyn Fn(&Seen) -> bool| {
                take(&mut failures, is_it) || take(&mut late, is_it)
            };
            let own = |seen: &Seen| is_of(seen, id, raw, task.may_know);
            let is_found = match raw {
                Raw::Value(_) if task.exploded.is_none() => true,
                // As below: what is known to be its own is nobody else's.
                Raw::Value(_) => {
                    is_found(&|seen| *seen == Seen::Panic(Thrown::Exploded(id)))
                        || is_found(&|seen| *seen == Seen::Panic(Thrown::Other))
                }
                Raw::Error => is_found(&own),
                // Whose panic it is may not be known; if it is, that goes first.
                Raw::Panicked(thrown) => {
                    is_found(&|seen| *seen == Seen::Panic(thrown.clone())) || is_found(&own)
                }
                // It is listed where nothing else is.
                Raw::Told => {
                    is_found(&own);
                    true
                }
                Raw::Passed(seen) => is_found(&own) || task.may_know || seen.may_follow(),
            };
            ensure!("E1", is_found, "task {id} is not listed: {task:?}");
        }
        // What else may be there.
        failures.retain(|seen| !self.is_by_the_way(nest, seen));
        late.retain(|seen| !self.is_by_the_way(nest, seen));
        ensure!("E1", late.is_empty(), "nobody is late with {late:?}");
        match &failures[..] {
            [] => Ok(()),
            [Seen::Cancelled(..)] if is_cancelled => {
                let may_be = self.may_be_cancelled(nest.nest.id, Time::MAX);
                let is_nobodys = nest.nest.kind.is_race() && nest.children.is_empty();
                ensure!("X3", may_be || is_nobodys, "nobody has cancelled it");
                Ok(())
            }
            others => Err(format!("E4: nobody has failed with {others:?}")),
        }
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

fn take(from: &mut Vec<Seen>, is_it: impl Fn(&Seen) -> bool) -> bool {
    match from.iter().position(is_it) {
        Some(place) => {
            from.remove(place);
            true
        }
        None => false,
    }
}
