//! What may happen in a program, given what has happened.
//!
//! Which children were started, and what those were told who asked, depends on the schedule, so that
//! is taken from the run and held against the times of what may have caused it. All else follows.

use std::collections::BTreeSet;

use crate::everything::cells;
use crate::everything::facts::{End, Facts, NestFacts, Part, TaskFacts};
use crate::everything::ledger::Accounts;
use crate::everything::open;
use crate::everything::program::{Fate, Kind, Program, Step};
use crate::everything::seen::{Got, Outcome, Raw, Seen, Thrown};
use crate::everything::serial;
use crate::everything::world::World;

/// What is wrong.
pub(crate) type Wrong = String;

macro_rules! ensure {
    ($law:literal, $holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!("{}: {}", $law, format_args!($($text)+)));
        }
    };
}

pub(super) use ensure;

/// Holds a run against the laws.
pub(crate) fn check(world: &World) -> Result<(), Wrong> {
    if let Some(wrong) = world.wrong.lock().unwrap().first() {
        return Err(wrong.clone());
    }
    let facts = Facts::of(world);
    let leaks = forgets(&world.program);
    for (task, accounts) in facts.tasks.iter().zip(&world.books.tasks) {
        check_ledger(task, accounts, leaks)?;
        facts.check_life(task, accounts)?;
        facts.check_join(task)?;
    }
    for nest in &facts.nests {
        facts.check_cells(nest)?;
        facts.check_answers(nest)?;
        facts.check_outcome(nest)?;
    }
    for (token, switches) in facts.switches.iter().enumerate() {
        let first = switches.iter().filter(|first| **first).count();
        let is_any = !world.program.tokens[token] && !switches.is_empty();
        let is_right = first == usize::from(is_any);
        ensure!("X1", is_right, "token {token}: {switches:?}");
    }
    facts.check_jobs(world)?;
    if let Some(sums) = serial::sums(&world.program) {
        for (root, expected) in world.program.roots.iter().zip(sums) {
            let outcome = facts.nests[root.id].outcome();
            let told = outcome.map(|outcome| open::told(root, outcome));
            let is_right = told == Some(expected);
            ensure!("R4", is_right, "{outcome:?}, and one thread has {expected}");
        }
    }
    Ok(())
}

/// Whether any handle is forgotten: then errors and payloads may be lost with it.
fn forgets(program: &Program) -> bool {
    let mut forgets = false;
    program.each_step(&mut |step| {
        forgets |= matches!(
            step,
            Step::Spawn(_, _, _, Fate::Forgotten) | Step::Each(_, _, _, Fate::Forgotten)
        );
    });
    forgets
}

/// Law L2, for all that there is: made once, dropped once.
fn check_ledger(task: &TaskFacts<'_>, accounts: &Accounts, leaks: bool) -> Result<(), Wrong> {
    let id = task.task.id;
    let Accounts {
        captures,
        values,
        errors,
        payloads,
    } = accounts;
    for (account, may_leak) in [
        (captures, false),
        (values, task.is_forgotten),
        (errors, leaks),
        (payloads, leaks),
    ] {
        let is_right = account.is_balanced() || may_leak && !account.is_broken();
        ensure!("L2", is_right, "task {id}: {accounts:?}");
    }
    Ok(())
}

