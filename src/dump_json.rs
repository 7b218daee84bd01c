//! A snapshot of a pool for programs, as JSON.

use crate::dump::{Nursery, PoolSnapshot, Seat, State, Waits, What};
use crate::json::Object;
use crate::stats::{NurseryStats, PoolStats};

impl PoolSnapshot {
    /// Returns the snapshot as one JSON object.
    ///
    /// - `nurseries` lists the open nurseries, each before the nurseries inside it. Its `id` counts from 1, and
    ///   `parent` is the `id` of the nursery around it, or null.
    /// - `seats` lists the pool's threads. `state` is `"runs"`, `"waits"`, `"blocks"` or `"sleeps"`, `nursery` is the
    ///   `id` of the innermost nursery that the thread is in, and `waits_for` says what the thread waits for.
    /// - `stats` are the numbers of [`PoolStats`].
    ///
    /// The numbers of children mean something in this snapshot only. They are not the index of a
    /// [`ChildId`](crate::ChildId).
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{Options, Pool};
    ///
    /// let pool = Pool::builder().threads(2).build()?;
    /// let dump = Options::new().pool(&pool).name("import").nursery(|_| pool.dump());
    /// assert!(dump.to_json().contains(r#""name":"import""#));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        Object::new()
            .field("pool", &*self.pool)
            .field("threads", self.threads)
            .field("stats", self.stats.to_json())
            .list("nurseries", self.nurseries.iter().map(Nursery::to_json))
            .list("seats", self.seats.iter().map(Seat::to_json))
            .finish()
    }
}

impl Nursery {
    fn to_json(&self) -> Object {
        Object::new()
            .field("id", self.number)
            .field("parent", self.within)
            .field("kind", if self.is_fork { "join" } else { "nursery" })
            .field("name", self.name.as_deref())
            .field("opened_by", self.home.as_deref())
            .field("cancelled", self.cancelled.as_deref())
            .field("unstarted", self.unstarted)
            .field("shared", self.shared)
            .field("injected", self.injected)
            .field("blocking_queued", self.blocking)
            .field("last_taken_by", self.runner.as_deref())
            .field("stats", self.stats.to_json())
    }
}

impl Seat {
    fn to_json(&self) -> Object {
        let state = match self.state {
            State::Runs => "runs",
            State::Waits => "waits",
            State::Blocks => "blocks",
            State::Sleeps => "sleeps",
        };
        Object::new()
            .field("thread", &*self.thread)
            .field("state", state)
            .field("has_answered", self.has_answered)
            .field("nursery", self.place.map(|place| place.0))
            .field("in", self.place.map(|place| place.1))
            .field("child", self.child)
            .field("open_joins", self.forks)
            .field("is_cut_short", self.is_cut_short)
            .field("waits_for", self.waits.as_ref().map(Waits::to_json))
    }
}

impl Waits {
    fn to_json(&self) -> Object {
        let waits = Object::new().field("nursery", self.nursery);
        match &self.what {
            What::End => waits.field("what", "end"),
            What::Any => waits.field("what", "any child"),
            What::Child {
                number,
                is_blocking,
                is_started,
                runner,
            } => waits
                .field("what", "child")
                .field("child", *number)
                .field("is_blocking", *is_blocking)
                .field("is_started", *is_started)
                .field("run_by", runner.as_deref()),
        }
    }
}

impl PoolStats {
    fn to_json(self) -> Object {
        Object::new()
            .field("spawned", self.spawned)
            .field("run_by_opener", self.run_by_opener)
            .field("run_elsewhere", self.run_elsewhere)
            .field("skipped", self.skipped)
            .field("panicked", self.panicked)
            .field("late", self.late)
            .field("stolen", self.stolen)
            .field("stolen_while_waiting", self.stolen_while_waiting)
            .field("injected", self.injected)
            .field("parked", self.parked)
            .field("wake_ups", self.wake_ups)
            .field("spares_started", self.spares_started)
            .field("workers", self.workers)
            .field("spare_threads", self.spare_threads)
            .field("blocking_threads", self.blocking_threads)
    }
}

impl NurseryStats {
    fn to_json(self) -> Object {
        Object::new()
            .field("spawned", self.spawned)
            .field("run_by_opener", self.run_by_opener)
            .field("run_elsewhere", self.run_elsewhere)
            .field("skipped", self.skipped)
            .field("panicked", self.panicked)
            .field("late", self.late)
            .field("stolen", self.stolen)
            .field("stolen_while_waiting", self.stolen_while_waiting)
            .field("injected", self.injected)
            .field("parked", self.parked)
    }
}
