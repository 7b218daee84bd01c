//! Waiting without running foreign code.
//!
//! The body of nursery N, waiting for a child or for the end:
//!
//! 0. the awaited child itself, claimed by its handle (done by the caller);
//! 1. N's own unstarted children, oldest first; then what it exposed and nobody took; then strays
//!    of N or of nurseries below it;
//! 3. spin for a moment;
//! 4. expose everything, give the place up, park.
//!
//! A child that waits for a sibling it spawned does 0, 3 and 4 only. (Step 2, leapfrogging, takes
//! work from the thread that runs a stolen child.) Blocking children belong to side threads, but
//! a waiter about to park runs those of its own that no side thread will come for.
//!
//! A waiter is unparked by what it waits for: the last unit of the count, the finish of a child
//! it asked to be told of, a stray of its nursery. Each of them leaves a token in its parker after
//! the fact, and the waiter looks for the fact between taking tokens, so none is missed.

use crate::engine::frame::{Frame, ScopeFrame};
use crate::engine::seat::Seat;
use crate::engine::shared::Doing;
use crate::platform::thread::spin_loop;
use crate::task::record::{Class, Handle, Running};

/// Rounds of the pause instruction before parking: about 2 us, the cost of finding out that a
/// short sibling ends at once.
const SPINS: usize = 100;

/// What a thread waits for.
trait Awaited {
    fn is_over(&self) -> bool;

    /// Arranges for this thread to be unparked when it is over; false if that comes too late.
    fn ask_for_wake(&self) -> bool;

    /// The right to run it, if it is one child that nobody has started.
    fn claim(&self) -> Option<Running>;
}

impl<T> Awaited for Handle<T> {
    fn is_over(&self) -> bool {
        self.outcome().is_some()
    }

    fn ask_for_wake(&self) -> bool {
        Handle::ask_for_wake(self)
    }

    fn claim(&self) -> Option<Running> {
        Handle::claim(self)
    }
}

/// The end of a nursery, seen from its body's frame.
struct End<'a>(&'a Frame<'a>, &'a ScopeFrame);

impl Awaited for End<'_> {
    fn is_over(&self) -> bool {
        self.0.list.is_empty() && self.1.count.is_zero()
    }

    fn ask_for_wake(&self) -> bool {
        // Whoever releases the last unit always unparks the home.
        true
    }

    fn claim(&self) -> Option<Running> {
        None
    }
}

impl Seat {
    /// Waits in the body of `scope`, the innermost frame, until all of its children have ended.
    pub(crate) fn wait_for_end(&self, body: &Frame<'_>, scope: &ScopeFrame) {
        self.wait(body, scope, &End(body, scope));
    }

    /// Waits until a child of `scope` has ended: runs it here if nobody has started it.
    pub(crate) fn wait_for_child<T>(&self, scope: &ScopeFrame, child: &Handle<T>) {
        if child.class() == Class::Compute
            && let Some(child) = child.claim()
        {
            self.answer_request();
            Frame::run_child(self, scope, child);
            return self.forget_claimed(scope);
        }
        let outside = Frame::root(self);
        Frame::with_current(|frame| self.wait(frame.unwrap_or(&outside), scope, child));
    }

    /// Lets go of queue references to children of `scope` that handles have claimed, so that a
    /// task that spawns and joins for ever keeps no memory.
    fn forget_claimed(&self, scope: &ScopeFrame) {
        if scope.is_home() {
            Frame::with_current(|current| {
                if let Some(frame) = current.and_then(|frame| frame.find(scope)) {
                    frame.list.note_claim();
                }
            });
        }
        while let Some(entry) = self.deque.pop() {
            if !entry.is_stale() {
                return self.deque.push(entry);
            }
            entry.run(self);
        }
    }

    fn wait(&self, frame: &Frame<'_>, scope: &ScopeFrame, awaited: &impl Awaited) {
        let helps = frame.is_body_of(scope);
        while !awaited.is_over() {
            if (helps && self.help(frame, scope)) || spin_until(|| awaited.is_over()) {
                continue;
            }
            self.expose_all();
            if self.run_blocking(scope, helps, awaited) || !awaited.ask_for_wake() {
                continue;
            }
            self.slot().set_doing(Doing::Waiting);
            self.without_place(|| self.slot().parker.park());
            self.slot().set_doing(Doing::Running);
        }
    }

    /// Runs one child that a waiter in the body of `scope` may run.
    fn help(&self, body: &Frame<'_>, scope: &ScopeFrame) -> bool {
        if let Some(child) = body.list.pop() {
            self.answer_request();
            if let Some(child) = child.take() {
                Frame::run_child(self, scope, child);
            }
            return true;
        }
        if scope.count.is_zero() {
            return false;
        }
        if let Some(entry) = self.deque.pop() {
            if entry.scope().is_within(scope) {
                entry.run(self);
                return true;
            }
            // An outer nursery's: none of this one is in there, see `publish`.
            self.deque.push(entry);
        }
        let stray = self
            .core
            .strays
            .take(|entry| entry.scope().is_within(scope));
        let found = stray.is_some();
        if let Some(entry) = stray {
            entry.run(self);
        }
        found
    }

    /// Runs one blocking child that no side thread will come for: the awaited one, or one that
    /// `helps` allows.
    fn run_blocking(&self, scope: &ScopeFrame, helps: bool, awaited: &impl Awaited) -> bool {
        let blocking = &self.core.blocking;
        if !blocking.is_starved() {
            return false;
        }
        if let Some(child) = awaited.claim() {
            self.without_place(|| Frame::run_child(self, scope, child));
            return true;
        }
        let Some(entry) = helps.then(|| blocking.take_below(scope)).flatten() else {
            return false;
        };
        self.without_place(|| entry.run(self));
        true
    }
}

/// Looks for a moment whether it is over; true as soon as it is.
fn spin_until(is_over: impl Fn() -> bool) -> bool {
    (0..SPINS).any(|_| {
        spin_loop();
        is_over()
    })
}
