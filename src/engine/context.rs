//! The context of a pool: user code that takes something of one thread to others, and what it has taken.
//!
//! It belongs to the pool's handle, like hooks. A thread has a strong reference to it only while it calls it. What was
//! taken, and the guard of a thread that has entered it, are dropped under a catch, wherever that happens.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::platform::sync::{Arc, Weak};
use crate::platform::trace;
use crate::task::completion::lose;

/// What `capture` returns.
type Data = Box<dyn Any + Send + Sync>;
type Capture = Box<dyn Fn() -> Option<Data> + Send + Sync>;
type Enter = Box<dyn Fn(&(dyn Any + Send + Sync)) -> Option<Box<dyn Any>> + Send + Sync>;

/// The two functions of a pool's context.
pub(crate) struct Context {
    capture: Option<Capture>,
    enter: Option<Enter>,
}

impl Context {
    pub(crate) fn new<C, G>(
        capture: impl Fn() -> Option<C> + Send + Sync + 'static,
        enter: impl Fn(&C) -> G + Send + Sync + 'static,
    ) -> Self
    where
        C: Send + Sync + 'static,
        G: 'static,
    {
        let capture = move || capture().map(|data| Box::new(data) as Data);
        let enter = move |data: &(dyn Any + Send + Sync)| {
            let data = data.downcast_ref::<C>()?;
            Some(Box::new(enter(data)) as Box<dyn Any>)
        };
        Self {
            capture: Some(Box::new(capture)),
            enter: Some(Box::new(enter)),
        }
    }

    /// The context of a pool that was given none.
    pub(crate) fn by_default() -> Option<Self> {
        trace::IS_ON.then(|| Self::new(trace::current, trace::enter))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let (capture, enter) = (self.capture.take(), self.enter.take());
        survive(|| drop(capture));
        survive(|| drop(enter));
    }
}

/// Calls user code. The panic hook reports a panic in it, which concerns nobody else (law E7).
fn survive<R>(user_code: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(user_code)).map_err(lose).ok()
}

/// What was taken from a thread.
pub(crate) struct Captured {
    context: Weak<Context>,
    data: Option<Data>,
}

impl Captured {
    /// Takes what the context takes of this thread; none if that panics.
    #[cold]
    pub(crate) fn here(context: &Weak<Context>) -> Option<Self> {
        let called = context.upgrade()?;
        let data = survive(called.capture.as_ref()?).flatten()?;
        Some(Self {
            context: Weak::clone(context),
            data: Some(data),
        })
    }

    /// Enters it on this thread until the result is dropped.
    #[must_use]
    pub(crate) fn enter(&self) -> Entered {
        let enter = || {
            let called: Arc<Context> = self.context.upgrade()?;
            survive(|| called.enter.as_ref()?(self.data.as_deref()?)).flatten()
        };
        Entered(enter())
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        let data = self.data.take();
        survive(|| drop(data));
    }
}

/// What a thread has entered: the user's guard, if there is one.
pub(crate) struct Entered(Option<Box<dyn Any>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let guard = self.0.take();
        survive(|| drop(guard));
    }
}
