//! Readers that wait for a waker, as the tasks of a runtime do.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::platform::parker::Parker;

/// A task: its waker unparks whoever runs it.
pub(super) struct Task(loom::sync::Arc<Parker>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A thread that runs one task.
pub(super) struct Executor {
    parker: loom::sync::Arc<Parker>,
    task: Arc<Task>,
}

impl Executor {
    pub(super) fn new() -> Self {
        let parker = loom::sync::Arc::new(Parker::new());
        let task = Arc::new(Task(loom::sync::Arc::clone(&parker)));
        Self { parker, task }
    }

    /// A waker of the task.
    pub(super) fn waker(&self) -> Waker {
        Arc::clone(&self.task).into()
    }

    /// Polls, and parks until the waker is woken, until there is a result.
    pub(super) fn block_on<T>(&self, mut poll: impl FnMut(&Waker) -> Option<T>) -> T {
        loop {
            if let Some(result) = poll(&self.waker()) {
                return result;
            }
            self.parker.park();
        }
    }

    /// Nobody has a waker of the task any more.
    pub(super) fn assert_forgotten(&self) {
        assert_eq!(Arc::strong_count(&self.task), 1, "no waker is left");
    }
}
