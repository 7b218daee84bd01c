//! What the diaries of a run say about each task and each nursery.

use std::sync::atomic::Ordering;

use crate::everything::jobs::JobFacts;
use crate::everything::program::{Deadline, Kind, Nest, Program, Task};
use crate::everything::seen::{Answer, Got, Outcome, Raw, Seen, Thrown};
use crate::everything::world::{Entry, NOWHERE, Opened, Time, What, World};

/// How a task came to be one of its nursery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// None: it was never spawned.
    Nobody,
    Body,
    /// Spawned by that task.
    Child(usize),
    /// A competitor, a side, or whatever else its nursery has from the start.
    Given,
}

/// What a task has come to, its captures' destructor included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Skipped,
    Came(Raw),
}

/// A task, and what became of it.
#[derive(Debug)]
pub(crate) struct TaskFacts<'p> {
    pub(crate) task: &'p Task,
    pub(crate) nest: usize,
    pub(crate) part: Part,
    pub(crate) spawned: Option<Time>,
    pub(crate) started: Option<Time>,
    pub(crate) ended: Option<(Time, Raw)>,
    pub(crate) consumed: Option<Time>,
    pub(crate) joined: Option<Got>,
    joined_at: Option<Time>,
    pub(crate) is_forgotten: bool,
    /// Whether it may have learned of a cancellation.
    pub(crate) may_know: bool,
    /// What it left has panicked when it was dropped: whose that was, its own or what it was handed.
    pub(crate) exploded: Option<usize>,
    pub(crate) end: End,
}

/// A nursery, and what happened to it.
#[derive(Debug)]
pub(crate) struct NestFacts<'p> {
    pub(crate) nest: &'p Nest,
    pub(crate) parent: Option<usize>,
    pub(crate) opened: Option<Opened>,
    /// All but the body, in the order of their spawns.
    pub(crate) children: Vec<usize>,
    /// What was raised by joins of one child of several.
    pub(crate) raised: Vec<Thrown>,
    pub(crate) answers: Vec<(Time, Time, Answer)>,
    pub(crate) cancels: Vec<bool>,
    /// From when on it may have been cancelled.
    pub(crate) maybe: Time,
    /// When it was cancelled for sure.
    pub(crate) certain: Time,
    /// The same for panics alone, which is all that a total nursery skips children for.
    pub(crate) maybe_panicked: Time,
    pub(crate) certainly_panicked: Time,
}

/// All of a run.
pub(crate) struct Facts<'p> {
    pub(crate) tasks: Vec<TaskFacts<'p>>,
    pub(crate) nests: Vec<NestFacts<'p>>,
    /// For each token: what those who cancelled it were told.
    pub(crate) switches: Vec<Vec<bool>>,
    /// When the clock was moved, from and to.
    forwards: Vec<(Time, Time)>,
    /// By their nurseries.
    pub(super) jobs: Vec<JobFacts>,
}

impl<'p> Facts<'p> {
    pub(crate) fn of(world: &'p World) -> Self {
        let program = &world.program;
        let mut facts = Self {
            tasks: tasks(program),
            nests: nests(program, world),
            switches: program.tokens.map(|_| Vec::new()).into(),
            forwards: Vec::new(),
            jobs: (0..program.nests).map(|_| JobFacts::default()).collect(),
        };
        for (id, accounts) in world.books.tasks.iter().enumerate() {
            let task = &mut facts.tasks[id];
            task.consumed = accounts.captures.when_dropped();
            let exploded = [&accounts.values, &accounts.errors];
            let has_exploded = exploded.iter().any(|of| of.when_exploded().is_some());
            task.exploded = has_exploded.then_some(id);
        }
        for (id, diary) in world.diaries.iter().enumerate() {
            for entry in diary.lock().unwrap().iter() {
                facts.read(id, entry);
            }
        }
        for entry in world.outside.lock().unwrap().iter() {
            facts.read(usize::MAX, entry);
        }
        for nest in &facts.nests {
            if let Some(opener) = nest.opened.as_ref().and_then(|opened| opened.opener) {
                facts.tasks[opener].may_know = true;
            }
        }
        for (id, accounts) in world.books.tasks.iter().enumerate() {
            let task = &mut facts.tasks[id];
            let has_exploded = accounts.captures.when_exploded().is_some();
            task.end = match &task.ended {
                Some((_, Raw::Panicked(thrown))) => End::Came(Raw::Panicked(thrown.clone())),
                _ if has_exploded => End::Came(Raw::Panicked(Thrown::Exploded(id))),
                None => End::Skipped,
                Some((_, raw)) => End::Came(raw.clone()),
            };
            if let End::Came(Raw::Passed(Seen::Error(of))) = task.end {
                let errors = &world.books.tasks[of].errors;
                task.exploded = errors.when_exploded().map(|_| of);
            }
        }
        for nest in &mut facts.nests {
            let tasks = &facts.tasks;
            nest.children.sort_by_key(|child| tasks[*child].spawned);
        }
        facts.add_causes(world);
        facts
    }

