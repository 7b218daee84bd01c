//! A gate: at most so many are inside, and the others wait in line without a thread.
//!
//! 1. `inside` counts those inside, and those in line whose turn has come. A turn passes from the one that leaves to the
//!    first in line in one step under the lock, so nobody overtakes the line.
//! 2. Each in line leaves a waker in the step in which it finds that its turn has not come. So whoever passes a turn on
//!    finds the waker, or the one in line finds its turn.
//! 3. One that gives up after its turn has come passes the turn on.
//! 4. Wakers are user code: nothing is called, cloned or dropped under the lock.
//!
//! Models: `models::gate_*`.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Waker;

use crate::platform::sync::{Mutex, lock};

pub(crate) struct Gate {
    /// How many may be inside.
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    inside: usize,
    /// Those in line, in the order in which they came.
    line: BTreeMap<Number, Waker>,
    /// Those whose turn has come, and who do not know it yet.
    called: BTreeSet<Number>,
    /// The number of the next in line.
    next: u64,
    is_closed: bool,
}

/// A number in line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
        lock(&self.state).try_enter(self.most)
    }

    /// Comes in, or waits in line and leaves the waker.
    pub(crate) fn ask(&self, waker: &Waker) -> Asked {
        let waker = waker.clone();
        let mut state = lock(&self.state);
        let asked = match state.try_enter(self.most) {
            Ok(()) => Asked::Inside,
            Err(Shut::Closed) => Asked::Closed,
            Err(Shut::Full) => {
                let number = Number(state.next);
                state.next += 1;
                state.line.insert(number, waker);
                return Asked::InLine(number);
            }
        };
        drop(state);
        // Not under the lock.
        drop(waker);
        asked
    }

    /// Comes in, if it is this number's turn; if not, leaves the waker.
    pub(crate) fn ask_again(&self, number: Number, waker: &Waker) -> Asked {
        let new = waker.clone();
        let mut state = lock(&self.state);
        let (asked, unused) = if state.called.remove(&number) {
            (Asked::Inside, Some(new))
        } else if let Some(old) = state.line.get_mut(&number) {
            let old = std::mem::replace(old, new);
            (Asked::InLine(number), Some(old))
        } else {
            (Asked::Closed, Some(new))
        };
        drop(state);
        drop(unused);
        asked
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
        let own = state.line.remove(&number);
        let next = if state.called.remove(&number) {
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
        std::mem::take(&mut state.line).into_values().collect()
    }
}

impl State {
    fn try_enter(&mut self, most: usize) -> Result<(), Shut> {
        if self.is_closed {
            return Err(Shut::Closed);
        }
        if self.inside == most {
            return Err(Shut::Full);
        }
        debug_assert!(self.line.is_empty(), "a place is passed on to the first");
        self.inside += 1;
        Ok(())
    }

    /// Gives the turn of one that is inside to the first in line.
    fn pass_on(&mut self) -> Option<Waker> {
        let Some((number, waker)) = self.line.pop_first() else {
            self.inside -= 1;
            return None;
        };
        self.called.insert(number);
        Some(waker)
    }
}