impl Facts<'_> {
    /// Laws L1, L2, R2, X2: it has started once or was skipped for a reason, and ended in time.
    fn check_life(&self, task: &TaskFacts<'_>, accounts: &Accounts) -> Result<(), Wrong> {
        let id = task.task.id;
        let nest = &self.nests[task.nest];
        let both = task.started.is_some() == task.ended.is_some();
        ensure!("R2", both, "task {id}: {task:?}");
        let Some(opened) = &nest.opened else {
            let is_nothing = task.started.is_none() && task.spawned.is_none();
            ensure!("L1", is_nothing, "task {id} is in no nursery: {task:?}");
            return Ok(());
        };
        if let Some((ended, _)) = &task.ended {
            let is_inside = task.started > Some(opened.from) && *ended < opened.to;
            ensure!("L1", is_inside, "task {id} ran when its nursery did not");
            let dropped = [&accounts.captures, &accounts.values, &accounts.errors];
            for at in dropped.iter().filter_map(|account| account.when_dropped()) {
                ensure!("L2", at > *ended, "something of task {id} was gone early");
            }
        }
        if task.part == Part::Body {
            ensure!("L3", task.started.is_some(), "body {id} did not run");
            return Ok(());
        }
        let is_spawned = task.spawned.is_some() || task.part == Part::Given;
        ensure!(
            "R2",
            is_spawned || task.started.is_none(),
            "task {id}: {task:?}"
        );
        if !is_spawned {
            return Ok(());
        }
        let in_time = task.consumed.is_none_or(|at| at < opened.to);
        ensure!("L1", in_time, "captures of task {id} outlived its nursery");
        // Whoever opened it has taken those that it returns.
        let is_returned = matches!(nest.nest.kind, Kind::Gather | Kind::Each)
            || nest.nest.kind.is_unskipped()
            || nest.nest.kind.is_race();
        let value_dropped = accounts.values.when_dropped();
        let in_time = value_dropped.is_none_or(|at| at < opened.to);
        ensure!(
            "L1",
            in_time || is_returned,
            "the value of task {id} outlived its nursery"
        );
        match task.started {
            Some(_) => {
                let at = task.spawned.unwrap_or(opened.from);
                let must_skip = self.must_skip(task.nest, at);
                ensure!("X2", !must_skip, "task {id} was started: {task:?}");
            }
            None if nest.nest.kind.as_loop().is_some() => {
                // By induction: the first item that was left out comes after an item that panicked.
                let mut before = nest.children.iter().take_while(|item| **item != id);
                let is_behind = before.any(|item| {
                    let item = &self.tasks[*item];
                    item.started.is_some() && item.thrown().is_some()
                });
                ensure!("E6", is_behind, "item {id} was left out: {task:?}");
            }
            None => {
                let before = task.consumed.unwrap_or(opened.to);
                let may_skip = self.may_skip(task.nest, before);
                ensure!("L2", may_skip, "task {id} was skipped: {task:?}");
            }
        }
        Ok(())
    }

    /// Laws R1 and R3: who joins a child gets what it came to.
    fn check_join(&self, task: &TaskFacts<'_>) -> Result<(), Wrong> {
        let Some(got) = &task.joined else {
            return Ok(());
        };
        let id = task.task.id;
        let is_total = self.nests[task.nest].nest.kind.is_total();
        let is_right = match (&task.end, got) {
            (End::Skipped, Got::Failed(Seen::Cancelled(..))) => !is_total,
            (End::Skipped, Got::Raised(Thrown::Other)) => is_total,
            (End::Came(Raw::Value(sum)), got) => *got == Got::Value(id, *sum),
            (End::Came(Raw::Panicked(thrown)), Got::Raised(raised)) => is_total && raised == thrown,
            (End::Came(raw), Got::Failed(seen)) => is_of(seen, id, raw, task.may_know),
            _ => false,
        };
        ensure!("R3", is_right, "task {id} was joined: {got:?}; {task:?}");
        Ok(())
    }

    /// Law L4: all that children have written is there.
    fn check_cells(&self, nest: &NestFacts<'_>) -> Result<(), Wrong> {
        let Some(opened) = &nest.opened else {
            return Ok(());
        };
        let kind = nest.nest.kind;
        if !kind.has_body() && kind != Kind::Each && kind.as_loop().is_none() {
            return Ok(());
        }
        let started = nest.children.iter().map(|child| &self.tasks[*child]);
        let started = started.filter(|child| child.started.is_some());
        let expected: BTreeSet<_> = started.map(|child| (child.task.id, true)).collect();
        let written: BTreeSet<_> = cells::read(&opened.cells).collect();
        let id = nest.nest.id;
        ensure!(
            "L4",
            written == expected,
            "in nursery {id}: {written:?}, not {expected:?}"
        );
        Ok(())
    }

    /// Laws X1, X3, X5: who asks learns what is so, and always the same.
    fn check_answers(&self, nest: &NestFacts<'_>) -> Result<(), Wrong> {
        let id = nest.nest.id;
        let mut first = None;
        for (from, to, answer) in &nest.answers {
            if answer.is_none() {
                let was_cancelled = self.is_certain(id, *from);
                ensure!(
                    "X5",
                    !was_cancelled,
                    "nursery {id} is not at {from}: {nest:?}"
                );
                continue;
            }
            let may_be = self.may_be_cancelled(id, *to);
            ensure!("X3", may_be, "nursery {id} is {answer:?} at {to}: {nest:?}");
            let first = *first.get_or_insert(*answer);
            let is_same = first == *answer;
            ensure!("X5", is_same, "nursery {id}: {nest:?}");
        }
        let firsts = nest.cancels.iter().filter(|first| **first).count();
        ensure!("X1", firsts <= 1, "nursery {id}: {nest:?}");
        Ok(())
    }

    /// What a nursery has come to follows from what its tasks have.
    fn check_outcome(&self, nest: &NestFacts<'_>) -> Result<(), Wrong> {
        let Some(outcome) = nest.outcome() else {
            return Ok(());
        };
        let id = nest.nest.id;
        let result = match (nest.nest.kind, outcome) {
            (Kind::Race | Kind::RaceEach, outcome) => self.check_race(nest, outcome),
            (Kind::Partial, outcome) => self.check_partial(nest, outcome),
            (_, Outcome::Results(results)) => self.check_results(nest, results),
            (Kind::Loop(_), Outcome::Raised(thrown)) => self.check_first_raised(nest, thrown),
            (_, Outcome::Raised(thrown)) => self.check_raised(nest, thrown),
            _ => Err("it is of another kind".to_owned()),
        };
        result.map_err(|wrong| format!("{wrong}; nursery {id} has {outcome:?}: {nest:?}"))
    }

    pub(super) fn children<'f>(
        &'f self,
        nest: &'f NestFacts<'_>,
    ) -> impl Iterator<Item = &'f TaskFacts<'f>> {
        nest.children.iter().map(|child| &self.tasks[*child])
    }

    /// Law R1, and E1: a total nursery has a value only if nobody has panicked.
    fn check_results(
        &self,
        nest: &NestFacts<'_>,
        results: &[Result<(usize, u64), Seen>],
    ) -> Result<(), Wrong> {
        ensure!("R1", results.len() == nest.nest.tasks.len(), "{results:?}");
        for (task, result) in nest.nest.tasks.iter().zip(results) {
            let facts = &self.tasks[task.id];
            let is_right = match (&facts.end, result) {
                (End::Came(Raw::Value(sum)), Ok(own)) => *own == (task.id, *sum),
                (End::Came(raw), Err(seen)) => is_of(seen, task.id, raw, false),
                _ => false,
            };
            ensure!("R1", is_right, "task {}: {:?}", task.id, facts.end);
        }
        for child in self.children(nest).filter(|child| child.is_left()) {
            let has_thrown = child.thrown().is_some_and(|own| !nest.raised.contains(own));
            let has_exploded = child.exploded.is_some() && nest.nest.kind.has_body();
            let is_fine = !has_thrown && !has_exploded;
            ensure!(
                "E1",
                is_fine,
                "task {} has panicked: {child:?}",
                child.task.id
            );
        }
        let untold = self.untold(nest);
        ensure!("E6", untold == 0, "{untold} children were dropped unrun");
        Ok(())
    }

    /// Children that were dropped unrun, less those that somebody has joined, by itself or of several.
    fn untold(&self, nest: &NestFacts<'_>) -> usize {
        let skipped = self
            .children(nest)
            .filter(|child| child.end == End::Skipped);
        let unjoined = skipped.filter(|child| child.joined.is_none()).count();
        let raised = nest.raised.iter().filter(|own| **own == Thrown::Other);
        unjoined.saturating_sub(raised.count())
    }

    /// Law E1: a panic that goes on is one of those, and the one that comes first.
    fn check_raised(&self, nest: &NestFacts<'_>, raised: &Thrown) -> Result<(), Wrong> {
        let mut own = Vec::new();
        if nest.nest.kind.has_body() {
            match self.tasks[nest.nest.tasks[0].id].thrown() {
                Some(Thrown::Other) => own.push(&Thrown::Other),
                // The body's own goes first.
                Some(thrown) => {
                    ensure!(
                        "E1",
                        thrown == raised,
                        "the body has panicked with {thrown:?}"
                    );
                    return Ok(());
                }
                None => {}
            }
        }
        let is_own = own.contains(&raised);
        let mut first = None;
        let (mut is_anybodys, mut are_all_own) = (false, own.is_empty());
        for child in self.children(nest) {
            let exploded = child.exploded.map(Thrown::Exploded);
            let thrown = child.thrown().or(exploded.as_ref());
            let Some(thrown) = thrown.filter(|_| child.is_left()) else {
                continue;
            };
            is_anybodys |= thrown == raised;
            // That of a join on a skipped child gives way to a real one.
            if *thrown != Thrown::Other {
                first.get_or_insert_with(|| thrown.clone());
            }
            let body = nest.nest.tasks[0].id;
            are_all_own &= child.part == Part::Child(body) && nest.nest.kind == Kind::Total;
            // Which of them a join has raised is not known.
            are_all_own &= !nest.raised.contains(thrown);
        }
        let is_told = match raised {
            Thrown::Text(text) if text.ends_with("handle was forgotten") => {
                self.children(nest).any(|child| child.is_forgotten)
            }
            Thrown::Text(text) if text.starts_with("joined a child that was skipped") => {
                let is_of_child = |child: &TaskFacts<'_>| child.thrown() == Some(&Thrown::Other);
                !own.is_empty() || self.children(nest).any(is_of_child)
            }
            Thrown::Text(text) => {
                let untold = text
                    .split_once(' ')
                    .and_then(|(untold, _)| untold.parse().ok());
                text.contains("dropped unrun")
                    && untold >= Some(1)
                    && untold >= Some(self.untold(nest))
            }
            _ => false,
        };
        let is_right = is_own || is_anybodys || is_told;
        ensure!("E1", is_right, "nobody has panicked with {raised:?}");
        // It may also be that of a nursery further out, and then it is as real as any.
        if are_all_own && !is_told && *raised != Thrown::Other {
            let is_first = first.as_ref() == Some(raised);
            ensure!("E3", is_first, "{first:?} comes first");
        }
        Ok(())
    }

    /// Law E6: of all items that have panicked, the panic of the first one goes on.
    fn check_first_raised(&self, nest: &NestFacts<'_>, raised: &Thrown) -> Result<(), Wrong> {
        let first = self.children(nest).find_map(TaskFacts::thrown);
        let is_first = first == Some(raised);
        ensure!("E6", is_first, "{first:?} comes first");
        Ok(())
    }

    fn check_race(&self, nest: &NestFacts<'_>, outcome: &Outcome) -> Result<(), Wrong> {
        let winner = |task: usize| match &self.tasks[task].end {
            End::Came(Raw::Value(sum)) => Some(*sum),
            _ => None,
        };
        if let Outcome::Value(task, sum) = outcome {
            let has_won = nest.children.contains(task) && winner(*task) == Some(*sum);
            ensure!("race", has_won, "{task} has not won");
            return Ok(());
        }
        let won = nest.children.iter().find(|child| winner(**child).is_some());
        ensure!("race", won.is_none(), "{won:?} has won");
        self.check_partial(nest, outcome)
    }
}

/// Whether a failure is what somebody has made of what that task has returned.
pub(super) fn is_of(seen: &Seen, id: usize, raw: &Raw, may_know: bool) -> bool {
    match (raw, seen) {
        (Raw::Error, Seen::Error(own)) => *own == id,
        (Raw::Error, Seen::Late(own)) => *own == id && may_know,
        (Raw::Told, Seen::Cancelled(..)) => true,
        (Raw::Passed(passed), Seen::Nested(failures, late)) => {
            let is_wrapped =
                late.is_empty() && matches!(&failures[..], [only] if only.is_like(passed));
            is_wrapped || seen.is_like(passed)
        }
        (Raw::Passed(passed), seen) => seen.is_like(passed),
        (Raw::Panicked(thrown), Seen::Panic(own)) => own == thrown || *own == Thrown::Other,
        _ => false,
    }
}
