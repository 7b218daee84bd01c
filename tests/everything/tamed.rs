//! Programs without what cannot be had where a scheduler plays the threads: deadlines, as there is no clock
//! that only programs move; waits that nobody announces, as no thread watches the others; and destructors that panic, as they ask whether their thread is panicking, and
//! all threads are there once one is.

use crate::everything::program::{Bombs, Nest, Program, Step, Task};

pub(crate) fn tamed(mut program: Program) -> Program {
    program.may_wait = false;
    program.may_block = false;
    program.roots.iter_mut().for_each(tame_nest);
    program
}

fn tame_nest(nest: &mut Nest) {
    nest.terms.deadline = None;
    nest.tasks.iter_mut().for_each(tame_task);
}

fn tame_task(task: &mut Task) {
    task.bombs = Bombs::default();
    tame_steps(&mut task.steps);
}

fn tame_steps(steps: &mut [Step]) {
    for step in steps {
        match step {
            Step::Spawn(_, _, child, _) => tame_task(child),
            Step::Each(_, _, items, _) => items.iter_mut().for_each(tame_task),
            Step::Nest(nest) => tame_nest(nest),
            Step::Submit(job) => tame_nest(&mut job.nest),
            Step::Block(inner) => tame_steps(inner),
            Step::Forward => *step = Step::Yield,
            _ => {}
        }
    }
}
