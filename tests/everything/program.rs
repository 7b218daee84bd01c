//! What a program is, and how it is printed.

use std::fmt;

use crate::everything::job::Job;

/// Tokens that nurseries may heed, and tasks switch on.
pub(crate) const TOKENS: usize = 2;

/// Outermost nurseries, each opened by a thread of its own, all at once.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) roots: Vec<Nest>,
    /// Those that are on to begin with.
    pub(crate) tokens: [bool; TOKENS],
    /// The one that yet another thread switches on meanwhile.
    pub(crate) switched: Option<usize>,
    /// Whether tasks may wait and not say so. That needs pools whose threads can be replaced.
    pub(crate) may_wait: bool,
    /// Whether threads may block until jobs end that others have to run. That needs the same.
    pub(crate) may_block: bool,
    /// Whether the pool that ends does so while tasks run.
    pub(crate) ends_early: bool,
    pub(crate) tasks: usize,
    pub(crate) nests: usize,
}

/// What one body, child, competitor or side of a fork does, in order.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) id: usize,
    /// The number of the last task inside it.
    pub(crate) last: usize,
    pub(crate) bombs: Bombs,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

/// What panics when it is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bombs {
    pub(crate) capture: bool,
    /// Unless somebody takes it.
    pub(crate) value: bool,
    pub(crate) error: bool,
    pub(crate) payload: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    Error,
    Panic,
}

/// How far out the nursery is that is meant: 0 is the innermost that children can be spawned into.
pub(crate) type Up = usize;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Spawn(How, Up, Task, Fate),
    /// Spawns children for items: all, or as values are asked for, so many at a time.
    Each(Option<usize>, Up, Vec<Task>, Fate),
    /// Asks whether that nursery is cancelled; without one, the free function.
    Ask(Option<Up>, Then),
    Cancel(Up),
    /// Cancels a token.
    Switch(usize),
    Nest(Nest),
    Submit(Job),
    /// Blocks in place, and does that meanwhile.
    Block(Vec<Step>),
    /// Waits by a channel, and does not say so, until a child of the task's has ended or was dropped unrun: its
    /// last one, or one that it spawned so many before that.
    Wait(usize),
    /// Moves the clock by one hour.
    Forward,
    Yield,
}

/// By which method a child is spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Plain,
    Nested,
    Blocking,
}

/// What becomes of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Dropped,
    /// Dropped at the end of the task.
    Kept,
    Forgotten,
    Joined(Then),
    /// Joined at the end of the task, the last one first.
    JoinedLast(Then),
    /// Of many, so many are joined, in order. One alone is joined.
    First(usize),
    /// Of many, the first so many that have ended. One alone is joined.
    FirstEnded(usize),
}

/// What becomes of a failure, or a panic, that somebody was handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Handle,
    /// The task fails, with an error of its own if it was an error.
    Fail,
    /// The task hands it on as it is, if it can.
    Pass,
}

/// A nursery of whatever kind that a task opens.
#[derive(Clone)]
pub(crate) struct Nest {
    pub(crate) id: usize,
    pub(crate) kind: Kind,
    pub(crate) terms: Terms,
    /// The body of a total or partial nursery; else competitors, children, sides.
    pub(crate) tasks: Vec<Task>,
    pub(crate) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Total,
    Partial,
    Gather,
    /// A total nursery of items that write where they borrow.
    Each,
    Fork,
    /// A fork of three.
    JoinAll,
    Race,
    RaceEach,
    /// Its tasks are items.
    Loop(Loop),
}

/// A call of `for_each`, `map` or `fold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) verb: Verb,
    pub(crate) input: Input,
    /// The last item of each `stride` items is a task; the others do nothing.
    pub(crate) stride: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    ForEach,
    Map,
    Fold,
}

