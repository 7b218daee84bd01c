//! How a random program is made.

use fastrand::Rng;
use proptest::prelude::Rng as _;
use proptest::strategy::{NewTree, Strategy};
use proptest::test_runner::TestRunner;

use crate::program::{
    Bomb, Deadline, End, Fate, How, Kind, Nest, Program, Shrinking, Step, TOKENS, Task, Terms,
    Then, Whom, Whose,
};

/// Makes programs.
struct Maker {
    rng: Rng,
    /// Tasks that may still be made.
    left: usize,
    /// One in so many tasks has what panics when it is dropped.
    bombs: usize,
}

impl Maker {
    fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.rng.usize(..N)]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.rng.usize(..one_in) == 0
    }

    fn program(mut self) -> Program {
        let tokens = [(); TOKENS].map(|()| self.chance(8));
        let root = self.partial();
        let program = Program {
            root,
            tokens,
            tasks: 0,
            nests: 0,
        };
        program.numbered()
    }

    fn terms(&mut self) -> Terms {
        if self.chance(2) {
            return Terms::default();
        }
        Terms {
            continues: self.chance(2),
            limit: self.chance(4).then(|| self.rng.usize(1..3)),
            token: self.chance(4).then(|| self.rng.usize(..TOKENS)),
            deadline: self
                .chance(12)
                .then(|| self.pick([Deadline::Passed, Deadline::Far])),
            is_shield: self.chance(6),
        }
    }

    fn partial(&mut self) -> Nest {
        let kind = Kind::Partial(self.terms());
        let mut body = self.task(true);
        if body.bomb == Bomb::Capture {
            body.bomb = Bomb::Nothing;
        }
        Nest {
            id: 0,
            kind,
            tasks: vec![body],
            then: self.pick([Then::Handle, Then::Pass, Then::PassCause]),
        }
    }

    fn nest(&mut self) -> Nest {
        let kind = self.pick([
            Kind::Total,
            Kind::Total,
            Kind::Fork,
            Kind::Map,
            Kind::Fold,
            Kind::Race,
            Kind::RaceEach,
        ]);
        if self.chance(2) {
            return self.partial();
        }
        let mut tasks = match kind {
            Kind::Fork => vec![self.task(false), self.task(false)],
            _ => self.tasks(),
        };
        // Their handles are joined, and a value is dropped by whoever loses a race.
        tasks.iter_mut().for_each(|task| task.bomb = Bomb::Nothing);
        Nest {
            id: 0,
            kind,
            tasks,
            then: self.pick([Then::Handle, Then::Pass, Then::PassCause]),
        }
    }

    fn tasks(&mut self) -> Vec<Task> {
        let count = self.rng.usize(..4).min(self.left);
        (0..count).map(|_| self.task(false)).collect()
    }

    fn task(&mut self, is_body: bool) -> Task {
        self.left = self.left.saturating_sub(1);
        let end = match self.rng.usize(..if is_body { 20 } else { 10 }) {
            0 => End::Panic,
            1 | 2 => End::Error,
            _ => End::Value,
        };
        let bomb = match self.rng.usize(..2 * self.bombs) {
            0 => Bomb::Capture,
            1 => Bomb::Value,
            _ => Bomb::Nothing,
        };
        let count = self.rng.usize(..if is_body { 7 } else { 4 });
        Task {
            id: 0,
            bomb,
            steps: (0..count).map(|_| self.step()).collect(),
            end,
        }
    }

    fn whose(&mut self) -> Whose {
        self.pick([Whose::Own, Whose::Own, Whose::Own, Whose::Outer])
    }

    fn then(&mut self) -> Then {
        self.pick([Then::Handle, Then::Pass])
    }

    fn fate(&mut self) -> Fate {
        let then = self.then();
        self.pick([
            Fate::Dropped,
            Fate::Kept,
            Fate::Joined(then),
            Fate::JoinedLast(then),
            Fate::JoinedInside(then),
        ])
    }

    fn step(&mut self) -> Step {
        let whose = self.whose();
        match self.rng.usize(..if self.left > 0 { 20 } else { 6 }) {
            0 => Step::Cancel(whose),
            1 if self.chance(2) => Step::Switch(self.rng.usize(..TOKENS)),
            2 if self.chance(3) => {
                let (passed, far) = (Some(Deadline::Passed), Some(Deadline::Far));
                Step::Move(whose, self.pick([passed, far, far, None]))
            }
            1..6 => {
                let whom = self.pick([
                    Whom::Checkpoint(whose),
                    Whom::IsCancelled(whose),
                    Whom::Free,
                ]);
                Step::Ask(whom, self.then())
            }
            6..13 => {
                let how = match self.rng.usize(..16) {
                    0 => How::Blocking,
                    1..8 => How::Plain,
                    _ => How::Nested,
                };
                let child = self.task(false);
                Step::Spawn(how, whose, child, self.fate())
            }
            13..15 => {
                let items = self.tasks();
                let fate = match self.chance(3) {
                    true => Fate::FirstEnded(self.rng.usize(..3), self.then()),
                    false => self.fate(),
                };
                Step::Each(whose, items, fate)
            }
            _ => Step::Nest(self.nest()),
        }
    }
}

/// Random programs of so many tasks, more or less.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) tasks: usize,
}

impl Strategy for Programs {
    type Tree = Shrinking;
    type Value = Program;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut rng = Rng::with_seed(runner.rng().next_u64());
        let left = rng.usize(1..self.tasks);
        // Several at once need to be common somewhere.
        let bombs = if rng.usize(..8) == 0 { 3 } else { 20 };
        Ok(Shrinking::new(Maker { rng, left, bombs }.program()))
    }
}
