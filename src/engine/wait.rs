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
use crate::task::record::Running;

/// Rounds of the pause instruction before parking: about 2 us, the cost of finding out that a
/// short sibling ends at once.
const SPINS: usize = 100;

impl Seat {
    /// Waits in the body of `scope` until all of its children have ended.
    pub(crate) fn wait_for_end(&self, body: &Frame<'_>, scope: &ScopeFrame) {
        self.wait(
            body,
            scope,
            || body.list.is_empty() && scope.count.is_zero(),
            || true,
            || None,
        );
    }

    /// Waits until `is_done`, in `frame`, the innermost one of this thread.
    ///
    /// `may_park` is asked before each parking; it arranges for the wake-up, or answers false if
    /// that would come too late. `claim` gives the awaited child, if it is a blocking one.
    pub(crate) fn wait(
        &self,
        frame: &Frame<'_>,
        scope: &ScopeFrame,
        is_done: impl Fn() -> bool,
        may_park: impl Fn() -> bool,
        claim: impl Fn() -> Option<Running>,
    ) {
        let may_help = frame.is_body_of(scope);
        'wait: while !is_done() {
            if may_help && self.help(frame, scope) {
                continue;
            }
            for _ in 0..SPINS {
                spin_loop();
                if is_done() {
                    break 'wait;
                }
            }
            self.expose_all();
            if self.run_blocking(may_help.then_some(scope), &claim, scope) || !may_park() {
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

    /// Runs one blocking child that no side thread will come for.
    fn run_blocking(
        &self,
        below: Option<&ScopeFrame>,
        claim: impl Fn() -> Option<Running>,
        scope: &ScopeFrame,
    ) -> bool {
        let blocking = &self.core.blocking;
        if !blocking.is_starved() {
            return false;
        }
        if let Some(child) = claim() {
            self.without_place(|| Frame::run_child(self, scope, child));
            return true;
        }
        let Some(entry) = below.and_then(|scope| blocking.take_below(scope)) else {
            return false;
        };
        self.without_place(|| entry.run(self));
        true
    }
}
