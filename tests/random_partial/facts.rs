//! What the diaries of a run say about each task and each nursery.

use std::sync::atomic::Ordering;

use hatchery::CancelReason;

use crate::program::{Bomb, Deadline, How, Kind, Nest, Program, Task};
use crate::seen::{Answer, Outcome, Raw, Seen};
use crate::world::{Account, Standing, Time, What, World};

/// A step of the path that a child should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The n-th child of its spawner.
    Nth(u64),
    /// One that was not spawned by a task of its nursery.
    Elsewhere,
    /// It depends on the schedule.
    Any,
}

/// A task, and what became of it.
#[derive(Debug)]
pub(crate) struct TaskFacts<'p> {
    pub(crate) task: &'p Task,
    /// The nursery of the task. The nursery of a guest is total, or a fork or a loop.
    pub(crate) nursery: usize,
    pub(crate) role: Role,
    pub(crate) path: Vec<Step>,
    /// The time at which its spawn began, if it was spawned.
    pub(crate) spawned: Option<Time>,
    pub(crate) started: Option<Time>,
    pub(crate) ended: Option<(Time, Raw)>,
    /// When its captures were dropped.
    pub(crate) consumed: Time,
    /// When its value was dropped, if that has panicked.
    pub(crate) exploded: Option<Time>,
    pub(crate) joined: Option<(Time, Result<usize, Seen>)>,
    pub(crate) told: Told,
    /// The same, in a way that it may have made an error of.
    pub(crate) told_as_error: Told,
    /// Whether it returns failures rather than errors.
    pub(crate) is_nested: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Body,
    Child,
    Competitor,
    /// In a total nursery, a fork or a loop, on behalf of a task around that.
    Guest,
}

/// Whether a task has learned that its nursery is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    No,
    Perhaps,
    Yes,
}

/// A nursery, and what happened to it.
#[derive(Debug)]
pub(crate) struct NestFacts<'p> {
    pub(crate) nest: &'p Nest,
    pub(crate) parent: Option<usize>,
    pub(crate) opener: Option<usize>,
    /// From its opening to its end, and what it came to; nothing if it was not opened.
    pub(crate) opened: Option<(Time, Time, Outcome)>,
    pub(crate) children: Vec<usize>,
    /// Children that say there are no more items, and that nobody has joined.
    pub(crate) unjoined_ends: usize,
    /// What people were told: when they asked, and when they had the answer.
    pub(crate) answers: Vec<(Time, Time, Answer)>,
    pub(crate) cancels: Vec<bool>,
    /// What may have cancelled it, and from when on.
    pub(crate) causes: Vec<(Time, CancelReason)>,
    /// When it was cancelled for sure.
    pub(crate) certain: Time,
}

/// All of a run.
pub(crate) struct Facts<'p> {
    pub(crate) tasks: Vec<TaskFacts<'p>>,
    pub(crate) nests: Vec<NestFacts<'p>>,
    /// For each token: what those who cancelled it were told.
    pub(crate) switches: Vec<Vec<bool>>,
}

impl<'p> Facts<'p> {
    pub(crate) fn of(world: &World<'p>, is_alone: bool) -> Self {
        let program = world.program;
        let mut facts = Self {
            tasks: tasks(program),
            nests: nests(program),
            switches: program.tokens.map(|_| Vec::new()).into(),
        };
        for (id, track) in world.tracks.iter().enumerate() {
            facts.tasks[id].consumed = track.captures.dropped_at.load(Ordering::SeqCst);
            let has_exploded = track.values.exploded.load(Ordering::SeqCst) > 0;
            let dropped_at = track.values.dropped_at.load(Ordering::SeqCst);
            facts.tasks[id].exploded = has_exploded.then_some(dropped_at);
        }
        for entry in world.root.lock().unwrap().iter() {
            if let What::Opened { outcome, .. } = &entry.what {
                facts.nests[0].opened = Some((entry.from, entry.to, outcome.clone()));
            }
        }
        // Spawners come before those that they spawn.
        for id in 0..facts.tasks.len() {
            facts.read(world, id);
        }
        facts.add_outer_causes(program);
        facts.add_inner_causes(is_alone);
        facts.tell();
        facts
    }

