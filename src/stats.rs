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
/// assert_eq!(stats.run_here + stats.run_elsewhere + stats.skipped, stats.spawned);
/// # Ok::<(), hatchery::BuildError>(())
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
    pub run_here: u64,
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
    pub leapfrogged: u64,
    /// How many times children went to the pool's common queue, because no thread's own could take
    /// them: spawned by a thread that has no part of their nursery, left behind by one that was about to
    /// sleep, or taken by mistake.
    pub strays: u64,
    /// How many times a thread went to sleep in a nursery or a join, for want of something it may run.
    pub parked: u64,
    /// How many times a worker was woken to look for work.
    pub wake_ups: u64,
    /// How many times a spare thread took over for one that waits or blocks.
    pub compensations: u64,
    /// Workers that were started, but for spare ones.
    pub workers: usize,
    /// Spare threads that there are now.
    pub spare_threads: usize,
    /// Side threads that there are now, for children that may block.
    pub blocking_threads: usize,
}

impl PoolStats {
    pub(crate) fn of(core: &Core) -> Self {
        let Numbers {
            spawned,
            run_here,
            run_elsewhere,
            skipped,
            panicked,
            late,
            stolen,
            leapfrogged,
            strays,
            waits,
            answers: _,
        } = core.numbers();
        let [wake_ups, compensations] = core.wakes();
        Self {
            spawned,
            run_here,
            run_elsewhere,
            skipped,
            panicked,
            late,
            stolen,
            leapfrogged,
            strays,
            parked: waits,
            wake_ups,
            compensations,
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
            run_here,
            run_elsewhere,
            skipped,
            panicked,
            late,
            ..
        } = self;
        write!(
            f,
            "{spawned} children spawned, {run_here} run here, {run_elsewhere} elsewhere, "
        )?;
        write!(f, "{skipped} skipped, {panicked} panicked, {late} late; ")?;
        write!(
            f,
            "{} stolen, {} leapfrogged, ",
            self.stolen, self.leapfrogged
        )?;
        write!(f, "{} strays, {} parked, ", self.strays, self.parked)?;
        write!(
            f,
            "{} wake-ups, {} compensations; ",
            self.wake_ups, self.compensations
        )?;
        let Self {
            workers,
            spare_threads,
            blocking_threads,
            ..
        } = self;
        write!(f, "{workers} workers, {spare_threads} spare threads, ")?;
        write!(f, "{blocking_threads} side threads")
    }
}

/// What has happened in a nursery since it was opened; see [`Nursery::stats`](crate::Nursery::stats)
/// and [`TryNursery::stats`](crate::TryNursery::stats).
///
/// It is about the nursery's own children, and not about those of nurseries that they open.
///
/// What other threads do is added a little later, when they come to the end of what they took. Once that
/// is so and no child is left, `spawned == run_here + run_elsewhere + skipped`.
///
/// ```
/// hatchery::nursery(|n| {
///     let children: Vec<_> = (0..10).map(|i| n.spawn(move || i)).collect();
///     assert_eq!(n.stats().spawned, 10);
///     children.into_iter().for_each(|child| assert!(child.join() < 10));
///     assert!(n.stats().run_here <= 10); // the others ran elsewhere
/// });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NurseryStats {
    /// Children spawned, by the body and by children: one per item for `spawn_each`.
    pub spawned: u64,
    /// Children run on the thread that opened the nursery, those that run now included.
    pub run_here: u64,
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
    pub leapfrogged: u64,
    /// How many times children of this nursery went to the pool's common queue, see
    /// [`PoolStats::strays`].
    pub strays: u64,
    /// How many times a thread that waited in this nursery went to sleep.
    pub parked: u64,
}

impl NurseryStats {
    pub(crate) fn new(numbers: Numbers) -> Self {
        let Numbers {
            spawned,
            run_here,
            run_elsewhere,
            skipped,
            panicked,
            late,
            stolen,
            leapfrogged,
            strays,
            waits,
            answers: _,
        } = numbers;
        Self {
            spawned,
            run_here,
            run_elsewhere,
            skipped,
            panicked,
            late,
            stolen,
            leapfrogged,
            strays,
            parked: waits,
        }
    }
}

impl fmt::Display for NurseryStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            spawned,
            run_here,
            run_elsewhere,
            skipped,
            panicked,
            late,
            ..
        } = self;
        write!(
            f,
            "{spawned} children spawned, {run_here} run here, {run_elsewhere} elsewhere, "
        )?;
        write!(f, "{skipped} skipped, {panicked} panicked, {late} late; ")?;
        write!(
            f,
            "{} stolen, {} leapfrogged, ",
            self.stolen, self.leapfrogged
        )?;
        write!(f, "{} strays, {} parked", self.strays, self.parked)
    }
}
