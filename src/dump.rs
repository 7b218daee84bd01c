//! What a pool is doing right now: its open nurseries, and who waits for what.

use std::io::{self, Write};
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::node::Part;
use crate::engine::report::{Id, Seen, WaitsFor};
use crate::engine::revoke::Means;
use crate::engine::shared::Doing;
use crate::engine::survey::{Found, Survey};
use crate::engine::watcher;
use crate::scope::Class;
use crate::stats::{NurseryStats, PoolStats};

/// What a pool is doing: the tree of its open nurseries, and the state of its threads; see
/// [`Pool::dump`](crate::Pool::dump).
///
/// A snapshot is meant for looking at a program that hangs. [`Display`](std::fmt::Display) writes it for
/// people. With the feature `serde` of this crate it can be serialized, and so can all its parts.
///
/// Nurseries and children have numbers, from 1 on, which hold in this snapshot only; the text writes `#1` for
/// a child. Children of partial nurseries also have a [`ChildId`](crate::ChildId), which is what failures call them,
/// and the text writes it as they do: `child 1`. Only the thread that runs a child knows its id. So the snapshot
/// has the ids of children that have failed, and of children whose threads have answered, and no others.
///
/// Each thread reports its own part, one thread after the other. In a busy pool the parts of a snapshot may be
/// a moment apart.
///
/// # Examples
///
/// ```
/// use hatchery::{Options, Pool};
///
/// let pool = Pool::builder().threads(1).name("search").build()?;
/// let snapshot = Options::new().pool(&pool).name("index").nursery(|n| {
///     n.spawn(|| ());
///     pool.dump()
/// });
/// assert_eq!(snapshot.nurseries[0].name.as_deref(), Some("index"));
/// assert_eq!(snapshot.nurseries[0].unstarted, 1);
/// assert!(snapshot.to_string().contains("nursery 1 \"index\""));
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// The name of the pool.
    pub name: String,
    /// How many threads compute; see [`Pool::threads`](crate::Pool::threads).
    pub threads: usize,
    /// How children are taken from a thread that holds them and does something else.
    pub taking: Taking,
    /// What has happened in the pool so far.
    pub stats: PoolStats,
    /// [Jobs](crate::submit()) that have not begun.
    pub jobs_waiting: usize,
    /// Jobs that have begun and not ended. Each has a nursery below, without a nursery around it.
    pub jobs_running: usize,
    /// The open nurseries, each before those that were opened in it.
    pub nurseries: Vec<NurserySnapshot>,
    /// The pool's threads, and others that have something open in the pool.
    pub thread_states: Vec<ThreadSnapshot>,
}

/// How a pool takes children from a thread that holds them and does something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Taking {
    /// The system executes a barrier on all threads of the process, so that these need no fences: `membarrier` on Linux,
    /// `FlushProcessWriteBuffers` on Windows.
    ProcessBarrier,
    /// Each thread executes a fence whenever it uses its children: the system has no such barrier. A child costs some
    /// 20 ns more.
    Fences,
    /// Not at all: the system has such barriers, but began to refuse them. A child may wait until its thread comes to its
    /// next spawn or child.
    Refused,
}

impl Taking {
    fn now() -> Self {
        match watcher::means() {
            Means::Barrier => Self::ProcessBarrier,
            Means::Fences => Self::Fences,
            Means::Nothing => Self::Refused,
        }
    }
}

