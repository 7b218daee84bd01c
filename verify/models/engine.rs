//! The engine, as far as models know it: nurseries, runs, slots and seats are the real ones. Their pool
//! starts no threads, and what knows frames is told again by the models.

#[path = "../../src/engine/links.rs"]
mod links;
#[path = "../../src/engine/node.rs"]
pub(crate) mod node;
#[path = "../../src/engine/report.rs"]
pub(crate) mod report;
#[path = "../../src/engine/seat.rs"]
pub(crate) mod seat;
#[path = "../../src/engine/share.rs"]
mod share;
#[path = "../../src/engine/shared.rs"]
pub(crate) mod shared;
#[path = "../../src/engine/tally.rs"]
pub(crate) mod tally;

/// A pool of workers that are there, and stay.
pub(crate) mod core {
    use super::shared::{Run, Slot};
    use crate::platform::deque::Worker as Deque;
    use crate::platform::sync::Arc;
    use crate::platform::sync::atomic::Ordering;
    use crate::protocol::idle::{Field, Idle};
    use crate::protocol::injector::Injector;

    pub(crate) struct Core {
        pub(crate) idle: Idle,
        pub(crate) injector: Injector<Run>,
        pub(crate) slots: Vec<Arc<Slot>>,
        /// How many of the threads share something at some time, the first ones.
        pub(crate) sharing: usize,
        pub(crate) roster: Roster,
    }

    impl Core {
        pub(crate) fn threads(&self) -> usize {
            self.slots.len()
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

        pub(crate) fn has_workers(&self) -> bool {
            true
        }

        pub(crate) fn begin(&self) -> bool {
            false
        }
    }

    impl Field for Core {
        fn has_visible_work(&self) -> bool {
            let mut sharing = self.slots[..self.sharing].iter();
            self.injector.len() > 0 || sharing.any(|slot| slot.has_work())
        }

        fn arm_all(&self) {
            self.slots.iter().for_each(|slot| slot.requests.arm());
        }

        fn rouse(&self, worker: usize) -> bool {
            // ORDERING: as in the real one.
            self.slots[worker].asleep.store(false, Ordering::Release);
            self.slots[worker].parker.unpark();
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

    #[derive(Clone, Copy)]
    pub(crate) struct VainLooks;

    pub(crate) struct Steps;

    impl Steps {
        pub(crate) fn new() -> Self {
            Self
        }
    }
}
