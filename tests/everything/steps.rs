//! What a task does, one step after the other.

use std::mem;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hatchery::Failure;

use crate::everything::each::Many;
use crate::everything::ledger::Fault;
use crate::everything::program::{End, Fate, How, Step, Task, Then, Up};
use crate::everything::run::{Ended, Handle, Outer, Place};
use crate::everything::seen::{Got, Raw, Seen, Thrown};
use crate::everything::stack::{self, Role};
use crate::everything::submit::{Submission, Submitted};
use crate::everything::world::What;
use crate::everything::{ledger::Value, threads, virtual_time};

/// Why a task ends early: a failure, and what to write down for it.
pub(crate) type Stop = (Failure<Fault>, Raw);

/// What becomes of children, and who waits for them.
#[derive(Clone, Copy)]
pub(crate) struct Joins {
    pub(crate) fate: Fate,
    /// The nursery whose body does that, if it is a body.
    pub(crate) body_of: Option<usize>,
    /// Whether it is a side of a fork.
    pub(crate) is_side: bool,
}

/// What a task holds, and what it has been told.
struct Hands<'s, 'w> {
    /// The children that the task has spawned alone.
    spawned: Vec<&'w Task>,
    kept: Vec<Handle<'s>>,
    kept_many: Vec<Many<'s>>,
    last: Vec<Last<'s, 'w>>,
    sum: u64,
}

/// What a task joins at its end, or does otherwise with it.
pub(crate) enum Last<'s, 'w> {
    Child(&'w Task, Handle<'s>, Then),
    Job(Submission<'w>),
}

/// Takes in what was told, in order.
pub(crate) fn mix(sum: u64, told: u64) -> u64 {
    sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(told) ^ (sum >> 29)
}

/// What an error is told as.
pub(crate) fn of_error(task: usize) -> u64 {
    0xe440_0000 + task as u64
}

impl<'s, 'e, 'o: 's, 'w: 'o> Place<'s, 'e, 'o, 'w> {
    pub(crate) fn steps(self, task: &'w Task) -> Result<Value, Stop> {
        let mut hands = Hands {
            spawned: Vec::new(),
            kept: Vec::new(),
            kept_many: Vec::new(),
            last: Vec::new(),
            sum: task.id as u64,
        };
        self.do_steps(task, &task.steps, &mut hands)?;
        while let Some(last) = hands.last.pop() {
            let told = match last {
                Last::Child(child, handle, then) => {
                    let joins = self.joins(Fate::JoinedLast(then));
                    self.join(task, child, handle, then, joins)?
                }
                Last::Job(submission) => submission.end()?,
            };
            hands.sum = mix(hands.sum, told);
        }
        let sum = hands.sum;
        drop(hands);
        match task.end {
            End::Value => Ok(self.world.value(task, sum)),
            End::Error => Err(self.own_error(task)),
            End::Panic => resume_unwind(Box::new(self.world.payload(task))),
        }
    }

    fn own_error(self, task: &Task) -> Stop {
        (Failure::from(self.world.fault(task)), Raw::Error)
    }

    fn do_steps(
        self,
        task: &'w Task,
        steps: &'w [Step],
        hands: &mut Hands<'s, 'w>,
    ) -> Result<(), Stop> {
        for step in steps {
            match step {
                Step::Spawn(how, up, child, fate) => {
                    hands.spawned.push(child);
                    if let (1.., Some(outer)) = (*up, self.outer) {
                        let joins = self.joins(*fate);
                        let told = outer.spawn(up - 1, task, *how, child, joins);
                        hands.sum = mix(hands.sum, told.map_err(passed)?);
                    } else {
                        self.spawn_own(task, *how, child, *fate, hands)?;
                    }
                }
                Step::Each(most, up, items, fate) => {
                    let joins = self.joins(*fate);
                    let told = match (*up, self.outer) {
                        (1.., Some(outer)) => outer.spawn_each(up - 1, task, *most, items, joins),
                        _ if *fate == Fate::Kept && most.is_none() => {
                            hands.kept_many.push(self.many(task, None, items, joins));
                            Ok(0)
                        }
                        _ => self.each_for(task, *most, items, joins),
                    };
                    hands.sum = mix(hands.sum, told.map_err(passed)?);
                }
                Step::Ask(up, then) => self.ask(task, *up, *then)?,
                Step::Cancel(up) => {
                    let from = self.world.now();
                    if let Some(is_first) = Outer::cancel(&self, *up) {
                        let nest = Outer::nest(&self, *up);
                        let cancelled = What::Cancelled { nest, is_first };
                        self.world.note(task, from, cancelled);
                    }
                }
                Step::Switch(token) => {
                    let switched = self.world.switch(*token);
                    let mut diary = self.world.diaries[task.id].lock().unwrap();
                    diary.push(switched);
                }
                Step::Nest(nest) => hands.sum = mix(hands.sum, self.open(task, nest)?),
                Step::Submit(job) => match self.submit(task, job) {
                    Submitted::Told(told) => hands.sum = mix(hands.sum, told?),
                    Submitted::Held(held) if job.is_late => hands.last.push(Last::Job(held)),
                    Submitted::Held(held) => hands.sum = mix(hands.sum, held.end()?),
                },
                Step::Block(inner) => {
                    hatchery::block_in_place(|| {
                        threads::yield_now();
                        self.do_steps(task, inner, hands)
                    })?;
                }
                Step::Wait(before) => {
                    if let Some(child) = hands.spawned.iter().rev().nth(*before) {
                        self.world.wait_for(child);
                    }
                }
                Step::Forward => {
                    let from = self.world.now();
                    virtual_time::forward();
                    self.world.note(task, from, What::Forwarded);
                }
                Step::Yield => threads::yield_now(),
            }
        }
        Ok(())
    }

