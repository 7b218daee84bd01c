//! Pools: threads that compute children, and how to configure them.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::num::{IntErrorKind, NonZero};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use crate::dump::{self, PoolSnapshot};
use crate::engine::blocking;
use crate::engine::core::{Config, Core};
use crate::engine::frame::Frame;
use crate::engine::hooks::{self, Hooks};
use crate::engine::watchdog::Watchdog;
use crate::platform::cpus;
use crate::platform::lazy::Lazy;
use crate::platform::process::{self, PerProcess};
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::platform::sync::{Arc, statics};
use crate::scope::{self, Seat};
use crate::stats::PoolStats;

/// How many threads a pool has that does not set its own number.
const VARIABLE: &str = "HATCHERY_THREADS";

/// The smallest stack of a pool's thread, in bytes: a child of a nursery in a child is 9 KiB down in
/// a debug build, and the 16 KiB that Linux gives at least overflowed.
const LEAST_STACK: usize = 64 << 10;

/// Spare workers of a pool that does not set a number: as many blocking calls as a client usually has
/// open at once.
const SPARES: usize = 64;

/// Threads that children run on.
///
/// A pool of four threads has four workers. A *caller*, a thread that is none of the pool's and has a
/// nursery of it open, computes as well, and one worker stands down for each caller. So four threads
/// compute at a time, unless there are more callers than that: no caller ever waits for its turn, and a
/// hundred callers of a pool of two compute on a hundred threads, while its workers stand by. Bound the
/// callers in front of the pool if that is too many.
///
/// The threads start with the first child, not before. If the system refuses a thread, the pool does
/// without it: the thread that opened a nursery can always do all of the work.
///
/// Most programs need only the [shared](Self::shared) pool and the free functions. Each free function that
/// opens a nursery, forks or holds a race is a method of a pool, too, and of [`Options`](crate::Options).
///
/// ```
/// let pool = hatchery::Pool::builder().threads(2).name("search").build()?;
/// let (a, b) = pool.join(|| 1 + 1, || 2 + 2);
/// assert_eq!((a, b), (2, 4));
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
///
/// # The end of a pool
///
/// [`shutdown`](Self::shutdown) and dropping it are the same: both wait until its threads have ended,
/// the destructors of their thread-locals and the exit hook included. Then they drop the hooks, with all
/// that these have captured. If one of the pool's own threads ends the pool, it waits for the others, and
/// drops the hooks after it has called its exit hook. The end of the process waits for nobody, whatever
/// the pools do at that time.
///
/// On Windows, do not leave the last handle of a pool to a thread-local: its destructor runs under a lock
/// of the system that ending threads need, so it would wait for ever.
///
/// One thread belongs to no pool: it watches the deadlines of all nurseries. It ends with any pool that ends
/// while no nursery has a deadline, and by itself after ten seconds without one. So after the end of the
/// last pool the process has no thread of this crate, unless one of the pool's own threads has ended the
/// pool, or a nursery with a deadline was opened afterwards.
///
/// # Signals
///
/// On Unix, the threads that a pool starts block all signals that another thread of the process may be
/// meant to take. So a host that waits for `SIGTERM` by `sigwait` or `signalfd` gets it, whether or not a
/// pool had started before the host blocked it. Not blocked are signals that a thread causes itself
/// (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`, `SIGTRAP`, `SIGSYS`, `SIGABRT`, `SIGPIPE`, `SIGXFSZ`), and
/// those by which profilers sample the threads that run (`SIGPROF`, `SIGVTALRM`). The mask of the threads
/// that open nurseries stays as it is.
///
/// A program that a child starts inherits the mask of its thread; where this matters, see
/// [`PoolBuilder::inherit_signal_mask`]. A process that is forked by a child, without a new program,
/// has the mask of the thread that started the child's thread.
///
/// # `fork`
///
/// A process that was forked has none of its parent's threads. Its first nursery on any pool starts
/// new ones. A nursery that was open during the fork has no thread but the one that forked. That thread
/// runs what it holds of the nursery and what it spawns into it, blocking children too, and so it does with
/// nurseries that the free functions open in it: they use its pool, which is as one whose threads are all
/// refused. Nurseries that are opened there by the methods of a pool have threads. Where the thread would
/// wait for another one, or another one spawns into the nursery, the process prints a message and aborts.
/// What the thread opens next is not below a nursery of another thread, and neither is what it had opened
/// below one. A thread of the pool that comes back from a child that has called `fork` aborts, too; it had
/// better end the process, or `exec`: what such a child borrows lies on the stack of a thread that is not
/// there. Should another thread have been starting or ending during the fork, the standard library may not
/// be able to start any in the new process.
///
/// A pool learns of a fork from the C library. A process that the system calls `clone`, `clone3` or `fork`
/// have made behind the library's back must not use the pools of its parent: it would wait for threads
/// that are not there.
pub struct Pool {
    cores: Arc<Cores>,
    /// Until it is dropped.
    hooks: Option<Arc<Hooks>>,
}