/// An open nursery, or a [`join`](crate::join()) that another thread may take part in.
///
/// # Examples
///
/// ```
/// let pool = hatchery::Pool::builder().threads(1).build()?;
/// let snapshot = pool.nursery(|_| hatchery::nursery(|_| pool.dump()));
/// let [outer, inner] = &*snapshot.nurseries else { panic!("two are open") };
/// assert_eq!(inner.parent, Some(outer.number));
/// assert_eq!((outer.depth, inner.depth), (0, 1));
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NurserySnapshot {
    /// Its number in the snapshot, from 1 on.
    pub number: usize,
    /// The number of the nursery around it.
    pub parent: Option<usize>,
    /// How many nurseries are around it.
    pub depth: usize,
    /// Whether it is a [`join`](crate::join()).
    pub is_join: bool,
    /// The name that [`Options::name`](crate::Options::name) has given to it.
    pub name: Option<String>,
    /// Why it is cancelled, if it is.
    pub cancelled: Option<String>,
    /// What failed first, and in which way, if anything has failed, as in `child 1 panicked: "disk full"`.
    ///
    /// In a partial nursery `1` is the [`ChildId`](crate::ChildId). A long message is cut. Of an error only the type is
    /// known.
    pub failed: Option<String>,
    /// The thread that opened it.
    pub opened_by: Option<String>,
    /// The thread that was the last to take children of it.
    pub last_taken_by: Option<String>,
    /// Children that have not started, and are not counted below.
    pub unstarted: usize,
    /// Parts of it that other threads may take, or have taken and not finished.
    pub shared: usize,
    /// Parts of it in the pool's common queue.
    pub injected: usize,
    /// Children that may block, and wait for a thread.
    pub blocking_queued: usize,
    /// What has happened in it so far.
    pub stats: NurseryStats,
}

/// A thread of the pool, or one that has something open in the pool.
///
/// # Examples
///
/// ```
/// use hatchery::{NurseryPart, ThreadState};
///
/// let pool = hatchery::Pool::builder().threads(1).build()?;
/// let snapshot = pool.nursery(|_| pool.dump());
/// let mut threads = snapshot.thread_states.iter();
/// let this = threads.find(|thread| thread.part == Some(NurseryPart::Body)).unwrap();
/// assert_eq!(this.state, ThreadState::Runs);
/// assert!(this.has_answered && this.waits_for.is_none());
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ThreadSnapshot {
    /// The name of the thread. Behind `guest` follows the name of a thread that is not the pool's own.
    pub name: String,
    /// What the thread does.
    pub state: ThreadState,
    /// Whether the thread has reported its part of the snapshot. A thread that runs one child for long has not.
    pub has_answered: bool,
    /// The number of the innermost nursery that the thread is in.
    pub nursery: Option<usize>,
    /// What of that nursery the thread runs.
    pub part: Option<NurseryPart>,
    /// The number of the child that the thread runs, if it may be told apart from others.
    pub child: Option<usize>,
    /// The [`ChildId`](crate::ChildId) of the child that the thread runs, as text, if it is a child of a partial
    /// nursery and the thread has answered.
    pub child_id: Option<String>,
    /// How many calls of [`join`](crate::join()) are open that no other thread takes part in.
    pub open_joins: usize,
    /// What the thread waits for.
    pub waits_for: Option<Wait>,
    /// Whether the thread is in more nurseries than the snapshot shows.
    pub is_cut_short: bool,
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum ThreadState {
    /// It runs a body or a child, or looks for one.
    Runs,
    /// It waits in a nursery or a join.
    Waits,
    /// It is in [`block_in_place`](crate::block_in_place), or runs children of another pool.
    Blocks,
    /// It sleeps until there is work.
    Sleeps,
}

/// What of a nursery a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum NurseryPart {
    /// The body.
    Body,
    /// A child.
    Child,
    /// One of the closures of a [`join`](crate::join()), or a part of a [`for_each`](crate::for_each()),
    /// [`map`](crate::map()) or [`fold`](crate::fold()).
    Join,
}

/// What a thread waits for.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use hatchery::WaitUntil;
///
/// let pool = hatchery::Pool::builder().threads(1).build()?;
/// let (go_on, told) = mpsc::channel();
/// std::thread::scope(|scope| {
///     scope.spawn(|| pool.nursery(|n| n.spawn_blocking(move || told.recv().unwrap()).join()));
///     let wait = loop {
///         let mut threads = pool.dump().thread_states.into_iter();
///         if let Some(wait) = threads.find_map(|thread| thread.waits_for) {
///             break wait;
///         }
///     };
///     go_on.send(()).unwrap();
///     assert!(matches!(wait.until, WaitUntil::Child(child) if child.is_blocking));
/// });
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Wait {
    /// The number of the nursery that the thread waits in.
    pub nursery: usize,
    /// What the thread waits for there.
    pub until: WaitUntil,
}

