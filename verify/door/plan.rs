//! What a check does at fail points.

use std::cell::Cell;
// Not the platform's types: counting is no step of a schedule.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Failpoint;

/// What a plan does at a point; it is told how often the point was reached, from 1.
type Act = Box<dyn Fn(Failpoint, usize) + Send + Sync>;

/// Counts the points that threads with this plan reach, and steps in there.
pub(crate) struct Plan {
    hits: Vec<AtomicUsize>,
    act: Act,
}

thread_local! {
    // It has no destructor, because points are reached while other destructors run.
    static PLAN: Cell<Option<&'static Plan>> = const { Cell::new(None) };
    /// Set while a plan acts at a point: points that are reached meanwhile do not count.
    static IS_ACTING: Cell<bool> = const { Cell::new(false) };
}

/// All plans. A thread may outlive the test that had it started, so plans stay; here a search
/// for leaks finds them.
static PLANS: Mutex<Vec<&'static Plan>> = Mutex::new(Vec::new());

/// The calling thread acts until this is dropped.
struct Acting;

impl Drop for Acting {
    fn drop(&mut self) {
        IS_ACTING.set(false);
    }
}

impl Plan {
    /// A plan that calls `act` wherever a thread with this plan reaches a point.
    pub(crate) fn new(act: impl Fn(Failpoint, usize) + Send + Sync + 'static) -> &'static Self {
        let plan: &'static Self = Box::leak(Box::new(Self {
            hits: Failpoint::ALL.iter().map(|_| AtomicUsize::new(0)).collect(),
            act: Box::new(act),
        }));
        let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        plans.push(plan);
        plan
    }

    /// How often this point was reached so far.
    pub(crate) fn hits(&self, point: Failpoint) -> usize {
        self.hits[point as usize].load(Ordering::Relaxed)
    }

    /// Gives this plan to the calling thread, and to the threads that it has pools start from
    /// now on.
    pub(crate) fn adopt(&'static self) {
        PLAN.set(Some(self));
    }

    /// The plan of the calling thread.
    pub(crate) fn current() -> Option<&'static Self> {
        PLAN.get()
    }

    fn reach(&self, point: Failpoint) {
        let hit = self.hits[point as usize].fetch_add(1, Ordering::Relaxed) + 1;
        (self.act)(point, hit);
    }
}

/// Says that the calling thread is at this point.
pub(crate) fn reach(point: Failpoint) {
    if let Some(plan) = PLAN.get() {
        if !IS_ACTING.replace(true) {
            let _acting = Acting;
            plan.reach(point);
        }
    }
}

/// The main function of a new thread, with the plan of the calling thread.
pub(crate) fn inherited<F: FnOnce() + Send + 'static>(main: F) -> impl FnOnce() + Send + 'static {
    let plan = Plan::current();
    move || {
        PLAN.set(plan);
        main();
    }
}