    /// Takes what one entry says.
    fn read(&mut self, id: usize, entry: &Entry) {
        let (from, to) = (entry.from, entry.to);
        match &entry.what {
            What::Started => self.tasks[id].started = Some(to),
            What::Ended(raw) => self.tasks[id].ended = Some((from, raw.clone())),
            What::Spawned { child, nest } => {
                let facts = &mut self.tasks[*child];
                facts.nest = *nest;
                facts.part = Part::Child(id);
                facts.spawned = Some(from);
                self.nests[*nest].children.push(*child);
            }
            What::Joined { child, nest, got } => match (child, got) {
                (Some(child), got) => {
                    self.tasks[*child].joined = Some(got.clone());
                    self.tasks[*child].joined_at = Some(to);
                }
                (None, Got::Raised(thrown)) => self.nests[*nest].raised.push(thrown.clone()),
                (None, _) => {}
            },
            What::Forgotten { child } => self.tasks[*child].is_forgotten = true,
            What::Asked { nest, answer } => {
                self.tasks[id].may_know |= answer.is_some();
                let nest = &mut self.nests[*nest];
                nest.answers.push((from, to, *answer));
                if answer.is_some() {
                    nest.certain = nest.certain.min(to);
                }
            }
            What::Cancelled { nest, is_first } => {
                let nest = &mut self.nests[*nest];
                nest.cancels.push(*is_first);
                nest.maybe = nest.maybe.min(from);
                nest.certain = nest.certain.min(to);
            }
            What::Switched { token, is_first } => {
                self.switches[*token].push(*is_first);
                self.switch(*token, from, to);
            }
            What::Forwarded => self.forwards.push((from, to)),
            What::Job { nest, deed } => self.read_deed((from, to), *nest, deed),
        }
    }

    fn switch(&mut self, token: usize, from: Time, to: Time) {
        for nest in &mut self.nests {
            if nest.nest.terms.token == Some(token) {
                nest.maybe = nest.maybe.min(from);
                nest.certain = nest.certain.min(to);
            }
        }
    }

    fn add_causes(&mut self, world: &World) {
        let tokens = world.program.tokens;
        for (token, _) in tokens.iter().enumerate().filter(|(_, on)| **on) {
            self.switch(token, 0, 0);
        }
        self.forwards.sort_unstable();
        for nest in &mut self.nests {
            let Some(opened) = &nest.opened else { continue };
            match nest.nest.terms.deadline {
                Some(Deadline::Passed) => (nest.maybe, nest.certain) = (0, 0),
                Some(Deadline::After(hours)) => {
                    // That of a job counts from when it was submitted.
                    let submitted = self.jobs[nest.nest.id].submitted;
                    let begun = submitted.map_or(opened.from, |(from, _)| from);
                    let since = self.forwards.iter().filter(|(_, to)| *to > begun);
                    let hours = usize::try_from(hours).expect("few");
                    if let Some((from, _)) = since.clone().nth(hours - 1) {
                        nest.maybe = nest.maybe.min(*from);
                    }
                }
                None => {}
            }
        }
        for (task, accounts) in self.tasks.iter().zip(&world.books.tasks) {
            let nest = &mut self.nests[task.nest];
            if let (true, Some((at, Raw::Value(_)))) = (nest.nest.kind.is_race(), &task.ended) {
                nest.maybe = nest.maybe.min(*at);
            }
            let (kind, continues) = (nest.nest.kind, nest.nest.terms.continues);
            // A failure in a fork or a loop cancels nothing.
            if continues || kind.is_race() || kind.is_unskipped() {
                continue;
            }
            match &task.ended {
                Some((at, Raw::Panicked(_))) => {
                    nest.maybe_panicked = nest.maybe_panicked.min(*at);
                }
                Some((at, raw)) if !matches!(raw, Raw::Value(_)) && !nest.nest.kind.is_total() => {
                    nest.maybe = nest.maybe.min(*at);
                }
                _ => {}
            }
            for account in [&accounts.captures, &accounts.values, &accounts.errors] {
                if let Some(at) = account.when_exploded() {
                    nest.maybe_panicked = nest.maybe_panicked.min(at);
                }
            }
            if let (true, Some(of)) = (nest.nest.kind.is_total(), task.exploded) {
                let at = world.books.tasks[of].errors.when_exploded();
                nest.maybe_panicked = nest.maybe_panicked.min(at.unwrap_or(Time::MAX));
            }
            // Law E5: who has failed has cancelled before that is known.
            if let (Some(known), true) = (task.joined_at, task.thrown().is_some()) {
                nest.certainly_panicked = nest.certainly_panicked.min(known);
            }
            let is_error = task.end == End::Came(Raw::Error) && !nest.nest.kind.is_total();
            if let (Some(known), true) = (task.joined_at, is_error) {
                nest.certain = nest.certain.min(known);
            }
        }
        for nest in &mut self.nests {
            nest.maybe = nest.maybe.min(nest.maybe_panicked);
            nest.certain = nest.certain.min(nest.certainly_panicked);
        }
    }