/// A pool in each of the processes that were forked from the one that made it.
type Cores = PerProcess<Arc<Core>>;

/// The pool in this process.
#[inline]
fn core(cores: &Cores) -> &Arc<Core> {
    cores.get(|core| core.reborn())
}

impl Pool {
    /// The largest number of threads a pool may have.
    pub const MAX_THREADS: usize = 1024;

    /// The pool of the free functions; it lives as long as the process.
    ///
    /// It has a thread for every CPU that this process may use: quotas are considered (one and a half
    /// CPUs are one), and so is the affinity of the process, which on Linux is its main thread's. A thread
    /// that is restricted to some CPUs makes the pool neither smaller nor slower when it is the first to use
    /// it: the pool's threads may run wherever the main thread may.
    ///
    /// If the environment variable `HATCHERY_THREADS` is a whole number from 1 on, the pool has that many
    /// threads instead, at most [`MAX_THREADS`](Self::MAX_THREADS). The first time that it is anything
    /// else, but for empty, the process says so on its standard error; it is ignored then.
    ///
    /// # In tests
    ///
    /// `cargo test` shows what a thread prints, a panic's text included, with the test that started the
    /// thread. The threads of this pool are started by the test that uses it first. So if a child of another
    /// test panics on one of them, its text is shown with the first test, or nowhere if that one has
    /// passed: the other test fails without a word. The standard library tells nobody whether a thread's
    /// output is kept like this, and to print the text again would print it twice everywhere else. Have such
    /// a test use a pool of its own, whose threads are started by that test, or run it with `--nocapture`.
    ///
    /// ```
    /// fn a_test() {
    ///     let pool = hatchery::Pool::builder().threads(2).build().unwrap();
    ///     let sum = pool.nursery(|n| n.spawn(|| 1 + 1).join());
    ///     assert_eq!(sum, 2);
    /// }
    /// # a_test();
    /// ```
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: Lazy<Pool> = Lazy::new();
        SHARED.get_or(Self::new_shared)
    }

    #[cold]
    #[inline(never)]
    fn new_shared() -> Self {
        if cfg!(hatchery_shuttle) {
            panic!("this pool would outlive the execution");
        }
        let threads = default_threads(|| cpus::with_those_of_process(cpus::count));
        let mut builder = Self::builder().threads(threads);
        builder.on_all_cpus = true;
        match builder.build() {
            Ok(pool) => pool,
            Err(error) => panic!("the shared pool: {error}"),
        }
    }

    /// Starts the configuration of a new pool.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// How many threads compute at a time.
    ///
    /// The free [`threads`] answers for the current pool.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.threads(), 2);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    #[must_use]
    pub fn threads(&self) -> usize {
        self.core().threads()
    }

    #[inline]
    fn core(&self) -> &Arc<Core> {
        core(&self.cores)
    }

    /// Ends the pool's threads and waits for them, then drops its hooks; dropping the pool does the same.
    ///
    /// A destructor of what a hook has captured may panic: the panic hook reports it, and that is all.
    ///
    /// # Blocking
    ///
    /// Until the threads have ended, the destructors of their thread-locals included; but not for the
    /// calling thread, should it be one of them. Every nursery opened by [`Pool::nursery`] has ended
    /// before. One that an [`Options`](crate::Options::pool) of this pool opens afterwards is its
    /// caller's work alone.
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.join(|| 1, || 2), (1, 2));
    /// pool.shutdown(); // none of its threads is there any more
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn shutdown(self) {
        drop(self);
    }

    /// What has happened in the pool so far.
    ///
    /// It takes a few nanoseconds per thread that has a part in the pool, disturbs none of them, and
    /// starts none.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        PoolStats::of(self.core())
    }

    /// What the pool is doing right now: its open nurseries, and what its threads run and wait for.
    ///
    /// It can be asked for from anywhere, also in a child, and starts no threads. Each thread that has a
    /// nursery of the pool open says what it has: one that sleeps in a nursery is woken for that, one that
    /// runs does so when it next spawns, forks or begins a child. Whoever has not answered after 100 ms
    /// does none of this, and is listed as such. Workers without work stay asleep.
    #[must_use]
    pub fn dump(&self) -> PoolSnapshot {
        PoolSnapshot::of(self.core())
    }

    pub(crate) fn home(&self) -> Home {
        Home(Arc::clone(&self.cores))
    }

    /// Calls `f` with this thread's seat in this pool.
    pub(crate) fn with_seat<R>(&self, f: impl FnOnce(&Seat) -> R) -> R {
        Seat::with(self.core(), f)
    }
}

