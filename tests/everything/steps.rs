//! What a task does, one step after the other.

use std::mem;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hatchery::{Children, Failure};

use crate::everything::ledger::Fault;
use crate::everything::program::{End, Fate, How, Step, Task, Then, Up};
use crate::everything::run::{Any, Ended, Handle, Outer, Place, Plain};
use crate::everything::seen::{Got, Raw, Seen, Thrown};
use crate::everything::stack::{self, Role};
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
    kept: Vec<Handle<'s>>,
    kept_many: Vec<Many<'s>>,
    last: Vec<(&'w Task, Handle<'s>, Then)>,
    sum: u64,
}

/// The children of one call, as they come.
type Many<'s> = Box<dyn Iterator<Item = (usize, Ended)> + 's>;

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
            kept: Vec::new(),
            kept_many: Vec::new(),
            last: Vec::new(),
            sum: task.id as u64,
        };
        self.do_steps(task, &task.steps, &mut hands)?;
        while let Some((child, handle, then)) = hands.last.pop() {
            let joins = self.joins(Fate::JoinedLast(then));
            let told = self.join(task, child, handle, then, joins)?;
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
                    if let (1.., Some(outer)) = (*up, self.outer) {
                        let joins = self.joins(*fate);
                        let told = outer.spawn(up - 1, task, *how, child, joins);
                        hands.sum = mix(hands.sum, told.map_err(passed)?);
                    } else {
                        self.spawn_own(task, *how, child, *fate, hands)?;
                    }
                }
                Step::Each(up, items, fate) => {
                    let joins = self.joins(*fate);
                    let told = match (*up, self.outer) {
                        (1.., Some(outer)) => outer.spawn_each(up - 1, task, items, joins),
                        _ if *fate == Fate::Kept => {
                            hands.kept_many.push(self.many(task, items, joins).0);
                            Ok(0)
                        }
                        _ => self.each_for(task, items, joins),
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
                Step::Block(inner) => {
                    hatchery::block_in_place(|| {
                        threads::yield_now();
                        self.do_steps(task, inner, hands)
                    })?;
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
                hands.last.push((child, handle, then));
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
    fn waits(self, joins: Joins, children: RangeInclusive<usize>) -> Option<stack::Guard<'w>> {
        match joins.body_of == Some(self.own_id) {
            true => None,
            false if joins.is_side => Some(stack::help(self.world, self.own_id)),
            false => Some(stack::wait(self.world, children)),
        }
    }

    /// Writes down what a join has come to, and goes on with it.
    fn joined(
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

    /// The children of items, by turns or as they end.
    fn many(self, by: &'w Task, items: &'w [Task], joins: Joins) -> (Many<'s>, usize) {
        let fate = joins.fate;
        let _some_may_run = self.waits(joins, ids(items));
        let from = self.world.now();
        let pulled = std::cell::Cell::new(0);
        let source = items.iter().map(|task| {
            pulled.set(pulled.get() + 1);
            // It may run at once.
            let (child, nest) = (task.id, self.own_id);
            self.world.note(by, from, What::Spawned { child, nest });
            (task, self.cells.next(), self.world.capture(task))
        });
        let ended = |result: Plain| result.map_err(Failure::from);
        let many: Many<'s> = match self.own {
            Any::Total(n) => {
                let children = n.spawn_each(source, self.item());
                by_turns(children, fate, move |(at, result)| (at, ended(result)))
            }
            Any::Partial(n) => by_turns(n.spawn_each(source, self.item()), fate, |ended| ended),
        };
        if fate == Fate::Forgotten {
            for item in &items[..pulled.get()] {
                let forgotten = What::Forgotten { child: item.id };
                self.world.note(by, self.world.now(), forgotten);
            }
        }
        (many, pulled.get())
    }

    /// Spawns a child for each item for that task, and does with them what is to be done at once.
    pub(crate) fn each_for(
        self,
        by: &'w Task,
        items: &'w [Task],
        joins: Joins,
    ) -> Result<u64, Failure<Fault>> {
        let (mut many, pulled) = self.many(by, items, joins);
        let _waits = self.waits(joins, ids(items));
        let (then, most, is_in_order) = match joins.fate {
            Fate::Dropped | Fate::Kept | Fate::Forgotten => return Ok(0),
            Fate::Joined(then) | Fate::JoinedLast(then) => (then, usize::MAX, true),
            Fate::First(most) => (Then::Handle, most, true),
            Fate::FirstEnded(most) => (Then::Handle, most, false),
        };
        let mut sum = 0;
        for nth in 0..most {
            let from = self.world.now();
            let (at, result) = match catch_unwind(AssertUnwindSafe(|| many.next())) {
                Ok(None) => break,
                // By turns, those that have panicked are not numbered.
                Ok(Some((at, result))) => (Some(if is_in_order { nth } else { at }), Ok(result)),
                Err(payload) => (is_in_order.then_some(nth), Err(payload)),
            };
            let child = at.filter(|at| *at < pulled).map(|at| items[at].id);
            let told = self.joined(by, from, child, result, then);
            let told = told.map_err(|stop| stop.0)?;
            // In whatever order they came.
            sum = if is_in_order { mix(sum, told) } else { 0 };
        }
        Ok(sum)
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

/// Of these tasks, and of what is in them.
fn ids(items: &[Task]) -> RangeInclusive<usize> {
    let ends = items.first().zip(items.last());
    ends.map_or(0..=0, |(first, last)| first.id..=last.last)
}

fn by_turns<'s, T>(
    children: Children<'s, T>,
    fate: Fate,
    ended: impl Fn((usize, T)) -> (usize, Ended) + 's,
) -> Many<'s>
where
    T: 's,
{
    match fate {
        Fate::FirstEnded(_) => Box::new(children.by_completion().map(ended)),
        Fate::Forgotten => {
            mem::forget(children);
            Box::new(std::iter::empty())
        }
        _ => Box::new(children.enumerate().map(ended)),
    }
}