    /// A nursery, and those around it.
    fn outwards(&self, nest: usize) -> impl Iterator<Item = &NestFacts<'p>> {
        std::iter::successors(Some(nest), |id| self.nests[*id].parent).map(|id| &self.nests[id])
    }

    /// Whether the nursery may have been cancelled before that time.
    pub(crate) fn may_be_cancelled(&self, nest: usize, before: Time) -> bool {
        self.outwards(nest).any(|nest| nest.maybe < before)
    }

    /// Whether it had been cancelled at that time.
    pub(crate) fn is_certain(&self, nest: usize, at: Time) -> bool {
        self.outwards(nest).any(|nest| nest.certain < at)
    }

    /// Whether a child may have been skipped that was dropped before that time.
    pub(crate) fn may_skip(&self, nest: usize, before: Time) -> bool {
        let kind = self.nests[nest].nest.kind;
        match kind.is_total() {
            true => !kind.is_unskipped() && self.nests[nest].maybe_panicked < before,
            false => self.may_be_cancelled(nest, before),
        }
    }

    /// Whether a child that is spawned at that time has to be skipped.
    pub(crate) fn must_skip(&self, nest: usize, at: Time) -> bool {
        match self.nests[nest].nest.kind.is_total() {
            true => self.nests[nest].certainly_panicked < at,
            false => self.is_certain(nest, at),
        }
    }
}

fn nests<'p>(program: &'p Program, world: &World) -> Vec<NestFacts<'p>> {
    let mut nests = Vec::new();
    program.each_nest(&mut |nest| {
        let track = &world.nests[nest.id];
        let given = match nest.kind {
            Kind::Total | Kind::Partial => Vec::new(),
            _ => nest.tasks.iter().map(|task| task.id).collect(),
        };
        let parent = track.parent.load(Ordering::SeqCst);
        nests.push(NestFacts {
            nest,
            parent: Some(parent).filter(|parent| *parent != NOWHERE),
            opened: track.opened.lock().unwrap().take(),
            children: given,
            raised: Vec::new(),
            answers: Vec::new(),
            cancels: Vec::new(),
            maybe: Time::MAX,
            certain: Time::MAX,
            maybe_panicked: Time::MAX,
            certainly_panicked: Time::MAX,
        });
    });
    nests.sort_by_key(|facts| facts.nest.id);
    nests
}

fn tasks(program: &Program) -> Vec<TaskFacts<'_>> {
    let mut tasks = Vec::new();
    let mut parts = vec![(0, Part::Nobody); program.tasks];
    program.each_nest(&mut |nest| {
        for task in &nest.tasks {
            let part = match nest.kind.has_body() {
                true => Part::Body,
                false => Part::Given,
            };
            parts[task.id] = (nest.id, part);
        }
    });
    program.each_task(&mut |task| {
        tasks.push(TaskFacts {
            task,
            nest: parts[task.id].0,
            part: parts[task.id].1,
            spawned: None,
            started: None,
            ended: None,
            consumed: None,
            joined: None,
            joined_at: None,
            is_forgotten: false,
            may_know: false,
            exploded: None,
            end: End::Skipped,
        });
    });
    tasks.sort_by_key(|facts| facts.task.id);
    tasks
}

impl TaskFacts<'_> {
    /// What it has thrown, if it has.
    pub(crate) fn thrown(&self) -> Option<&Thrown> {
        match &self.end {
            End::Came(Raw::Panicked(thrown)) => Some(thrown),
            _ => None,
        }
    }

    /// Whether its nursery has to account for it.
    pub(crate) fn is_left(&self) -> bool {
        self.joined.is_none() && !self.is_forgotten
    }
}

impl NestFacts<'_> {
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.opened.as_ref().map(|opened| &opened.outcome)
    }
}
