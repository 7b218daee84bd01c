//! Runs a program on a pool, and has every task write down what happened.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use hatchery::{Child, Failure, Pool, TryNursery};

use crate::program::{Deadline, End, Fate, How, Kind, Program, Step, Task, Then, Whom, Whose};
use crate::seen::{Answer, Outcome, Raw, Seen, Source};
use crate::world::{Entry, Fault, Standing, Time, Value, What, World, panic_as};

/// Runs the program.
pub(crate) fn run<'p>(pool: &Pool, program: &'p Program) -> World<'p> {
    let world = World::of(program);
    let Kind::Partial(terms) = program.root.kind else {
        unreachable!("the outermost nursery is partial");
    };
    let from = world.now();
    let mut late = Vec::new();
    let result = world.options(terms).pool(pool).try_nursery(|n| {
        n.on_late(|failure| late.push(Seen::of(&failure)));
        let place = Place {
            own: n,
            outer: n,
            own_id: 0,
            outer_id: 0,
            innermost: 0,
            standing: Standing::Direct,
            world: &world,
        };
        let result = place.execute(&program.root.tasks[0], false, Vec::new());
        result.map_err(Fail::into_failure)
    });
    let outcome = match &result {
        Ok(value) => Outcome::Value(value.task, late),
        Err(failures) => {
            assert!(late.is_empty(), "they come along");
            Outcome::of(failures)
        }
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

/// Children of the nursery around this one, or of one further out, that its body is to join.
pub(crate) type Handed<'s, 'w> = Vec<Joinable<'s, 'w>>;

/// The child, if it is none that says there are no more items, its nursery, and its handle.
type Joinable<'s, 'w> = (Option<usize>, usize, Child<'s, Ended<'w>>, Then);

/// What a task returns, before its nursery knows of it.
pub(crate) type Returned<'w> = Result<Value<'w>, Fail>;

/// A failure, and where whoever returns it has it from.
pub(crate) struct Fail {
    pub(crate) failure: Failure<Fault>,
    pub(crate) source: Source,
}

impl Fail {
    pub(crate) fn own(failure: impl Into<Failure<Fault>>) -> Self {
        Self {
            failure: failure.into(),
            source: Source::Own,
        }
    }

    pub(crate) fn into_failure(self) -> Failure<Fault> {
        self.failure
    }

    fn into_fault(self) -> Fault {
        match self.failure.into_kind() {
            hatchery::FailureKind::Error(fault) => fault,
            _ => unreachable!("made to be an error"),
        }
    }
}

/// Where a task runs.
pub(crate) struct Place<'s, 'e, 'o, 'f, 'w> {
    pub(crate) own: &'s TryNursery<'s, 'e, Fault>,
    pub(crate) outer: &'o TryNursery<'o, 'f, Fault>,
    pub(crate) own_id: usize,
    pub(crate) outer_id: usize,
    /// The innermost nursery of any kind.
    pub(crate) innermost: usize,
    pub(crate) standing: Standing,
    pub(crate) world: &'w World<'w>,
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
    pub(crate) fn execute(
        self,
        task: &'w Task,
        is_plain: bool,
        handed: Handed<'_, 'w>,
    ) -> Returned<'w> {
        self.world.note(task, self.world.now(), What::Started);
        let result = catch_unwind(AssertUnwindSafe(|| self.steps(task, handed)));
        let result = result.map(|result| match result {
            Err(_) if is_plain => Err(Fail::own(Fault(task.id))),
            result => result,
        });
        let raw = match &result {
            Ok(Ok(_)) => Raw::Value,
            Ok(Err(fail)) => Raw::Failed(Seen::of(&fail.failure), fail.source),
            Err(payload) => Raw::Panicked(payload.downcast_ref::<String>().cloned()),
        };
        self.world.note(task, self.world.now(), What::Ended(raw));
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    pub(crate) fn plain(self, task: &'w Task) -> Result<Value<'w>, Fault> {
        self.execute(task, true, Vec::new())
            .map_err(Fail::into_fault)
    }

    fn spawn(self, how: How, task: &'w Task) -> Child<'s, Ended<'w>> {
        let capture = self.world.capture(task);
        let nested = move || {
            let result = self.execute(task, how != How::Nested, Vec::new());
            // By name: rustc leaks what is being returned if a destructor panics at the brace.
            drop(capture);
            result
        };
        if how == How::Nested {
            let nested = || nested().map_err(Fail::into_failure);
            return self.own.spawn_body(nested);
        }
        let plain = || nested().map_err(Fail::into_fault);
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

    fn steps(self, task: &'w Task, handed: Handed<'_, 'w>) -> Returned<'w> {
        for handed in handed {
            self.join(task, handed)?;
        }
        let (mut kept, mut last, mut inside) = (Vec::new(), Vec::new(), Vec::new());
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
                        Fate::Joined(then) | Fate::FirstEnded(_, then) => {
                            self.join(task, (Some(child.id), nursery, handle, *then))?;
                        }
                        Fate::JoinedLast(then) => {
                            last.push((Some(child.id), nursery, handle, *then));
                        }
                        Fate::JoinedInside(then) => {
                            inside.push((Some(child.id), nursery, handle, *then));
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
                Step::Move(whose, to) => {
                    let from = self.world.now();
                    let at = to.map(|to| match to {
                        Deadline::Passed => Instant::now(),
                        Deadline::Far => Instant::now() + Duration::from_secs(86400),
                    });
                    let nursery = match whose {
                        Whose::Own => {
                            self.own.set_deadline(at);
                            self.own_id
                        }
                        Whose::Outer => {
                            self.outer.set_deadline(at);
                            self.outer_id
                        }
                    };
                    let has_passed = *to == Some(Deadline::Passed);
                    let moved = What::Moved {
                        nursery,
                        has_passed,
                    };
                    self.world.note(task, from, moved);
                }
                Step::Switch(token) => {
                    let from = self.world.now();
                    let is_first = self.world.tokens[*token].cancel();
                    let token = *token;
                    self.world
                        .note(task, from, What::Switched { token, is_first });
                }
                Step::Nest(nest) => {
                    let handed = match nest.kind {
                        Kind::Partial(_) => std::mem::take(&mut inside),
                        _ => Vec::new(),
                    };
                    let result = self.open(task, nest, handed);
                    if nest.then != Then::Handle {
                        result?;
                    }
                }
            }
        }
        last.append(&mut inside);
        while let Some(joinable) = last.pop() {
            self.join(task, joinable)?;
        }
        drop(kept);
        match task.end {
            End::Value => Ok(self.world.value(task)),
            End::Error => Err(Fail::own(Fault(task.id))),
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
        (child, nursery, handle, then): Joinable<'_, 'w>,
    ) -> Result<(), Fail> {
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
    ) -> Result<(), Fail> {
        let result = result.map(Value::taken);
        let joined = What::Joined {
            child,
            nursery,
            result: result.as_ref().map_err(Seen::of).copied(),
        };
        self.world.note(task, from, joined);
        match (result, then) {
            (Err(failure), Then::Pass | Then::PassCause) => Err(Fail {
                failure,
                source: Source::Child(nursery, child),
            }),
            _ => Ok(()),
        }
    }

    fn each(self, task: &'w Task, whose: Whose, items: &'w [Task], fate: Fate) -> Result<(), Fail> {
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
        let (joined, then): (Box<dyn Iterator<Item = _>>, _) = match fate {
            Fate::Joined(then) | Fate::JoinedLast(then) | Fate::JoinedInside(then) => {
                (Box::new(children.enumerate()), then)
            }
            Fate::FirstEnded(count, then) => (Box::new(children.by_completion().take(count)), then),
            Fate::Dropped | Fate::Kept => return Ok(()),
        };
        let mut from = self.world.now();
        for (place, result) in joined {
            let child = pulled.get(place).copied();
            self.joined(task, from, (child, nursery), result, then)?;
            from = self.world.now();
        }
        Ok(())
    }

    fn ask(self, task: &Task, whom: Whom, then: Then) -> Result<(), Fail> {
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
                let asked = What::Asked {
                    nursery,
                    answer,
                    tells: false,
                    is_free: false,
                };
                self.world.note(task, from, asked);
                return Ok(());
            }
            Whom::Free => {
                let answer = hatchery::checkpoint();
                let asked = What::Asked {
                    nursery: self.innermost,
                    answer: answer.map_or_else(Answer::of, |()| Answer::No),
                    tells: true,
                    is_free: true,
                };
                self.world.note(task, from, asked);
                return match (answer, then) {
                    (Err(_), Then::Pass | Then::PassCause) => Err(Fail::own(Fault(task.id))),
                    _ => Ok(()),
                };
            }
        };
        let answer = match &result {
            Ok(()) => Answer::No,
            Err(failure) => match failure.kind() {
                hatchery::FailureKind::Cancelled(cancelled) => Answer::of(*cancelled),
                _ => unreachable!("a checkpoint says no more than that"),
            },
        };
        let asked = What::Asked {
            nursery,
            answer,
            tells: true,
            is_free: false,
        };
        self.world.note(task, from, asked);
        match then {
            Then::Pass | Then::PassCause => result.map_err(|failure| Fail {
                failure,
                source: Source::Told(nursery),
            }),
            Then::Handle => Ok(()),
        }
    }
}