/// What a waiting thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum WaitUntil {
    /// The end of all children.
    End,
    /// The end of any of several children.
    AnyChild,
    /// The end of one child.
    Child(AwaitedChild),
}

/// A child that a thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AwaitedChild {
    /// Its number in the snapshot, from 1 on.
    pub number: usize,
    /// Whether it was spawned as one that may block.
    pub is_blocking: bool,
    /// Whether it has started.
    pub is_started: bool,
    /// The thread that runs it, if that is known.
    pub run_by: Option<String>,
}

impl PoolSnapshot {
    pub(crate) fn of(core: &Core) -> Self {
        let survey = core.survey();
        let nurseries = Nurseries::of(&survey);
        let mut children = Vec::new();
        let slots = survey.slots.iter();
        let slots = slots.filter(|slot| slot.doing != Doing::Away);
        let thread_states = slots
            .map(|slot| ThreadSnapshot::of(slot, &survey, &nurseries, &mut children))
            .collect();
        Self {
            name: core.name().to_owned(),
            threads: core.threads(),
            taking: Taking::now(),
            stats: PoolStats::of(core),
            jobs_waiting: core.jobs.waiting(),
            jobs_running: core.jobs.running(),
            nurseries: nurseries
                .0
                .into_iter()
                .map(|(_, nursery)| nursery)
                .collect(),
            thread_states,
        }
    }
}

/// What a watchdog prints.
pub(crate) fn print(core: &Core, after: Duration) {
    let text = format!(
        "nothing has moved for {after:?}: no child was spawned or has begun\n{}",
        PoolSnapshot::of(core)
    );
    // There is nobody to tell if it cannot be written.
    _ = io::stderr().write_all(text.as_bytes());
}

/// All nurseries that a thread has reported, the outer ones first.
struct Nurseries(Vec<(Id, NurserySnapshot)>);

impl Nurseries {
    fn of(survey: &Survey) -> Self {
        let mut all: Vec<(&Seen, NurserySnapshot)> = Vec::new();
        let reports = survey.slots.iter().filter_map(|slot| {
            let answer = slot.report.as_deref();
            answer.or(slot.looked_into.as_ref())
        });
        for report in reports {
            for seen in &report.nurseries {
                match all.iter_mut().find(|(known, _)| known.id == seen.id) {
                    // Another thread has it open, too.
                    Some((_, nursery)) => nursery.unstarted += seen.unstarted,
                    None => all.push((seen, NurserySnapshot::of(seen, survey))),
                }
            }
        }
        // Outer ones that nobody has reported count as none.
        let at = |id| all.iter().position(|(seen, _)| seen.id == id);
        let outer: Vec<_> = all.iter().map(|(seen, _)| at(seen.parent?)).collect();
        let outer = &outer;
        // In reverse, for a stack.
        let inside = |of: Option<usize>| {
            let places = (0..outer.len()).rev();
            places.filter(move |place| outer[*place] == of)
        };
        let mut order = Vec::new();
        let mut stack: Vec<_> = inside(None).collect();
        while let Some(place) = stack.pop() {
            order.push(place);
            stack.extend(inside(Some(place)));
        }
        for (before, place) in order.iter().enumerate() {
            let around = outer[*place].map(|outer| (all[outer].1.number, all[outer].1.depth + 1));
            let nursery = &mut all[*place].1;
            nursery.number = before + 1;
            nursery.parent = around.map(|(number, _)| number);
            nursery.depth = around.map_or(0, |(_, depth)| depth);
        }
        all.retain(|(_, nursery)| nursery.number > 0);
        all.sort_by_key(|(_, nursery)| nursery.number);
        Self(
            all.into_iter()
                .map(|(seen, nursery)| (seen.id, nursery))
                .collect(),
        )
    }

