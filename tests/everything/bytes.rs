//! Programs made of bytes.
//!
//! Any bytes are a program, and when they are used up all that follows is the simplest there is: so
//! fewer and smaller bytes are smaller programs, for whoever makes a failing one small.

use crate::everything::job::{Job, Lot, Way, Whose};
use crate::everything::program::{
    Bombs, Deadline, End, Fate, How, Input, Kind, Loop, Nest, Program, Step, TOKENS, Task, Terms,
    Then, Verb,
};

/// Tasks that a program has, at most, more or less.
const TASKS: usize = 24;
/// Nurseries inside one another, at most.
const DEPTH: usize = 6;

/// The program that the bytes stand for.
pub(crate) fn program(bytes: &[u8]) -> Program {
    let mut reader = Reader {
        bytes: bytes.iter(),
        left: TASKS,
        depth: 0,
        moods: 0,
        has_loops: false,
        has_buffers: false,
        has_waits: false,
        has_jobs: false,
        is_in_job: false,
    };
    reader.program()
}

/// What may happen in a program at all: without any of these, it can be told what it comes to.
#[derive(Clone, Copy)]
enum Mood {
    Errors = 1,
    Panics = 2,
    Bombs = 4,
    Cancels = 8,
    Deadlines = 16,
    Limits = 32,
    Foreign = 64,
    Elsewhere = 128,
}

