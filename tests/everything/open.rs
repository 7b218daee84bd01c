//! Nurseries of every kind, and what they come to.

use std::any::Any as Anything;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use hatchery::{Failure, Failures, Options};

use crate::everything::cells::{Cells, ENDED, STARTED};
use crate::everything::ledger::{Fault, Value};
use crate::everything::program::{Kind, Nest, Task, Then};
use crate::everything::run::{Any, Ended, Outer, Place, Plain, set_parent, side, write};
use crate::everything::seen::{Outcome, Raw, Seen, Thrown, look_both, take_both};
use crate::everything::stack::{self, Role};
use crate::everything::steps::{Stop, mix, of_error};
use crate::everything::world::{NOWHERE, Opened, World};

/// What a nursery has returned.
pub(crate) type Returned = Result<Vec<Ended>, Failures<Fault>>;

/// What a nursery has returned, or thrown.
pub(crate) type Came = thread::Result<Returned>;

/// Opens an outermost nursery.
pub(crate) fn root<'w>(world: &'w World, nest: &'w Nest) {
    let opening = Opening::new(world, nest, NOWHERE);
    let mut cells = vec![0; world.program.tasks];
    let came = with_body(world, nest, None, &world.options(nest, true), &mut cells);
    let (outcome, _) = take(came, nest, Then::Handle);
    opening.end(None, outcome, cells);
}

/// Opens the nursery of a job, inside the job's own one.
pub(crate) fn job(world: &World, nest: &Nest) -> Came {
    let opening = Opening::new(world, nest, NOWHERE);
    let mut cells = vec![0; world.program.tasks];
    let came = with_body(world, nest, None, &world.options(nest, false), &mut cells);
    opening.end(None, look(&came, nest), cells);
    came
}

/// A nursery that is being opened.
struct Opening<'w> {
    world: &'w World,
    nest: &'w Nest,
    from: u64,
    guard: stack::Guard<'w>,
}

impl<'w> Opening<'w> {
    fn new(world: &'w World, nest: &'w Nest, parent: usize) -> Self {
        set_parent(world, nest.id, parent);
        Self {
            world,
            nest,
            from: world.now(),
            guard: stack::open(world, nest.id),
        }
    }

    /// The nursery has ended.
    fn end(self, opener: Option<usize>, outcome: Outcome, cells: Vec<u64>) {
        drop(self.guard);
        let opened = Opened {
            from: self.from,
            to: self.world.now(),
            opener,
            outcome,
            cells,
        };
        *self.world.nests[self.nest.id].opened.lock().unwrap() = Some(opened);
    }
}

/// A nursery whose body spawns the rest.
fn with_body<'w>(
    world: &'w World,
    nest: &'w Nest,
    outer: Option<&dyn Outer<'w>>,
    options: &Options,
    cells: &mut [u64],
) -> Came {
    let cells = Cells::new(cells);
    let own_id = nest.id;
    let body = &nest.tasks[0];
    catch_unwind(AssertUnwindSafe(|| match nest.kind {
        Kind::Total => Ok(vec![options.nursery(|n| {
            let place = Place {
                own: Any::Total(n),
                own_id,
                cells: &cells,
                outer,
                innermost: own_id,
                role: Role::Body,
                world,
            };
            place.execute(body, true)
        })]),
        _ => {
            let result = options.try_nursery(|n| {
                let place = Place {
                    own: Any::Partial(n),
                    own_id,
                    cells: &cells,
                    outer,
                    innermost: own_id,
                    role: Role::Body,
                    world,
                };
                place.execute(body, false)
            });
            result.map(|value| vec![Ok(value)])
        }
    }))
}

impl<'s, 'e, 'o: 's, 'w: 'o> Place<'s, 'e, 'o, 'w> {
    /// Opens a nursery in the task. What its tasks return is told on, or ends the task.
    pub(crate) fn open(self, task: &'w Task, nest: &'w Nest) -> Result<u64, Stop> {
        let world = self.world;
        let opening = Opening::new(world, nest, self.innermost);
        let mut cells = vec![0; world.program.tasks];
        let came = match nest.kind.has_body() {
            true => {
                let options = world.options(nest, false);
                with_body(world, nest, Some(&self), &options, &mut cells)
            }
            false => catch_unwind(AssertUnwindSafe(|| self.without_body(nest, &mut cells))),
        };
        let (outcome, goes_on) = take(came, nest, nest.then);
        let told = told(nest, &outcome);
        opening.end(Some(task.id), outcome, cells);
        goes_on.with(world, task, told)
    }