    /// The number of a nursery, and what of it a thread runs, in its body or elsewhere.
    fn place(&self, id: Id, is_body: bool) -> Option<(usize, NurseryPart)> {
        let nursery = self.get(id)?;
        let part = match (nursery.is_join, is_body) {
            (true, _) => NurseryPart::Join,
            (false, true) => NurseryPart::Body,
            (false, false) => NurseryPart::Child,
        };
        Some((nursery.number, part))
    }

    fn get(&self, id: Id) -> Option<&NurserySnapshot> {
        let (_, nursery) = self.0.iter().find(|(known, _)| *known == id)?;
        Some(nursery)
    }
}

impl NurserySnapshot {
    fn of(seen: &Seen, survey: &Survey) -> Self {
        let owner = |slot: Id| {
            let found = survey.slots.iter().find(|found| found.id == slot)?;
            Some(found.owner.clone())
        };
        let count = |whose: &[Id]| whose.iter().filter(|id| **id == seen.id).count();
        Self {
            number: 0,
            parent: None,
            depth: 0,
            is_join: seen.is_fork,
            name: seen.facts.name.as_deref().map(str::to_owned),
            cancelled: seen.facts.cancelled.clone(),
            failed: seen.facts.failed.clone(),
            opened_by: owner(seen.home),
            last_taken_by: seen.runner.and_then(owner),
            unstarted: seen.unstarted,
            shared: seen.shared,
            injected: count(&survey.injected),
            blocking_queued: count(&survey.blocking),
            stats: NurseryStats::new(seen.numbers),
        }
    }
}

impl ThreadSnapshot {
    fn of(slot: &Found, survey: &Survey, nurseries: &Nurseries, children: &mut Vec<Id>) -> Self {
        let report = slot.report.as_deref();
        let innermost = report.and_then(|report| report.frames.first());
        let taken = slot.at.filter(|_| report.is_none());
        let place = match (innermost, taken) {
            (Some((id, part)), _) => nurseries.place(*id, *part == Part::Body),
            (None, Some((id, _))) => nurseries.place(id, false),
            (None, None) => None,
        };
        let seen = report.zip(innermost).and_then(|(report, (id, _))| {
            let mut nurseries = report.nurseries.iter();
            nurseries.find(|seen| seen.id == *id)
        });
        let waits = report.and_then(|report| report.waits);
        let waits_for = waits.and_then(|(id, what)| {
            let until = WaitUntil::of(what, survey, children);
            let nursery = nurseries.get(id)?.number;
            Some(Wait { nursery, until })
        });
        let state = match slot.doing {
            Doing::Sleeping => ThreadState::Sleeps,
            Doing::Blocking => ThreadState::Blocks,
            _ if waits_for.is_some() => ThreadState::Waits,
            _ => ThreadState::Runs,
        };
        let only = slot.at.and_then(|(_, only)| only);
        Self {
            name: slot.owner.clone(),
            state,
            has_answered: report.is_some(),
            nursery: place.map(|(nursery, _)| nursery),
            part: place.map(|(_, part)| part),
            child: only.map(|only| number_child(children, only)),
            child_id: seen.and_then(|seen| seen.facts.running.clone()),
            open_joins: report.map_or(0, |report| report.forks),
            waits_for,
            is_cut_short: report.is_some_and(|report| report.is_cut_short),
        }
    }
}

/// The number of a child in the snapshot.
fn number_child(children: &mut Vec<Id>, child: Id) -> usize {
    let known = children.iter().position(|known| *known == child);
    1 + known.unwrap_or_else(|| {
        children.push(child);
        children.len() - 1
    })
}

impl WaitUntil {
    fn of(what: WaitsFor, survey: &Survey, children: &mut Vec<Id>) -> Self {
        match what {
            WaitsFor::End => Self::End,
            WaitsFor::Any => Self::AnyChild,
            WaitsFor::Child {
                id,
                class,
                is_started,
            } => {
                let runs = |found: &&Found| found.at.is_some_and(|(_, only)| only == Some(id));
                let runner = survey.slots.iter().find(runs);
                Self::Child(AwaitedChild {
                    number: number_child(children, id),
                    is_blocking: class == Class::Blocking,
                    is_started,
                    run_by: runner.map(|found| found.owner.clone()),
                })
            }
        }
    }
}
