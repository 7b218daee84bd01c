//! What has happened so far, in numbers.

use std::fmt;

use crate::engine::core::Core;
use crate::engine::tally::Numbers;

/// What has happened in a pool since it was made, and the threads it has now; see
/// [`Pool::stats`](crate::Pool::stats).
///
/// Children are those of `spawn`, `spawn_blocking` and, one per item, `spawn_each`. The closures of
/// [`join`](crate::join()) do not count, wherever they run.
///
/// What the thread that opened a nursery has spawned and run in it is in here when the nursery returns;
/// its [own numbers](crate::Nursery::stats) have it at once. When no nursery is open on the pool, every
/// child has run or was skipped:
///
/// ```
/// let pool = hatchery::Pool::builder().threads(2).build()?;
/// pool.nursery(|n| {
///     for i in 0..100 {
///         n.spawn(move || i * i);
///     }
/// });
/// let stats = pool.stats();
/// assert_eq!(stats.spawned, 100);
/// assert_eq!(stats.run_by_opener + stats.run_elsewhere + stats.skipped, stats.spawned);
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
///
/// While nurseries are open, each number is as of its own moment: they are read one after the other,
/// and nobody is stopped for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Children spawned.
    pub spawned: u64,
    /// Children run on the thread that opened their nursery.
    pub run_by_opener: u64,
    /// Children run on other threads: workers, side threads, other callers that wait.
    ///
    /// They count once the thread has come to the end of what it took along with them.
    pub run_elsewhere: u64,
    /// Children dropped unrun because their nursery was cancelled.
    pub skipped: u64,
    /// Children that panicked: in their closure, or in a destructor of what they captured or returned.
    ///
    /// One that was dropped unrun and panicked on that counts as [skipped](Self::skipped), too.
    pub panicked: u64,
    /// Children whose error was [late](crate::Failures::late), whatever became of it.
    pub late: u64,
    /// How many times a thread has taken children from another's shared queue, one or thousands at a
    /// time.
    pub stolen: u64,
    /// How many of the [stolen](Self::stolen) were taken by a thread that waited, from the one that ran
    /// its nursery's children.
    pub stolen_while_waiting: u64,
    /// How many times children went to the pool's common queue, because no thread's own could take
    /// them: spawned by a thread that has no part of their nursery, left behind by one that was about to
    /// sleep, or taken by mistake.
    pub injected: u64,
    /// How many times a thread went to sleep in a nursery or a join, for want of something it may run.
    pub parked: u64,
    /// How many times a worker was woken to look for work.
    pub wake_ups: u64,
    /// How many times a spare thread was started, or called back, to take over for a thread that waits or
    /// blocks.
    pub spares_started: u64,
    /// Workers that were started, but for spare ones.
    pub workers: usize,
    /// Spare threads that there are now.
    pub spare_threads: usize,
    /// Blocking threads that there are now: they run children that may block.
    pub blocking_threads: usize,
}

impl PoolStats {
    pub(crate) fn of(core: &Core) -> Self {
        let Numbers {
            spawned,
            run_here: run_by_opener,
            run_elsewhere,
            skipped,
            panicked,
            late,
            stolen,
            leapfrogged: stolen_while_waiting,
            strays: injected,
            waits,
            answers: _,
        } = core.numbers();
        let [wake_ups, spares_started] = core.wakes();
        Self {
            spawned,
            run_by_opener,
            run_elsewhere,
            skipped,
            panicked,
            late,
            stolen,
            stolen_while_waiting,
            injected,
            parked: waits,
            wake_ups,
            spares_started,
            workers: core.workers_started(),
            spare_threads: core.idle.snapshot()[4],
            blocking_threads: core.blocking.snapshot()[2],
        }
    }
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            spawned,
            run_by_opener,
            run_elsewhere,
            skipped,
            panicked,
            late,
            ..
        } = self;
        write!(
            f,
            "{spawned} children spawned, {run_by_opener} run by the opener, {run_elsewhere} elsewhere, "
        )?;
        write!(f, "{skipped} skipped, {panicked} panicked, {late} late; ")?;
        write!(
            f,
            "{} stolen, {} of them while waiting, ",
            self.stolen, self.stolen_while_waiting
        )?;
        write!(f, "{} injected, {} parked, ", self.injected, self.parked)?;
        write!(
            f,
            "{} wake-ups, {} spares started; ",
            self.wake_ups, self.spares_started
        )?;
        let Self {
            workers,
            spare_threads,
            blocking_threads,
            ..
        } = self;
        write!(f, "{workers} workers, {spare_threads} spare threads, ")?;
        write!(f, "{blocking_threads} blocking threads")
    }
}

/// What has happened in a nursery since it was opened; see [`Nursery::stats`](crate::Nursery::stats)
/// and [`TryNursery::stats`](crate::TryNursery::stats).
///
/// It is about the nursery's own children, and not about those of nurseries that they open.
///
/// What other threads do is added a little later, when they come to the end of what they took. Once that
/// is so and no child is left, `spawned == run_by_opener + run_elsewhere + skipped`.
///
/// ```
/// hatchery::nursery(|n| {
///     let children: Vec<_> = (0..10).map(|i| n.spawn(move || i)).collect();
///     assert_eq!(n.stats().spawned, 10);
///     children.into_iter().for_each(|child| assert!(child.join() < 10));
///     assert!(n.stats().run_by_opener <= 10); // the others ran elsewhere
/// });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NurseryStats {
    /// Children spawned, by the body and by children: one per item for `spawn_each`.
    pub spawned: u64,
    /// Children run on the thread that opened the nursery, those that run now included.
    pub run_by_opener: u64,
    /// Children run on other threads.
    pub run_elsewhere: u64,
    /// Children dropped unrun because the nursery was cancelled.
    pub skipped: u64,
    /// Children that panicked, see [`PoolStats::panicked`].
    pub panicked: u64,
    /// Children whose error was [late](crate::Failures::late), whatever became of it.
    pub late: u64,
    /// How many times a thread has taken children of this nursery from another's shared queue.
    pub stolen: u64,
    /// How many times a thread that waited in this nursery has taken children, of this nursery or
    /// others, from the one that ran its children.
    pub stolen_while_waiting: u64,
    /// How many times children of this nursery went to the pool's common queue, see
    /// [`PoolStats::injected`].
    pub injected: u64,
    /// How many times a thread that waited in this nursery went to sleep.
    pub parked: u64,
}

impl NurseryStats {
    pub(crate) fn new(numbers: Numbers) -> Self {
        let Numbers {
            spawned,
            run_here: run_by_opener,
            run_elsewhere,
            skipped,
            panicked,
            late,
            stolen,
            leapfrogged: stolen_while_waiting,
            strays: injected,
            waits,
            answers: _,
        } = numbers;
        Self {
            spawned,
            run_by_opener,
            run_elsewhere,
            skipped,
            panicked,
            late,
            stolen,
            stolen_while_waiting,
            injected,
            parked: waits,
        }
    }
}

impl fmt::Display for NurseryStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            spawned,
            run_by_opener,
            run_elsewhere,
            skipped,
            panicked,
            late,
            ..
        } = self;
        write!(
            f,
            "{spawned} children spawned, {run_by_opener} run by the opener, {run_elsewhere} elsewhere, "
        )?;
        write!(f, "{skipped} skipped, {panicked} panicked, {late} late; ")?;
        write!(
            f,
            "{} stolen, {} of them while waiting, ",
            self.stolen, self.stolen_while_waiting
        )?;
        write!(f, "{} injected, {} parked", self.injected, self.parked)
    }
}
