//! Runs a program on a pool, and has every task write down what happened.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hatchery::{Child, Failure, Failures, Pool, TryNursery};

use crate::program::{End, Fate, How, Kind, Nest, Program, Step, Task, Then, Whom, Whose};
use crate::seen::{Answer, Outcome, Raw, Seen};
use crate::world::{Entry, Fault, Standing, Time, Value, What, World, panic_as};

/// Runs the program.
pub(crate) fn run<'p>(pool: &Pool, program: &'p Program) -> World<'p> {
    let world = World::of(program);
    let Kind::Partial(terms) = program.root.kind else {
        unreachable!("the outermost nursery is partial");
    };
    let from = world.now();
    let result = world.options(terms).pool(pool).try_nursery(|n| {
        let place = Place {
            own: n,
            outer: n,
            own_id: 0,
            outer_id: 0,
            innermost: 0,
            standing: Standing::Direct,
            world: &world,
        };
        place.execute(&program.root.tasks[0], false)
    });
    let outcome = match &result {
        Ok(value) => Outcome::Value(value.task),
        Err(failures) => Outcome::of(failures),
    };
    let to = world.now();
    drop(result.map(Value::taken));
    let opened = What::Opened {
        nursery: 0,
        inside: 0,
        outcome,
    };
    world.root.lock().unwrap().push(Entry {
        from,
        to,
        what: opened,
    });
    world
}

type Ended<'w> = Result<Value<'w>, Failure<Fault>>;

/// Where a task runs.
struct Place<'s, 'e, 'o, 'f, 'w> {
    own: &'s TryNursery<'s, 'e, Fault>,
    outer: &'o TryNursery<'o, 'f, Fault>,
    own_id: usize,
    outer_id: usize,
    /// The innermost nursery of any kind.
    innermost: usize,
    standing: Standing,
    world: &'w World<'w>,
}

impl Clone for Place<'_, '_, '_, '_, '_> {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for Place<'_, '_, '_, '_, '_> {}

