//! What has become of jobs: each begins once, and none is lost.

use std::sync::atomic::Ordering;

use crate::everything::facts::Facts;
use crate::everything::job::{Job, Whose};
use crate::everything::oracle::{Wrong, ensure};
use crate::everything::program::Kind;
use crate::everything::seen::{Outcome, Seen, Thrown};
use crate::everything::world::{NOWHERE, Time, World};

/// What a task does with a job.
#[derive(Debug)]
pub(crate) enum Deed {
    Submitted,
    Cancelled,
    /// The task knows what the job has come to; nothing if it was cancelled before it came to anything.
    Told(Option<Outcome>),
    /// The task has dropped it, and that has thrown something.
    GivenUp(Option<Thrown>),
    Detached(Option<Thrown>),
}

/// What the diaries say about a job.
#[derive(Debug, Default)]
pub(crate) struct JobFacts {
    pub(super) submitted: Option<(Time, Time)>,
    told: Option<(Time, Option<Outcome>)>,
    given_up: Option<(Time, Time)>,
    raised: Option<Thrown>,
    is_cancelled: bool,
}

impl Facts<'_> {
    pub(super) fn read_deed(&mut self, (from, to): (Time, Time), id: usize, deed: &Deed) {
        let (facts, nest) = (&mut self.jobs[id], &mut self.nests[id]);
        if matches!(deed, Deed::Cancelled | Deed::GivenUp(_)) {
            facts.is_cancelled = true;
            nest.maybe = nest.maybe.min(from);
            nest.certain = nest.certain.min(to);
        }
        match deed {
            Deed::Submitted => facts.submitted = Some((from, to)),
            Deed::Cancelled => {}
            Deed::Told(outcome) => facts.told = Some((to, outcome.clone())),
            Deed::GivenUp(raised) => {
                facts.given_up = Some((from, to));
                facts.raised.clone_from(raised);
            }
            Deed::Detached(raised) => facts.raised.clone_from(raised),
        }
    }

    pub(super) fn check_jobs(&self, world: &World) -> Result<(), Wrong> {
        let mut result = Ok(());
        world.program.each_job(&mut |job| {
            if result.is_ok() {
                result = self.check_job(world, job);
            }
        });
        result?;
        let left = [world.gate.inside(), world.gate.waiting()];
        ensure!("J6", left == [0, 0], "at the gate are {left:?}");
        Ok(())
    }

    fn check_job(&self, world: &World, job: &Job) -> Result<(), Wrong> {
        let id = job.nest.id;
        let (facts, opened) = (&self.jobs[id], &self.nests[id].opened);
        let has_begun = world.begun[id].load(Ordering::SeqCst) > 0;
        let Some(submitted) = facts.submitted else {
            ensure!("J1", !has_begun, "job {id} was never submitted");
            return Ok(());
        };
        if !has_begun {
            // Law J2: whoever gives it up drops it.
            let dropped = world.books.tasks[job.nest.tasks[0].id]
                .captures
                .when_dropped();
            let is_given_up = facts
                .given_up
                .is_some_and(|(from, to)| dropped > Some(from) && dropped < Some(to));
            ensure!(
                "J1",
                is_given_up,
                "job {id} did not run: {facts:?}, {dropped:?}"
            );
        }
        // Where it was never opened, nobody knows whether the deadline came first.
        let may_be_cancelled =
            self.may_be_cancelled(id, Time::MAX) || job.nest.terms.deadline.is_some();
        let may_be_skipped = job.nest.kind == Kind::Partial && may_be_cancelled;
        let is_open = opened.is_some();
        let is_right = is_open == has_begun || has_begun && may_be_skipped;
        ensure!("L3", is_right, "job {id} has opened nothing: {facts:?}");
        if let Some((to, told)) = &facts.told {
            let opened = opened.as_ref().filter(|opened| opened.to < *to);
            let is_right = match (told, opened.map(|opened| &opened.outcome)) {
                (None, None) => may_be_skipped,
                (Some(told), Some(outcome)) => is_like(told, outcome),
                _ => false,
            };
            ensure!("J3", is_right, "job {id} has come to {opened:?}: {facts:?}");
        }
        let has_raised = facts.raised.is_some();
        ensure!("J2", !has_raised, "dropping job {id} panics: {facts:?}");
        // The end of a pool does not wait for a job that another thread runs, because it waits for it.
        let is_alone = world.nests[id].waits_in.load(Ordering::SeqCst) == NOWHERE;
        if let (Whose::Ending, true, Some(opened)) = (job.whose, is_alone, opened) {
            let ended = *world.ended.lock().unwrap();
            let (begun, over) = ended.expect("the pool has ended");
            let is_in_time = opened.to < over || submitted.1 > begun;
            ensure!("J4", is_in_time, "job {id} outlives its pool: {opened:?}");
        }
        Ok(())
    }
}

/// Whether somebody was told what was there, as somebody else has looked at it.
fn is_like(told: &Outcome, looked: &Outcome) -> bool {
    let are = |told: &[Seen], looked: &[Seen]| {
        let mut both = told.iter().zip(looked);
        told.len() == looked.len() && both.all(|(told, looked)| told.is_like(looked))
    };
    match (told, looked) {
        (Outcome::Failed(told, late), Outcome::Failed(looked, looked_late)) => {
            are(told, looked) && are(late, looked_late)
        }
        (told, looked) => told == looked,
    }
}
