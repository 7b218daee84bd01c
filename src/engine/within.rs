//! Where the context of a nursery is taken, and where it is entered.
//!
//! It is taken on the thread that opens the nursery, before the body. It might be taken when something of the nursery
//! is first shared, which most nurseries never do; but then the thread may be in one of the children, and have
//! the context of that child.
//!
//! Where the nursery's home runs its children, nothing is entered: the body has the context, and a waiter runs nothing
//! foreign. Nor does a thread enter it that is in the nursery already, as one that runs a sibling. All others enter it
//! for a whole run. A fork has no context of its own: who takes its second closure enters that of the nursery around
//! the fork. There is one, because a pool with a context opens a nursery for a fork that has none around it.

use crate::engine::context::Captured;
use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::engine::special;

impl Seat {
    /// Takes the context of this thread for a nursery that is about to open here, if the pool has one. Returns whether
    /// the body may keep what it spawns: see [`Node::is_permitted`].
    #[inline]
    pub(crate) fn prepare(&self, scope: &Node) -> bool {
        !special::are_there_any() || self.prepare_specially(scope)
    }

    #[cold]
    #[inline(never)]
    fn prepare_specially(&self, scope: &Node) -> bool {
        if let Some(captured) = self.core.capture() {
            scope.rare().context.get_or_init(|| Box::new(captured));
        }
        scope.is_permitted()
    }
}

impl Core {
    /// Takes the context of this thread, if the pool has one.
    pub(crate) fn capture(&self) -> Option<Captured> {
        Captured::here(self.context()?)
    }
}

impl Node {
    /// Runs `f`, which is part of this nursery, in the nursery's context. The seat is this thread's in the same pool.
    #[inline]
    pub(crate) fn in_context<R>(&self, seat: &Seat, f: impl FnOnce() -> R) -> R {
        if !seat.has_context {
            return f();
        }
        let _entered = self.context_elsewhere().map(Captured::enter);
        f()
    }

    /// The context of this nursery, if this thread is not in the nursery.
    #[cold]
    #[inline(never)]
    fn context_elsewhere(&self) -> Option<&Captured> {
        let nursery = self.outwards().find(|scope| !scope.is_fork())?;
        let context = nursery.rare.peek()?.context.get()?.downcast_ref();
        let is_inside = || {
            Frame::with_current(|frame| frame.is_some_and(|frame| frame.find(nursery).is_some()))
        };
        context.filter(|_| !nursery.is_home() && !is_inside())
    }
}
