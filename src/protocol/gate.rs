//! A gate: at most so many are inside, and the others wait in line without a thread.
//!
//! 1. `inside` counts those inside, and those in line whose turn has come. A turn passes from the one that leaves to the
//!    first in line in one step under the lock, so nobody overtakes the line.
//! 2. Each in line leaves a waker in the step in which it finds that its turn has not come. So whoever passes a turn on
//!    finds the waker, or the one in line finds its turn.
//! 3. One that gives up after its turn has come passes the turn on.
//! 4. Wakers are user code: nothing is called, cloned or dropped under the lock. If one panics as it is cloned or dropped,
//!    whoever asks has come no further than before, or stands in line with the new waker.
//!
//! Models: `models::gate_*`.

use std::mem;
use std::task::Waker;

use crate::platform::sync::{Mutex, lock};
use crate::protocol::line::Line;

pub(crate) struct Gate {
    /// How many may be inside.
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    inside: usize,
    /// Those in line, in the order in which they came.
    line: Line<Waker>,
    /// Those whose turn has come, and who do not know it yet.
    called: Line<()>,
    /// The number of the next in line.
    next: u64,
    is_closed: bool,
}

/// A number in line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(u64);

/// Why nobody comes in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    Full,
    Closed,
}

/// What came of asking for entry.
#[derive(PartialEq, Eq)]
#[must_use]
pub(crate) enum Asked {
    Inside,
    InLine(Number),
    Closed,
}

impl Gate {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            state: Mutex::default(),
        }
    }

    /// How many are inside, and in line.
    pub(crate) fn snapshot(&self) -> [usize; 2] {
        let state = lock(&self.state);
        [state.inside, state.line.len()]
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).is_closed
    }

    /// Comes in, if nobody waits in line and there is room.
    pub(crate) fn try_enter(&self) -> Result<(), Shut> {
        let mut state = lock(&self.state);
        match state.shut(self.most) {
            Some(shut) => Err(shut),
            None => {
                state.inside += 1;
                Ok(())
            }
        }
    }

    /// Comes in, or waits in line and leaves the waker.
    pub(crate) fn ask(&self, waker: &Waker) -> Asked {
        let mut new = None;
        loop {
            let mut state = lock(&self.state);
            match (state.shut(self.most), new.take()) {
                (None, None) => {
                    state.inside += 1;
                    return Asked::Inside;
                }
                (Some(Shut::Closed), None) => return Asked::Closed,
                (Some(Shut::Full), Some(new)) => return Asked::InLine(state.stand_in_line(new)),
                (Some(Shut::Full), None) => {
                    drop(state);
                    new = Some(waker.clone());
                }
                // Nobody needs the waker, and its destructor may panic: so it goes first.
                (_, unused) => {
                    drop(state);
                    drop(unused);
                }
            }
        }
    }

    /// Comes in, if it is this number's turn; if not, leaves the waker.
    pub(crate) fn ask_again(&self, number: Number, waker: &Waker) -> Asked {
        let mut new = None;
        loop {
            let mut state = lock(&self.state);
            match (state.line.get_mut(number.0), new.take()) {
                (None, None) => {
                    let is_called = state.called.remove(number.0).is_some();
                    return if is_called {
                        Asked::Inside
                    } else {
                        Asked::Closed
                    };
                }
                (Some(old), None) if old.will_wake(waker) => return Asked::InLine(number),
                (Some(old), Some(new)) => {
                    let old = mem::replace(old, new);
                    drop(state);
                    drop(old);
                    return Asked::InLine(number);
                }
                (Some(_), None) => {
                    drop(state);
                    new = Some(waker.clone());
                }
                (None, unused) => {
                    drop(state);
                    drop(unused);
                }
            }
        }
    }

    /// Leaves the gate; returns who is to be woken.
    #[must_use]
    pub(crate) fn leave(&self) -> Option<Waker> {
        lock(&self.state).pass_on()
    }

    /// Leaves the line; returns a waker to drop, and whoever is to be woken instead.
    #[must_use]
    pub(crate) fn give_up(&self, number: Number) -> [Option<Waker>; 2] {
        let mut state = lock(&self.state);
        let own = state.line.remove(number.0);
        let next = if state.called.remove(number.0).is_some() {
            state.pass_on()
        } else {
            None
        };
        [own, next]
    }

    /// Lets nobody in any more; returns those in line, who are to be woken.
    #[must_use]
    pub(crate) fn close(&self) -> Vec<Waker> {
        let mut state = lock(&self.state);
        state.is_closed = true;
        mem::take(&mut state.line).into_values()
    }
}

impl State {
    /// Why nobody comes in now, if so.
    fn shut(&self, most: usize) -> Option<Shut> {
        if self.is_closed {
            return Some(Shut::Closed);
        }
        if self.inside == most {
            return Some(Shut::Full);
        }
        debug_assert!(self.line.is_empty(), "a place is passed on to the first");
        None
    }

    fn stand_in_line(&mut self, waker: Waker) -> Number {
        let number = self.next;
        self.next += 1;
        self.line.push(number, waker);
        Number(number)
    }

    /// Gives the turn of one that is inside to the first in line.
    fn pass_on(&mut self) -> Option<Waker> {
        let Some((number, waker)) = self.line.pop() else {
            self.inside -= 1;
            return None;
        };
        self.called.push(number, ());
        Some(waker)
    }
}
