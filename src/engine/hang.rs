//! What waits in a pool, for a person who looks at a hang.

use std::fmt;

use crate::engine::core::Core;
use crate::platform::sync::atomic::Ordering;

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [computing, searching, asleep, absent, spare] = self.idle.snapshot();
        let [queued, ready, living] = self.blocking.snapshot();
        let mut out = f.debug_struct("Pool");
        out.field("name", &self.config.name)
            .field("threads", &self.config.threads)
            .field("workers_started", &self.workers_started())
            .field(
                "workers_refused",
                &self.workers_refused.load(Ordering::Relaxed),
            )
            .field("computing", &computing)
            .field("searching", &searching)
            .field("asleep", &asleep)
            .field("absent_workers", &absent)
            .field("spare_workers", &spare)
            .field("stray_runs", &self.injector.len())
            .field("jobs_waiting", &self.jobs.waiting())
            .field("jobs_running", &self.jobs.running())
            .field("blocking_children_queued", &queued)
            .field("side_threads", &living)
            .field("side_threads_ready", &ready);
        if let Some(crew) = &self.crew {
            let [coming, inside] = crew.helpers.snapshot();
            out.field("helpers_coming", &coming)
                .field("helpers_inside", &inside);
        }
        // The writer is user code: it must not run under the lock.
        out.field("seats", &self.roster.to_vec())
            .field("free_seats", &self.roster.count_free())
            .finish()
    }
}
