//! Visits: code that is part of a nursery, on a thread that runs none of its children.
//!
//! A *visitor* is a call on such a thread, below something that the nursery waits for. Its frame is that of a child
//! that may block: it keeps nothing that it spawns, and takes a place only while it has a nursery open. What the visitor
//! was told of a cancellation concerns the task that it works for, on another thread. So it is noted at the *host*, and
//! the task's own thread passes it on when the host ends.
#![allow(unsafe_code, reason = "from the innermost frame to its nursery")]

use std::fmt;
use std::panic::resume_unwind;

use crate::engine::frame::Frame;
use crate::engine::seat::Seat;
use crate::platform::process::Process;
use crate::platform::sync::atomic::{AtomicU8, Ordering};
use crate::scope::lineage::{self, Task, Told};
use crate::scope::{Scope, catching};

/// A nursery that code on other threads may visit.
pub(crate) struct Host<'a> {
    scope: &'a Scope,
    /// What its visitors were told: flags of [`Told`].
    told: AtomicU8,
    /// In a process that is forked meanwhile, the nursery may be on a stack that is not there.
    process: Process,
}

/// Calls `f` with the innermost nursery on this thread, if there is one. The nursery is open until `f` returns.
pub(crate) fn with_host<R>(f: impl FnOnce(Option<&Host<'_>>) -> R) -> R {
    Frame::with_current(|frame| {
        // SAFETY: the innermost nursery of an entered frame is open, or there is none; `f` runs on top of the frame.
        let node = frame.and_then(|frame| unsafe { frame.enclosing().as_ref() });
        let Some(node) = node else { return f(None) };
        let host = Host {
            // SAFETY: every `Node` lies at the front of a `Scope`.
            scope: unsafe { Scope::of_node(node) },
            told: AtomicU8::new(0),
            process: Process::this(),
        };
        let result = f(Some(&host));
        let told = Told::most_of(host.told.load(Ordering::Relaxed));
        if host.process.is_this() && told != Told::Nothing {
            lineage::tell(host.scope, told);
        }
        result
    })
}

impl Host<'_> {
    /// Calls `f` as a part of the nursery.
    pub(crate) fn visit<R>(&self, f: impl FnOnce() -> R) -> R {
        if !self.process.is_this() {
            return f();
        }
        self.scope.visit_and(f, |told| {
            // ORDERING: Relaxed: whoever called `with_host` waits for its visitors by means of its own.
            self.told.fetch_or(told.flag(), Ordering::Relaxed);
        })
    }
}

impl Scope {
    /// Calls `f` as a part of this nursery, for no task of it in particular.
    pub(crate) fn visit<R>(&self, f: impl FnOnce() -> R) -> R {
        self.visit_and(f, |told| self.note_told(told))
    }

    fn visit_and<R>(&self, f: impl FnOnce() -> R, note: impl FnOnce(Told)) -> R {
        let is_innermost = std::ptr::eq(Frame::innermost_nursery(), &raw const self.node);
        // In a forked process there is nothing to be part of.
        if is_innermost || self.node.core().is_orphan() {
            return f();
        }
        let process = Process::this();
        let task = Task::visitor(self);
        let result = Seat::with(self.node.core(), |seat| {
            self.node.in_context(seat, || {
                Frame::around_visitor(seat, &self.node, || catching(|| task.enter(f)))
            })
        });
        if process.is_this() && task.told() != Told::Nothing {
            note(task.told());
        }
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.process.is_this() {
            return f.debug_struct("Current").finish_non_exhaustive();
        }
        f.debug_struct("Current")
            .field(
                "name",
                &self.scope.terms().and_then(|terms| terms.name.as_deref()),
            )
            .field("pool", &self.scope.node.core().name())
            .field("cancelled", &self.scope.cancelled())
            .finish()
    }
}