/// A pool, for those who outlive the borrow of it.
#[derive(Clone)]
pub(crate) struct Home(Arc<Cores>);

// As a pool, and so are options that name one.
impl UnwindSafe for Home {}
impl RefUnwindSafe for Home {}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core(&self.0).name())
    }
}

/// Calls `f` with this thread's seat in that pool, else in the current one.
pub(crate) fn with<R>(home: Option<&Home>, f: impl FnOnce(&Seat) -> R) -> R {
    match home {
        Some(home) => Seat::with(core(&home.0), f),
        None => with_current(f),
    }
}

/// Calls `f` with this thread's seat in the current pool.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(&Seat) -> R) -> R {
    Frame::with_current(|current| {
        let guest;
        let seat = match current {
            Some(frame) => frame.seat,
            None => {
                guest = Seat::guest(Pool::shared().core());
                &*guest
            }
        };
        f(seat)
    })
}

/// How many threads compute at a time in the current pool: the [`threads`](Pool::threads) of the pool that
/// [`nursery`](crate::nursery()) would open on here.
///
/// Use it to decide how finely to split work, not how many children to spawn: spawn as many as the work
/// has parts. The number does not change while the pool is there. It starts no thread.
///
/// # Examples
///
/// ```
/// let pool = hatchery::Pool::builder().threads(3).build()?;
/// assert_eq!(pool.nursery(|n| n.spawn(hatchery::threads).join()), 3);
/// assert_eq!(hatchery::threads(), hatchery::Pool::shared().threads());
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[must_use]
pub fn threads() -> usize {
    Frame::with_current(|current| match current {
        Some(frame) => frame.seat.core.threads(),
        None => Pool::shared().threads(),
    })
}

/// Calls `f`, which may block, in place: the calling thread lends its place in the pool to another one
/// meanwhile.
///
/// For a call that waits inside a child or body that otherwise computes; a child that does little else
/// is better spawned as [blocking](crate::Nursery::spawn_blocking). What this thread has spawned and not
/// started is for others at once, but for the items that follow in a batch of `spawn_each` and second
/// closures more than eight forks deep; and a spare thread comes if none of the pool's is idle and there
/// is something to do. Where that is not possible ([`PoolBuilder::spare_threads`]), it just blocks. When
/// `f` returns this thread goes on at once, and another one stands down after its present child.
///
/// Outside of any nursery, and in a blocking child, it calls `f` and that is all.
///
/// ```
/// use std::sync::mpsc;
///
/// let (sender, receiver) = mpsc::channel();
/// let sum = hatchery::nursery(|n| {
///     n.spawn(move || sender.send(20));
///     let received = hatchery::block_in_place(|| receiver.recv());
///     received.unwrap() + 1
/// });
/// assert_eq!(sum, 21);
/// ```
///
/// # Blocking
///
/// While `f` runs, this thread runs children only where `f` joins them or opens a nursery.
///
/// # Panics
///
/// If `f` does.
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    scope::block_in_place(f)
}

// A panic never leaves a pool half changed: its threads catch what they run.
impl UnwindSafe for Pool {}
impl RefUnwindSafe for Pool {}

impl Drop for Pool {
    fn drop(&mut self) {
        // That of this process, which options may name still.
        self.core().shut_down();
        self.hooks.take().into_iter().for_each(hooks::end);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core().fmt(f)
    }
}

