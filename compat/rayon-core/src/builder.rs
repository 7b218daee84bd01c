//! How a pool is configured, and why it may be refused.

use std::env;
use std::error::Error;
use std::fmt;
use std::io;
use std::thread;

use crate::registry::{Handler, PanicHandler, Payload, Registry};
use crate::start::{CustomSpawn, DefaultSpawn, ThreadBuilder, ThreadSpawn};
use crate::{ThreadPool, max_num_threads};

type Namer = dyn FnMut(usize) -> String;

/// Configures a [`ThreadPool`], or the global pool.
///
/// # Examples
///
/// ```
/// let pool = rayon_core::ThreadPoolBuilder::new().num_threads(3).build()?;
/// assert_eq!(pool.install(rayon_core::current_num_threads), 3);
/// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
/// ```
pub struct ThreadPoolBuilder<S = DefaultSpawn> {
    num_threads: usize,
    use_current_thread: bool,
    panic_handler: Option<Box<PanicHandler>>,
    thread_name: Option<Box<Namer>>,
    stack_size: Option<usize>,
    start_handler: Option<Box<Handler>>,
    exit_handler: Option<Box<Handler>>,
    spawn: S,
    breadth_first: bool,
}

/// What a builder has come to.
pub(crate) struct Plan<S> {
    pub(crate) num_threads: usize,
    pub(crate) use_current_thread: bool,
    pub(crate) panic_handler: Option<Box<PanicHandler>>,
    pub(crate) thread_name: Option<Box<Namer>>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) start_handler: Option<Box<Handler>>,
    pub(crate) exit_handler: Option<Box<Handler>>,
    pub(crate) spawn: S,
    pub(crate) breadth_first: bool,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        Self {
            num_threads: 0,
            use_current_thread: false,
            panic_handler: None,
            thread_name: None,
            stack_size: None,
            start_handler: None,
            exit_handler: None,
            spawn: DefaultSpawn,
            breadth_first: false,
        }
    }
}

impl ThreadPoolBuilder {
    /// Returns a builder that sets nothing.
    #[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a pool whose threads call `wrapper`, calls `with_pool` with it, and waits for the threads.
    ///
    /// `wrapper` calls [`ThreadBuilder::run`] and may borrow.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// let greeting = String::from("hello");
    /// let hello = |thread: rayon_core::ThreadBuilder| {
    ///     println!("{greeting} from thread {}", thread.index());
    ///     thread.run();
    /// };
    /// let sum = rayon_core::ThreadPoolBuilder::new()
    ///     .build_scoped(hello, |pool| pool.join(|| 1, || 2))?;
    /// assert_eq!(sum, (1, 2));
    /// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
    /// ```
    pub fn build_scoped<W, F, R>(self, wrapper: W, with_pool: F) -> Result<R, ThreadPoolBuildError>
    where
        W: Fn(ThreadBuilder) + Sync,
        F: FnOnce(&ThreadPool) -> R,
    {
        thread::scope(|scope| {
            let wrapper = &wrapper;
            let pool = self.spawn_handler(|thread| {
                let mut builder = thread::Builder::new();
                if let Some(name) = thread.name() {
                    builder = builder.name(name.to_owned());
                }
                if let Some(bytes) = thread.stack_size() {
                    builder = builder.stack_size(bytes);
                }
                builder
                    .spawn_scoped(scope, move || wrapper(thread))
                    .map(drop)
            });
            Ok(with_pool(&pool.build()?))
        })
    }
}

impl<S> ThreadPoolBuilder<S>
where
    S: ThreadSpawn,
{
    /// Makes the pool and starts its threads.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started, or if the current thread is to be part of the pool and is part of another.
    pub fn build(self) -> Result<ThreadPool, ThreadPoolBuildError> {
        Registry::build(self).map(ThreadPool::new_from)
    }

    /// Makes the global pool and waits until its threads have started.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and if there is a global pool.
    pub fn build_global(self) -> Result<(), ThreadPoolBuildError> {
        Registry::build_global(self).map(|registry| registry.wait_until_primed())
    }
}

impl<S> ThreadPoolBuilder<S> {
    /// Sets how threads are started: by a function that has some thread call [`ThreadBuilder::run`].
    ///
    /// The pool does not wait for the threads. They end when the pool has been dropped and all of its jobs are done.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut handles = Vec::new();
    /// let pool = rayon_core::ThreadPoolBuilder::new()
    ///     .num_threads(2)
    ///     .spawn_handler(|thread| {
    ///         handles.push(std::thread::spawn(|| thread.run()));
    ///         Ok(())
    ///     })
    ///     .build()?;
    /// assert_eq!(pool.join(|| 1, || 2), (1, 2));
    /// drop(pool);
    /// handles.into_iter().for_each(|handle| handle.join().unwrap());
    /// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
    /// ```
    pub fn spawn_handler<F>(self, spawn: F) -> ThreadPoolBuilder<CustomSpawn<F>>
    where
        F: FnMut(ThreadBuilder) -> io::Result<()>,
    {
        ThreadPoolBuilder {
            num_threads: self.num_threads,
            use_current_thread: self.use_current_thread,
            panic_handler: self.panic_handler,
            thread_name: self.thread_name,
            stack_size: self.stack_size,
            start_handler: self.start_handler,
            exit_handler: self.exit_handler,
            spawn: CustomSpawn::new(spawn),
            breadth_first: self.breadth_first,
        }
    }

