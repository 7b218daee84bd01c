//! What a pool needs whose workers come on threads of others: see `recruiting`.

use std::io;
use std::time::Duration;

use crate::platform::clock::{self, Tick};
use crate::platform::sync::Mutex;
use crate::protocol::helpers::Helpers;

/// A helper that was asked for. Dropping it refuses it.
pub(crate) trait Asked: Send + Sync {
    /// Works for the pool on this thread, until there has been nothing to do for a while.
    fn run(self: Box<Self>);
    fn number(&self) -> usize;
    fn name(&self) -> &str;
    fn stack_size(&self) -> Option<usize>;
}

/// Has a thread run the helper, or refuses it.
pub(crate) type Start = Box<dyn Fn(Box<dyn Asked>) -> io::Result<()> + Send + Sync>;

/// The helpers of one pool.
pub(crate) struct Crew {
    pub(super) helpers: Helpers,
    /// Whether the recruiter's thread has started.
    pub(super) is_attended: Mutex<bool>,
    begun: Tick,
}

impl Crew {
    pub(super) fn new(most: usize) -> Self {
        Self {
            helpers: Helpers::new(most),
            is_attended: Mutex::new(false),
            begun: clock::tick(),
        }
    }

    /// The time since the pool was made.
    pub(super) fn now(&self) -> Duration {
        clock::tick() - self.begun
    }
}