    /// Takes what the diary of a task says.
    fn read(&mut self, world: &World<'p>, id: usize) {
        let mut spawned = Some(0);
        for entry in world.tracks[id].diary.lock().unwrap().iter() {
            let (from, to) = (entry.from, entry.to);
            match &entry.what {
                What::Started => self.tasks[id].started = Some(to),
                What::Ended(raw) => self.tasks[id].ended = Some((from, raw.clone())),
                What::Spawned {
                    child,
                    nursery,
                    place,
                } => {
                    self.spawn(id, *child, *nursery, *place, spawned, from);
                    if *place == Standing::Direct {
                        spawned = spawned.map(|spawned| spawned + 1);
                    }
                }
                What::SpawnedEach {
                    items,
                    children,
                    nursery,
                    place,
                } => {
                    for (item, after) in items.iter().zip(0..) {
                        let nth = spawned.map(|spawned| spawned + after);
                        self.spawn(id, *item, *nursery, *place, nth, from);
                    }
                    self.nests[*nursery].unjoined_ends += children - items.len();
                    if *place == Standing::Direct {
                        spawned = spawned.map(|spawned| spawned + *children as u64);
                    }
                }
                What::Finished { child, answer } => {
                    let nursery = self.tasks[*child].nursery;
                    // Law E5: who has failed has cancelled before that is known.
                    if *answer && self.fails_for_sure(world, *child) {
                        self.nests[nursery].certain = self.nests[nursery].certain.min(to);
                    }
                }
                What::Joined {
                    child,
                    nursery,
                    result,
                } => {
                    match child {
                        Some(child) => self.tasks[*child].joined = Some((to, result.clone())),
                        None => self.nests[*nursery].unjoined_ends -= 1,
                    }
                    if let Err(Seen {
                        sign: crate::seen::Sign::Cancelled(answer),
                        ..
                    }) = result
                        && child.is_none_or(|child| {
                            world.tracks[child].diary.lock().unwrap().is_empty()
                        })
                    {
                        self.nests[*nursery].answers.push((0, to, *answer));
                    }
                    if child.is_some_and(|child| self.fails_for_sure(world, child)) {
                        let certain = &mut self.nests[*nursery].certain;
                        *certain = to.min(*certain);
                    }
                }
                What::Asked {
                    nursery,
                    answer,
                    tells,
                    is_free,
                } => {
                    self.nests[*nursery].answers.push((from, to, *answer));
                    if *tells && *answer != Answer::No {
                        let own = self.tasks[id].nursery;
                        let told = match self.outwards(own).any(|around| around == *nursery) {
                            true => Told::Yes,
                            // It is beyond a shield: then the task's own may be cancelled, or not.
                            false => Told::Perhaps,
                        };
                        let facts = &mut self.tasks[id];
                        facts.told = facts.told.max(told);
                        if *is_free {
                            facts.told_as_error = facts.told_as_error.max(told);
                        }
                    }
                }
                What::Cancelled { nursery, is_first } => {
                    let nest = &mut self.nests[*nursery];
                    nest.cancels.push(*is_first);
                    nest.causes.push((from, CancelReason::Requested));
                    nest.certain = nest.certain.min(to);
                }
                What::Moved {
                    nursery,
                    has_passed: true,
                } => {
                    let nest = &mut self.nests[*nursery];
                    nest.causes.push((from, CancelReason::Deadline));
                    nest.certain = nest.certain.min(to);
                }
                What::Moved { .. } => {}
                What::Switched { token, is_first } => {
                    self.switches[*token].push(*is_first);
                    self.switch(*token, from, to);
                }
                What::Opened {
                    nursery,
                    inside,
                    outcome,
                } => {
                    let nest = &mut self.nests[*nursery];
                    nest.opened = Some((from, to, outcome.clone()));
                    nest.parent = Some(*inside);
                    nest.opener = Some(id);
                    if nest.nest.kind.is_plain() {
                        spawned = None;
                    }
                }
            }
        }
    }

    fn spawn(
        &mut self,
        spawner: usize,
        child: usize,
        nursery: usize,
        place: Standing,
        nth: Option<u64>,
        at: Time,
    ) {
        let mut path = Vec::new();
        match (place, nth) {
            (Standing::Elsewhere, _) => path.push(Step::Elsewhere),
            (Standing::Direct, Some(nth)) => {
                path.clone_from(&self.tasks[spawner].path);
                path.push(Step::Nth(nth));
            }
            _ => path.push(Step::Any),
        }
        let facts = &mut self.tasks[child];
        facts.path = path;
        facts.nursery = nursery;
        facts.role = Role::Child;
        facts.spawned = Some(at);
        self.nests[nursery].children.push(child);
    }

    /// Whether a child that has ended has cancelled its nursery.
    fn fails_for_sure(&self, world: &World<'_>, child: usize) -> bool {
        let facts = &self.tasks[child];
        if self.nests[facts.nursery].continues() {
            return false;
        }
        let has_started = !world.tracks[child].diary.lock().unwrap().is_empty();
        let diary = world.tracks[child].diary.lock().unwrap();
        let raw = diary.last().and_then(|entry| match &entry.what {
            What::Ended(raw) => Some(raw),
            _ => None,
        });
        let panics = facts.task.bomb == Bomb::Capture || matches!(raw, Some(Raw::Panicked(_)));
        // An error might be late. But then the nursery has been cancelled, too.
        panics || has_started && matches!(raw, Some(Raw::Failed(..)))
    }

    fn switch(&mut self, token: usize, from: Time, to: Time) {
        for nest in &mut self.nests {
            if nest.terms().is_some_and(|terms| terms.token == Some(token)) {
                nest.causes.push((from, CancelReason::Token));
                nest.certain = nest.certain.min(to);
            }
        }
    }

