//! What the other threads of this process use.

use std::time::Duration;

/// What threads have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// How often one of them stopped running: as often as it was woken, or less.
    pub(crate) switches: u64,
}

/// The threads of this process except the calling thread. All of them live on, except spare threads
/// that sleep for long. None where the system does not tell threads apart.
pub(crate) struct Others(Vec<i32>);

impl Others {
    /// Whether the system says what a single thread has used.
    pub(crate) fn are_known() -> bool {
        cfg!(target_os = "linux")
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn listed() -> Self {
        let own = nix::unistd::gettid().as_raw();
        let tasks = std::fs::read_dir("/proc/self/task").expect("the system lists the threads");
        let tasks = tasks.map(|task| task.expect("a thread's folder"));
        // A spare thread of a pool that another row has left idle may end any time.
        let is_spare = |name: String| name.contains("-spare");
        let tasks = tasks
            .filter(|task| !std::fs::read_to_string(task.path().join("comm")).is_ok_and(is_spare));
        let threads = tasks.map(|task| {
            let name = task.file_name();
            name.to_str()
                .and_then(|name| name.parse().ok())
                .expect("its number")
        });
        Self(threads.filter(|thread| *thread != own).collect())
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn listed() -> Self {
        Self(Vec::new())
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn usage(&self) -> Usage {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::time::{ClockId, clock_gettime};

        // A thread's own clock, whose number is made as `pthread_getcpuclockid` does. What the
        // system says of the whole process misses what threads that run right now have used since
        // the last tick.
        let cpu = self.0.iter().map(|thread| {
            let clock = ClockId::from_raw((!thread << 3) | 6);
            Duration::from(clock_gettime(clock).expect("the thread lives"))
        });
        let cpu = cpu.sum();
        let [all, own] = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_THREAD].map(|who| {
            let usage = getrusage(who).expect("the system knows");
            let switches =
                usage.voluntary_context_switches() + usage.involuntary_context_switches();
            u64::try_from(switches).expect("they only grow")
        });
        // The two are read one after the other.
        let switches = all.saturating_sub(own);
        Usage { cpu, switches }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn usage(&self) -> Usage {
        Usage::default()
    }
}
