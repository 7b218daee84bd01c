//! Programs one step smaller than a given one, and how a program is printed.

use std::fmt;

use crate::program::{Bomb, End, Fate, How, Kind, Nest, Program, Step, Task, Terms, Then, Whose};

/// All that are one step smaller, the smallest first, more or less.
pub(crate) fn programs(program: &Program) -> Vec<Program> {
    let mut all = Vec::new();
    for (place, is_on) in program.tokens.iter().enumerate() {
        if *is_on {
            let mut tokens = program.tokens;
            tokens[place] = false;
            all.push(Program {
                tokens,
                ..program.clone()
            });
        }
    }
    // A partial nursery further in may be the whole program.
    program.each_nest(&mut |nest| {
        if matches!(nest.kind, Kind::Partial(_)) && nest.id != 0 {
            all.push(Program {
                root: nest.clone(),
                ..program.clone()
            });
        }
    });
    all.extend(nests(&program.root).into_iter().map(|root| Program {
        root,
        ..program.clone()
    }));
    all.into_iter().map(Program::numbered).collect()
}

fn nests(nest: &Nest) -> Vec<Nest> {
    let mut all = Vec::new();
    let with_kind = |kind| Nest {
        kind,
        ..nest.clone()
    };
    if let Kind::Partial(terms) = nest.kind {
        let plainer = [
            Terms::default(),
            Terms {
                continues: false,
                ..terms
            },
            Terms {
                limit: None,
                ..terms
            },
            Terms {
                token: None,
                ..terms
            },
            Terms {
                deadline: None,
                ..terms
            },
            Terms {
                is_shield: false,
                ..terms
            },
        ];
        let plainer = plainer.into_iter().filter(|plainer| *plainer != terms);
        all.extend(plainer.map(|terms| with_kind(Kind::Partial(terms))));
    }
    if !matches!(nest.kind, Kind::Partial(_) | Kind::Fork) {
        all.extend((0..nest.tasks.len()).map(|place| {
            let mut fewer = nest.clone();
            fewer.tasks.remove(place);
            fewer
        }));
    }
    if nest.kind == Kind::RaceEach {
        all.push(with_kind(Kind::Race));
    }
    if nest.then == Then::PassCause {
        all.push(Nest {
            then: Then::Pass,
            ..nest.clone()
        });
    }
    if nest.then != Then::Handle {
        all.push(Nest {
            then: Then::Handle,
            ..nest.clone()
        });
    }
    for (place, task) in nest.tasks.iter().enumerate() {
        all.extend(tasks(task).into_iter().map(|task| {
            let mut smaller = nest.clone();
            smaller.tasks[place] = task;
            smaller
        }));
    }
    all
}

fn tasks(task: &Task) -> Vec<Task> {
    let mut all = Vec::new();
    for (place, step) in task.steps.iter().enumerate() {
        let with = |steps: &[Step]| {
            let mut smaller = task.clone();
            smaller.steps.splice(place..=place, steps.iter().cloned());
            smaller
        };
        all.push(with(&[]));
        // What somebody further in does, the task may do itself.
        let inside: &[Task] = match step {
            Step::Spawn(_, _, child, _) => std::slice::from_ref(child),
            Step::Each(_, items, _) => items,
            Step::Nest(nest) => &nest.tasks,
            Step::Ask(..) | Step::Cancel(_) | Step::Move(..) | Step::Switch(_) => &[],
        };
        let busy = inside.iter().filter(|inner| !inner.steps.is_empty());
        all.extend(busy.map(|inner| with(&inner.steps)));
        all.extend(steps(step).into_iter().map(|step| with(&[step])));
    }
    if task.end != End::Value {
        all.push(Task {
            end: End::Value,
            ..task.clone()
        });
    }
    if task.bomb != Bomb::Nothing {
        all.push(Task {
            bomb: Bomb::Nothing,
            ..task.clone()
        });
    }
    all
}

