//! Gates: no more inside than may be, and the next in line learns of its turn.
//!
//! What the callers do here mirrors `gate::Turn` and `gate::Inside`.

use std::task::Waker;

use loom::sync::Arc;

use super::woken::Executor;
use super::{Memory, exhaustively, spawn_with, twins, within_bounds};
use crate::platform::planted;
use crate::protocol::gate::{Asked, Gate, Number, Shut};

/// A gate at which one may be inside.
struct Gated {
    gate: Gate,
    /// Read and written by whoever is inside, who is alone there.
    is_taken: Memory<bool>,
}

impl Gated {
    fn new() -> Arc<Self> {
        let most = if planted::step("two may be inside") {
            2
        } else {
            1
        };
        Arc::new(Self {
            gate: Gate::new(most),
            is_taken: Memory::new(false),
        })
    }

    /// Whose one place is taken by this thread.
    fn taken() -> Arc<Self> {
        let gated = Self::new();
        gated.gate.try_enter().expect("there is room");
        gated
    }

    /// As the drop of an `Inside`.
    fn leave(&self) {
        let next = self.gate.leave();
        if !planted::step("who leaves wakes nobody") {
            next.into_iter().for_each(Waker::wake);
        }
    }

    fn be_inside_and_leave(&self) {
        assert!(!self.is_taken.read(), "one at a time");
        self.is_taken.write(true);
        self.is_taken.write(false);
        self.leave();
    }

    /// As `Gate::close`.
    fn close(&self) {
        let line = self.gate.close();
        if !planted::step("who closes wakes nobody") {
            line.into_iter().for_each(Waker::wake);
        }
    }

    fn ask(&self) -> Turn<'_> {
        Turn {
            gated: self,
            number: None,
        }
    }

    /// A caller that comes in and goes.
    fn visit(&self) -> Executor {
        let task = Executor::new();
        let mut turn = self.ask();
        task.block_on(|waker| turn.poll(waker)).expect("not closed");
        self.be_inside_and_leave();
        task
    }

    /// When all threads are done.
    fn assert_left(&self) {
        assert_eq!(self.gate.snapshot(), [0; 2], "nobody is left");
    }
}

/// As the future of that name.
struct Turn<'a> {
    gated: &'a Gated,
    number: Option<Number>,
}

