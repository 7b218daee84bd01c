//! The engine, as far as models know it: nurseries, runs, slots and seats are the real ones. Their pool
//! starts no threads, and what knows frames is told again by the models.

#[path = "../../src/engine/jobs.rs"]
pub(crate) mod jobs;
#[path = "../../src/engine/links.rs"]
mod links;
#[path = "../../src/engine/node.rs"]
pub(crate) mod node;
#[path = "../../src/engine/report.rs"]
pub(crate) mod report;
#[path = "../../src/engine/ring.rs"]
mod ring;
#[path = "../../src/engine/seat.rs"]
pub(crate) mod seat;
#[path = "../../src/engine/share.rs"]
mod share;
#[path = "../../src/engine/shared.rs"]
pub(crate) mod shared;
#[path = "../../src/engine/submitting.rs"]
mod submitting;
#[path = "../../src/engine/tally.rs"]
pub(crate) mod tally;
#[path = "../../src/engine/workers.rs"]
mod workers;

/// A pool of workers that are there, and stay until its end, or of workers that the system refuses.
pub(crate) mod core {
    use loom::thread::JoinHandle;

    use super::jobs::Jobs;
    use super::seat::Seat;
    use super::shared::{Run, Slot};
    use super::workers::Workers;
    use crate::platform::deque::Worker as Deque;
    use crate::platform::planted;
    use crate::platform::sync::Arc;
    use crate::platform::sync::atomic::{AtomicUsize, Ordering};
    use crate::protocol::idle::{Field, Idle};
    use crate::protocol::injector::Injector;
    use crate::protocol::threads::Threads;

    pub(crate) struct Core {
        pub(crate) idle: Idle,
        pub(crate) injector: Injector<Run>,
        pub(crate) jobs: Jobs,
        pub(crate) slots: Vec<Arc<Slot>>,
        /// The same, as those that ring find them.
        pub(super) workers: Workers,
        /// How many workers there may be.
        threads: usize,
        /// How many of the threads share something at some time, the first ones.
        sharing: usize,
        /// Whether there are jobs at some time.
        has_jobs: bool,
        /// Whether jobs are submitted by jobs.
        are_in_jobs: bool,
        pub(crate) roster: Roster,
        all_threads: Threads<JoinHandle<()>>,
        /// Whether a worker is started when it is first roused.
        starts_late: bool,
        /// How many workers have started, and how many the system has refused.
        workers_started: AtomicUsize,
        workers_refused: AtomicUsize,
    }

    impl Core {
        /// A pool with so many places. The workers that have a slot are there.
        pub(crate) fn new(places: usize, slots: Vec<Arc<Slot>>, sharing: usize) -> Self {
            let workers = Workers::default();
            for (index, slot) in slots.iter().enumerate() {
                workers.note(index, slot);
            }
            Self {
                idle: Idle::new(places, 0),
                workers,
                injector: Injector::new(),
                jobs: Jobs::new(),
                threads: places,
                starts_late: false,
                workers_started: AtomicUsize::new(slots.len()),
                slots,
                sharing,
                has_jobs: false,
                are_in_jobs: false,
                roster: Roster,
                all_threads: Threads::new(),
                workers_refused: AtomicUsize::new(0),
            }
        }

        /// The same, where jobs are submitted.
        pub(crate) fn with_jobs(self) -> Self {
            Self {
                has_jobs: true,
                ..self
            }
        }

        /// The same, where jobs submit jobs.
        pub(crate) fn within_jobs(self) -> Self {
            Self {
                are_in_jobs: true,
                ..self
            }
        }

        /// The same, whose one worker has not started.
        pub(crate) fn that_starts_late(self) -> Self {
            Self {
                starts_late: true,
                workers_started: AtomicUsize::new(0),
                ..self
            }
        }

        pub(crate) fn threads(&self) -> usize {
            self.threads
        }

        pub(crate) fn is_orphan(&self) -> bool {
            false
        }

        pub(crate) fn check_process(&self) {}

