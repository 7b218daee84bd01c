//! What lies on each thread's stack: laws S2 and S5, seen from inside.
//!
//! Whoever opens a nursery, or waits in it, may hold a lock around that. So whatever starts on top of
//! it has to be of that nursery, or of one further in: this is looked at with each start.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use crate::everything::job::Job;
use crate::everything::threads;
use crate::everything::world::World;

/// What is going on at some height of a thread's stack.
#[derive(Clone, Debug)]
enum Mark {
    Nest(usize),
    /// Something that runs under permits of all the limited nurseries around that one.
    Permitted(usize),
    /// A body, or a side of a fork on the thread that has opened it: it has no permit.
    Unpermitted,
    /// One of these children is waited for, or may run while the others are spawned: its spawner has
    /// asked for that, wherever it stands.
    Wait(RangeInclusive<usize>),
    /// A side of a fork waits for a child of that nursery. The second side may run as part of the body
    /// that has forked, and a body that waits for a child runs others as well.
    Help(usize),
    /// What is waited for runs elsewhere.
    Nothing,
}

threads::thread_local! {
    static STACK: RefCell<Vec<Mark>> = const { RefCell::new(Vec::new()) };
}

fn with_stack<R>(f: impl FnOnce(&mut Vec<Mark>) -> R) -> R {
    STACK.with(|stack| f(&mut stack.borrow_mut()))
}

/// Takes down what it stands for.
pub(crate) struct Guard<'w> {
    world: &'w World,
    /// The nurseries whose gauges count this.
    counted: Vec<usize>,
    height: usize,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        for nest in &self.counted {
            self.world.nests[*nest].gauge.fetch_sub(1, Ordering::SeqCst);
        }
        with_stack(|stack| {
            stack.pop();
            if stack.len() != self.height {
                self.world.blame(format!("S2: the stack is {stack:?}"));
            }
        });
    }
}

fn push<'w>(world: &'w World, mark: Mark, counted: Vec<usize>) -> Guard<'w> {
    with_stack(|stack| {
        let height = stack.len();
        stack.push(mark);
        Guard {
            world,
            counted,
            height,
        }
    })
}

/// For as long as a nursery is open.
pub(crate) fn open<'w>(world: &'w World, nest: usize) -> Guard<'w> {
    push(world, Mark::Nest(nest), Vec::new())
}

/// For as long as somebody who is not the body of their nursery waits for these children, or spawns
/// them.
pub(crate) fn wait<'w>(world: &'w World, children: RangeInclusive<usize>) -> Guard<'w> {
    push(world, Mark::Wait(children), Vec::new())
}

/// For as long as somebody may run that job's tasks here, and nothing else.
pub(crate) fn wait_for_job<'w>(world: &'w World, job: &Job) -> Guard<'w> {
    wait(world, job.tasks())
}

/// For as long as nothing may run here.
pub(crate) fn wait_elsewhere(world: &World) -> Guard<'_> {
    push(world, Mark::Nothing, Vec::new())
}

/// Law J1: a job begins where nothing else runs, or where it is waited for. Returns the innermost nursery there.
pub(crate) fn begin_job(world: &World, task: usize) -> Option<usize> {
    with_stack(|stack| {
        match stack.last() {
            None => {}
            Some(Mark::Wait(tasks)) if tasks.contains(&task) => {}
            _ => world.blame(format!("J1: the job of task {task} begins on {stack:?}")),
        }
        stack.iter().rev().find_map(|mark| match mark {
            Mark::Nest(nest) | Mark::Permitted(nest) => Some(*nest),
            _ => None,
        })
    })
}

/// For as long as a side of a fork waits for a child of that nursery.
pub(crate) fn help<'w>(world: &'w World, nest: usize) -> Guard<'w> {
    push(world, Mark::Help(nest), Vec::new())
}

/// How a task comes to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Body,
    Child,
    /// Of a fork that was opened on this thread.
    Side(threads::ThreadId),
}

/// For as long as a task runs.
pub(crate) fn start<'w>(world: &'w World, task: usize, nest: usize, role: Role) -> Guard<'w> {
    let around: Vec<_> = world.outwards(nest).collect();
    let is_in_place = match role {
        Role::Body => true,
        Role::Side(opener) => opener == threads::current().id(),
        Role::Child => false,
    };
    let permitted = with_stack(|stack| {
        if role != Role::Body {
            check(world, task, &around, stack);
        }
        let covered = |nest: &usize| {
            stack.iter().any(|mark| match mark {
                Mark::Permitted(inner) => world.outwards(*inner).any(|outer| outer == *nest),
                _ => false,
            })
        };
        let limited = around.iter().filter(|nest| world.limits[**nest].is_some());
        let uncovered = limited.filter(|nest| !covered(nest)).copied();
        uncovered.collect::<Vec<_>>()
    });
    if is_in_place {
        return push(world, Mark::Unpermitted, Vec::new());
    }
    for nest in &permitted {
        let running = world.nests[*nest].gauge.fetch_add(1, Ordering::SeqCst) + 1;
        if world.limits[*nest].is_some_and(|limit| running > limit) {
            world.blame(format!("S5: {running} threads run nursery {nest}"));
        }
    }
    push(world, Mark::Permitted(nest), permitted)
}

/// Law S2, from the top down to what has been asked for.
fn check(world: &World, task: usize, around: &[usize], stack: &[Mark]) {
    let mut is_on_top = true;
    for mark in stack.iter().rev() {
        match mark {
            Mark::Nest(open) if around.contains(open) => is_on_top = false,
            Mark::Nest(open) => {
                let wrong = format!("S2: task {task}, of {around:?}, starts in nursery {open}");
                return world.blame(wrong);
            }
            Mark::Wait(children) if is_on_top && !children.contains(&task) => {
                return world.blame(format!("S2: task {task} starts in a wait for {children:?}"));
            }
            Mark::Help(nest) if !around.contains(nest) => {
                let wrong = format!("S2: task {task}, of {around:?}, starts in a wait in {nest}");
                return world.blame(wrong);
            }
            Mark::Nothing => {
                return world.blame(format!("S2: task {task} starts on a thread that blocks"));
            }
            Mark::Wait(_) | Mark::Help(_) => return,
            Mark::Permitted(_) | Mark::Unpermitted => {}
        }
    }
}