/// The configuration of a new [`Pool`].
#[derive(Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct PoolBuilder {
    threads: Option<usize>,
    blocking_threads: Option<usize>,
    name: Option<String>,
    stack_size: Option<usize>,
    spares: Option<usize>,
    hooks: Hooks,
    inherits_signals: bool,
    /// Of the shared pool only.
    on_all_cpus: bool,
    watchdog: Option<Duration>,
}

impl PoolBuilder {
    /// Sets how many threads compute at a time, whatever `HATCHERY_THREADS` says.
    ///
    /// Without it there is one for every CPU that the thread that [builds](Self::build) the pool may use, or
    /// `HATCHERY_THREADS`, see [`Pool::shared`]. Unlike that pool's threads, those of others may run where
    /// the thread may that starts them, so a pool that only restricted threads use stays on their CPUs.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets how many threads at a time run children that may block, 64 without it.
    ///
    /// They come in addition to those that compute, start when they are needed, and end after ten
    /// seconds without work. Further children wait for one of them, or run on a thread that waits for
    /// the end of their nursery: with 0 they all do. Children that wait for each other, through a
    /// channel say, need as many of these threads as there are such children.
    pub fn blocking_threads(mut self, most: usize) -> Self {
        self.blocking_threads = Some(most);
        self
    }

    /// Sets the name of the pool: workers are `NAME-0`, `NAME-1`, .., side threads `NAME-side-1`, ..,
    /// spare ones `NAME-spare-1`, ..
    ///
    /// Without it the name is `hatchery`. Linux shows the first 15 bytes of a thread's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the stack of each of the pool's threads that run children, in bytes.
    ///
    /// A caller's thread runs children too, on the stack that it has: see the crate's front page, "On
    /// which thread".
    ///
    /// Without it the standard library's default holds. Less than 64 KiB is taken for 64 KiB, since
    /// waiting takes some of it. A size that the system refuses means no threads, see [`Pool`].
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets how many threads at most take over for workers that wait or [block in
    /// place](crate::block_in_place).
    ///
    /// Without it they are 64. They start when they are needed, are named `NAME-spare-1`, .., and end
    /// after ten seconds without need. Beyond that number, a worker that blocks is missed.
    pub fn spare_threads(mut self, most: usize) -> Self {
        self.spares = Some(most);
        self
    }

    /// Sets what each of the pool's threads that run children calls first, with its name.
    ///
    /// A caller's thread, which is none of the pool's, runs children without having called it: see the
    /// crate's front page, "On which thread".
    ///
    /// A panic in it is reported by the panic hook and has no other effect.
    pub fn on_thread_start(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.hooks.start = Some(Box::new(hook));
        self
    }

    /// Sets what each of the pool's threads that run children calls last, with its name.
    ///
    /// A panic in it is reported by the panic hook and has no other effect.
    pub fn on_thread_exit(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.hooks.exit = Some(Box::new(hook));
        self
    }

    /// Sets whether each of the pool's threads that run children inherits the signal mask of the thread
    /// that starts it, as threads of the standard library do.
    ///
    /// Without it they block most signals, see [`Pool`]. Set it for a pool whose children start other
    /// programs: a program inherits the signal mask of the thread that starts it, also by
    /// [`std::process::Command`], and one that blocks `SIGINT` and `SIGTERM` cannot be ended by Ctrl-C or
    /// `kill`. Programs that were started by the thread that opened the nursery are not concerned.
    ///
    /// On systems without signals it has no effect.
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().inherit_signal_mask(true).build()?;
    /// # #[cfg(unix)] {
    /// use std::os::unix::process::ExitStatusExt;
    /// use std::process::Command;
    ///
    /// let kill_itself = || Command::new("sh").args(["-c", "kill -TERM $$"]).status();
    /// let status = pool.nursery(|n| n.spawn_blocking(kill_itself).join())?;
    /// assert_eq!(status.signal(), Some(15)); // SIGTERM
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn inherit_signal_mask(mut self, inherit: bool) -> Self {
        self.inherits_signals = inherit;
        self
    }

    /// Has a thread print the pool's [dump](Pool::dump) to the standard error once nothing has happened
    /// for so long while some thread sleeps or [blocks](crate::block_in_place) in a nursery; again only
    /// after something has.
    ///
    /// Something happens when a child is spawned, begins, or is taken by another thread: a single child
    /// that takes longer than that, and that somebody waits for, is reported, too. The thread, `NAME-watchdog`,
    /// starts with the first child that may leave its thread, looks once in that time, at most a thousand
    /// times a second, and wakes no worker. Without this there is none.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = hatchery::Pool::builder().watchdog(Duration::from_secs(30)).build()?;
    /// assert_eq!(pool.join(|| 1, || 2), (1, 2));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn watchdog(mut self, after: Duration) -> Self {
        self.watchdog = Some(after);
        self
    }