impl Turn<'_> {
    /// Whether it is inside, or the gate is closed.
    fn poll(&mut self, waker: &Waker) -> Option<Result<(), Shut>> {
        let asked = match self.number {
            None => self.gated.gate.ask(waker),
            Some(number) => self.gated.gate.ask_again(number, waker),
        };
        self.number = None;
        match asked {
            Asked::Inside => Some(Ok(())),
            Asked::Closed => Some(Err(Shut::Closed)),
            Asked::InLine(number) => {
                self.number = Some(number);
                None
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        if planted::step("who gives up stays in line") {
            return;
        }
        let [own, next] = self.gated.gate.give_up(number);
        if !planted::step("who gives up wakes nobody") {
            next.into_iter().for_each(Waker::wake);
        }
        drop(own);
    }
}

/// Three come at once.
#[test]
fn gate_one_is_inside_at_a_time() {
    within_bounds(|| {
        let gated = Gated::new();
        let others = [(); 2].map(|()| spawn_with(&gated, Gated::visit));
        let task = gated.visit();
        let tasks = others.map(|other| other.join().unwrap());
        task.assert_forgotten();
        tasks.iter().for_each(Executor::assert_forgotten);
        gated.assert_left();
    });
}

/// One leaves while another asks, and asks again as another task, which waits.
#[test]
fn gate_the_waker_that_was_left_last_is_woken() {
    exhaustively(|| {
        let gated = Gated::taken();
        let other = spawn_with(&gated, |gated| {
            let tasks = [Executor::new(), Executor::new()];
            let mut turn = gated.ask();
            let first = tasks[0].waker();
            if turn.poll(&first).is_none() {
                let is_inside = tasks[1].block_on(|second| {
                    let is_kept = planted::step("the waker that was left first is kept");
                    turn.poll(if is_kept { &first } else { second })
                });
                is_inside.expect("not closed");
            }
            drop(first);
            gated.be_inside_and_leave();
            tasks
        });
        gated.be_inside_and_leave();
        let tasks = other.join().unwrap();
        tasks.iter().for_each(Executor::assert_forgotten);
        gated.assert_left();
    });
}

/// One gives up, before its turn has come or after that, and another one waits behind it or in front of it.
#[test]
fn gate_who_gives_up_passes_its_turn_on() {
    within_bounds(|| {
        let gated = Gated::taken();
        let leaver = spawn_with(&gated, |gated| {
            let task = Executor::new();
            let mut turn = gated.ask();
            if turn.poll(&task.waker()).is_some() {
                gated.be_inside_and_leave();
            }
            drop(turn);
            task
        });
        let waiter = spawn_with(&gated, Gated::visit);
        gated.be_inside_and_leave();
        let tasks = [leaver, waiter].map(|caller| caller.join().unwrap());
        tasks.iter().for_each(Executor::assert_forgotten);
        gated.assert_left();
    });
}

/// A place that is free belongs to the first in line, whether it knows that or not.
#[test]
fn gate_nobody_overtakes_the_line() {
    exhaustively(|| {
        let gated = Gated::taken();
        let task = Executor::new();
        let mut turn = gated.ask();
        if !planted::step("comes too late") {
            assert!(turn.poll(&task.waker()).is_none(), "it is full");
        }
        let other = spawn_with(&gated, Gated::be_inside_and_leave);
        let overtakes = gated.gate.try_enter();
        assert_eq!(overtakes, Err(Shut::Full), "the place is the first one's");
        task.block_on(|waker| turn.poll(waker)).expect("not closed");
        gated.be_inside_and_leave();
        other.join().unwrap();
        gated.assert_left();
    });
}

/// The gate is closed while one asks and another one leaves: who is in line comes in or is told.
#[test]
fn gate_who_is_in_line_is_told_of_the_end() {
    within_bounds(|| {
        let gated = Gated::taken();
        let other = spawn_with(&gated, |gated| {
            let task = Executor::new();
            let mut turn = gated.ask();
            if task.block_on(|waker| turn.poll(waker)).is_ok() {
                gated.be_inside_and_leave();
            }
            task
        });
        let closer = spawn_with(&gated, Gated::close);
        // It leaves before the end or after it, or it stays until all are told.
        gated.be_inside_and_leave();
        closer.join().unwrap();
        other.join().unwrap().assert_forgotten();
        gated.assert_left();
        assert_eq!(gated.gate.try_enter(), Err(Shut::Closed));
    });
}

/// Who is inside stays there until the one in line has been told.
#[test]
fn gate_who_is_in_line_is_told_before_anybody_leaves() {
    exhaustively(|| {
        let gated = Gated::taken();
        let other = spawn_with(&gated, |gated| {
            let task = Executor::new();
            let mut turn = gated.ask();
            let told = task.block_on(|waker| turn.poll(waker));
            assert_eq!(told, Err(Shut::Closed), "one at a time");
        });
        gated.close();
        other.join().unwrap();
        gated.be_inside_and_leave();
        gated.assert_left();
    });
}

twins! {
    gate_one_is_inside_at_a_time {
        two_are: step("two may be inside") => Race;
        who_leaves_wakes_nobody: step("who leaves wakes nobody") => Deadlock;
    }
    gate_the_waker_that_was_left_last_is_woken {
        the_first_is: step("the waker that was left first is kept") => Deadlock;
        nobody_is: step("who leaves wakes nobody") => Deadlock;
    }
    gate_who_gives_up_passes_its_turn_on {
        the_next_is_not_woken: step("who gives up wakes nobody") => Deadlock;
        it_stays_in_line: step("who gives up stays in line") => Says("nobody is left");
    }
    gate_nobody_overtakes_the_line {
        it_comes_too_late: step("comes too late") => Says("the place is the first one's");
    }
    gate_who_is_in_line_is_told_of_the_end {
        who_leaves_wakes_nobody: step("who leaves wakes nobody") => Deadlock;
    }
    gate_who_is_in_line_is_told_before_anybody_leaves {
        who_closes_wakes_nobody: step("who closes wakes nobody") => Deadlock;
    }
}
