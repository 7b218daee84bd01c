//! What a forked process keeps of the stack of its only thread.

use std::ptr;

use super::{CURRENT, Frame};

impl Frame<'_> {
    /// Takes this thread out of the nurseries of other threads, and out of all that is outside
    /// them. True if there was such a nursery.
    ///
    /// This is for a forked process, on its only thread, before anything else runs there. The
    /// nurseries of other threads lie on the stacks of threads that are not in this process, and
    /// the system may reuse these stacks. Nurseries that this thread opens next are not below them,
    /// and neither are nurseries that it has open inside them.
    pub(crate) fn forget_foreign_stack() -> bool {
        Frame::with_current(|innermost| {
            let innermost = innermost.filter(|frame| frame.stack().any(Frame::is_foreign));
            innermost.map(Frame::forget_the_foreign).is_some()
        })
    }

    /// Cuts this innermost frame's stack at the first foreign frame. No frame outside the cut names
    /// another any more, so when one of them ends, none becomes the innermost again.
    fn forget_the_foreign(&self) {
        let own = self.stack().take_while(|frame| !frame.is_foreign());
        // A latent fork names the nursery around it: a fork right on top of a foreign frame goes
        // with that frame.
        let last = own.filter(|frame| !frame.is_latent()).last();
        if last.is_none() {
            CURRENT.set(ptr::null());
        }
        let mut is_kept = last.is_some();
        let mut next = Some(self);
        while let Some(frame) = next {
            next = frame.stack().nth(1);
            is_kept &= last.is_none_or(|last| !ptr::eq(last, frame));
            if !is_kept {
                frame.outer.set(ptr::null());
            }
            if let Some(scope) = frame.nursery_of_this_thread() {
                scope.forget_foreign_parent();
            }
        }
    }

    /// Whether this frame is part of a nursery of another thread, or the bottom of a pool thread's
    /// stack.
    fn is_foreign(&self) -> bool {
        !self.is_latent() && !self.is_home()
    }
}
