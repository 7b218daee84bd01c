//! How the threads of a pool are started.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;

use crate::registry::Registry;

/// A thread of a pool that is about to start; [`spawn_handler`](crate::ThreadPoolBuilder::spawn_handler) gets one for each.
pub struct ThreadBuilder {
    name: Option<String>,
    stack_size: Option<usize>,
    registry: Arc<Registry>,
    index: usize,
}

impl ThreadBuilder {
    pub(crate) fn new(
        name: Option<String>,
        stack_size: Option<usize>,
        registry: Arc<Registry>,
        index: usize,
    ) -> Self {
        Self {
            name,
            stack_size,
            registry,
            index,
        }
    }

    /// Returns the index of the thread in its pool.
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the name that [`thread_name`](crate::ThreadPoolBuilder::thread_name) gave it.
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the size that [`stack_size`](crate::ThreadPoolBuilder::stack_size) set.
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Works for the pool on the calling thread until the pool ends.
    pub fn run(self) {
        self.registry.work(self.index);
    }
}

impl fmt::Debug for ThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBuilder")
            .field("pool", &self.registry.id())
            .field("index", &self.index)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish()
    }
}

/// Keeps others from implementing [`ThreadSpawn`].
#[derive(Debug)]
pub struct Sealed(());

/// What starts the threads of a pool.
pub trait ThreadSpawn {
    /// Starts a thread that calls [`ThreadBuilder::run`].
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()>;

    #[doc(hidden)]
    fn sealed(&self) -> Sealed;
}

/// Starts threads of the standard library.
#[derive(Debug, Default)]
pub struct DefaultSpawn;

impl ThreadSpawn for DefaultSpawn {
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()> {
        let mut builder = thread::Builder::new();
        if let Some(name) = thread.name() {
            builder = builder.name(name.to_owned());
        }
        if let Some(bytes) = thread.stack_size() {
            builder = builder.stack_size(bytes);
        }
        builder.spawn(|| thread.run()).map(drop)
    }

    fn sealed(&self) -> Sealed {
        Sealed(())
    }
}

/// Starts threads by a function of the user's.
#[derive(Debug)]
pub struct CustomSpawn<F>(F);

impl<F> CustomSpawn<F> {
    pub(crate) fn new(spawn: F) -> Self {
        Self(spawn)
    }
}

impl<F> ThreadSpawn for CustomSpawn<F>
where
    F: FnMut(ThreadBuilder) -> io::Result<()>,
{
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()> {
        (self.0)(thread)
    }

    fn sealed(&self) -> Sealed {
        Sealed(())
    }
}