    /// One into which nobody else spawns. Who runs in it spawns into those around it.
    fn without_body(
        self,
        nest: &'w Nest,
        cells: &mut [u64],
    ) -> Result<Vec<Ended>, Failures<Fault>> {
        let world = self.world;
        let options = world.options(nest, false);
        let pool = nest.terms.is_elsewhere.then_some(&world.other);
        let guest = Place {
            innermost: nest.id,
            role: match nest.kind.is_unskipped() {
                true => side(),
                false => Role::Child,
            },
            ..self
        };
        let child = |task: &'w Task| {
            let capture = world.capture(task);
            move || {
                let result = guest.plain(task);
                drop(capture);
                result
            }
        };
        let ended = |result: Plain| result.map_err(Failure::from);
        match nest.kind {
            Kind::Loop(call) => {
                let results = guest.looped(nest, call, cells);
                Ok(results.into_iter().map(ended).collect())
            }
            Kind::Gather => {
                let tasks = nest.tasks.iter();
                let results = match pool {
                    Some(pool) => pool.gather(|g| tasks.for_each(|task| g.spawn(child(task)))),
                    None => hatchery::gather(|g| tasks.for_each(|task| g.spawn(child(task)))),
                };
                Ok(results.into_iter().map(ended).collect())
            }
            Kind::Each => {
                let mut results = Vec::new();
                options.nursery(|n| {
                    let items = nest.tasks.iter().zip(cells);
                    let items = items.map(|(task, cell)| (task, cell, world.capture(task)));
                    let children = n.spawn_each(items, |(task, cell, capture)| {
                        let mut cell = Some(cell);
                        write(&mut cell, task, STARTED);
                        let result = catch_unwind(AssertUnwindSafe(|| guest.plain(task)));
                        write(&mut cell, task, STARTED | ENDED);
                        let result = result.unwrap_or_else(|payload| resume_unwind(payload));
                        drop(capture);
                        result
                    });
                    results.extend(children.map(ended));
                });
                Ok(results)
            }
            Kind::Fork => {
                let (a, b) = (child(&nest.tasks[0]), child(&nest.tasks[1]));
                let (a, b) = match pool {
                    Some(pool) => pool.join(a, b),
                    None => hatchery::join(a, b),
                };
                Ok(vec![ended(a), ended(b)])
            }
            Kind::JoinAll => {
                let [a, b, c] = [0, 1, 2].map(|side| child(&nest.tasks[side]));
                let (a, b, c) = hatchery::join_all((a, b, c));
                Ok(vec![ended(a), ended(b), ended(c)])
            }
            Kind::Race => {
                let winner = options.race(|r| {
                    nest.tasks.iter().for_each(|task| r.spawn(child(task)));
                });
                winner.map(|value| vec![Ok(value)])
            }
            _ => {
                let items = nest.tasks.iter().map(|task| (task, world.capture(task)));
                let winner = options.race_each(items, |(task, capture)| {
                    let result = guest.plain(task);
                    drop(capture);
                    result
                });
                winner.map(|value: Value| vec![Ok(value)])
            }
        }
    }
}

/// What becomes of the task that has opened it.
pub(crate) enum GoesOn {
    Nothing,
    /// It fails, with an error of its own.
    Failure,
    Failures(Failures<Fault>),
    Panic(Box<dyn Anything + Send>),
}

impl GoesOn {
    pub(crate) fn with(self, world: &World, task: &Task, told: u64) -> Result<u64, Stop> {
        match self {
            Self::Nothing => Ok(told),
            Self::Failure => Err((Failure::from(world.fault(task)), Raw::Error)),
            Self::Failures(failures) => {
                let failure = Failure::from(failures);
                let seen = Seen::look(&failure);
                Err((failure, Raw::Passed(seen)))
            }
            Self::Panic(payload) => resume_unwind(payload),
        }
    }
}

/// What somebody else will be told who has not taken it yet.
fn look(came: &Came, nest: &Nest) -> Outcome {
    match came {
        Ok(Ok(values)) if !nest.kind.is_total() => {
            let mut values = values.iter().flatten().map(Value::look);
            let (task, sum) = values.next().expect("one value");
            Outcome::Value(task, sum)
        }
        Ok(Ok(results)) => {
            let look = |result: &Ended| result.as_ref().map(Value::look).map_err(Seen::look);
            Outcome::Results(results.iter().map(look).collect())
        }
        Ok(Err(failures)) => {
            let (failed, late) = look_both(failures);
            Outcome::Failed(failed, late)
        }
        Err(payload) => Outcome::Raised(Thrown::look(&**payload)),
    }
}

pub(crate) fn take(came: Came, nest: &Nest, then: Then) -> (Outcome, GoesOn) {
    match came {
        Ok(Ok(values)) if !nest.kind.is_total() => {
            let mut values = values.into_iter().flatten().map(Value::taken);
            let (task, sum) = values.next().expect("one value");
            (Outcome::Value(task, sum), GoesOn::Nothing)
        }
        Ok(Ok(results)) => {
            let results: Vec<_> = results
                .into_iter()
                .map(|result| result.map(Value::taken).map_err(Seen::take))
                .collect();
            let goes_on = match then != Then::Handle && results.iter().any(Result::is_err) {
                true => GoesOn::Failure,
                false => GoesOn::Nothing,
            };
            (Outcome::Results(results), goes_on)
        }
        Ok(Err(failures)) if then == Then::Pass => {
            let (failed, late) = look_both(&failures);
            (Outcome::Failed(failed, late), GoesOn::Failures(failures))
        }
        Ok(Err(failures)) => {
            let (failed, late) = take_both(failures);
            let goes_on = match then {
                Then::Handle => GoesOn::Nothing,
                _ => GoesOn::Failure,
            };
            (Outcome::Failed(failed, late), goes_on)
        }
        Err(payload) if then == Then::Handle => {
            let thrown = Thrown::take(payload);
            (Outcome::Raised(thrown), GoesOn::Nothing)
        }
        Err(payload) => {
            let thrown = Thrown::look(&*payload);
            (Outcome::Raised(thrown), GoesOn::Panic(payload))
        }
    }
}

/// What the opener is told. Who has won a race is nothing to go by.
pub(crate) fn told(nest: &Nest, outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Value(_, sum) if !nest.kind.is_race() => *sum,
        Outcome::Results(results) => results.iter().fold(0, |sum, result| match result {
            Ok((_, told)) => mix(sum, *told),
            Err(Seen::Error(task)) => mix(sum, of_error(*task)),
            Err(_) => sum,
        }),
        _ => 0,
    }
}
