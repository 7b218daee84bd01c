//! Repeating a schedule that has failed.

use std::collections::VecDeque;

use shuttle::scheduler::{DataSource, RandomDataSource, Schedule, Scheduler, Task, TaskId};
use shuttle_engine::scheduler::ScheduleStep;
use shuttle_engine::scheduler::serialization::deserialize_schedule;

/// Goes through a schedule as far as it fits, which after a fix may be not to its end, and on from there
/// round robin.
#[derive(Debug)]
pub(crate) struct Again {
    steps: VecDeque<ScheduleStep>,
    data: RandomDataSource,
    has_begun: bool,
}

impl Again {
    pub(crate) fn new(encoded: &str) -> Self {
        let schedule = deserialize_schedule(encoded).expect("a schedule");
        Self {
            steps: schedule.steps.into(),
            data: RandomDataSource::initialize(schedule.seed),
            has_begun: false,
        }
    }

    /// The next step, if it is one that is possible now; if not, the schedule does not fit any more.
    fn next(&mut self, is_possible: impl Fn(&ScheduleStep) -> bool) -> Option<ScheduleStep> {
        let next = self.steps.pop_front().filter(is_possible);
        if next.is_none() {
            self.steps.clear();
        }
        next
    }
}

impl Scheduler for Again {
    fn new_execution(&mut self) -> Option<Schedule> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        is_first.then(|| Schedule::new(self.data.reinitialize()))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        _is_yielding: bool,
    ) -> Option<TaskId> {
        let is_possible = |step: &ScheduleStep| match step {
            ScheduleStep::Task(next) => runnable.iter().any(|task| task.id() == *next),
            ScheduleStep::Random => false,
        };
        if let Some(ScheduleStep::Task(next)) = self.next(is_possible) {
            return Some(next);
        }
        let after = |task: &&&Task| current.is_none_or(|current| task.id() > current);
        let next = runnable.iter().find(after).or(runnable.first());
        next.map(|task| task.id())
    }

    fn next_u64(&mut self) -> u64 {
        self.next(|step| *step == ScheduleStep::Random);
        self.data.next_u64()
    }
}
