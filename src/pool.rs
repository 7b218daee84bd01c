//! Pools: threads that compute children, and how to configure them.

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use crate::dump::{self, PoolSnapshot};
use crate::engine::context::Context;
use crate::engine::core::{ByHand, Config, Core, Watchdog};
use crate::engine::frame::Frame;
use crate::engine::hooks::{self, Hooks};
use crate::engine::{MAINS, blocking};
use crate::environment;
use crate::helper::Helper;
use crate::platform::cpus;
use crate::platform::lazy::Lazy;
use crate::platform::process::{self, PerProcess};
use crate::platform::sync::Arc;
use crate::scope::{self, Seat};
use crate::stats::PoolStats;

/// The smallest stack of a pool's thread, in bytes: a child of a nursery in a child is 9 KiB down in
/// a debug build, and the 16 KiB that Linux gives at least overflowed.
const LEAST_STACK: usize = 64 << 10;

/// Spare workers of a pool that does not set a number: as many as a client usually has blocking calls open.
const SPARES: usize = 64;

/// A set of threads that children run on.
///
/// A pool of four threads has four *workers*. A *caller* is a thread that is not a worker and has a nursery of the
/// pool open. A caller computes as well, and one worker stands down for each caller. So four threads compute at
/// a time, unless there are more than four callers: no caller waits for its turn. A hundred callers of a
/// pool of two compute on a hundred threads, while its workers sleep. If that is too many, set how many
/// [`callers`](PoolBuilder::callers) may compute, or have them wait for workers ([`install`](Self::install)).
///
/// A worker's thread starts when there is work for it and a place is free. The first child starts one; more
/// start while there is more to do. So a small nursery on a pool of 512 threads starts one thread, or a few if
/// the pool has a start hook that takes long. On a pool of one thread, a caller that computes has the only place,
/// and no thread starts unless the caller [blocks](Self#threads-that-block) or computes for long while children wait.
/// If the system refuses to start a thread, the pool does without it, and asks again later: the thread that opened
/// a nursery can always do all of the work. If the system refuses the first threads, all of them, the pool does not
/// ask again. Workers may also be threads of others, such as those of rayon or of tokio: see
/// [`PoolBuilder::threads_by`].
///
/// Most programs need only the [shared](Self::shared) pool and the free functions. Each free function that
/// opens a nursery, forks, holds a race, or runs a function over items ([`for_each`](crate::for_each()),
/// [`map`](crate::map()), [`fold`](crate::fold())) is a method of `Pool` too, and of [`Options`](crate::Options).
///
/// # Examples
///
/// ```
/// let pool = hatchery::Pool::builder().threads(2).name("search").build()?;
/// let (a, b) = pool.join(|| 1 + 1, || 2 + 2);
/// assert_eq!((a, b), (2, 4));
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
///
/// # Threads that block
///
/// A thread that waits in a nursery, or calls [`block_in_place`], gives its place up, and another thread computes
/// meanwhile: a worker that sleeps, or else a *spare* thread. A thread that blocks in another way (in a channel, on a
/// lock, in a system call) does not say so. The pool finds out if something waits to be started:
///
/// - **Blocked.** A thread that has had no CPU time between two looks, 4 ms apart, and of which the system says that it
///   waits, lends its place to another thread. The system says so on Linux only. When the thread goes on, it
///   computes beside the others, and takes its place back when it next spawns, waits or begins a child.
/// - **Asks again and again.** A thread that calls [`Child::is_finished`](crate::Child::is_finished) in a loop, or
///   `stats` of a nursery, lends its place after 1 ms of that.
/// - **Spins.** A thread that loops until a child has set a flag looks like one that computes. If nothing has begun
///   for 100 ms, one such thread lends its place, and another one 200 ms later, and so on, until one of them has its
///   place again. So a pool whose children compute for longer than that may run some more of them at a time than
///   [`threads`](Self::threads) says, also a pool of one thread.
///
/// [`PoolStats::places_lent`] counts how often that has happened, [`PoolStats::spares_started`] how many spare threads
/// took over, and [`PoolBuilder::spare_threads`] sets how many there may be. A place that is lent is no error. But if
/// the number grows all the time, consider `block_in_place` or
/// [`spawn_blocking`](crate::Nursery::spawn_blocking): they lose no time.
///
/// A thread named `hatchery-watcher` looks, one for the process. The same thread takes unstarted children
/// from threads that do something else, if a worker could run them. It sleeps while all children have started. What
/// children may wait for, and where that ends: see [What a child may wait for](crate#what-a-child-may-wait-for).
///
/// # Environment
///
/// Two environment variables hold for every pool whose builder does not set the number itself, the shared
/// pool among them. A process reads them when it makes the pool.
///
/// | variable | a whole number of | what it sets |
/// |---|---|---|
/// | `HATCHERY_THREADS` | threads | [`PoolBuilder::threads`], but at most [`MAX_THREADS`](Self::MAX_THREADS) |
/// | `HATCHERY_STACK_SIZE` | bytes | [`PoolBuilder::stack_size`] |
///
/// The number is at least 1, and stands alone: `8388608`, and not `8M`. Any other value is ignored. Unless it is
/// empty, the process writes a message to its standard error, once for each variable.
///
/// # The end of a pool
///
/// [`shutdown`](Self::shutdown) and dropping the pool are the same. Both wait until all [jobs](crate::submit()) of the
/// pool have ended, also those that have not begun, and until its threads have ended, including the destructors of
/// their thread-locals and the exit hook. Then they drop the hooks and all that the hooks captured. If a thread of the pool ends the pool, it waits for the other threads, calls its exit
/// hook, and drops the hooks last. The end of the process does not wait for pools.
///
/// On Windows, do not let a thread-local own the last handle of a pool. Its destructor runs under a lock of the
/// system that ending threads need, so it would wait for ever.
///
/// Two threads belong to no pool. One knows the deadlines of all nurseries. It ends when a pool ends while no nursery
/// has a deadline, and otherwise after a while without deadlines. The other one is the
/// [watcher](Self#threads-that-block). It ends when a pool ends while no other pool has unstarted children, and
/// otherwise after a while without such children. So after the end of the last pool, the process has no thread of this crate. There are two exceptions:
/// a thread of the pool ended the pool itself, or a nursery with a deadline was opened afterwards.
///
/// # Signals
///
/// On Unix, the threads that a pool starts block all signals that another thread of the process may want to
/// receive. So a host that waits for `SIGTERM` with `sigwait` or `signalfd` gets it, even if a pool started before
/// the host blocked the signal. Two kinds of signals are not blocked: those that a thread causes itself
/// (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`, `SIGTRAP`, `SIGSYS`, `SIGABRT`, `SIGPIPE`, `SIGXFSZ`), and
/// those with which profilers sample running threads (`SIGPROF`, `SIGVTALRM`). The signal masks of threads
/// that open nurseries do not change.
///
/// A program that a child starts inherits the mask of the child's thread. If this matters, see
/// [`PoolBuilder::inherit_signal_mask`]. A process that a child forks without starting a new program
/// has the mask of the thread that started the child's thread.
///
/// # `fork`
///
/// A forked process has none of its parent's threads. Nurseries that it opens on a pool start new threads when
/// they need them.
///
/// **Nurseries that were open during the fork** have only one thread in the new process, the thread that
/// forked. That thread runs all children that it holds itself or spawns from then on, also blocking ones. The same
/// holds for nurseries that the free functions open inside: they use the same pool, which behaves as if
/// the system had refused all of its threads. Nurseries that the methods of a pool open there do have threads.
/// If the thread would have to wait for a child that another thread holds, or if another thread spawns
/// into such a nursery, the process prints a message and aborts.
///
/// **Nurseries around.** If the thread that forked ran children of a nursery that another thread had opened,
/// that outer nursery has no meaning in the new process: nurseries that the thread opened inside it, or opens
/// later, no longer inherit its cancellation, deadline or limit. A child that calls `fork` on a thread of the
/// pool should end the new process or call `exec`, because all that it borrows lies on the stack of
/// a thread that no longer exists. If such a child returns, the process aborts.
///
/// **What the pool cannot help.** If another thread was starting or ending during the fork, the standard library
/// may be unable to start threads in the new process. And a pool learns of a fork from the C library: a process
/// that was made with the system calls `clone`, `clone3` or `fork` directly must not use the pools of its
/// parent. It would wait for threads that do not exist.
pub struct Pool {
    cores: Arc<Cores>,
    /// Until it is dropped.
    hooks: Option<Arc<Hooks>>,
}

