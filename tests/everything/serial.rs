//! What a program comes to that one thread executes line by line, if nothing can go wrong in it.

use crate::everything::program::{Deadline, End, Fate, Kind, Nest, Program, Step, Task, Then};
use crate::everything::steps::{mix, of_error};

/// What each outermost nursery's body comes to; nothing if that depends on the schedule.
pub(crate) fn sums(program: &Program) -> Option<Vec<u64>> {
    let mut is_calm = !program.tokens.contains(&true) && program.switched.is_none();
    program.each_nest(&mut |nest| {
        is_calm &= !matches!(nest.terms.deadline, Some(Deadline::Passed));
        is_calm &= nest.terms.deadline.is_none() || cfg!(not(hatchery_clock));
    });
    program.each_task(&mut |task| {
        is_calm &= task.end != End::Panic && task.bombs == Default::default();
    });
    program.each_step(&mut |step| {
        is_calm &= !matches!(step, Step::Cancel(_) | Step::Switch(_));
    });
    program.each_job(&mut |job| is_calm &= !(job.is_cancelled && job.lot.is_told()));
    if !is_calm {
        return None;
    }
    let roots = program.roots.iter();
    roots
        .map(|root| Serial::default().nest(root)?.ok())
        .collect()
}

/// A value, or the task whose error it is.
type Told = Result<u64, usize>;

/// The nurseries around a task that children can be spawned into: whether each is partial.
#[derive(Clone, Default)]
struct Serial {
    are_partial: Vec<bool>,
}

impl Serial {
    /// What its opener is told; nothing if a failure would have consequences.
    fn nest(&self, nest: &Nest) -> Option<Told> {
        let is_partial = !nest.kind.is_total();
        if nest.kind.has_body() {
            let mut inside = self.clone();
            inside.are_partial.push(is_partial);
            let told = inside.task(&nest.tasks[0])?;
            let sum = match (told, nest.kind) {
                (Ok(sum), Kind::Partial) => return Some(Ok(sum)),
                (Err(_), Kind::Partial) => return None,
                (Ok(sum), _) => mix(0, sum),
                (Err(task), _) if nest.then == Then::Handle => mix(0, of_error(task)),
                (Err(_), _) => return Some(Err(0)),
            };
            return Some(Ok(sum));
        }
        let results: Option<Vec<_>> = nest.tasks.iter().map(|task| self.task(task)).collect();
        let results = results?;
        let has_failed = results.iter().any(Result::is_err);
        if nest.kind.is_race() {
            // Any of them may win, and what they do else is not told.
            return (!has_failed && !results.is_empty()).then_some(Ok(0));
        }
        if has_failed && nest.then != Then::Handle {
            return Some(Err(0));
        }
        let told = results.iter().map(|told| told.unwrap_or_else(of_error));
        Some(Ok(told.fold(0, mix)))
    }

    /// Failures of tasks are theirs.
    fn task(&self, task: &Task) -> Option<Told> {
        let mut last = Vec::new();
        let mut sum = task.id as u64;
        let steps = self.steps(&task.steps, &mut sum, &mut last)?;
        if steps.is_err() {
            return Some(
                steps
                    .map(|()| 0)
                    .map_err(|at| if at == 0 { task.id } else { at }),
            );
        }
        while let Some((told, then)) = last.pop() {
            match self.told(told, then) {
                Ok(told) => sum = mix(sum, told),
                Err(0) => return Some(Err(task.id)),
                Err(other) => return Some(Err(other)),
            }
        }
        Some(match task.end {
            End::Value => Ok(sum),
            _ => Err(task.id),
        })
    }

    /// What a joiner makes of a child; 0 is an error of the joiner's own.
    fn told(&self, told: Told, then: Then) -> Told {
        match (told, then) {
            (Ok(sum), _) => Ok(sum),
            (Err(task), Then::Handle) => Ok(of_error(task)),
            (Err(_), Then::Fail) => Err(0),
            (Err(task), Then::Pass) => Err(task),
        }
    }

    fn steps(
        &self,
        steps: &[Step],
        sum: &mut u64,
        last: &mut Vec<(Told, Then)>,
    ) -> Option<Result<(), usize>> {
        for step in steps {
            let told = match step {
                Step::Spawn(_, up, child, fate) => {
                    let (told, is_own) = self.child(*up, child)?;
                    match fate {
                        Fate::JoinedLast(then) if is_own => {
                            last.push((told, *then));
                            continue;
                        }
                        Fate::Kept if is_own => continue,
                        Fate::Dropped | Fate::Kept | Fate::Forgotten => Ok(0),
                        Fate::Joined(then) | Fate::JoinedLast(then) => self.told(told, *then),
                        Fate::First(_) | Fate::FirstEnded(_) => self.told(told, Then::Handle),
                    }
                }
                Step::Each(most, up, items, fate) => {
                    let told = items.iter().map(|item| Some(self.child(*up, item)?.0));
                    let told: Vec<_> = told.collect::<Option<_>>()?;
                    let (then, asked, is_in_order) = fate.of_many(*most);
                    let asked = if is_in_order { asked } else { 0 };
                    let mut told = told.into_iter().take(asked);
                    told.try_fold(0, |sum, told| Ok(mix(sum, self.told(told, then)?)))
                }
                Step::Nest(nest) => self.nest(nest)?,
                Step::Submit(job) => {
                    let told = match job.lot.is_told() {
                        true => Self::default().nest(&job.nest)?,
                        false => Ok(0),
                    };
                    if job.is_late {
                        // What goes on is an error of the task's own.
                        last.push((told, Then::Pass));
                        continue;
                    }
                    told
                }
                Step::Block(inner) => match self.steps(inner, sum, last)? {
                    Ok(()) => continue,
                    Err(at) => return Some(Err(at)),
                },
                _ => continue,
            };
            match told {
                Ok(told) => *sum = mix(*sum, told),
                Err(at) => return Some(Err(at)),
            }
        }
        Some(Ok(()))
    }

    /// What a child comes to, and whether it is one of the innermost nursery.
    fn child(&self, up: usize, child: &Task) -> Option<(Told, bool)> {
        let depth = self.are_partial.len() - 1;
        let inside = Self {
            are_partial: self.are_partial[..=depth.saturating_sub(up)].to_vec(),
        };
        let told = inside.task(child)?;
        let is_partial = *inside.are_partial.last()?;
        // It cancels its siblings, or it does not and is the nursery's failure.
        if told.is_err() && is_partial {
            return None;
        }
        Some((told, up == 0 || depth == 0))
    }
}