    /// What was there from the beginning.
    fn add_outer_causes(&mut self, program: &Program) {
        for (token, _) in program.tokens.iter().enumerate().filter(|(_, on)| **on) {
            self.switch(token, 0, 0);
        }
        for nest in &mut self.nests {
            if nest
                .terms()
                .is_some_and(|terms| terms.deadline == Some(Deadline::Passed))
            {
                nest.causes.push((0, CancelReason::Deadline));
                nest.certain = 0;
            }
        }
    }

    /// What its tasks do to a nursery by failing.
    fn add_inner_causes(&mut self, is_alone: bool) {
        for facts in &self.tasks {
            let nest = &mut self.nests[facts.nursery];
            // A failure in a fork or a loop cancels nothing.
            if nest.nest.kind.is_plain() {
                continue;
            }
            let is_body = facts.role == Role::Body;
            let reasons = match is_body {
                true => [CancelReason::BodyFailed, CancelReason::BodyPanicked],
                false => [CancelReason::ChildFailed, CancelReason::ChildPanicked],
            };
            if nest.continues() && facts.role != Role::Guest {
                // Whoever wins a race cancels it.
                if let (Role::Competitor, Some((at, Raw::Value))) = (facts.role, &facts.ended) {
                    nest.causes.push((*at, CancelReason::Requested));
                }
                continue;
            }
            match &facts.ended {
                Some((at, Raw::Failed(..))) if facts.role != Role::Guest => {
                    nest.causes.push((*at, reasons[0]));
                }
                Some((at, Raw::Panicked(_))) => {
                    nest.causes.push((*at, reasons[1]));
                }
                _ => {}
            }
            if facts.task.bomb == Bomb::Capture && facts.spawned.is_some() {
                nest.causes.push((facts.consumed, reasons[1]));
            }
            // A body's value is dropped when all is over.
            if let Some(at) = facts.exploded.filter(|_| !is_body) {
                nest.causes.push((at, CancelReason::ChildPanicked));
                // The one thread does nothing in between.
                if is_alone {
                    nest.certain = nest.certain.min(at);
                }
            }
        }
        for nest in &mut self.nests {
            for (_, to, answer) in &nest.answers {
                if *answer != Answer::No {
                    nest.certain = nest.certain.min(*to);
                }
            }
        }
    }
}

impl NestFacts<'_> {
    pub(crate) fn terms(&self) -> Option<crate::program::Terms> {
        match self.nest.kind {
            Kind::Partial(terms) => Some(terms),
            _ => None,
        }
    }

    /// Whether failures leave it alone.
    pub(crate) fn continues(&self) -> bool {
        match self.nest.kind {
            Kind::Partial(terms) => terms.continues,
            kind => !kind.is_total(),
        }
    }
}

fn nests(program: &Program) -> Vec<NestFacts<'_>> {
    let mut nests = Vec::new();
    program.each_nest(&mut |nest| {
        let competitors = match nest.kind {
            Kind::Race | Kind::RaceEach => nest.tasks.iter().map(|task| task.id).collect(),
            _ => Vec::new(),
        };
        nests.push(NestFacts {
            nest,
            parent: None,
            opener: None,
            opened: None,
            children: competitors,
            unjoined_ends: 0,
            answers: Vec::new(),
            cancels: Vec::new(),
            causes: Vec::new(),
            certain: Time::MAX,
        });
    });
    nests.sort_by_key(|facts| facts.nest.id);
    nests
}

fn tasks(program: &Program) -> Vec<TaskFacts<'_>> {
    let mut tasks = Vec::new();
    program.each_task(&mut |task| {
        tasks.push(TaskFacts {
            task,
            nursery: 0,
            role: Role::Child,
            path: Vec::new(),
            spawned: None,
            started: None,
            ended: None,
            consumed: 0,
            exploded: None,
            joined: None,
            told: Told::No,
            told_as_error: Told::No,
            is_nested: false,
        });
    });
    program.each_task(&mut |task| {
        for step in &task.steps {
            if let crate::program::Step::Spawn(How::Nested, _, child, _) = step {
                tasks[child.id].is_nested = true;
            }
        }
    });
    program.each_nest(&mut |nest| {
        for (task, nth) in nest.tasks.iter().zip(0..) {
            let facts = &mut tasks[task.id];
            facts.nursery = nest.id;
            if matches!(nest.kind, Kind::Race | Kind::RaceEach) {
                facts.path = vec![Step::Nth(nth)];
            }
            facts.is_nested = matches!(nest.kind, Kind::Partial(_));
            facts.role = match nest.kind {
                Kind::Partial(_) => Role::Body,
                kind if kind.is_total() => Role::Guest,
                _ => Role::Competitor,
            };
        }
    });
    tasks
}

impl Account {
    /// Whether all that was made was dropped.
    pub(crate) fn is_balanced(&self) -> bool {
        self.made.load(Ordering::SeqCst) == self.dropped.load(Ordering::SeqCst)
    }
}
