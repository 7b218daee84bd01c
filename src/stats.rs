//! What has happened so far, in numbers.

use std::fmt;

use crate::engine::core::Core;
use crate::engine::tally::{Counter, Numbers};

/// Declares a struct with the numbers that pools and nurseries have in common, and with some more.
macro_rules! stats {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$of_field:meta])* pub $field:ident: $number:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct $name {
            /// Children spawned: one per item for `spawn_each`.
            pub spawned: u64,
            /// Children run on the thread that opened their nursery, those that run now included.
            pub run_by_opener: u64,
            /// Children run on other threads: workers, side threads, other callers that wait.
            ///
            /// A thread that takes several children at once adds them when it has run the last of them.
            pub run_elsewhere: u64,
            /// Children dropped unrun because their nursery was cancelled.
            pub skipped: u64,
            /// Children that panicked: in their closure, or in a destructor of what they captured or returned.
            ///
            /// A child that was dropped unrun and panicked on that counts as [skipped](Self::skipped), too.
            pub panicked: u64,
            /// Children whose error was [late](crate::Failures::late), whatever became of the error.
            pub late: u64,
            /// How many times a thread has taken children from another thread's shared queue, one or thousands
            /// at a time.
            pub stolen: u64,
            /// How many times a thread that waited has taken children from the thread that ran its nursery's
            /// children.
            pub stolen_while_waiting: u64,
            /// How many times children went to the pool's common queue.
            ///
            /// Children go there that were spawned by a thread that has no part of their nursery, that were
            /// left behind by a thread that was about to sleep, or that were taken by mistake.
            pub injected: u64,
            /// How many times a thread went to sleep in a nursery or a join, for want of a child that it may
            /// run.
            pub parked: u64,
            $($(#[$of_field])* pub $field: $number,)*
        }

        impl $name {
            /// What was counted; the other fields are zero.
            #[allow(clippy::needless_update, reason = "one of them has no other fields")]
            fn counted(numbers: Numbers) -> Self {
                let skipped_here = numbers[Counter::SkippedHere];
                let skipped_elsewhere = numbers[Counter::SkippedElsewhere];
                Self {
                    spawned: numbers[Counter::Spawned],
                    run_by_opener: numbers[Counter::BegunHere].saturating_sub(skipped_here),
                    run_elsewhere: numbers[Counter::BegunElsewhere].saturating_sub(skipped_elsewhere),
                    skipped: numbers.skipped(),
                    panicked: numbers[Counter::Panicked],
                    late: numbers[Counter::Late],
                    stolen: numbers[Counter::Stolen],
                    stolen_while_waiting: numbers[Counter::StolenWhileWaiting],
                    injected: numbers[Counter::Injected],
                    parked: numbers[Counter::Parked],
                    ..Self::default()
                }
            }

            fn write_counted(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} children spawned, ", self.spawned)?;
                write!(f, "{} run by the opener, ", self.run_by_opener)?;
                write!(f, "{} elsewhere, ", self.run_elsewhere)?;
                write!(f, "{} skipped, ", self.skipped)?;
                write!(f, "{} panicked, {} late; ", self.panicked, self.late)?;
                write!(f, "{} stolen, ", self.stolen)?;
                write!(f, "{} while waiting, ", self.stolen_while_waiting)?;
                write!(f, "{} injected, {} parked", self.injected, self.parked)
            }
        }
    };
}

stats! {
    /// What has happened in a pool since it was made, and the threads it has now; see
    /// [`Pool::stats`](crate::Pool::stats).
    ///
    /// Children are those of `spawn`, `spawn_blocking` and, one per item, `spawn_each`. The closures of
    /// [`join`](crate::join()) do not count, wherever they run.
    ///
    /// A thread that opened a nursery adds what it has spawned and run there when the nursery returns;
    /// the nursery's [own numbers](crate::Nursery::stats) have it at once. While no nursery is open on the pool,
    /// every child has run or was skipped. While nurseries are open, the numbers are read one after the other,
    /// and no thread is stopped for it.
    ///
    /// # Examples
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
    pub struct PoolStats {
        /// How many times a worker was woken to look for work.
        pub wake_ups: u64,
        /// How many times a spare thread was started, or called back, to take over for a thread that waits or
        /// blocks.
        pub spares_started: u64,
        /// Workers that were started, without spare threads.
        pub workers: usize,
        /// Spare threads that there are now.
        pub spare_threads: usize,
        /// Blocking threads that there are now: they run children that may block.
        pub blocking_threads: usize,
    }
}

stats! {
    /// What has happened in a nursery since it was opened; see [`Nursery::stats`](crate::Nursery::stats)
    /// and [`TryNursery::stats`](crate::TryNursery::stats).
    ///
    /// It is about the nursery's own children, and not about children of nurseries that they open.
    ///
    /// Other threads add what they have done a little later, when they have run all that they took. Once they
    /// have, and no child is left, `spawned == run_by_opener + run_elsewhere + skipped`.
    ///
    /// # Examples
    ///
    /// ```
    /// hatchery::nursery(|n| {
    ///     let children: Vec<_> = (0..10).map(|i| n.spawn(move || i)).collect();
    ///     assert_eq!(n.stats().spawned, 10);
    ///     children.into_iter().for_each(|child| assert!(child.join() < 10));
    ///     assert!(n.stats().run_by_opener <= 10); // the others ran elsewhere
    /// });
    /// ```
    pub struct NurseryStats {}
}

impl PoolStats {
    pub(crate) fn of(core: &Core) -> Self {
        let [wake_ups, spares_started] = core.wakes();
        Self {
            wake_ups,
            spares_started,
            workers: core.workers_started(),
            spare_threads: core.idle.snapshot()[4],
            blocking_threads: core.blocking.snapshot()[2],
            ..Self::counted(core.numbers())
        }
    }
}

impl NurseryStats {
    pub(crate) fn new(numbers: Numbers) -> Self {
        Self::counted(numbers)
    }
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_counted(f)?;
        write!(f, ", {} wake-ups, ", self.wake_ups)?;
        write!(f, "{} spares started; ", self.spares_started)?;
        write!(f, "{} workers, ", self.workers)?;
        write!(f, "{} spare threads, ", self.spare_threads)?;
        write!(f, "{} blocking threads", self.blocking_threads)
    }
}

impl fmt::Display for NurseryStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_counted(f)
    }
}
