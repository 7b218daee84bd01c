//! The children of one pool that may block and wait for a thread.

use crate::engine::node::Node;
use crate::engine::report::Id;
use crate::engine::shared::Run;
use crate::protocol::side::Side;

/// The number of side threads of a pool that does not say how many: as many blocking calls as a
/// client usually has open at once.
pub(crate) const MOST: usize = 64;

/// The side threads of one pool, and the blocking children that wait for them.
pub(crate) struct Blocking {
    pub(super) side: Side<Run>,
}

impl Blocking {
    /// Makes the blocking part of a pool with `most` side threads at a time. If `most` is zero,
    /// waiters run all blocking children.
    pub(crate) fn new(most: usize) -> Self {
        let side = Side::new(most);
        Self { side }
    }

    /// Entries queued, threads ready, threads living; for people to read.
    pub(crate) fn snapshot(&self) -> [usize; 3] {
        self.side.snapshot()
    }

    /// The nurseries of the children that wait for a thread.
    pub(crate) fn whose(&self) -> Vec<Id> {
        self.side.each(|run| Id::of(run.scope()))
    }

    pub(crate) fn is_starved(&self) -> bool {
        self.side.is_starved()
    }

    /// Takes the first queued child of `scope` or of a nursery below it.
    pub(crate) fn take_below(&self, scope: &Node) -> Option<Run> {
        self.side.take(|run| run.scope().is_within(scope))
    }

    /// Lets every side thread end once the queue is empty.
    pub(crate) fn close(&self) {
        self.side.close();
    }
}