fn steps(step: &Step) -> Vec<Step> {
    let mut all = Vec::new();
    match step {
        Step::Spawn(how, whose, child, fate) => {
            if *how == How::Blocking {
                all.push(Step::Spawn(How::Plain, *whose, child.clone(), *fate));
            }
            if *whose == Whose::Outer {
                all.push(Step::Spawn(*how, Whose::Own, child.clone(), *fate));
            }
            if let Some(fate) = plainer(*fate) {
                all.push(Step::Spawn(*how, *whose, child.clone(), fate));
            }
            let children = tasks(child).into_iter();
            all.extend(children.map(|child| Step::Spawn(*how, *whose, child, *fate)));
        }
        Step::Each(whose, items, fate) => {
            for (place, item) in items.iter().enumerate() {
                let mut fewer = items.clone();
                let item_alone = fewer.remove(place);
                all.push(Step::Spawn(How::Plain, *whose, item_alone, *fate));
                all.push(Step::Each(*whose, fewer, *fate));
                all.extend(tasks(item).into_iter().map(|item| {
                    let mut smaller = items.clone();
                    smaller[place] = item;
                    Step::Each(*whose, smaller, *fate)
                }));
            }
            if *whose == Whose::Outer {
                all.push(Step::Each(Whose::Own, items.clone(), *fate));
            }
            if let Some(fate) = plainer(*fate) {
                all.push(Step::Each(*whose, items.clone(), fate));
            }
        }
        Step::Nest(nest) => all.extend(nests(nest).into_iter().map(Step::Nest)),
        Step::Ask(whom, Then::Pass) => all.push(Step::Ask(*whom, Then::Handle)),
        Step::Cancel(Whose::Outer) => all.push(Step::Cancel(Whose::Own)),
        Step::Move(Whose::Outer, to) => all.push(Step::Move(Whose::Own, *to)),
        Step::Ask(..) | Step::Cancel(_) | Step::Move(..) | Step::Switch(_) => {}
    }
    all
}

fn plainer(fate: Fate) -> Option<Fate> {
    match fate {
        Fate::Dropped => None,
        Fate::Kept => Some(Fate::Dropped),
        Fate::Joined(_) => Some(Fate::Kept),
        Fate::JoinedLast(then) | Fate::FirstEnded(_, then) => Some(Fate::Joined(then)),
        Fate::JoinedInside(then) => Some(Fate::JoinedLast(then)),
    }
}

/// Writes a nursery, a line for each step, what is inside further to the right.
pub(crate) fn write_nest(f: &mut fmt::Formatter<'_>, nest: &Nest, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    let Nest { id, kind, then, .. } = nest;
    writeln!(f, "{indent}nursery {id}: {kind:?}, {then:?}")?;
    let mut tasks = nest.tasks.iter();
    tasks.try_for_each(|task| write_task(f, task, depth + 1))
}

fn write_task(f: &mut fmt::Formatter<'_>, task: &Task, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    let bomb = match task.bomb {
        Bomb::Nothing => String::new(),
        bomb => format!(", bomb {bomb:?}"),
    };
    writeln!(f, "{indent}task {}{bomb}:", task.id)?;
    for step in &task.steps {
        match step {
            Step::Spawn(how, whose, child, fate) => {
                writeln!(f, "{indent}  spawn {how:?} into {whose:?}, {fate:?}")?;
                write_task(f, child, depth + 2)?;
            }
            Step::Each(whose, items, fate) => {
                writeln!(f, "{indent}  spawn_each into {whose:?}, {fate:?}")?;
                let mut items = items.iter();
                items.try_for_each(|item| write_task(f, item, depth + 2))?;
            }
            Step::Nest(nest) => write_nest(f, nest, depth + 1)?,
            Step::Ask(whom, then) => writeln!(f, "{indent}  ask {whom:?}, {then:?}")?,
            Step::Cancel(whose) => writeln!(f, "{indent}  cancel {whose:?}")?,
            Step::Move(whose, to) => writeln!(f, "{indent}  deadline of {whose:?} to {to:?}")?,
            Step::Switch(token) => writeln!(f, "{indent}  switch token {token}")?,
        }
    }
    writeln!(f, "{indent}  end: {:?}", task.end)
}