struct Reader<'b> {
    bytes: std::slice::Iter<'b, u8>,
    /// Tasks that may still be made.
    left: usize,
    depth: usize,
    moods: u8,
    /// Whether there may be calls of `for_each`, `map` and `fold`.
    has_loops: bool,
    /// Whether there may be calls of `spawn_buffered`.
    has_buffers: bool,
    /// Whether tasks may wait and not say so. Under a limit they might wait for each other, and in most programs
    /// they do not, as it takes long.
    has_waits: bool,
    /// Whether tasks may submit jobs.
    has_jobs: bool,
    is_in_job: bool,
}

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// The first is the simplest.
    fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.below(N)]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == one_in - 1
    }

    /// Reads no byte where the mood is not such.
    fn if_in(&mut self, mood: Mood, one_in: usize) -> bool {
        self.moods & mood as u8 != 0 && self.chance(one_in)
    }

    fn program(&mut self) -> Program {
        self.moods = self.byte();
        let tokens = [(); TOKENS].map(|()| self.if_in(Mood::Cancels, 8));
        let switched = match self.if_in(Mood::Cancels, 4) {
            true => Some(self.below(TOKENS)),
            false => None,
        };
        let count = self.byte();
        self.has_loops = count >= 128;
        self.has_buffers = count % 128 >= 64;
        self.has_waits = count % 16 == 15 && self.moods & Mood::Limits as u8 == 0;
        self.has_jobs = count % 4 == 1;
        let count = [1, 1, 1, 1, 2, 3][usize::from(count) % 6];
        let program = Program {
            roots: (0..count).map(|_| self.nest(true)).collect(),
            tokens,
            switched,
            may_wait: self.has_waits,
            may_block: true,
            ends_early: self.has_jobs && self.chance(2),
            tasks: 0,
            nests: 0,
        };
        program.numbered()
    }

    fn terms(&mut self, kind: Kind) -> Terms {
        let mut terms = Terms {
            is_elsewhere: self.if_in(Mood::Elsewhere, 4),
            ..Terms::default()
        };
        if kind.is_fork() || kind == Kind::Gather {
            return terms;
        }
        terms.continues = !kind.is_race() && self.chance(4);
        if self.if_in(Mood::Limits, 3) {
            terms.limit = Some(1 + self.below(2));
        }
        if self.if_in(Mood::Cancels, 4) {
            terms.token = Some(self.below(TOKENS));
        }
        if self.if_in(Mood::Deadlines, 3) {
            let hours = [1, 2, 3].map(Deadline::After);
            terms.deadline = Some(self.pick([hours[0], hours[1], hours[2], Deadline::Passed]));
        }
        terms
    }

    fn nest(&mut self, is_root: bool) -> Nest {
        let kind = match is_root {
            true => self.pick([Kind::Total, Kind::Partial]),
            false if self.has_loops && self.chance(2) => Kind::Loop(self.call()),
            false => self.pick([
                Kind::Total,
                Kind::Total,
                Kind::Partial,
                Kind::Partial,
                Kind::Fork,
                Kind::Gather,
                Kind::Each,
                Kind::JoinAll,
                Kind::Race,
                Kind::RaceEach,
            ]),
        };
        let terms = self.terms(kind);
        self.depth += 1;
        let tasks = match kind {
            Kind::Total | Kind::Partial => vec![self.body()],
            Kind::Fork => (0..2).map(|_| self.task()).collect(),
            Kind::JoinAll => (0..3).map(|_| self.task()).collect(),
            Kind::Loop(_) => {
                let count = self.below(9).min(self.left);
                (0..count).map(|_| self.task()).collect()
            }
            _ => self.tasks(),
        };
        self.depth -= 1;
        Nest {
            id: 0,
            kind,
            terms,
            tasks,
            then: self.then(),
        }
    }

    /// Whether both a task that is made now, and what it submits there, may be on the pool that ends.
    fn may_be_on_ending(&self, whose: Whose) -> bool {
        self.is_in_job && matches!(whose, Whose::Own | Whose::Ending)
    }

    fn job(&mut self) -> Job {
        let way = self.pick([Way::Plain, Way::Plain, Way::Gate, Way::Line, Way::Install]);
        let whose = self.pick([Whose::Own, Whose::First, Whose::Other, Whose::Ending]);
        let is_cancelled = self.if_in(Mood::Cancels, 3);
        let lot = self.pick([
            Lot::Joined,
            Lot::Awaited,
            Lot::Dropped,
            Lot::Detached,
            Lot::Polled,
        ]);
        let is_late = self.chance(2);
        let (way, lot, is_late) = match (way, lot) {
            // A pool that ends starts no threads in place of those that block, so nobody might run what its own
            // threads wait for.
            (Way::Install, _) if self.may_be_on_ending(whose) => (Way::Plain, Lot::Joined, is_late),
            (_, Lot::Awaited) if self.may_be_on_ending(whose) => (way, Lot::Polled, is_late),
            (Way::Install, _) => (way, Lot::Joined, false),
            _ => (way, lot, is_late),
        };
        // A job may have a place at the gate, and would wait for itself.
        let way = if way == Way::Line && self.is_in_job {
            Way::Gate
        } else {
            way
        };
        self.left = self.left.saturating_sub(1);
        let is_inside = std::mem::replace(&mut self.is_in_job, true);
        let nest = self.nest(true);
        self.is_in_job = is_inside;
        Job {
            nest,
            way,
            whose,
            is_cancelled,
            lot,
            is_late,
        }
    }

    fn call(&mut self) -> Loop {
        Loop {
            verb: self.pick([Verb::ForEach, Verb::Map, Verb::Fold]),
            input: self.pick([
                Input::Range,
                Input::Inclusive,
                Input::Slice,
                Input::SliceMut,
                Input::Vec,
                Input::Pair,
                Input::Chunks(1),
                Input::Chunks(2),
                Input::Chunks(7),
            ]),
            stride: self.pick([1, 1, 3, 40]),
        }
    }

    fn then(&mut self) -> Then {
        self.pick([Then::Handle, Then::Fail, Then::Pass])
    }

    fn tasks(&mut self) -> Vec<Task> {
        let count = self.below(5).min(self.left);
        (0..count).map(|_| self.task()).collect()
    }

    /// It has no capture of its own, and more to do.
    fn body(&mut self) -> Task {
        let steps = self.steps(8);
        let mut body = self.with(steps, 10);
        body.bombs.capture = false;
        body
    }

    fn task(&mut self) -> Task {
        self.left = self.left.saturating_sub(1);
        let steps = self.steps(4);
        self.with(steps, 5)
    }

    fn with(&mut self, steps: Vec<Step>, rarely: usize) -> Task {
        let end = match () {
            () if self.if_in(Mood::Panics, rarely) => End::Panic,
            () if self.if_in(Mood::Errors, rarely) => End::Error,
            () => End::Value,
        };
        let mut bombs = Bombs::default();
        if self.if_in(Mood::Bombs, 3) {
            match self.below(4) {
                0 => bombs.value = true,
                1 => bombs.capture = true,
                2 => bombs.error = true,
                _ => bombs.payload = true,
            }
        }
        Task {
            id: 0,
            last: 0,
            bombs,
            steps,
            end,
        }
    }

    fn steps(&mut self, most: usize) -> Vec<Step> {
        let count = self.below(most);
        (0..count).map(|_| self.step()).collect()
    }

    fn up(&mut self) -> usize {
        match self.if_in(Mood::Foreign, 3) {
            true => 1 + self.below(2),
            false => 0,
        }
    }

    fn step(&mut self) -> Step {
        let most = if self.left == 0 { 4 } else { 16 };
        match self.below(most) {
            0 | 3 | 14 | 15 if self.has_waits => Step::Wait(self.below(3)),
            0 | 13 | 14 if self.has_jobs && self.left > 0 && self.depth < DEPTH => {
                Step::Submit(self.job())
            }
            0 => Step::Yield,
            1 => match self.chance(2) {
                false => Step::Ask(None, self.then()),
                true => {
                    let up = self.up();
                    Step::Ask(Some(up), self.then())
                }
            },
            2 if self.if_in(Mood::Cancels, 2) => match self.chance(3) {
                false => Step::Cancel(self.up()),
                true => Step::Switch(self.below(TOKENS)),
            },
            3 if self.if_in(Mood::Deadlines, 2) => Step::Forward,
            2 | 3 => Step::Yield,
            4..11 => {
                let how = self.pick([
                    How::Plain,
                    How::Plain,
                    How::Plain,
                    How::Nested,
                    How::Nested,
                    How::Blocking,
                ]);
                let up = self.up();
                let fate = self.fate();
                Step::Spawn(how, up, self.task(), fate)
            }
            11 => {
                let up = self.up();
                let fate = self.fate();
                let most = match self.has_buffers && self.chance(2) {
                    true => Some(self.below(4)),
                    false => None,
                };
                Step::Each(most, up, self.tasks(), fate)
            }
            12 => {
                let count = self.below(3);
                Step::Block((0..count).map(|_| self.step()).collect())
            }
            _ if self.depth < DEPTH => Step::Nest(self.nest(false)),
            _ => Step::Yield,
        }
    }

    fn fate(&mut self) -> Fate {
        match self.below(10) {
            0 | 1 => Fate::Dropped,
            2 => Fate::Kept,
            3 if self.chance(3) => Fate::Forgotten,
            3..6 => Fate::Joined(self.then()),
            6 | 7 => Fate::JoinedLast(self.then()),
            8 => Fate::First(self.below(3)),
            _ => Fate::FirstEnded(self.below(3)),
        }
    }
}
