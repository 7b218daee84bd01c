//! What a random program is, and how it is made smaller.

use std::cell::RefCell;
use std::fmt;
use std::vec;

use proptest::strategy::ValueTree;

/// Tokens that nurseries may heed, and tasks switch on.
pub(crate) const TOKENS: usize = 2;

/// The outermost nursery, and which of the tokens are on to begin with.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) root: Nest,
    pub(crate) tokens: [bool; TOKENS],
    pub(crate) tasks: usize,
    pub(crate) nests: usize,
}

/// What one body, child, competitor or side of a fork does, in order.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: usize,
    pub(crate) bomb: Bomb,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

/// What panics when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bomb {
    Nothing,
    /// What the task's closure has captured.
    Capture,
    /// The task's value, unless it is joined.
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    Error,
    Panic,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Spawn(How, Whose, Task, Fate),
    Each(Whose, Vec<Task>, Fate),
    Ask(Whom, Then),
    Cancel(Whose),
    /// Moves a deadline, or takes it away.
    Move(Whose, Option<Deadline>),
    /// Cancels a token.
    Switch(usize),
    Nest(Nest),
}

/// By which method a child is spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Plain,
    Nested,
    Blocking,
}

/// The innermost partial nursery, or the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Own,
    Outer,
}

/// Who is asked whether it is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Checkpoint(Whose),
    IsCancelled(Whose),
    /// The free function.
    Free,
}

/// What becomes of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Dropped,
    /// Dropped at the end of the task.
    Kept,
    Joined(Then),
    /// Joined at the end of the task, the last one first.
    JoinedLast(Then),
    /// Joined by the body of the next partial nursery that the task opens, else at its end.
    JoinedInside(Then),
    /// Of many, the first so many that have ended are joined. One alone is joined.
    FirstEnded(usize, Then),
}

impl Fate {
    fn is_joined(self) -> bool {
        !matches!(self, Self::Dropped | Self::Kept)
    }
}

/// What becomes of a failure that somebody was handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Handle,
    /// By `?`.
    Pass,
    /// The first of a nursery's failures alone, by `?`. Of anything else, what there is.
    PassCause,
}

/// A nursery of whatever kind that a task opens.
#[derive(Clone, Debug)]
pub(crate) struct Nest {
    pub(crate) id: usize,
    pub(crate) kind: Kind,
    /// The body of a partial nursery, the children of a total one, the sides of a fork, items, competitors.
    pub(crate) tasks: Vec<Task>,
    pub(crate) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Partial(Terms),
    Total,
    Fork,
    /// Items of a `map`.
    Map,
    /// Items of a `fold`.
    Fold,
    Race,
    RaceEach,
}

impl Kind {
    /// Whether panics of its tasks go on, and all else that they come to is a result.
    pub(crate) fn is_total(self) -> bool {
        match self {
            Self::Total | Self::Fork | Self::Map | Self::Fold => true,
            Self::Partial(_) | Self::Race | Self::RaceEach => false,
        }
    }

    /// Whether it is no nursery: nothing cancels it, and a panic is the first one in order.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Fork | Self::Map | Self::Fold)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) continues: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) token: Option<usize>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) is_shield: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Passed,
    Far,
}

impl Program {
    /// Numbers the tasks and the nurseries, in the order of the text.
    pub(crate) fn numbered(mut self) -> Self {
        fn nest(nest: &mut Nest, tasks: &mut usize, nests: &mut usize) {
            nest.id = *nests;
            *nests += 1;
            nest.tasks.iter_mut().for_each(|t| task(t, tasks, nests));
        }
        fn task(task_: &mut Task, tasks: &mut usize, nests: &mut usize) {
            task_.id = *tasks;
            *tasks += 1;
            for step in &mut task_.steps {
                match step {
                    Step::Spawn(_, _, child, _) => task(child, tasks, nests),
                    Step::Each(_, items, _) => {
                        items.iter_mut().for_each(|item| task(item, tasks, nests));
                    }
                    Step::Nest(inner) => nest(inner, tasks, nests),
                    Step::Ask(..) | Step::Cancel(_) | Step::Move(..) | Step::Switch(_) => {}
                }
            }
        }
        (self.tasks, self.nests) = (0, 0);
        nest(&mut self.root, &mut self.tasks, &mut self.nests);
        self
    }