    /// Sets the names of the threads, by their indices.
    pub fn thread_name<F>(mut self, closure: F) -> Self
    where
        F: FnMut(usize) -> String + 'static,
    {
        self.thread_name = Some(Box::new(closure));
        self
    }

    /// Sets the number of threads, which is at most [`max_num_threads`].
    ///
    /// With `0`, or by default, the variable `RAYON_NUM_THREADS` says how many, else the number of CPUs.
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.num_threads = num_threads;
        self
    }

    /// Makes the current thread worker 0 of the pool.
    ///
    /// It computes only for what it waits for itself, and when it [yields](crate::yield_now). It stays part of the pool.
    pub fn use_current_thread(mut self) -> Self {
        self.use_current_thread = true;
        self
    }

    /// Sets what becomes of panics in what nobody waits for. By default they abort the process, and so do panics of the
    /// handler.
    pub fn panic_handler<H>(mut self, panic_handler: H) -> Self
    where
        H: Fn(Payload) + Send + Sync + 'static,
    {
        self.panic_handler = Some(Box::new(panic_handler));
        self
    }

    /// Sets the stack size of the threads, in bytes.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.stack_size = Some(stack_size);
        self
    }

    /// Has workers begin the oldest of the jobs first that were spawned on them.
    #[deprecated(note = "use `scope_fifo` and `spawn_fifo` for similar effect")]
    pub fn breadth_first(mut self) -> Self {
        self.breadth_first = true;
        self
    }

    /// Sets what each thread calls first, with its index.
    pub fn start_handler<H>(mut self, start_handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.start_handler = Some(Box::new(start_handler));
        self
    }

    /// Sets what each thread calls last, with its index.
    pub fn exit_handler<H>(mut self, exit_handler: H) -> Self
    where
        H: Fn(usize) + Send + Sync + 'static,
    {
        self.exit_handler = Some(Box::new(exit_handler));
        self
    }

    pub(crate) fn into_plan(self) -> Plan<S> {
        Plan {
            num_threads: match self.num_threads {
                0 => default_num_threads(),
                some => some,
            }
            .min(max_num_threads()),
            use_current_thread: self.use_current_thread,
            panic_handler: self.panic_handler,
            thread_name: self.thread_name,
            stack_size: self.stack_size,
            start_handler: self.start_handler,
            exit_handler: self.exit_handler,
            spawn: self.spawn,
            breadth_first: self.breadth_first,
        }
    }
}

/// What the environment says, else the number of CPUs. The second name is the older one.
fn default_num_threads() -> usize {
    let of_variable = |name| env::var(name).ok()?.parse::<usize>().ok();
    let of_system = || thread::available_parallelism().map_or(1, usize::from);
    match of_variable("RAYON_NUM_THREADS") {
        Some(0) => of_system(),
        Some(threads) => threads,
        None => match of_variable("RAYON_RS_NUM_CPUS") {
            None | Some(0) => of_system(),
            Some(threads) => threads,
        },
    }
}

impl<S> fmt::Debug for ThreadPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("num_threads", &self.num_threads)
            .field("use_current_thread", &self.use_current_thread)
            .field("thread_name", &self.thread_name.is_some())
            .field("panic_handler", &self.panic_handler.is_some())
            .field("stack_size", &self.stack_size)
            .field("start_handler", &self.start_handler.is_some())
            .field("exit_handler", &self.exit_handler.is_some())
            .field("breadth_first", &self.breadth_first)
            .finish_non_exhaustive()
    }
}

/// Why a pool could not be built.
#[derive(Debug)]
pub struct ThreadPoolBuildError {
    kind: ErrorKind,
}

#[derive(Debug)]
pub(crate) enum ErrorKind {
    GlobalPoolAlreadyInitialized,
    CurrentThreadAlreadyInPool,
    IOError(io::Error),
}

impl ThreadPoolBuildError {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self { kind }
    }

    /// Whether there are no threads on this system.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(&self.kind, ErrorKind::IOError(error) if error.kind() == io::ErrorKind::Unsupported)
    }
}

impl fmt::Display for ThreadPoolBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            // The texts are rayon-core's, since programs compare them.
            ErrorKind::GlobalPoolAlreadyInitialized => {
                f.write_str("The global thread pool has already been initialized.")
            }
            ErrorKind::CurrentThreadAlreadyInPool => {
                f.write_str("The current thread is already part of another thread pool.")
            }
            ErrorKind::IOError(error) => error.fmt(f),
        }
    }
}

impl Error for ThreadPoolBuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            ErrorKind::IOError(error) => Some(error),
            _ => None,
        }
    }
}
