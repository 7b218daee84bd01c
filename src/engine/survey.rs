//! Asking all threads of a pool what they have open: see `report`.

use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::report::{Id, Report};
use crate::engine::reporting;
use crate::engine::shared::{Doing, Slot};
use crate::engine::watcher;
use crate::platform::clock;
use crate::platform::sync::Arc;

/// How long to wait for reports: a child that takes this long is a long child.
const PATIENCE: Duration = Duration::from_millis(100);
/// What a survey finds out about a slot.
pub(crate) struct Found {
    pub(crate) id: Id,
    pub(crate) owner: String,
    pub(crate) doing: Doing,
    /// None if the owner has not answered.
    pub(crate) report: Option<Arc<Report>>,
    /// What could be learned of an owner that has not answered.
    pub(crate) looked_into: Option<Report>,
    /// The nursery of the children that the owner has taken last, and the child, if it was only
    /// one.
    pub(crate) at: Option<(Id, Option<Id>)>,
}

/// All that could be learned about a pool.
pub(crate) struct Survey {
    pub(crate) slots: Vec<Found>,
    /// The nursery of each stray run.
    pub(crate) injected: Vec<Id>,
    /// The nurseries of the blocking children that wait for a thread.
    pub(crate) blocking: Vec<Id>,
}

/// One slot that was asked.
struct Asked {
    slot: Arc<Slot>,
    request: u64,
    report: Option<Arc<Report>>,
}

impl Asked {
    /// Whether an answer may still come; if so, the owner is reminded.
    fn is_open(&mut self) -> bool {
        if self.report.is_none() {
            self.report = self.slot.desk.answer_to(self.request);
        }
        let doing = self.slot.doing();
        let is_open = self.report.is_none() && matches!(doing, Doing::Running | Doing::Waiting);
        if is_open {
            self.slot.desk.remind();
            self.slot.requests.arm();
            if doing == Doing::Waiting {
                // The owner finds the reminder behind the token.
                self.slot.parker.unpark();
            }
        }
        is_open
    }
}

impl Core {
    /// Asks the threads that have something open what it is, and waits a moment for their reports.
    pub(crate) fn survey(&self) -> Survey {
        let ask = |slot: Arc<Slot>| Asked {
            request: slot.desk.ask(),
            slot,
            report: None,
        };
        let mut asked: Vec<_> = self.roster.to_vec().into_iter().map(ask).collect();
        let started = clock::tick();
        loop {
            let open = asked
                .iter_mut()
                .filter_map(|asked| asked.is_open().then_some(()));
            let are_some_open = open.count() > 0;
            // This thread may be one of the threads that were asked.
            if reporting::report_here(self) {
                continue;
            }
            // Without a clock the pool has no threads, and no wait for others comes to an end.
            let is_patient = clock::IS_THERE && clock::tick() - started <= PATIENCE;
            if !are_some_open || !is_patient {
                break;
            }
            self.answers.wait();
        }
        Survey {
            slots: asked.into_iter().map(|asked| self.find(asked)).collect(),
            injected: self.injector.each(|run| Id::of(run.scope())),
            blocking: self.blocking.whose(),
        }
    }

    fn find(&self, asked: Asked) -> Found {
        let Asked { slot, report, .. } = asked;
        let looks = report.is_none() && slot.doing() == Doing::Running;
        let looked_into = looks.then(|| watcher::look_into(self, &slot)).flatten();
        Found {
            id: Id::of(Arc::as_ptr(&slot)),
            owner: slot.owner(),
            doing: slot.doing(),
            report,
            looked_into,
            at: slot.at(),
        }
    }
}
