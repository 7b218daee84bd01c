//! User code at the two ends of a pool thread's life.
//!
//! The captures of hooks belong to the user, and end with the hooks' pool. So the hooks belong to
//! the pool's handle, and all others know them by weak references only:
//!
//! 1. A core keeps no hook alive, even where a former guest thread, or options that name the pool,
//!    keep the core alive. Nor does the pool of a forked process keep the hooks of threads that it
//!    does not have.
//! 2. A thread of the pool holds the hooks only while it calls one. The handle ends them after it
//!    has waited for these threads, so they end on the handle's thread, and under no lock.
//! 3. A thread that ends its own pool is not waited for, and has yet to call an exit hook. The
//!    handle leaves the hooks to that thread, which ends them after the call.
//! 4. The context of a pool is called by threads that are not the pool's, too, if they open or visit a nursery of it.
//!    A thread that is in such a call while the pool ends is the one that ends the context, when the call returns.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::context::Context;
use crate::engine::crew::{Asked, Start};
use crate::platform::sync::{Arc, Weak};
use crate::platform::thread;
use crate::task::completion::lose;

/// Called with the thread's name.
type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// The hooks of one pool.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) start: Option<Hook>,
    pub(crate) exit: Option<Hook>,
    pub(crate) context: Option<Arc<Context>>,
    /// Has threads of others run the pool's workers.
    pub(crate) threads: Option<Start>,
}

impl Drop for Hooks {
    fn drop(&mut self) {
        for hook in [self.start.take(), self.exit.take()] {
            call(|| drop(hook));
        }
        let start = self.threads.take();
        call(|| drop(start));
    }
}

/// Calls user code. The panic hook reports a panic in it, and the pool does not shrink for it (law E7).
pub(super) fn call(user_code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(user_code)) {
        lose(payload);
    }
}

/// What a thread remembers from its start hook to its exit hook.
struct Entered {
    hooks: Weak<Hooks>,
    /// The hooks themselves, if this thread has ended their pool.
    left: Option<Arc<Hooks>>,
}

thread::thread_local! {
    static ENTERED: RefCell<Option<Entered>> = const { RefCell::new(None) };
}

/// Calls the start hook now, and the exit hook when the result is dropped, with this name.
pub(crate) fn enter(hooks: &Weak<Hooks>, name: String) -> impl Drop + use<> {
    struct Exit {
        name: String,
        /// Of a thread of another pool, in whose start or exit hook a helper has come.
        outer: Option<Entered>,
    }
    impl Drop for Exit {
        fn drop(&mut self) {
            let outer = self.outer.take();
            let entered = ENTERED.try_with(|entered| entered.replace(outer));
            let entered = entered.ok().flatten();
            let hooks =
                entered.and_then(|entered| entered.left.or_else(|| entered.hooks.upgrade()));
            if let Some(exit) = hooks.as_ref().and_then(|hooks| hooks.exit.as_ref()) {
                call(|| exit(&self.name));
            }
        }
    }
    let entered = Entered {
        hooks: Weak::clone(hooks),
        left: None,
    };
    let outer = ENTERED.with(|outer| outer.replace(Some(entered)));
    let hooks = hooks.upgrade();
    if let Some(start) = hooks.as_ref().and_then(|hooks| hooks.start.as_ref()) {
        call(|| start(&name));
    }
    Exit { name, outer }
}

/// Has a thread of others run a helper; drops it if the pool has no hooks any more.
pub(crate) fn ask_for(hooks: &Weak<Hooks>, helper: Box<dyn Asked>) {
    let hooks = hooks.upgrade();
    if let Some(start) = hooks.as_ref().and_then(|hooks| hooks.threads.as_ref()) {
        // What becomes of the helper counts, and not what the function says.
        call(|| drop(start(helper)));
    }
}

/// Whether the calling thread is one of the pool's with these hooks, from its start hook to its exit hook.
pub(crate) fn are_called_here(hooks: &Weak<Hooks>) -> bool {
    let is_here = ENTERED.try_with(|entered| {
        let entered = entered.borrow();
        entered
            .as_ref()
            .is_some_and(|entered| Weak::ptr_eq(&entered.hooks, hooks))
    });
    is_here.unwrap_or(false)
}

/// Whether there is a start hook.
pub(crate) fn have_start(hooks: &Weak<Hooks>) -> bool {
    hooks.upgrade().is_some_and(|hooks| hooks.start.is_some())
}

/// Ends the hooks of a pool whose other threads have ended; or leaves them to the calling thread,
/// if it is a thread of the pool and has its exit hook to call.
pub(crate) fn end(hooks: Arc<Hooks>) {
    let mut hooks = Some(hooks);
    let _are_over = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let ours = hooks.as_ref().map(Arc::as_ptr);
        let is_ours = |entered: &&mut Entered| Some(entered.hooks.as_ptr()) == ours;
        if let Some(entered) = entered.as_mut().filter(is_ours) {
            entered.left = hooks.take();
        }
    });
    drop(hooks);
}
