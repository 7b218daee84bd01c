//! Numbers of pools and nurseries: children run, thefts, sleeps, threads.

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
            /// Children spawned: one per item for `spawn_each` and `spawn_buffered`.
            pub spawned: u64,
            /// Children run on the thread that opened their nursery, those that run now included.
            pub run_by_opener: u64,
            /// Children run on other threads: workers, side threads, other callers that wait.
            pub run_elsewhere: u64,
            /// Children dropped unrun because their nursery was cancelled.
            pub skipped: u64,
            /// Children that panicked: in their closure, or in a destructor of their captures or their value.
            ///
            /// A child that was dropped unrun, and whose destructors panicked, counts as [skipped](Self::skipped) too.
            pub panicked: u64,
            /// Children that returned a [late](crate::Failures::late) error, whether or not anybody received it.
            pub late: u64,
            /// Times that a thread took children, any number at once, from the shared queue of another thread.
            pub stolen: u64,
            /// [Thefts](Self::stolen) in which a waiting thread took from the thread that ran children of its nursery.
            pub stolen_while_waiting: u64,
            /// Times that children went to the pool's common queue, because the queue of no thread could hold them.
            ///
            /// A thread without a part in their nursery had spawned them, or a thread left them behind when it was
            /// about to sleep, or a thread had taken them by mistake, or they were taken from a thread that did something
            /// else for long.
            pub injected: u64,
            /// Times that a thread went to sleep in a nursery or a `join`, because there was nothing that it could run.
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
    /// The numbers of a pool since it was made, and its present threads.
    ///
    /// [`Pool::stats`](crate::Pool::stats) returns them. A `spawn` or `spawn_blocking` counts as one child, a
    /// `spawn_each` or `spawn_buffered` as one child per item. The closures of a [`join`](crate::join()) and the
    /// items of a [`for_each`](crate::for_each()) do not count.
    /// [`Display`](fmt::Display) writes the numbers in one line.
    ///
    /// # When a child is counted
    ///
    /// The children that the opening thread of a nursery spawns and runs are added when the nursery returns. The
    /// nursery's [own numbers](crate::Nursery::stats) include them at once. Children that other threads run are added
    /// when the thread has come to the end of all that it took along with them.
    ///
    /// The numbers are read one after the other and no thread stops for that. So while nurseries are open, they need
    /// not fit together.
    ///
    /// # Examples
    ///
    /// When no nursery is open on the pool, every child has run or was skipped:
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
        /// [Jobs](crate::submit()) that a worker has begun. Jobs that were joined, and begun by the thread that joined
        /// them, do not count.
        pub jobs: u64,
        /// Times that a sleeping worker was woken to look for work. The start of a worker does not count, unless the
        /// pool has a start hook.
        pub wake_ups: u64,
        /// Times that a spare thread was started or called back, to take over for a thread that waits or blocks.
        pub spares_started: u64,
        /// Times that the place of a thread was lent to another, because the thread was blocked without saying so, or
        /// because nothing had begun for long: see [`Pool`](crate::Pool#threads-that-block).
        pub places_lent: u64,
        /// Workers that were started so far, without spare threads.
        pub workers: usize,
        /// Spare threads that exist now.
        pub spare_threads: usize,
        /// Side threads that exist now: they run children that may block.
        pub blocking_threads: usize,
    }
}

stats! {
    /// The numbers of a nursery since it was opened.
    ///
    /// [`Nursery::stats`](crate::Nursery::stats) and [`TryNursery::stats`](crate::TryNursery::stats) return them.
    /// They count the nursery's own children, and not the children of nurseries inside. Children that other threads
    /// run are added when the thread has come to the end of all that it took along with them. Once all children
    /// have ended and were added, `spawned == run_by_opener + run_elsewhere + skipped`.
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
        let [wake_ups, spares_started, places_lent, taken] = core.wakes();
        let numbers = core.numbers();
        let counted = Self::counted(numbers);
        Self {
            injected: counted.injected + taken,
            jobs: numbers[Counter::Jobs],
            wake_ups,
            spares_started,
            places_lent,
            workers: core.workers_started(),
            spare_threads: core.idle.snapshot()[4],
            blocking_threads: core.blocking.snapshot()[2],
            ..counted
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
        write!(f, ", {} jobs", self.jobs)?;
        write!(f, ", {} wake-ups, ", self.wake_ups)?;
        write!(f, "{} spares started, ", self.spares_started)?;
        write!(f, "{} places lent; ", self.places_lent)?;
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