/// The core of a pool in the process that made the pool, and in each process forked from it.
type Cores = PerProcess<Arc<Core>>;

/// The pool that the free functions use.
static SHARED: Lazy<Pool> = Lazy::new();

/// The core of a pool in this process.
#[inline]
fn core(cores: &Cores) -> &Arc<Core> {
    cores.get(|core| core.reborn())
}

impl Pool {
    /// The largest number of threads that a pool may have.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{BuildPoolError, Pool};
    ///
    /// let asked = Pool::MAX_THREADS + 1;
    /// let error = Pool::builder().threads(asked).build().unwrap_err();
    /// assert_eq!(error, BuildPoolError::TooManyThreads { asked });
    /// ```
    pub const MAX_THREADS: usize = 1024;

    /// Returns the pool that the free functions use; it lives as long as the process.
    ///
    /// By default it has one thread for each CPU that this process may use. CPU quotas count (a quota of one and a
    /// half CPUs makes one thread), and so does the CPU affinity of the process, on Linux the affinity of the main
    /// thread. The affinity of the thread that uses the pool first does not matter: the pool's threads may run
    /// wherever the main thread may.
    ///
    /// To configure it, call [`PoolBuilder::build_shared`] before its first use. The first use is the first call of
    /// this function, or of a free function that no nursery is around. [Environment variables](Self#environment) set
    /// its number of threads and their stack size, too.
    ///
    /// # Libraries that are unloaded
    ///
    /// The threads of this pool do not end. So a plug-in that is unloaded while the process goes on (`FreeLibrary` on
    /// Windows) must not have used it: the threads would go on in code that is gone. Use a pool of your own, and
    /// [shut it down](Self::shutdown) before. With glibc a library that has such threads stays loaded.
    ///
    /// # In tests
    ///
    /// Prefer a pool of your own in a test whose children may panic. `cargo test` captures the output of a
    /// thread, including the text of a panic, for the test that started the thread. The first tests that use the
    /// shared pool start its threads. So if a child of another test panics on one of them, the text appears with
    /// the test that started the thread; if that test passes, the text does not appear at all. A pool of your own has
    /// threads that this test started. Or run the tests with `--nocapture`.
    ///
    /// # Examples
    ///
    /// ```
    /// let shared = hatchery::Pool::shared();
    /// let sum = shared.nursery(|n| n.spawn(|| 1 + 1).join());
    /// assert_eq!(sum, 2); // as `hatchery::nursery` does it
    /// ```
    ///
    /// A pool of its own for a test:
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
        SHARED.get_or(Self::new_shared)
    }

    #[cold]
    #[inline(never)]
    fn new_shared() -> Self {
        match Self::builder().make_shared() {
            Ok(pool) => pool,
            Err(error) => panic!("the shared pool: {error}"),
        }
    }

    /// Returns a builder for a new pool.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.threads(), 2);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// Returns how many threads compute at the same time.
    ///
    /// The free function [`threads`] answers for the current pool.
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
    pub(crate) fn core(&self) -> &Arc<Core> {
        core(&self.cores)
    }

    /// Ends the pool's threads, waits for them, and drops the pool's hooks; dropping the pool does the same.
    ///
    /// All nurseries that were opened by methods of the pool have ended before. [`Options`](crate::Options::pool)
    /// that name this pool still work afterwards: the calling thread does all the work. If a destructor of
    /// a hook's captures panics, the panic hook reports it, and `shutdown` returns as usual.
    ///
    /// # Blocking
    ///
    /// `shutdown` waits until the pool's jobs and threads have ended, including the destructors of their thread-locals. If
    /// the calling thread is one of them, it does not wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// assert_eq!(pool.join(|| 1, || 2), (1, 2));
    /// pool.shutdown(); // its threads have ended now
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn shutdown(self) {
        drop(self);
    }

    /// Returns the pool's numbers so far: children run, thefts, sleeps, threads and so on.
    ///
    /// The call takes a few nanoseconds per thread that takes part in the pool. It disturbs no thread and
    /// starts none.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// pool.nursery(|n| _ = n.spawn_each(0..10, |i| i * i));
    /// assert_eq!(pool.stats().spawned, 10);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        PoolStats::of(self.core())
    }

    /// Returns what the pool is doing right now: its open nurseries, and what its threads run and wait for.
    ///
    /// Any thread may call it, also in a child. It starts no threads. Each thread that has a nursery of the pool
    /// open reports its own part: a thread that sleeps in a nursery is woken for that, and a thread that runs
    /// reports when it next spawns, forks or begins a child. Workers without work stay asleep.
    ///
    /// # Blocking
    ///
    /// It waits for the reports for a fraction of a second. A thread that has not reported by then, because it
    /// runs one long child for example, is listed as one that has not answered.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).name("search").build()?;
    /// let dump = pool.nursery(|_| pool.dump());
    /// println!("{dump}");
    /// assert!(dump.to_string().starts_with("pool \"search\", 2 threads"));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    #[must_use]
    pub fn dump(&self) -> PoolSnapshot {
        PoolSnapshot::of(self.core())
    }

    pub(crate) fn home(&self) -> Home {
        Home::Named(Arc::clone(&self.cores))
    }

    /// Calls `f` with this thread's seat in this pool.
    pub(crate) fn with_seat<R>(&self, f: impl FnOnce(&Seat) -> R) -> R {
        Seat::with(self.core(), f)
    }
}