/// What the items lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Range,
    Inclusive,
    Slice,
    SliceMut,
    Vec,
    /// A pair of a numbered `Vec` and a slice, which is shorter.
    Pair,
    /// Chunks of this many items.
    Chunks(usize),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) continues: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) token: Option<usize>,
    pub(crate) deadline: Option<Deadline>,
    /// On the other pool.
    pub(crate) is_elsewhere: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Passed,
    /// So many hours after it was opened; nothing moves the clock except [`Step::Forward`].
    After(u64),
}

impl Fate {
    /// What it means for the children of items: what becomes of failures, how many values are asked for, and
    /// whether these come in the order of the items. Those that are spawned a few at a time always do so, and they
    /// are spawned as the first value is asked for.
    pub(crate) fn of_many(self, most: Option<usize>) -> (Then, usize, bool) {
        match self {
            Self::Joined(then) | Self::JoinedLast(then) => (then, usize::MAX, true),
            Self::First(count) => (Then::Handle, count, true),
            Self::FirstEnded(count) => (Then::Handle, count, most.is_some()),
            Self::Dropped | Self::Kept | Self::Forgotten => {
                (Then::Handle, usize::from(most.is_some()), true)
            }
        }
    }
}

impl Kind {
    /// Whether children can be spawned into it by whoever runs in it.
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Self::Total | Self::Partial)
    }

    /// Whether children are skipped only after a panic, and panics go on.
    pub(crate) fn is_total(self) -> bool {
        !matches!(self, Self::Partial | Self::Race | Self::RaceEach)
    }

    pub(crate) fn is_race(self) -> bool {
        matches!(self, Self::Race | Self::RaceEach)
    }

    pub(crate) fn is_fork(self) -> bool {
        matches!(self, Self::Fork | Self::JoinAll)
    }

    /// Whether it runs all that it is given, even when cancelled. But a loop may leave out items behind one
    /// that panics.
    pub(crate) fn is_unskipped(self) -> bool {
        self.is_fork() || self.as_loop().is_some()
    }
}

impl Program {
    /// Numbers the tasks and the nurseries, in the order of the text.
    pub(crate) fn numbered(mut self) -> Self {
        let mut numbers = Numbers::default();
        self.roots.iter_mut().for_each(|root| numbers.nest(root));
        (self.tasks, self.nests) = (numbers.tasks, numbers.nests);
        self
    }

    /// Calls `f` with every nursery.
    pub(crate) fn each_nest<'p>(&'p self, f: &mut impl FnMut(&'p Nest)) {
        self.roots.iter().for_each(|root| root.each_nest(f));
    }

    /// Calls `f` with every task.
    pub(crate) fn each_task<'p>(&'p self, f: &mut impl FnMut(&'p Task)) {
        self.each_nest(&mut |nest| nest.tasks.iter().for_each(|task| task.each_task(f)));
    }

    /// Calls `f` with every step.
    pub(crate) fn each_step<'p>(&'p self, f: &mut impl FnMut(&'p Step)) {
        self.each_task(&mut |task| each_step(&task.steps, f));
    }
}

#[derive(Default)]
struct Numbers {
    tasks: usize,
    nests: usize,
}

impl Numbers {
    fn nest(&mut self, nest: &mut Nest) {
        nest.id = self.nests;
        self.nests += 1;
        nest.tasks.iter_mut().for_each(|task| self.task(task));
    }

    fn task(&mut self, task: &mut Task) {
        task.id = self.tasks;
        self.tasks += 1;
        self.steps(&mut task.steps);
        task.last = self.tasks - 1;
    }

    fn steps(&mut self, steps: &mut [Step]) {
        for step in steps {
            match step {
                Step::Spawn(_, _, child, _) => self.task(child),
                Step::Each(_, _, items, _) => items.iter_mut().for_each(|item| self.task(item)),
                Step::Nest(nest) => self.nest(nest),
                Step::Submit(job) => self.nest(&mut job.nest),
                Step::Block(inner) => self.steps(inner),
                _ => {}
            }
        }
    }
}

/// Calls `f` with the steps of one task, those inside others as well.
fn each_step<'p>(steps: &'p [Step], f: &mut impl FnMut(&'p Step)) {
    for step in steps {
        f(step);
        if let Step::Block(inner) = step {
            each_step(inner, f);
        }
    }
}

