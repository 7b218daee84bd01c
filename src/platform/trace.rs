//! The feature `tracing`: spans and events. Without the feature, nothing: no code is left of a call.
//!
//! What the program has subscribed with is user code. So each call of it is under a catch, and it is called where
//! user code may run: under no lock, and never between the last look of a thread and its sleep.

#[cfg(not(feature = "tracing"))]
mod off {
    /// No span: there is no value of it.
    pub(crate) enum Span {}

    /// What ends when it is dropped.
    pub(crate) struct Entered;

    /// Whether anything is traced.
    pub(crate) const IS_ON: bool = false;

    pub(crate) fn current() -> Option<Span> {
        None
    }

    pub(crate) fn enter(span: &Span) -> Entered {
        match *span {}
    }

    #[allow(clippy::inline_always, reason = "nothing is to be left of it")]
    #[inline(always)]
    pub(crate) fn nursery<'a>(_name: impl FnOnce() -> Option<&'a str>) -> Entered {
        Entered
    }

    #[allow(clippy::inline_always, reason = "nothing is to be left of it")]
    #[inline(always)]
    pub(crate) fn event(_event: impl FnOnce() -> super::Event) {}
}

#[cfg(feature = "tracing")]
mod on {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tracing::span::EnteredSpan;
    use tracing::{Level, enabled, info_span, trace};

    use super::Event;
    use crate::platform::payload::lose;

    pub(crate) use tracing::Span;

    /// Whether anything is traced.
    pub(crate) const IS_ON: bool = true;

    /// A span that this thread is in, until this is dropped.
    pub(crate) struct Entered(Option<EnteredSpan>);

    impl Drop for Entered {
        fn drop(&mut self) {
            let span = self.0.take();
            survive(|| drop(span));
        }
    }

    fn survive<R>(user_code: impl FnOnce() -> R) -> Option<R> {
        catch_unwind(AssertUnwindSafe(user_code)).map_err(lose).ok()
    }

    /// The span that this thread is in, if there is one.
    pub(crate) fn current() -> Option<Span> {
        let span = survive(Span::current)?;
        (!span.is_none()).then_some(span)
    }

    /// Enters a span on this thread.
    pub(crate) fn enter(span: &Span) -> Entered {
        Entered(survive(|| span.clone().entered()))
    }

    /// Opens a span for a nursery that has a name, and enters it.
    pub(crate) fn nursery<'a>(name: impl FnOnce() -> Option<&'a str>) -> Entered {
        let open = |name| survive(|| info_span!(target: "hatchery", "nursery", name).entered());
        Entered(name().and_then(open))
    }

    /// Reports an event, which is made if somebody wants it.
    pub(crate) fn event(event: impl FnOnce() -> Event) {
        survive(|| {
            if !enabled!(target: "hatchery", Level::TRACE) {
                return;
            }
            match event() {
                Event::WorkerThread { pool } => {
                    trace!(target: "hatchery", pool, "worker_thread");
                }
                Event::RunStolen {
                    pool,
                    victim,
                    children,
                } => trace!(target: "hatchery", pool, victim, children, "run_stolen"),
                Event::ThreadIdle { pool } => trace!(target: "hatchery", pool, "thread_idle"),
                Event::ThreadActive { pool } => trace!(target: "hatchery", pool, "thread_active"),
            }
        });
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) use off::*;
#[cfg(feature = "tracing")]
pub(crate) use on::*;

/// What is reported, each with the name of the pool. The names are rayon's where rayon has the same.
#[cfg_attr(
    not(feature = "tracing"),
    allow(dead_code, reason = "without the feature nobody makes one")
)]
pub(crate) enum Event {
    /// A worker has started.
    WorkerThread { pool: String },
    /// This thread has taken that many children from another one.
    RunStolen {
        pool: String,
        victim: String,
        children: u32,
    },
    /// This thread has nothing to do while it waits in a nursery, and is about to park.
    ThreadIdle { pool: String },
    /// The wait goes on, or is over.
    ThreadActive { pool: String },
}