/// A pool, for options, which outlive a borrow of it.
#[derive(Clone)]
pub(crate) enum Home {
    Named(Arc<Cores>),
    /// The current pool of a thread; in a forked process, the current pool there.
    Found(Arc<Core>),
}

// As for `Pool`; options that name a pool are unwind safe, too.
impl UnwindSafe for Home {}
impl RefUnwindSafe for Home {}

impl Home {
    pub(crate) fn of(core: &Arc<Core>) -> Self {
        Self::Found(Arc::clone(core))
    }

    /// The core in this process, if there is one.
    fn core(&self) -> Option<&Arc<Core>> {
        match self {
            Self::Named(cores) => Some(core(cores)),
            Self::Found(core) => Some(core).filter(|core| !core.is_orphan()),
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(cores) => f.write_str(core(cores).name()),
            Self::Found(core) => f.write_str(core.name()),
        }
    }
}

/// Calls `f` with this thread's seat in that pool, else in the current one.
pub(crate) fn with<R>(home: Option<&Home>, f: impl FnOnce(&Seat) -> R) -> R {
    match home.and_then(Home::core) {
        Some(core) => Seat::with(core, f),
        None => with_current(f),
    }
}

/// The core of that pool, else of the current one.
pub(crate) fn core_of(home: Option<&Home>) -> Arc<Core> {
    match home.and_then(Home::core) {
        Some(core) => Arc::clone(core),
        None => Frame::with_current(|current| match current {
            Some(frame) => Arc::clone(&frame.seat.core),
            None => Arc::clone(Pool::shared().core()),
        }),
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

/// Returns how many threads compute at the same time in the current pool.
///
/// It is the [`threads`](Pool::threads) of the pool that [`nursery`](crate::nursery()) would use here. Use it
/// to decide how finely to split work. Do not use it to decide how many children to spawn: spawn one for each
/// part of the work. The number does not change during the life of the pool. The call starts no thread.
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

/// Calls `f`, which may block, while another thread computes in place of the calling thread.
///
/// Use it around a call that waits, in a child or body that otherwise computes. If a child mostly waits,
/// spawn it with [`spawn_blocking`](crate::Nursery::spawn_blocking). A call that waits without `block_in_place` keeps
/// the place for some milliseconds longer, on systems other than Linux for much longer: see
/// [`Pool`](Pool#threads-that-block).
///
/// While `f` runs, other threads can take the children that this thread spawned and has not started. (They cannot
/// take the remaining items of a batch of `spawn_each`, or of a loop of `for_each`, that this thread is running, nor
/// the second closures of very deep rows of `join`.) If no thread of the pool is idle and there is something to do,
/// the pool starts a spare thread, up to the limit of [`PoolBuilder::spare_threads`]; above the limit the thread
/// just blocks. When `f` returns, this thread goes on at once, and another thread stands down after its present
/// child.
///
/// Outside of any nursery, and in a blocking child, `block_in_place` only calls `f`.
///
/// # Blocking
///
/// While `f` runs, this thread runs children only if `f` joins them or opens a nursery.
///
/// # Panics
///
/// If `f` panics.
///
/// # Examples
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
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    scope::block_in_place(f)
}

// A panic never leaves a pool half changed: its threads catch what they run.
impl UnwindSafe for Pool {}
impl RefUnwindSafe for Pool {}

impl Drop for Pool {
    fn drop(&mut self) {
        // The core of this process; options may still name it.
        self.core().shut_down();
        self.hooks.take().into_iter().for_each(hooks::end);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core().fmt(f)
    }
}

/// A builder for a [`Pool`]; [`Pool::builder`] returns one.
///
/// # Examples
///
/// ```
/// use hatchery::Pool;
///
/// let pool = Pool::builder()
///     .threads(2)
///     .name("search")
///     .stack_size(4 << 20)
///     .on_thread_start(|name| println!("{name} has started"))
///     .build()?;
/// assert_eq!(pool.join(|| 1, || 2), (1, 2));
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until `build` or `build_shared`"]
pub struct PoolBuilder {
    threads: Option<usize>,
    blocking_threads: Option<usize>,
    name: Option<String>,
    stack_size: Option<usize>,
    callers: Option<usize>,
    spares: Option<usize>,
    lends_places: Option<bool>,
    hooks: Hooks,
    inherits_signals: bool,
    /// Of the shared pool only.
    is_shared: bool,
    watchdog: Option<Duration>,
    pub(crate) by_hand: Option<ByHand>,
}

impl PoolBuilder {
    /// Sets how many threads compute at the same time.
    ///
    /// By default `HATCHERY_THREADS` gives the number, see [`Pool`](Pool#environment). If the variable is not set, the
    /// pool has one thread for each CPU that the [building](Self::build) thread may use.
    ///
    /// Each thread of the pool inherits the CPU affinity of the thread that starts it. So a pool stays on some
    /// CPUs if only threads that are restricted to them use it. (The shared pool differs in this.)
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(3).build()?;
    /// assert_eq!(pool.threads(), 3);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets the largest number of side threads: threads that run children that may block.
    ///
    /// Side threads exist in addition to the threads that compute. They start when they are needed, and end after
    /// some time without work. Children for which there is no side thread wait for one, or run on a thread that
    /// waits for the end of their nursery. With `0` all of them run there. Blocking children that wait for
    /// each other, through a channel for example, need as many side threads as there are such children.
    ///
    /// The default allows dozens of side threads.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).blocking_threads(4).build()?;
    /// let pages = pool.gather(|g| (1..=8).for_each(|page| g.spawn_blocking(move || page * 10)));
    /// assert_eq!(pages, [10, 20, 30, 40, 50, 60, 70, 80]);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn blocking_threads(mut self, most: usize) -> Self {
        self.blocking_threads = Some(most);
        self
    }

    /// Sets the name of the pool, with which the names of its threads begin.
    ///
    /// Workers are called `NAME-0`, `NAME-1`, and so on, side threads `NAME-side-1`, spare threads
    /// `NAME-spare-1`. (A pool whose workers are [threads of others](Self::threads_by) does not name these.) The default name is `hatchery`. Linux shows the first 15 bytes of a thread's name.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).name("search").build()?;
    /// assert!(pool.dump().to_string().contains("search"));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the stack size, in bytes, of the pool's threads that run children.
    ///
    /// A caller's thread runs children too, on the stack that it has: see
    /// [On which thread](crate#on-which-thread). By default `HATCHERY_STACK_SIZE` gives the size, see
    /// [`Pool`](Pool#environment). If the variable is not set, the threads have the stack size of the standard library's
    /// threads. A smaller size than waiting needs is raised to what it needs. If the system refuses the size, the pool
    /// has no threads, and callers do all the work.
    ///
    /// # Examples
    ///
    /// ```
    /// /// A function that recurses deeply.
    /// fn depth_of(nested: u32) -> u32 {
    ///     if nested == 0 { 0 } else { 1 + depth_of(nested - 1) }
    /// }
    /// let pool = hatchery::Pool::builder().threads(2).stack_size(16 << 20).build()?;
    /// let depth = pool.nursery(|n| n.spawn_blocking(|| depth_of(1000)).join());
    /// assert_eq!(depth, 1000);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets how many callers may compute at the same time; further callers wait for their turn.
    ///
    /// A *caller* is a thread that is not a thread of the pool and has a nursery of the pool open, see [`Pool`]. By default
    /// no caller waits. `0` means `1`. Callers come in in the order in which they came to wait. A caller whose body waits for
    /// something keeps its turn, so it must not wait for a caller that has none.
    ///
    /// To let no caller compute at all, and all of them wait for workers, call [`Pool::install`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use std::thread;
    ///
    /// let pool = hatchery::Pool::builder().threads(2).callers(3).build()?;
    /// let inside = AtomicUsize::new(0);
    /// thread::scope(|scope| {
    ///     for _ in 0..20 {
    ///         scope.spawn(|| pool.nursery(|_| {
    ///             assert!(inside.fetch_add(1, Ordering::Relaxed) < 3);
    ///             inside.fetch_sub(1, Ordering::Relaxed);
    ///         }));
    ///     }
    /// });
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn callers(mut self, most: usize) -> Self {
        self.callers = Some(most.max(1));
        self
    }

    /// Sets the largest number of spare threads.
    ///
    /// They take over for threads that wait, [block in place](crate::block_in_place), or
    /// [block without saying so](Pool#threads-that-block). They start when they are needed, and end after some time
    /// without need. If more threads block than there may be spare threads, fewer threads compute meanwhile, or none:
    /// then children that wait for each other may hang. The default is 64.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).spare_threads(0).build()?;
    /// let value = pool.nursery(|n| n.spawn(|| hatchery::block_in_place(|| 7)).join());
    /// assert_eq!(value, 7);
    /// assert_eq!(pool.stats().spares_started, 0);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn spare_threads(mut self, most: usize) -> Self {
        self.spares = Some(most);
        self
    }

    /// Sets whether the place of a thread that is blocked is lent to another thread, although the thread has not said so:
    /// see [Threads that block](Pool#threads-that-block). By default it is.
    ///
    /// If not, no more than [`threads`](Self::threads) threads compute, however long they block or spin. A pool of one
    /// thread is serial then. But children that wait for each other, or for what the body does after it has spawned
    /// them, may wait for ever: use [`spawn_blocking`](crate::Nursery::spawn_blocking) or [`block_in_place`] for these.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(1).lend_places(false).build()?;
    /// let squares = pool.gather(|g| (0..3).for_each(|i| drop(g.spawn(move || i * i))));
    /// assert_eq!(squares, [0, 1, 4]);
    /// assert_eq!(pool.stats().places_lent, 0);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn lend_places(mut self, lends: bool) -> Self {
        self.lends_places = Some(lends);
        self
    }

    /// Sets a hook that each of the pool's threads that run children calls first, with the thread's name.
    ///
    /// Callers run children too, and do not call the hook: see [On which thread](crate#on-which-thread). What needs the
    /// hook's preparations goes to [`Pool::install`]: it runs on a worker, and what it spawns runs on threads of the pool. If
    /// the hook
    /// panics, the panic hook reports it, and the thread goes on. The hook must not wait for the hooks of other
    /// threads: these may never start.
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = hatchery::Pool::builder().threads(2);
    /// let pool = builder.on_thread_start(|name| println!("{name} has started")).build()?;
    /// assert_eq!(pool.nursery(|n| n.spawn_blocking(|| 7).join()), 7);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn on_thread_start(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.hooks.start = Some(Box::new(hook));
        self
    }

    /// Sets a hook that each of the pool's threads that run children calls last, with the thread's name.
    ///
    /// If the hook panics, the panic hook reports it, and the thread ends as usual.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let [started, ended] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    /// let [at_start, at_exit] = [&started, &ended].map(Arc::clone);
    /// let builder = hatchery::Pool::builder()
    ///     .on_thread_start(move |_| _ = at_start.fetch_add(1, Ordering::Relaxed))
    ///     .on_thread_exit(move |_| _ = at_exit.fetch_add(1, Ordering::Relaxed));
    /// let pool = builder.threads(2).build()?;
    /// pool.nursery(|n| n.spawn_blocking(|| ()).join());
    /// pool.shutdown();
    /// assert_eq!(started.load(Ordering::Relaxed), ended.load(Ordering::Relaxed));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn on_thread_exit(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.hooks.exit = Some(Box::new(hook));
        self
    }

    /// Sets how threads come to the pool: by default it starts its own, and with this method others lend it theirs.
    ///
    /// When the pool wants a worker it calls `start` with a [`Helper`]. Whoever calls [`Helper::run`] is the worker, until
    /// there has been nothing to do for about a millisecond. `start` may have that done anywhere and at any time, or not at
    /// all. It may drop the helper, return an error or panic: then the pool does without, and asks again after a while.
    ///
    /// So hatchery and another pool need no more threads together than the other pool has, and do not keep each other from
    /// the CPUs:
    ///
    /// | threads of | `start` |
    /// |---|---|
    /// | rayon | `\|helper\| { rayon::spawn(move \|\| helper.run()); Ok(()) }` |
    /// | tokio, those that may block | `move \|helper\| { handle.spawn_blocking(move \|\| helper.run()); Ok(()) }` |
    /// | your own: pinned, with a priority, with a runtime | `move \|helper\| sender.send(helper).map_err(io::Error::other)`, and each thread calls `run` for what it receives |
    ///
    /// A nursery does not depend on helpers: its caller can do all of the work. Until a helper comes, the
    /// caller works alone. One helper is asked for at first, and more while there is more to do, up to the number of
    /// [`threads`](Self::threads). If one does not come within some milliseconds, another one is asked for.
    ///
    /// # Where `start` is called
    ///
    /// On a thread of the pool of its own, named `NAME-recruiter`, which starts when a worker is first wanted. So `start` may
    /// use the pool, or run the helper on the spot. Until `start` returns, no other helper is asked for.
    /// The thread has the size of stack of the standard library's threads. If `start` panics, the panic hook reports it.
    ///
    /// # Which threads the pool still starts
    ///
    /// - **Spare threads**, which take over for helpers and callers that [block](Pool#threads-that-block). A pool with
    ///   [`spare_threads(0)`](Self::spare_threads) starts none, and [`lend_places(false)`](Self::lend_places) says that
    ///   nobody takes over for threads that have not said that they block.
    /// - **One spare thread for jobs**, whatever `spare_threads` says. What is [submitted](Pool::submit) or
    ///   [installed](Pool::install) has no caller who could run it. If no helper runs for 100 ms, or one was refused, a spare
    ///   thread takes the job. It ends when it has been idle for ten seconds.
    /// - **Side threads** for [blocking children](crate::Nursery::spawn_blocking), see
    ///   [`blocking_threads`](Self::blocking_threads), and the [watchdog](Self::watchdog).
    ///
    /// # Calling the other pool in a child
    ///
    /// A thread of rayon that waits in `rayon::join` or in a parallel iterator runs other jobs of rayon meanwhile, on the same
    /// stack, and a helper is such a job. Two things follow:
    ///
    /// - A helper does not run on top of a body or child: [`Helper::run`] returns at once if a nursery is on the
    ///   stack. So no child finds the thread-locals of another child that waits in rayon.
    /// - What a child calls in rayon may be run by other threads of rayon, and one that waits amid that may run a helper on
    ///   top of it. The helper takes other children, and returns when the pool has nothing to do. So do not hold
    ///   a lock over a call of rayon if other children take the lock. This is so wherever rayon is called.
    ///
    /// The promise that a thread that waits runs only what belongs to its nursery holds for what waits in hatchery.
    ///
    /// # The ends of a helper
    ///
    /// The hooks [`on_thread_start`](Self::on_thread_start) and [`on_thread_exit`](Self::on_thread_exit) are called at the
    /// begin and at the end of each `run`, with the helper's [name](Helper::name). The end of the pool waits for helpers that
    /// run, and not for those that have not been run: for these, `run` returns at once. It does not wait for the threads. The
    /// function and what it captured are dropped after that. The settings of threads do not apply to threads of others:
    /// [`stack_size`](Self::stack_size), [`inherit_signal_mask`](Self::inherit_signal_mask), and the names in
    /// the list of the system. A process that is forked calls `start` anew.
    ///
    /// # Examples
    ///
    /// With the global pool of rayon, which computes for both:
    ///
    /// ```
    /// let pool = hatchery::Pool::builder()
    ///     .threads(rayon::current_num_threads())
    ///     .threads_by(|helper| {
    ///         rayon::spawn(move || helper.run());
    ///         Ok(())
    ///     })
    ///     .build()?;
    /// let squares = pool.gather(|g| (0..100).for_each(|i| g.spawn(move || i * i)));
    /// assert_eq!(squares[99], 9801);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    ///
    /// With the threads of tokio that may block:
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// let handle = runtime.handle().clone();
    /// let builder = hatchery::Pool::builder().threads(2).threads_by(move |helper| {
    ///     handle.spawn_blocking(move || helper.run());
    ///     Ok(())
    /// });
    /// let pool = builder.build()?;
    /// let answer = runtime.block_on(pool.submit(|| 6 * 7));
    /// assert_eq!(answer, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn threads_by(
        mut self,
        start: impl Fn(Helper) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.threads = Some(Box::new(move |asked| start(Helper(asked))));
        self
    }

    /// Sets what threads that help in a nursery take over from the thread that opened it.
    ///
    /// It is for what a program keeps in thread-locals, such as a tracing span, the language of a request, or an allocation
    /// budget. `capture` is called on the thread that opens a nursery, before the body. If another thread takes
    /// children of the nursery, it calls `enter` with the captured value first, and drops the guard that `enter` returns
    /// when it has run them, before the nursery ends:
    ///
    /// | what | `capture` | `enter` |
    /// |---|---|---|
    /// | a nursery | once, before the body | once for all children that another thread takes together |
    /// | a child that runs on the nursery's own thread | | no: the thread is as the body has left it |
    /// | a blocking child | | once, on its side thread |
    /// | a [job](crate::submit()) | at the call of `submit` or `install` | once, around the job |
    /// | the second closure of a [`join`](crate::join()), items of a [`for_each`](crate::for_each()) | no | with the value of the nursery around |
    /// | code that [enters](crate::Current::enter) a nursery from a foreign thread | | once |
    ///
    /// So what a body changes after it was called is seen by children that run on the nursery's thread, and not by
    /// others. Set it before the nursery, or open another nursery inside.
    ///
    /// A nursery of another pool has the context of that pool, or none. By default a pool has none, unless the feature
    /// `tracing` is on: see [Features](crate#features). The call replaces what the builder had before.
    ///
    /// # Panics
    ///
    /// If `capture` or `enter` panics, or a destructor of what they return, the panic hook reports it, and the children
    /// run as usual: without the context, if `capture` or `enter` has panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// thread_local!(static LANGUAGE: Cell<&'static str> = const { Cell::new("en") });
    ///
    /// /// Sets the thread's language, until it is dropped.
    /// struct Speaks(&'static str);
    /// impl Speaks {
    ///     fn new(language: &'static str) -> Self {
    ///         Self(LANGUAGE.replace(language))
    ///     }
    /// }
    /// impl Drop for Speaks {
    ///     fn drop(&mut self) {
    ///         LANGUAGE.set(self.0);
    ///     }
    /// }
    ///
    /// let builder = hatchery::Pool::builder().context(|| LANGUAGE.get(), |language| Speaks::new(language));
    /// let pool = builder.threads(2).build()?;
    /// let _german = Speaks::new("de");
    /// // On whatever thread.
    /// assert_eq!(pool.nursery(|n| n.spawn(|| LANGUAGE.get()).join()), "de");
    /// assert_eq!(pool.nursery(|n| n.spawn_blocking(|| LANGUAGE.get()).join()), "de");
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn context<C, G>(
        mut self,
        capture: impl Fn() -> C + Send + Sync + 'static,
        enter: impl Fn(&C) -> G + Send + Sync + 'static,
    ) -> Self
    where
        C: Send + Sync + 'static,
        G: 'static,
    {
        let context = Context::new(move || Some(capture()), enter);
        self.hooks.context = Some(Arc::new(context));
        self
    }

    /// Sets whether the pool's threads inherit the signal mask of the thread that starts them.
    ///
    /// It concerns the threads that run children. By default they do not, and block most signals, see
    /// [`Pool`](Pool#signals). Threads of the standard library do inherit it.
    ///
    /// Set it for a pool whose children start other programs. A program inherits the signal mask of the thread that
    /// starts it, also with [`std::process::Command`]. If it blocks `SIGINT` and `SIGTERM`, neither Ctrl-C nor
    /// `kill` can end it. Programs that the opening thread of a nursery starts are not affected.
    ///
    /// On systems without signals the setting has no effect.
    ///
    /// # Examples
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

    /// Adds a watchdog: a thread that prints a [dump](Pool::dump) if the pool may hang.
    ///
    /// It prints the dump to the standard error if, for the time `after`, a nursery of the pool was open and no
    /// child was spawned, begun or taken by another thread. It does not matter what the threads do meanwhile:
    /// whether they wait in a nursery, or a body or child blocks or spins. It prints the next dump only after
    /// something has moved in between.
    ///
    /// The report says no more than that. A child that computes for longer than `after` is reported, too, and so is a
    /// body that does so, or that waits for work from outside. So choose a time longer than the longest child takes,
    /// and a few tenths of a second at least: the pool itself acts on
    /// [threads that block](Pool#threads-that-block) before that.
    /// A thread that runs user code all the while does not answer, and its nurseries are missing in the dump.
    ///
    /// The watchdog's thread, `NAME-watchdog`, starts with the pool's first nursery. It wakes up once in that time, but
    /// at most about a thousand times a second, and wakes no worker. By default there is no watchdog.
    ///
    /// # Examples
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

    /// Makes the pool.
    ///
    /// It starts no thread: see [`Pool`].
    ///
    /// # Errors
    ///
    /// If the configuration is invalid, see [`BuildPoolError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{BuildPoolError, Pool};
    ///
    /// let pool = Pool::builder().threads(2).build().unwrap();
    /// assert_eq!(pool.stats().workers, 0);
    ///
    /// let error = Pool::builder().threads(0).build().unwrap_err();
    /// assert_eq!(error, BuildPoolError::ZeroThreads);
    /// ```
    pub fn build(self) -> Result<Pool, BuildPoolError> {
        self.make(cpus::count)
    }

    /// Makes the [shared](Pool::shared) pool, which the free functions use.
    ///
    /// A program calls it at its start, before the first use of the shared pool. It starts no thread. A library
    /// should leave the shared pool to the program, and build a pool of its own if it needs one.
    ///
    /// What the builder does not set is as in a shared pool that nobody has configured: by default it has
    /// one thread for each CPU that the process may use. A process that is forked later has the shared pool
    /// with the same configuration. The shared pool never ends, so the exit hook is called only by threads that
    /// end earlier, such as idle side threads.
    ///
    /// # Errors
    ///
    /// - If the configuration is invalid, see [`BuildPoolError`]. Then the shared pool is not made, and can still be
    ///   configured.
    /// - [`BuildPoolError::SharedPoolExists`] if the shared pool was used or configured before. It stays as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{BuildPoolError, Pool};
    ///
    /// fn main() -> Result<(), BuildPoolError> {
    ///     Pool::builder().threads(3).stack_size(16 << 20).build_shared()?;
    ///     assert_eq!(hatchery::threads(), 3);
    ///
    ///     let again = Pool::builder().threads(2).build_shared();
    ///     assert_eq!(again, Err(BuildPoolError::SharedPoolExists));
    ///     Ok(())
    /// }
    /// ```
    pub fn build_shared(self) -> Result<(), BuildPoolError> {
        let new = self.make_shared()?;
        let cores = Arc::clone(&new.cores);
        let shared = SHARED.get_or(|| new);
        if Arc::ptr_eq(&shared.cores, &cores) {
            Ok(())
        } else {
            Err(BuildPoolError::SharedPoolExists)
        }
    }

    /// Makes a pool that may be the shared one.
    fn make_shared(mut self) -> Result<Pool, BuildPoolError> {
        if cfg!(hatchery_shuttle) {
            panic!("this pool would outlive the execution");
        }
        self.is_shared = true;
        self.make(|| cpus::with_those_of_process(cpus::count))
    }

    /// Makes a pool, with that many threads if neither the builder nor the environment sets a number.
    fn make(self, cpus: impl FnOnce() -> usize) -> Result<Pool, BuildPoolError> {
        let by_default = || {
            environment::threads()
                .unwrap_or_else(cpus)
                .min(Pool::MAX_THREADS)
        };
        let threads = self.threads.unwrap_or_else(by_default);
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
        let stack_size = self.stack_size.or_else(environment::stack_size);
        process::at_forks(scope::AT_FORKS);
        let mut hooks = self.hooks;
        if hooks.context.is_none() {
            hooks.context = Context::by_default().map(Arc::new);
        }
        let hooks = Arc::new(hooks);
        let core = Core::new(Config {
            threads,
            blocking_threads: self.blocking_threads.unwrap_or(blocking::MOST),
            spares: self.spares.unwrap_or(SPARES),
            callers: self.callers,
            lends_places: self.lends_places.unwrap_or(true),
            name,
            stack_size: stack_size.map(|bytes| bytes.max(LEAST_STACK)),
            inherits_signals: self.inherits_signals,
            has_crew: hooks.threads.is_some(),
            is_shared: self.is_shared,
            hooks: Arc::downgrade(&hooks),
            context: hooks.context.as_ref().map(Arc::downgrade),
            describe: scope::describe,
            watchdog: self.watchdog.map(|every| Watchdog {
                every,
                on_stall: dump::print,
            }),
            by_hand: self.by_hand,
            mains: MAINS,
        });
        Ok(Pool {
            cores: Arc::new(Cores::new(core)),
            hooks: Some(hooks),
        })
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("threads", &self.threads)
            .field("blocking_threads", &self.blocking_threads)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .field("callers", &self.callers)
            .field("spare_threads", &self.spares)
            .field("lend_places", &self.lends_places)
            .field("on_thread_start", &self.hooks.start.is_some())
            .field("on_thread_exit", &self.hooks.exit.is_some())
            .field("context", &self.hooks.context.is_some())
            .field("threads_by", &self.hooks.threads.is_some())
            .field("inherit_signal_mask", &self.inherits_signals)
            .field("watchdog", &self.watchdog)
            .finish()
    }
}

/// Why [`PoolBuilder::build`] or [`PoolBuilder::build_shared`] refuses a configuration.
///
/// # Examples
///
/// ```
/// use hatchery::{BuildPoolError, Pool};
///
/// let error = Pool::builder().threads(0).build().unwrap_err();
/// assert_eq!(error, BuildPoolError::ZeroThreads);
/// assert_eq!(error.to_string(), "a pool needs at least one thread");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildPoolError {
    /// The number of threads is zero.
    ZeroThreads,
    /// The number of threads is larger than [`Pool::MAX_THREADS`].
    TooManyThreads {
        /// The number of threads that the builder was given.
        asked: usize,
    },
    /// The name contains a NUL byte, and the name of a thread cannot.
    NulInName {
        /// The name that the builder was given.
        name: String,
    },
    /// The shared pool was used before, or configured before, and cannot be configured any more.
    SharedPoolExists,
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
            Self::SharedPoolExists => f.write_str(
                "the shared pool exists already: it can be configured once, before its first use",
            ),
        }
    }
}

impl Error for BuildPoolError {}