impl<'s, 'e, 'o: 's, 'f, 'w: 'o> Place<'s, 'e, 'o, 'f, 'w> {
    /// That of a child of the outer nursery.
    fn outside(self) -> Place<'o, 'f, 'o, 'f, 'w> {
        Place {
            own: self.outer,
            outer: self.outer,
            own_id: self.outer_id,
            outer_id: self.outer_id,
            innermost: self.outer_id,
            standing: Standing::Direct,
            world: self.world,
        }
    }

    /// That of a child of the own nursery.
    fn inside(mut self) -> Self {
        self.standing = Standing::Direct;
        self.innermost = self.own_id;
        self
    }

    /// Runs a task, and notes what it comes to. A plain one makes all failures its own.
    fn execute(self, task: &'w Task, is_plain: bool) -> Ended<'w> {
        self.world.note(task, self.world.now(), What::Started);
        let result = catch_unwind(AssertUnwindSafe(|| self.steps(task)));
        let result = result.map(|result| match result {
            Err(_) if is_plain => Err(Fault(task.id).into()),
            result => result,
        });
        let raw = match &result {
            Ok(Ok(_)) => Raw::Value,
            Ok(Err(failure)) => Raw::Failed(Seen::of(failure)),
            Err(payload) => Raw::Panicked(payload.downcast_ref::<String>().cloned()),
        };
        self.world.note(task, self.world.now(), What::Ended(raw));
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    fn plain(self, task: &'w Task) -> Result<Value<'w>, Fault> {
        let fault = |failure: Failure<Fault>| match failure.into_kind() {
            hatchery::Kind::Error(fault) => fault,
            _ => unreachable!("made to be an error"),
        };
        self.execute(task, true).map_err(fault)
    }

    fn spawn(self, how: How, task: &'w Task) -> Child<'s, Ended<'w>> {
        let capture = self.world.capture(task);
        let nested = move || {
            let result = self.execute(task, how != How::Nested);
            // By name: rustc leaks what is being returned if a destructor panics at the brace.
            drop(capture);
            result
        };
        if how == How::Nested {
            return self.own.spawn_nested(nested);
        }
        let plain = || {
            nested().map_err(|failure| match failure.into_kind() {
                hatchery::Kind::Error(fault) => fault,
                _ => unreachable!("made to be an error"),
            })
        };
        match how {
            How::Blocking => self.own.spawn_blocking(plain),
            _ => self.own.spawn(plain),
        }
    }

    fn spawn_each(
        self,
        tasks: &'w [Task],
        pulled: &Cell<usize>,
    ) -> hatchery::Children<'s, Ended<'w>> {
        let items = tasks.iter().map(|task| {
            pulled.set(pulled.get() + 1);
            (task, self.world.capture(task))
        });
        self.own.spawn_each(items, move |(task, capture)| {
            let result = self.plain(task);
            drop(capture);
            result
        })
    }

    fn steps(self, task: &'w Task) -> Ended<'w> {
        let (mut kept, mut last) = (Vec::new(), Vec::new());
        for step in &task.steps {
            match step {
                Step::Spawn(how, whose, child, fate) => {
                    let from = self.world.now();
                    let (nursery, place) = self.target(*whose);
                    let spawned = What::Spawned {
                        child: child.id,
                        nursery,
                        place,
                    };
                    self.world.note(task, from, spawned);
                    let handle = match whose {
                        Whose::Own => self.inside().spawn(*how, child),
                        Whose::Outer => self.outside().spawn(*how, child),
                    };
                    match fate {
                        Fate::Dropped => drop(handle),
                        Fate::Kept => kept.push(handle),
                        Fate::Joined(then) => {
                            self.join(task, (Some(child.id), nursery), handle, *then)?;
                        }
                        Fate::JoinedLast(then) => {
                            last.push((Some(child.id), nursery, handle, *then));
                        }
                    }
                }
                Step::Each(whose, items, fate) => self.each(task, *whose, items, *fate)?,
                Step::Ask(whom, then) => self.ask(task, *whom, *then)?,
                Step::Cancel(whose) => {
                    let from = self.world.now();
                    let (nursery, is_first) = match whose {
                        Whose::Own => (self.own_id, self.own.cancel()),
                        Whose::Outer => (self.outer_id, self.outer.cancel()),
                    };
                    let cancelled = What::Cancelled { nursery, is_first };
                    self.world.note(task, from, cancelled);
                }
                Step::Switch(token) => {
                    let from = self.world.now();
                    let is_first = self.world.tokens[*token].cancel();
                    let token = *token;
                    self.world
                        .note(task, from, What::Switched { token, is_first });
                }
                Step::Nest(nest) => {
                    let result = self.open(task, nest);
                    if nest.then == Then::Pass {
                        result?;
                    }
                }
            }
        }
        while let Some((child, nursery, handle, then)) = last.pop() {
            self.join(task, (child, nursery), handle, then)?;
        }
        drop(kept);
        match task.end {
            End::Value => Ok(self.world.value(task)),
            End::Error => Err(Fault(task.id).into()),
            End::Panic => panic_as(task.id),
        }
    }

    /// The nursery that a child goes into, and how the spawner stands to it.
    fn target(self, whose: Whose) -> (usize, Standing) {
        match whose {
            Whose::Outer if self.outer_id != self.own_id => (self.outer_id, Standing::Elsewhere),
            Whose::Own | Whose::Outer => (self.own_id, self.standing),
        }
    }

    fn join(
        self,
        task: &Task,
        (child, nursery): (Option<usize>, usize),
        handle: Child<'_, Ended<'w>>,
        then: Then,
    ) -> Result<(), Failure<Fault>> {
        if let Some(child) = child {
            let answer = handle.is_finished();
            let finished = What::Finished { child, answer };
            self.world.note(task, self.world.now(), finished);
        }
        let from = self.world.now();
        let result = handle.join();
        self.joined(task, from, (child, nursery), result, then)
    }

    fn joined(
        self,
        task: &Task,
        from: Time,
        (child, nursery): (Option<usize>, usize),
        result: Ended<'w>,
        then: Then,
    ) -> Result<(), Failure<Fault>> {
        let result = result.map(Value::taken);
        let joined = What::Joined {
            child,
            nursery,
            result: result.as_ref().map_err(Seen::of).copied(),
        };
        self.world.note(task, from, joined);
        match (result, then) {
            (Err(failure), Then::Pass) => Err(failure),
            _ => Ok(()),
        }
    }

    fn each(
        self,
        task: &'w Task,
        whose: Whose,
        items: &'w [Task],
        fate: Fate,
    ) -> Result<(), Failure<Fault>> {
        let from = self.world.now();
        let pulled = Cell::new(0);
        let children = match whose {
            Whose::Own => self.inside().spawn_each(items, &pulled),
            Whose::Outer => self.outside().spawn_each(items, &pulled),
        };
        let (nursery, place) = self.target(whose);
        let pulled = items[..pulled.get()].iter().map(|item| item.id);
        let pulled: Vec<_> = pulled.collect();
        let spawned = What::SpawnedEach {
            items: pulled.clone(),
            children: children.len(),
            nursery,
            place,
        };
        self.world.note(task, from, spawned);
        if let Fate::Joined(then) | Fate::JoinedLast(then) = fate {
            let mut from = self.world.now();
            for (place, result) in children.enumerate() {
                let child = pulled.get(place).copied();
                self.joined(task, from, (child, nursery), result, then)?;
                from = self.world.now();
            }
        }
        Ok(())
    }

    fn ask(self, task: &Task, whom: Whom, then: Then) -> Result<(), Failure<Fault>> {
        let from = self.world.now();
        let (nursery, result) = match whom {
            Whom::Checkpoint(Whose::Own) => (self.own_id, self.own.checkpoint()),
            Whom::Checkpoint(Whose::Outer) => (self.outer_id, self.outer.checkpoint()),
            Whom::IsCancelled(whose) => {
                let (nursery, answer) = match whose {
                    Whose::Own => (self.own_id, self.own.is_cancelled()),
                    Whose::Outer => (self.outer_id, self.outer.is_cancelled()),
                };
                let answer = if answer { Answer::Yes } else { Answer::No };
                let asked = What::Asked { nursery, answer };
                self.world.note(task, from, asked);
                return Ok(());
            }
            Whom::Free => {
                let answer = hatchery::checkpoint();
                let asked = What::Asked {
                    nursery: self.innermost,
                    answer: answer.map_or_else(Answer::of, |()| Answer::No),
                };
                self.world.note(task, from, asked);
                return match (answer, then) {
                    (Err(_), Then::Pass) => Err(Fault(task.id).into()),
                    _ => Ok(()),
                };
            }
        };
        let answer = match &result {
            Ok(()) => Answer::No,
            Err(failure) => match failure.kind() {
                hatchery::Kind::Cancelled(cancelled) => Answer::of(*cancelled),
                _ => unreachable!("a checkpoint says no more than that"),
            },
        };
        self.world.note(task, from, What::Asked { nursery, answer });
        match then {
            Then::Pass => result,
            Then::Handle => Ok(()),
        }
    }

    /// Opens a nursery in the task. What its tasks return is a failure of the task.
    fn open(self, task: &Task, nest: &'w Nest) -> Result<(), Failure<Fault>> {
        let from = self.world.now();
        let result = catch_unwind(AssertUnwindSafe(|| match nest.kind {
            Kind::Partial(terms) => {
                let result = self.world.options(terms).try_nursery(|n| {
                    let place = Place {
                        own: n,
                        outer: self.own,
                        own_id: nest.id,
                        outer_id: self.own_id,
                        innermost: nest.id,
                        standing: Standing::Direct,
                        world: self.world,
                    };
                    place.execute(&nest.tasks[0], false)
                });
                came_to(result)
            }
            Kind::Race => came_to(hatchery::race(|r| {
                for task in &nest.tasks {
                    let place = self.guest(nest, Standing::Elsewhere);
                    r.spawn(move || place.plain(task));
                }
            })),
            Kind::RaceEach => {
                let place = self.guest(nest, Standing::Elsewhere);
                came_to(hatchery::race_each(&nest.tasks, move |task| {
                    place.plain(task)
                }))
            }
            Kind::Total => {
                let place = self.guest(nest, Standing::Elsewhere);
                let results: Vec<_> = hatchery::nursery(|n| {
                    n.spawn_each(&nest.tasks, |task| place.execute(task, false))
                        .collect()
                });
                all_came_to(results)
            }
            Kind::Fork => {
                let standing = match self.standing {
                    Standing::Direct => Standing::Fork,
                    standing => standing,
                };
                let place = self.guest(nest, standing);
                let [a, b] = [0, 1].map(|side| &nest.tasks[side]);
                let side = |task| move || place.execute(task, false);
                let (a, b) = hatchery::join(side(a), side(b));
                all_came_to(vec![a, b])
            }
        }));
        let (outcome, result) = match result {
            Ok((outcome, result)) => (outcome, Ok(result)),
            Err(payload) => {
                let text = payload.downcast_ref::<String>().cloned();
                (Outcome::Raised(text), Err(payload))
            }
        };
        let opened = What::Opened {
            nursery: nest.id,
            inside: self.innermost,
            outcome,
        };
        self.world.note(task, from, opened);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// That of a task in another kind of nursery, for as long as the one around it is open.
    fn guest(mut self, nest: &Nest, standing: Standing) -> Self {
        self.innermost = nest.id;
        self.standing = standing;
        self
    }
}

type CameTo = (Outcome, Result<(), Failure<Fault>>);

fn came_to(result: Result<Value<'_>, Failures<Fault>>) -> CameTo {
    match result {
        Ok(value) => (Outcome::Value(value.taken()), Ok(())),
        Err(failures) => (Outcome::of(&failures), Err(failures.into())),
    }
}

/// Its values, and the first failure, for whoever wants it.
fn all_came_to(results: Vec<Ended<'_>>) -> CameTo {
    let (mut seen, mut first) = (Vec::new(), Ok(()));
    for result in results {
        let result = result.map(Value::taken);
        seen.push(result.as_ref().map_err(Seen::of).copied());
        first = first.and(result.map(drop));
    }
    (Outcome::All(seen), first)
}
