//! Runs a program, and has every task write down what happened.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hatchery::{Child, Failure, Nursery, Pool, TryNursery};

use crate::everything::cells::{Cells, ENDED, STARTED};
use crate::everything::ledger::{Fault, Value};
use crate::everything::open;
use crate::everything::program::{How, Program, Task};
use crate::everything::seen::{Answer, Raw, Seen, Thrown, answer};
use crate::everything::stack::{self, Role};
use crate::everything::steps::Joins;
use crate::everything::submit;
use crate::everything::threads::{self, Main};
use crate::everything::world::{What, World};

/// Runs the program: each outermost nursery on a thread of its own, the first on this one.
pub(crate) fn run(
    pool: &Arc<Pool>,
    other: &Arc<Pool>,
    program: &Program,
) -> Result<Arc<World>, String> {
    let shared = World::of(pool, other, program);
    let world = &*shared;
    let Some((first, others)) = world.program.roots.split_first() else {
        return Ok(shared);
    };
    let open = |root| move || open::root(world, root);
    let mut threads: Vec<Main<'_>> = Vec::new();
    threads.extend(others.iter().map(|root| Box::new(open(root)) as Main<'_>));
    if let Some(token) = program.switched {
        threads.push(Box::new(move || {
            let switched = world.switch(token);
            world.outside.lock().unwrap().push(switched);
        }));
    }
    if program.ends_early {
        threads.push(Box::new(move || world.end_pool()));
    }
    threads::all_at_once(open(first), threads);
    world.end_pool();
    submit::wait_for_jobs(&shared)?;
    Ok(shared)
}

/// What a task returns, or a join.
pub(crate) type Ended = Result<Value, Failure<Fault>>;

/// A nursery that children are spawned into.
pub(crate) enum Any<'s, 'e> {
    Total(&'s Nursery<'s, 'e>),
    Partial(&'s TryNursery<'s, 'e, Fault>),
}

impl Clone for Any<'_, '_> {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for Any<'_, '_> {}

/// The handle of one child.
pub(crate) enum Handle<'s> {
    Total(Child<'s, Result<Value, Fault>>),
    Partial(Child<'s, Ended>),
}

impl Handle<'_> {
    pub(crate) fn join(self) -> Ended {
        match self {
            Self::Total(child) => child.join().map_err(Failure::from),
            Self::Partial(child) => child.join(),
        }
    }

    /// Whether that may be asked at any time.
    pub(crate) fn is_finished(&self) -> bool {
        match self {
            Self::Total(child) => child.is_finished(),
            Self::Partial(child) => child.is_finished(),
        }
    }
}

/// A nursery further out, and those further out than that.
pub(crate) trait Outer<'w>: Sync {
    fn nest(&self, up: usize) -> usize;

    /// Spawns a child of that nursery, and does with it what is to be done.
    fn spawn(
        &self,
        up: usize,
        by: &'w Task,
        how: How,
        task: &'w Task,
        joins: Joins,
    ) -> Result<u64, Failure<Fault>>;

    fn spawn_each(
        &self,
        up: usize,
        by: &'w Task,
        most: Option<usize>,
        tasks: &'w [Task],
        joins: Joins,
    ) -> Result<u64, Failure<Fault>>;

    /// Whether this was the first, of a nursery that can be cancelled.
    fn cancel(&self, up: usize) -> Option<bool>;

    fn ask(&self, up: usize) -> Answer;
}

/// Where a task runs.
pub(crate) struct Place<'s, 'e, 'o, 'w> {
    pub(crate) own: Any<'s, 'e>,
    /// The number of that.
    pub(crate) own_id: usize,
    /// For the children of that.
    pub(crate) cells: &'o Cells<'o>,
    pub(crate) outer: Option<&'o dyn Outer<'w>>,
    /// The innermost nursery of any kind.
    pub(crate) innermost: usize,
    pub(crate) role: Role,
    pub(crate) world: &'w World,
}

impl Clone for Place<'_, '_, '_, '_> {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for Place<'_, '_, '_, '_> {}

impl<'s, 'e, 'o: 's, 'w: 'o> Place<'s, 'e, 'o, 'w> {
    /// Runs a task, and notes what it comes to. A plain one makes what is no error one of its own.
    pub(crate) fn execute(self, task: &'w Task, is_plain: bool) -> Ended {
        let world = self.world;
        let running = stack::start(world, task.id, self.innermost, self.role);
        world.note(task, world.now(), What::Started);
        let result = catch_unwind(AssertUnwindSafe(|| self.steps(task)));
        let result = result.map(|result| match result {
            Err((failure, _)) if is_plain && !is_error(&failure) => {
                Seen::take(failure);
                Err((Failure::from(world.fault(task)), Raw::Error))
            }
            result => result,
        });
        let raw = match &result {
            Ok(Ok(value)) => Raw::Value(value.sum),
            Ok(Err((_, raw))) => raw.clone(),
            Err(payload) => Raw::Panicked(Thrown::look(&**payload)),
        };
        world.note(task, world.now(), What::Ended(raw));
        drop(running);
        match result {
            Ok(result) => result.map_err(|(failure, _)| failure),
            Err(payload) => resume_unwind(payload),
        }
    }

    /// The same for those whose nursery knows errors only.
    pub(crate) fn plain(self, task: &'w Task) -> Result<Value, Fault> {
        self.execute(task, true).map_err(|failure| {
            let error = failure.into_error();
            error.unwrap_or_else(|_| unreachable!("made to be an error"))
        })
    }

    /// That of a child of the own nursery.
    fn inside(mut self) -> Self {
        self.innermost = self.own_id;
        self.role = Role::Child;
        self
    }

    pub(crate) fn spawn(self, how: How, task: &'w Task) -> Handle<'s> {
        let place = self.inside();
        let cell = self.cells.next();
        let capture = self.world.capture(task);
        let end = self.world.end_of(task);
        let run = move |is_plain| {
            let mut cell = cell;
            write(&mut cell, task, STARTED);
            let result = catch_unwind(AssertUnwindSafe(|| place.execute(task, is_plain)));
            write(&mut cell, task, STARTED | ENDED);
            let result = result.unwrap_or_else(|payload| resume_unwind(payload));
            // By name: rustc leaks what is being returned if a destructor panics at the brace.
            drop(capture);
            drop(end);
            result
        };
        let plain = |result: Ended| {
            result.map_err(|failure| {
                let error = failure.into_error();
                error.unwrap_or_else(|_| unreachable!("made to be an error"))
            })
        };
        match (self.own, how) {
            (Any::Total(n), How::Blocking) => {
                Handle::Total(n.spawn_blocking(move || plain(run(true))))
            }
            (Any::Total(n), _) => Handle::Total(n.spawn(move || plain(run(true)))),
            (Any::Partial(n), How::Plain) => Handle::Partial(n.spawn(move || plain(run(true)))),
            (Any::Partial(n), How::Nested) => Handle::Partial(n.spawn_body(move || run(false))),
            (Any::Partial(n), How::Blocking) => {
                Handle::Partial(n.spawn_blocking(move || plain(run(true))))
            }
        }
    }

    /// What runs one item of many.
    pub(crate) fn item(self) -> impl Fn((&'w Task, Cell<'o>, Capture)) -> Plain + 's {
        let place = self.inside();
        move |(task, mut cell, capture)| {
            write(&mut cell, task, STARTED);
            let result = catch_unwind(AssertUnwindSafe(|| place.plain(task)));
            write(&mut cell, task, STARTED | ENDED);
            let result = result.unwrap_or_else(|payload| resume_unwind(payload));
            drop(capture);
            result
        }
    }

    pub(crate) fn cancel_own(self) -> Option<bool> {
        match self.own {
            Any::Total(_) => None,
            Any::Partial(n) => Some(n.cancel()),
        }
    }

    /// Asks in turn by each of the ways that there are.
    pub(crate) fn ask_own(self) -> (Answer, Option<Failure<Fault>>) {
        match self.own {
            Any::Total(n) => (n.checkpoint().err().map(answer), None),
            Any::Partial(n) => match n.checkpoint() {
                Ok(()) => (None, None),
                Err(failure) => {
                    if !n.is_cancelled() {
                        self.world
                            .blame("X5: it was cancelled, and is not".to_owned());
                    }
                    match failure.kind() {
                        hatchery::FailureKind::Cancelled(why) => {
                            (Some(answer(*why)), Some(failure))
                        }
                        _ => unreachable!("a checkpoint says no more than that"),
                    }
                }
            },
        }
    }
}

pub(crate) type Cell<'o> = Option<&'o mut u64>;
pub(crate) type Capture = crate::everything::ledger::Ticket;
pub(crate) type Plain = Result<Value, Fault>;

/// Through the borrow, as any program would: that it is seen later on is the crate's to see to.
pub(crate) fn write(cell: &mut Cell<'_>, task: &Task, state: u64) {
    if let Some(cell) = cell {
        **cell = task.id as u64 | state;
    }
}

fn is_error(failure: &Failure<Fault>) -> bool {
    matches!(failure.kind(), hatchery::FailureKind::Error(_))
}

impl<'s, 'e, 'o: 's, 'w: 'o> Outer<'w> for Place<'s, 'e, 'o, 'w> {
    fn nest(&self, up: usize) -> usize {
        match (up, self.outer) {
            (1.., Some(outer)) => outer.nest(up - 1),
            _ => self.own_id,
        }
    }

    fn spawn(
        &self,
        up: usize,
        by: &'w Task,
        how: How,
        task: &'w Task,
        joins: Joins,
    ) -> Result<u64, Failure<Fault>> {
        match (up, self.outer) {
            (1.., Some(outer)) => outer.spawn(up - 1, by, how, task, joins),
            _ => self.spawn_for(by, how, task, joins),
        }
    }

    fn spawn_each(
        &self,
        up: usize,
        by: &'w Task,
        most: Option<usize>,
        tasks: &'w [Task],
        joins: Joins,
    ) -> Result<u64, Failure<Fault>> {
        match (up, self.outer) {
            (1.., Some(outer)) => outer.spawn_each(up - 1, by, most, tasks, joins),
            _ => self.each_for(by, most, tasks, joins),
        }
    }

    fn cancel(&self, up: usize) -> Option<bool> {
        match (up, self.outer) {
            (1.., Some(outer)) => outer.cancel(up - 1),
            _ => self.cancel_own(),
        }
    }

    fn ask(&self, up: usize) -> Answer {
        match (up, self.outer) {
            (1.., Some(outer)) => outer.ask(up - 1),
            _ => self.ask_own().0,
        }
    }
}

/// A fork's side knows the thread that has opened it.
pub(crate) fn side() -> Role {
    Role::Side(threads::current().id())
}

/// The nursery around another one, from its opening on.
pub(crate) fn set_parent(world: &World, nest: usize, parent: usize) {
    world.nests[nest].parent.store(parent, Ordering::SeqCst);
}