    /// Calls `f` with every task.
    pub(crate) fn each_task<'p>(&'p self, f: &mut impl FnMut(&'p Task)) {
        self.root.each_task(f);
    }

    /// Whether any child is joined, or runs where it does not stand in line.
    pub(crate) fn has_joins(&self) -> bool {
        let mut has_joins = false;
        self.each_task(&mut |task| {
            has_joins |= task.steps.iter().any(|step| match step {
                Step::Spawn(how, _, _, fate) => *how == How::Blocking || fate.is_joined(),
                Step::Each(_, _, fate) => fate.is_joined(),
                _ => false,
            });
        });
        has_joins
    }

    /// Whether what it comes to does not depend on the schedule: nobody cancels anything, and nobody
    /// fails, except where that does not cancel.
    pub(crate) fn is_calm(&self) -> bool {
        let (mut is_calm, mut fails, mut continues) = (true, false, true);
        is_calm &= !self.tokens.contains(&true);
        self.each_nest(&mut |nest| match nest.kind {
            Kind::Partial(terms) => {
                is_calm &= terms.deadline != Some(Deadline::Passed);
                continues &= terms.continues;
            }
            kind if kind.is_total() => continues = false,
            _ => is_calm &= nest.tasks.is_empty(),
        });
        self.each_task(&mut |task| {
            fails |= task.end != End::Value;
            // Panics of no child in particular have no order among themselves.
            is_calm &= task.bomb == Bomb::Nothing;
            for step in &task.steps {
                match step {
                    Step::Spawn(_, Whose::Outer, ..) | Step::Each(Whose::Outer, ..) => {
                        // Who that is depends on the schedule.
                        continues = false;
                    }
                    // Whose failure is listed depends on who ends first.
                    Step::Each(_, _, Fate::FirstEnded(..)) => continues = false,
                    Step::Cancel(_) | Step::Switch(_) | Step::Move(..) => is_calm = false,
                    // Nobody took part in it, so it fails.
                    Step::Nest(nest) => fails |= matches!(nest.kind, Kind::Race | Kind::RaceEach),
                    _ => {}
                }
            }
        });
        is_calm && (continues || !fails)
    }

    /// Calls `f` with every nursery.
    pub(crate) fn each_nest<'p>(&'p self, f: &mut impl FnMut(&'p Nest)) {
        f(&self.root);
        self.each_task(&mut |task| {
            for step in &task.steps {
                if let Step::Nest(nest) = step {
                    f(nest);
                }
            }
        });
    }
}

impl Nest {
    fn each_task<'p>(&'p self, f: &mut impl FnMut(&'p Task)) {
        self.tasks.iter().for_each(|task| task.each_task(f));
    }
}

impl Task {
    fn each_task<'p>(&'p self, f: &mut impl FnMut(&'p Task)) {
        f(self);
        for step in &self.steps {
            match step {
                Step::Spawn(_, _, child, _) => child.each_task(f),
                Step::Each(_, items, _) => items.iter().for_each(|item| item.each_task(f)),
                Step::Nest(nest) => nest.each_task(f),
                Step::Ask(..) | Step::Cancel(_) | Step::Move(..) | Step::Switch(_) => {}
            }
        }
    }
}

/// A program on its way to the smallest one that fails.
#[derive(Debug)]
pub(crate) struct Shrinking {
    failing: Program,
    current: Program,
    /// What is one step smaller than the failing one, and has not been tried.
    smaller: RefCell<vec::IntoIter<Program>>,
}

impl Shrinking {
    pub(crate) fn new(program: Program) -> Self {
        Self {
            failing: program.clone(),
            current: program,
            smaller: RefCell::default(),
        }
    }

    fn next(&mut self) -> bool {
        let next = self.smaller.get_mut().next();
        let is_any = next.is_some();
        self.current = next.unwrap_or_else(|| self.failing.clone());
        is_any
    }
}

impl ValueTree for Shrinking {
    type Value = Program;

    fn current(&self) -> Program {
        self.current.clone()
    }

    fn simplify(&mut self) -> bool {
        self.failing = self.current.clone();
        self.smaller = RefCell::new(super::smaller::programs(&self.failing).into_iter());
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.next()
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tokens {:?}", self.tokens)?;
        super::smaller::write_nest(f, &self.root, 0)
    }
}
