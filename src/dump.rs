//! A snapshot of a pool: its open nurseries, and which thread waits for what.

use std::io::{self, Write};
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::frame::Part;
use crate::engine::report::{Id, Seen, WaitsFor};
use crate::engine::shared::Doing;
use crate::engine::survey::{Found, Survey};
use crate::scope::Class;
use crate::stats::{NurseryStats, PoolStats};

/// A snapshot of a pool: the tree of its open nurseries, and what its threads do.
///
/// [`Pool::dump`](crate::Pool::dump) returns it. [`Display`](std::fmt::Display) writes the snapshot for people,
/// [`to_json`](Self::to_json) for programs. Both help with a program that hangs, and may say more in later
/// versions.
///
/// A snapshot numbers the children that it shows: `#1`, `#2` and so on. These numbers mean something in this snapshot
/// only. The `child 1` of a failure is another number, a [`ChildId`](crate::ChildId), which only the children of
/// partial nurseries have.
///
/// Each thread reports its own part, one after the other. So in a pool that is busy, the parts of a snapshot
/// may be a moment apart.
///
/// # Examples
///
/// ```
/// use hatchery::{Options, Pool};
///
/// let pool = Pool::builder().threads(1).name("search").build()?;
/// let dump = Options::new().pool(&pool).name("index").nursery(|n| {
///     n.spawn(|| ());
///     pool.dump()
/// });
/// assert!(dump.to_string().contains("nursery 1 \"index\""));
/// assert!(dump.to_json().contains(r#""unstarted":1"#));
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PoolSnapshot {
    pub(crate) pool: String,
    pub(crate) threads: usize,
    pub(crate) stats: PoolStats,
    /// The open nurseries, each before the nurseries inside it.
    pub(crate) nurseries: Vec<Nursery>,
    pub(crate) seats: Vec<Seat>,
}

#[derive(Clone, Debug)]
pub(crate) struct Nursery {
    pub(crate) id: Id,
    pub(crate) parent: Option<Id>,
    /// The number of the nursery in the dump, from 1 on.
    pub(crate) number: usize,
    /// The number of the nursery around it.
    pub(crate) within: Option<usize>,
    pub(crate) depth: usize,
    pub(crate) name: Option<String>,
    pub(crate) cancelled: Option<String>,
    pub(crate) is_fork: bool,
    pub(crate) home: Option<String>,
    pub(crate) runner: Option<String>,
    pub(crate) unstarted: usize,
    pub(crate) shared: usize,
    pub(crate) injected: usize,
    pub(crate) blocking: usize,
    pub(crate) stats: NurseryStats,
}

/// A thread that has a nursery or fork open.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) thread: String,
    pub(crate) state: State,
    pub(crate) has_answered: bool,
    /// The number of the innermost nursery that the thread is in, and what it runs there.
    pub(crate) place: Option<(usize, &'static str)>,
    /// The number of the child that the thread runs, if it is known.
    pub(crate) child: Option<usize>,
    pub(crate) forks: usize,
    pub(crate) waits: Option<Waits>,
    pub(crate) is_cut_short: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Runs,
    Waits,
    Blocks,
    Sleeps,
}

#[derive(Clone, Debug)]
pub(crate) struct Waits {
    /// The number of the nursery that the thread waits in.
    pub(crate) nursery: usize,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    End,
    Any,
    Child {
        /// The number of the child in the dump, from 1 on.
        number: usize,
        is_blocking: bool,
        is_started: bool,
        /// The thread that runs the child, if it is known.
        runner: Option<String>,
    },
}

impl PoolSnapshot {
    pub(crate) fn of(core: &Core) -> Self {
        let survey = core.survey();
        let nurseries = tree(&survey);
        let mut children = Vec::new();
        let seats = survey.slots.iter();
        let seats = seats.filter(|slot| slot.doing != Doing::Away);
        let seats = seats
            .map(|slot| Seat::of(slot, &survey, &nurseries, &mut children))
            .collect();
        Self {
            pool: core.name().to_owned(),
            threads: core.threads(),
            stats: PoolStats::of(core),
            nurseries,
            seats,
        }
    }
}

/// Prints the message of a watchdog.
pub(crate) fn print(core: &Core, after: Duration) {
    let text = format!(
        "nothing has moved for {after:?}\n{}",
        PoolSnapshot::of(core)
    );
    // Without a standard error the message is lost.
    _ = io::stderr().write_all(text.as_bytes());
}