    /// Makes the pool. It starts no thread.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid, see [`BuildPoolError`].
    pub fn build(self) -> Result<Pool, BuildPoolError> {
        let threads = self.threads;
        let threads = threads.unwrap_or_else(|| default_threads(cpus::count));
        if threads == 0 {
            return Err(BuildPoolError::ZeroThreads);
        }
        if threads > Pool::MAX_THREADS {
            return Err(BuildPoolError::TooManyThreads { asked: threads });
        }
        let name = self.name.unwrap_or_else(|| "hatchery".to_owned());
        if name.contains('\0') {
            return Err(BuildPoolError::NulInName { name });
        }
        process::at_forks(scope::forget_foreign_stack);
        let hooks = Arc::new(self.hooks);
        let core = Core::new(Config {
            threads,
            blocking_threads: self.blocking_threads.unwrap_or(blocking::MOST),
            spares: self.spares.unwrap_or(SPARES),
            name,
            stack_size: self.stack_size.map(|bytes| bytes.max(LEAST_STACK)),
            inherits_signals: self.inherits_signals,
            on_all_cpus: self.on_all_cpus,
            hooks: Arc::downgrade(&hooks),
            describe: scope::describe,
            watchdog: self.watchdog.map(|every| Watchdog {
                every,
                bark: dump::print,
            }),
        });
        Ok(Pool {
            cores: Arc::new(Cores::new(core)),
            hooks: Some(hooks),
        })
    }
}

/// How many threads a pool has that does not set a number.
fn default_threads(cpus: impl FnOnce() -> usize) -> usize {
    let threads = asked_for().unwrap_or_else(cpus);
    threads.min(Pool::MAX_THREADS)
}

statics! {
    /// Whether this process has said that the variable is ignored.
    static IS_SAID: AtomicBool = AtomicBool::new(false);
}

/// How many the operator asks for.
fn asked_for() -> Option<usize> {
    let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty())?;
    let value = value.to_string_lossy();
    match value.trim().parse::<NonZero<usize>>() {
        Ok(threads) => Some(threads.get()),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(usize::MAX),
        Err(_) => {
            if !IS_SAID.swap(true, Ordering::Relaxed) {
                // Nobody hears of it where there is no standard error.
                let _ = writeln!(
                    io::stderr(),
                    "hatchery: {VARIABLE} is ignored: it should be a whole number of threads, at least 1, \
                     and is {value:?}"
                );
            }
            None
        }
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("threads", &self.threads)
            .field("blocking_threads", &self.blocking_threads)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .field("spare_threads", &self.spares)
            .field("on_thread_start", &self.hooks.start.is_some())
            .field("on_thread_exit", &self.hooks.exit.is_some())
            .field("inherit_signal_mask", &self.inherits_signals)
            .field("watchdog", &self.watchdog)
            .finish()
    }
}

/// Why a configuration is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildPoolError {
    /// No threads were asked for.
    ZeroThreads,
    /// More than [`Pool::MAX_THREADS`] threads were asked for.
    TooManyThreads {
        /// How many.
        asked: usize,
    },
    /// The name contains a NUL byte, which a thread's name cannot.
    NulInName {
        /// The name.
        name: String,
    },
}

impl fmt::Display for BuildPoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroThreads => write!(f, "a pool needs at least one thread"),
            Self::TooManyThreads { asked } => write!(
                f,
                "{asked} threads asked for, a pool has at most {}",
                Pool::MAX_THREADS
            ),
            Self::NulInName { name } => {
                write!(f, "a thread name cannot contain a NUL byte: {name:?}")
            }
        }
    }
}

impl Error for BuildPoolError {}