impl Nest {
    fn each_nest<'p>(&'p self, f: &mut impl FnMut(&'p Nest)) {
        f(self);
        for task in &self.tasks {
            task.each_nest(f);
        }
    }
}

impl Task {
    /// The task and those it spawns, but not those of nurseries that it opens.
    fn each_task<'p>(&'p self, f: &mut impl FnMut(&'p Task)) {
        f(self);
        each_step(&self.steps, &mut |step| match step {
            Step::Spawn(_, _, child, _) => child.each_task_dyn(f),
            Step::Each(_, _, items, _) => items.iter().for_each(|item| item.each_task_dyn(f)),
            _ => {}
        });
    }

    /// The same, for a closure that would otherwise be of ever new types.
    fn each_task_dyn<'p>(&'p self, f: &mut dyn FnMut(&'p Task)) {
        self.each_task(&mut |task| f(task));
    }

    fn each_nest<'p>(&'p self, f: &mut dyn FnMut(&'p Nest)) {
        each_step(&self.steps, &mut |step| match step {
            Step::Spawn(_, _, child, _) => child.each_nest(f),
            Step::Each(_, _, items, _) => items.iter().for_each(|item| item.each_nest(f)),
            Step::Nest(nest) => nest.each_nest(&mut |nest| f(nest)),
            Step::Submit(job) => job.nest.each_nest(&mut |nest| f(nest)),
            _ => {}
        });
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.id)
    }
}

impl fmt::Debug for Nest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nest({})", self.id)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tokens {:?}, switched {:?}", self.tokens, self.switched)?;
        write!(f, "{}", if self.may_wait { ", may wait" } else { "" })?;
        writeln!(f, "{}", if self.ends_early { ", ends early" } else { "" })?;
        let mut roots = self.roots.iter();
        roots.try_for_each(|root| write_nest(f, root, 0))
    }
}

fn write_nest(f: &mut fmt::Formatter<'_>, nest: &Nest, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    let Nest {
        id,
        kind,
        terms,
        then,
        ..
    } = nest;
    write!(f, "{indent}nursery {id}: {kind:?}, {then:?}")?;
    if *terms != Terms::default() {
        write!(f, ", {terms:?}")?;
    }
    writeln!(f)?;
    let mut tasks = nest.tasks.iter();
    tasks.try_for_each(|task| write_task(f, task, depth + 1))
}

fn write_task(f: &mut fmt::Formatter<'_>, task: &Task, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    write!(f, "{indent}task {}", task.id)?;
    if task.bombs != Bombs::default() {
        write!(f, ", {:?}", task.bombs)?;
    }
    writeln!(f)?;
    write_steps(f, &task.steps, depth + 1)?;
    writeln!(f, "{indent}  end: {:?}", task.end)
}

fn write_steps(f: &mut fmt::Formatter<'_>, steps: &[Step], depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    for step in steps {
        match step {
            Step::Spawn(how, up, child, fate) => {
                writeln!(f, "{indent}spawn {how:?}, {up} up, {fate:?}")?;
                write_task(f, child, depth + 1)?;
            }
            Step::Each(most, up, items, fate) => {
                match most {
                    Some(most) => write!(f, "{indent}spawn_buffered {most}")?,
                    None => write!(f, "{indent}spawn_each")?,
                }
                writeln!(f, ", {up} up, {fate:?}")?;
                let mut items = items.iter();
                items.try_for_each(|item| write_task(f, item, depth + 1))?;
            }
            Step::Nest(nest) => write_nest(f, nest, depth)?,
            Step::Submit(job) => {
                writeln!(f, "{indent}{job}")?;
                write_nest(f, &job.nest, depth + 1)?;
            }
            Step::Block(inner) => {
                writeln!(f, "{indent}block in place")?;
                write_steps(f, inner, depth + 1)?;
            }
            step => writeln!(f, "{indent}{step:?}")?,
        }
    }
    Ok(())
}