/// All nurseries that a thread has reported, each before the nurseries inside it.
fn tree(survey: &Survey) -> Vec<Nursery> {
    let mut all: Vec<Nursery> = Vec::new();
    for report in survey.slots.iter().filter_map(|slot| slot.report.as_ref()) {
        for seen in &report.nurseries {
            match all.iter_mut().find(|nursery| nursery.id == seen.id) {
                // Another thread has reported this nursery, too.
                Some(nursery) => nursery.unstarted += seen.unstarted,
                None => all.push(Nursery::of(seen, survey)),
            }
        }
    }
    // An outer nursery that no thread has reported counts as none.
    let at = |id| all.iter().position(|nursery| nursery.id == id);
    let outer: Vec<_> = all.iter().map(|nursery| at(nursery.parent?)).collect();
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
        let around = outer[*place].map(|outer| (all[outer].number, all[outer].depth + 1));
        let nursery = &mut all[*place];
        nursery.number = before + 1;
        nursery.within = around.map(|(number, _)| number);
        nursery.depth = around.map_or(0, |(_, depth)| depth);
    }
    all.retain(|nursery| nursery.number > 0);
    all.sort_by_key(|nursery| nursery.number);
    all
}

fn number_of(nurseries: &[Nursery], id: Id) -> Option<usize> {
    let nursery = nurseries.iter().find(|nursery| nursery.id == id)?;
    Some(nursery.number)
}

impl Nursery {
    fn of(seen: &Seen, survey: &Survey) -> Self {
        let owner = |slot: Id| {
            let found = survey.slots.iter().find(|found| found.id == slot)?;
            Some(found.owner.clone())
        };
        let count = |whose: &[Id]| whose.iter().filter(|id| **id == seen.id).count();
        Self {
            id: seen.id,
            parent: seen.parent,
            number: 0,
            within: None,
            depth: 0,
            name: seen.facts.name.as_deref().map(str::to_owned),
            cancelled: seen.facts.cancelled.clone(),
            is_fork: seen.is_fork,
            home: owner(seen.home),
            runner: seen.runner.and_then(owner),
            unstarted: seen.unstarted,
            shared: seen.shared,
            injected: count(&survey.strays),
            blocking: count(&survey.blocking),
            stats: NurseryStats::new(seen.numbers),
        }
    }
}

impl Seat {
    fn of(slot: &Found, survey: &Survey, nurseries: &[Nursery], children: &mut Vec<Id>) -> Self {
        let number = |id| number_of(nurseries, id);
        let report = slot.report.as_deref();
        let innermost = report.and_then(|report| report.frames.first());
        let taken = slot.at.filter(|_| report.is_none());
        let place = match (innermost, taken) {
            (Some((id, part)), _) => number(*id).map(|number| (number, place_of(*part))),
            (None, Some((id, _))) => number(id).map(|number| (number, "child")),
            (None, None) => None,
        };
        let waits = report.and_then(|report| report.waits);
        let waits = waits.and_then(|(id, what)| {
            let what = What::of(what, survey, children);
            number(id).map(|nursery| Waits { nursery, what })
        });
        let state = match slot.doing {
            Doing::Sleeping => State::Sleeps,
            Doing::Blocking => State::Blocks,
            _ if waits.is_some() => State::Waits,
            _ => State::Runs,
        };
        let only = slot.at.and_then(|(_, only)| only);
        Self {
            thread: slot.owner.clone(),
            state,
            has_answered: report.is_some(),
            place,
            child: only.map(|only| number_child(children, only)),
            forks: report.map_or(0, |report| report.forks),
            waits,
            is_cut_short: report.is_some_and(|report| report.is_cut_short),
        }
    }
}

/// The number of a child in the dump.
fn number_child(children: &mut Vec<Id>, child: Id) -> usize {
    let known = children.iter().position(|known| *known == child);
    1 + known.unwrap_or_else(|| {
        children.push(child);
        children.len() - 1
    })
}

fn place_of(part: Part) -> &'static str {
    match part {
        Part::Body => "body",
        Part::Child | Part::Run => "child",
        Part::Root | Part::Fork => "join",
    }
}

impl What {
    fn of(what: WaitsFor, survey: &Survey, children: &mut Vec<Id>) -> Self {
        match what {
            WaitsFor::End => Self::End,
            WaitsFor::Any => Self::Any,
            WaitsFor::Child {
                id,
                class,
                is_started,
            } => {
                let runs = |found: &&Found| found.at.is_some_and(|(_, only)| only == Some(id));
                let runner = survey.slots.iter().find(runs);
                Self::Child {
                    number: number_child(children, id),
                    is_blocking: class == Class::Blocking,
                    is_started,
                    runner: runner.map(|found| found.owner.clone()),
                }
            }
        }
    }
}