        pub(crate) fn name(&self) -> &str {
            "models"
        }

        pub(crate) fn has_context(&self) -> bool {
            false
        }

        pub(crate) fn start_watchdog(&self) {}

        #[track_caller]
        pub(crate) fn has_workers(&self) -> bool {
            planted::skips()
                || self.workers_started() > 0
                || self.workers_refused.load(Ordering::Relaxed) < self.threads
        }

        #[track_caller]
        pub(crate) fn workers_started(&self) -> usize {
            if planted::skips() {
                // As if somebody else had seen to it.
                return 1;
            }
            self.workers_started.load(Ordering::Relaxed)
        }

        pub(crate) fn is_over(&self) -> bool {
            self.is_shut_down()
        }

        pub(crate) fn look_after_job(&self) -> bool {
            false
        }

        pub(crate) fn begin(&self) -> bool {
            false
        }

        pub(crate) fn is_shut_down(&self) -> bool {
            self.all_threads.is_closed()
        }

        /// Adds a worker that the end of the pool waits for.
        pub(crate) fn add(&self, worker: JoinHandle<()>) {
            let is_over = |_: &JoinHandle<()>| false;
            let added = self.all_threads.start(|| Some(worker), is_over);
            added.expect("not over yet");
        }

        pub(crate) fn is_in_job(&self) -> bool {
            self.are_in_jobs && !planted::step("the queue takes no jobs of jobs at the end")
        }

        /// As the real one, of a thread that is no part of a job.
        pub(crate) fn shut_down(&self) {
            let waits = !planted::step("the end does not wait for jobs");
            self.jobs.close(waits);
            self.end_threads();
        }

        /// As the real one, of a thread that may be part of a job, and has this seat.
        pub(crate) fn shut_down_inside(&self, seat: &Seat) {
            self.jobs.close(false);
            if !planted::step("what is left at the end is not run") {
                self.run_what_is_left(Some(seat));
            }
            self.end_threads();
        }

        fn end_threads(&self) {
            self.all_threads.close();
            self.idle.rouse_all(self);
            for thread in self.all_threads.take() {
                thread.join().unwrap();
            }
        }
    }

    impl Field for Core {
        #[track_caller]
        fn has_visible_work(&self) -> bool {
            if planted::skips() {
                return false;
            }
            let mut sharing = self.slots[..self.sharing].iter();
            self.injector.len() > 0
                || (self.has_jobs && self.jobs.waiting() > 0)
                || sharing.any(|slot| slot.has_work())
        }

        fn arm_all(&self) {
            self.slots.iter().for_each(|slot| slot.requests.arm());
        }

        fn rouse(&self, worker: usize) -> bool {
            let Some(slot) = self.slots.get(worker) else {
                if !self.is_over() {
                    self.workers_refused.fetch_add(1, Ordering::Relaxed);
                }
                return false;
            };
            if self.starts_late && self.workers_started() == 0 {
                self.workers_started.fetch_add(1, Ordering::Relaxed);
            }
            // ORDERING: as in the real one.
            slot.asleep.store(false, Ordering::Release);
            slot.parker.unpark();
            true
        }

        fn start_spare(&self) -> bool {
            false
        }
    }

    /// Where guests would give their slots back.
    pub(crate) struct Roster;

    impl Roster {
        pub(crate) fn check_out(&self, _slot: Arc<Slot>, _deque: Deque<Run>) {
            unreachable!("there are no guests");
        }
    }
}

/// Nothing takes any time.
pub(crate) mod grain {
    pub(crate) struct Rhythm;

    impl Rhythm {
        pub(crate) fn new() -> Self {
            Self
        }
    }

    pub(crate) struct Density;

    impl Density {
        pub(crate) fn new() -> Self {
            Self
        }
    }

    #[derive(Clone, Copy)]
    pub(crate) struct VainLooks;

    pub(crate) struct Steps;

    impl Steps {
        pub(crate) fn new() -> Self {
            Self
        }
    }
}