    fn joins(self, fate: Fate) -> Joins {
        Joins {
            fate,
            body_of: (self.role == Role::Body).then_some(self.own_id),
            is_side: matches!(self.role, Role::Side(_)),
        }
    }

    fn spawn_own(
        self,
        task: &'w Task,
        how: How,
        child: &'w Task,
        fate: Fate,
        hands: &mut Hands<'s, 'w>,
    ) -> Result<(), Stop> {
        match fate {
            Fate::Kept => {
                let handle = self.spawn_noted(task, how, child);
                hands.kept.push(handle);
            }
            Fate::JoinedLast(then) => {
                let handle = self.spawn_noted(task, how, child);
                hands.last.push(Last::Child(child, handle, then));
            }
            fate => {
                let told = self.spawn_for(task, how, child, self.joins(fate));
                hands.sum = mix(hands.sum, told.map_err(passed)?);
            }
        }
        Ok(())
    }

    fn spawn_noted(self, by: &Task, how: How, task: &'w Task) -> Handle<'s> {
        let (child, nest) = (task.id, self.own_id);
        self.world
            .note(by, self.world.now(), What::Spawned { child, nest });
        Place::spawn(self, how, task)
    }

    /// Spawns a child for that task, and does with it what is to be done at once.
    pub(crate) fn spawn_for(
        self,
        by: &'w Task,
        how: How,
        task: &'w Task,
        joins: Joins,
    ) -> Result<u64, Failure<Fault>> {
        let handle = self.spawn_noted(by, how, task);
        let child = task.id;
        match joins.fate {
            Fate::Dropped | Fate::Kept => {}
            Fate::Forgotten => {
                let world = self.world;
                world.note(by, world.now(), What::Forgotten { child });
                mem::forget(handle);
            }
            Fate::Joined(then) | Fate::JoinedLast(then) => {
                return self
                    .join(by, task, handle, then, joins)
                    .map_err(|stop| stop.0);
            }
            Fate::First(_) | Fate::FirstEnded(_) => {
                let told = self.join(by, task, handle, Then::Handle, joins);
                return told.map_err(|stop| stop.0);
            }
        }
        Ok(0)
    }

    fn join(
        self,
        task: &Task,
        child: &Task,
        handle: Handle<'_>,
        then: Then,
        joins: Joins,
    ) -> Result<u64, Stop> {
        let was_finished = handle.is_finished();
        let from = self.world.now();
        let waits = self.waits(joins, child.id..=child.last);
        let result = catch_unwind(AssertUnwindSafe(|| handle.join()));
        drop(waits);
        if was_finished
            && self.world.books.tasks[child.id]
                .captures
                .when_dropped()
                .is_none()
        {
            self.world.blame(format!(
                "task {} was finished, and had its captures",
                child.id
            ));
        }
        self.joined(task, from, Some(child.id), result, then)
    }

    /// Unless that is the body of the nursery whose children these are.
    pub(crate) fn waits(
        self,
        joins: Joins,
        children: RangeInclusive<usize>,
    ) -> Option<stack::Guard<'w>> {
        match joins.body_of == Some(self.own_id) {
            true => None,
            false if joins.is_side => Some(stack::help(self.world, self.own_id)),
            false => Some(stack::wait(self.world, children)),
        }
    }

    /// Writes down what a join has come to, and goes on with it.
    pub(crate) fn joined(
        self,
        task: &Task,
        from: u64,
        child: Option<usize>,
        result: std::thread::Result<Ended>,
        then: Then,
    ) -> Result<u64, Stop> {
        let nest = self.own_id;
        let note = |got| {
            self.world
                .note(task, from, What::Joined { child, nest, got })
        };
        match result {
            Ok(Ok(value)) => {
                let (of, sum) = value.taken();
                note(Got::Value(of, sum));
                Ok(sum)
            }
            Ok(Err(failure)) if then == Then::Pass => {
                let seen = Seen::look(&failure);
                note(Got::Failed(seen.clone()));
                Err((failure, Raw::Passed(seen)))
            }
            Ok(Err(failure)) => {
                let seen = Seen::take(failure);
                note(Got::Failed(seen.clone()));
                match (then, seen) {
                    (Then::Handle, Seen::Error(of)) => Ok(of_error(of)),
                    (Then::Handle, _) => Ok(0),
                    _ => Err(self.own_error(task)),
                }
            }
            Err(payload) if then == Then::Handle => {
                note(Got::Raised(Thrown::take(payload)));
                Ok(0)
            }
            Err(payload) => {
                note(Got::Raised(Thrown::look(&*payload)));
                resume_unwind(payload)
            }
        }
    }

    fn ask(self, task: &Task, up: Option<Up>, then: Then) -> Result<(), Stop> {
        let from = self.world.now();
        let (nest, answer, failure) = match up {
            None => {
                let answer = hatchery::checkpoint().err();
                (self.innermost, answer.map(super::seen::answer), None)
            }
            Some(1..) if self.outer.is_some() => {
                let up = up.unwrap_or_default();
                (Outer::nest(&self, up), Outer::ask(&self, up), None)
            }
            Some(_) => {
                let (answer, failure) = self.ask_own();
                (self.own_id, answer, failure)
            }
        };
        self.world.note(task, from, What::Asked { nest, answer });
        match (answer, then, failure) {
            (None, ..) | (_, Then::Handle, _) => Ok(()),
            (_, Then::Pass, Some(failure)) => Err((failure, Raw::Told)),
            _ => Err(self.own_error(task)),
        }
    }
}

/// What another nursery's child has failed with goes on as it is.
fn passed(failure: Failure<Fault>) -> Stop {
    let seen = Seen::look(&failure);
    (failure, Raw::Passed(seen))
}
