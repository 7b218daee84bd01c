//! Jobs: closures that a pool runs and no stack waits for, with a place for what they leave.
#![allow(
    unsafe_code,
    reason = "a caller that waits for its job lends it what it borrows"
)]

use std::mem;
use std::task::Waker;

use crate::engine::context::Captured;
use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::jobs::{self, Number};
use crate::engine::polling;
use crate::platform::process;
use crate::platform::sync::Arc;
use crate::protocol::promise::{Ended, GivenUp, Promise};
use crate::scope::panics::{catching, discard};
use crate::scope::{Payload, Seat, Token, block_in_place};

/// What a job leaves: a value or a panic.
pub(crate) type Left<T> = Result<T, Payload>;

/// A closure, and a place for what it leaves.
struct Job<F, T> {
    core: Arc<Core>,
    promise: Promise<F, Left<T>>,
}

impl<F, T> jobs::Job for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run(&self) {
        let Some(closure) = self.promise.begin() else {
            return;
        };
        self.core.jobs.count(|| {
            let left = catching(closure);
            match self.promise.end(left) {
                // The job has forked this process, and the task that polled it is in another one.
                Ended::Wanted(waker) if self.core.is_orphan() => mem::forget(waker),
                Ended::Wanted(waker) => waker.into_iter().for_each(wake),
                Ended::Unwanted(left) => discard(left),
            }
        });
    }
}

/// Runs a closure in the context of this thread, wherever it is called, if the pool has a context.
fn in_context<F, T>(core: &Core, closure: F) -> impl FnOnce() -> T + use<F, T>
where
    F: FnOnce() -> T,
{
    let captured = core.capture();
    move || {
        let _entered = captured.as_ref().map(Captured::enter);
        closure()
    }
}

/// Wakes, which is user code. Its panic concerns nobody: the panic hook has reported it.
pub(crate) fn wake(waker: Waker) {
    if let Err(payload) = catching(|| waker.wake()) {
        discard(payload);
    }
}

/// A job, as its reader knows it.
trait Promised<T>: jobs::Job {
    fn core(&self) -> &Core;
    fn poll(&self, waker: &Waker) -> Option<Left<T>>;
    fn wait(&self) -> Left<T>;
    fn is_over(&self) -> bool;
    /// Gives the job up; returns whether a thread runs it.
    fn give_up(&self) -> bool;
    fn detach(&self);
}

impl<F, T> Promised<T> for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn core(&self) -> &Core {
        &self.core
    }

    fn poll(&self, waker: &Waker) -> Option<Left<T>> {
        self.promise.poll(waker)
    }

    fn wait(&self) -> Left<T> {
        self.promise.wait()
    }

    fn is_over(&self) -> bool {
        self.promise.is_over()
    }

    fn give_up(&self) -> bool {
        let GivenUp {
            closure,
            value,
            waker,
            is_running,
        } = self.promise.give_up();
        discard(waker);
        discard(value);
        discard(closure);
        is_running
    }

    fn detach(&self) {
        let GivenUp { value, waker, .. } = self.promise.detach();
        discard(waker);
        discard(value);
    }
}

/// The right to what a job leaves.
pub(crate) struct Held<T> {
    /// Until the value was taken, or the job was given up or detached.
    job: Option<Arc<dyn Promised<T>>>,
    /// The number of the job, if it was put into the queue.
    number: Option<Number>,
    /// Cancels the nursery of the job.
    token: Token,
}

impl<T> Held<T> {
    /// Has a worker of the pool run the closure.
    pub(crate) fn submit<F>(core: Arc<Core>, token: Token, closure: F) -> Self
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let job = Arc::new(Job {
            promise: Promise::new(in_context(&core, closure)),
            core,
        });
        let for_workers: Arc<dyn jobs::Job> = Arc::clone(&job) as _;
        let number = job.core.submit(&for_workers);
        Self {
            job: Some(job),
            number,
            token,
        }
    }

    /// Takes what the job left if it is over; if not, the waker is woken when it is.
    ///
    /// # Panics
    ///
    /// If that was taken before.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Option<Left<T>> {
        self.check_process();
        let job = self.job.as_ref().expect("polled after it was ready");
        let left = job.poll(waker)?;
        self.job = None;
        Some(left)
    }

    /// Runs the job here, if nobody has begun it; waits for what it leaves.
    pub(crate) fn wait(mut self) -> Left<T> {
        self.check_process();
        let job = self.job.take().expect("the value was taken before");
        if let Some(number) = self.number {
            job.core().run_job(number);
        }
        if job.is_over() {
            return job.wait();
        }
        block_in_place(|| job.wait())
    }

    /// Cancels the nursery of the job.
    pub(crate) fn cancel(&self) {
        self.token.cancel();
    }

    pub(crate) fn is_over(&self) -> bool {
        let has_ended = |job: &Arc<dyn Promised<T>>| job.is_over();
        let is_over = !self.is_of_another_process() && self.job.as_ref().is_none_or(has_ended);
        if is_over {
            polling::note_find();
        } else {
            polling::note_vain_look();
        }
        is_over
    }

    /// Lets the job run, and whatever it leaves be dropped.
    pub(crate) fn detach(mut self) {
        if let Some(job) = self.take() {
            job.detach();
        }
    }

    /// Whether the job was put into the queue in a process that this one was forked from. A thread that is not here may
    /// hold a lock of the job then.
    fn is_of_another_process(&self) -> bool {
        let is_orphan = |job: &Arc<dyn Promised<T>>| job.core().is_orphan();
        self.number.is_some() && self.job.as_ref().is_some_and(is_orphan)
    }

    /// Ends the process rather than have it wait for a thread that is not here.
    fn check_process(&self) {
        if self.is_of_another_process() {
            process::abort();
        }
    }

    /// Takes the job, if it is of this process.
    fn take(&mut self) -> Option<Arc<dyn Promised<T>>> {
        let is_foreign = self.is_of_another_process();
        let job = self.job.take()?;
        if is_foreign {
            mem::forget(job);
            return None;
        }
        Some(job)
    }
}

/// On drop, takes the job out of the queue and drops it, or cancels it if a thread runs it.
impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let Some(job) = self.take() else { return };
        if let Some(number) = self.number {
            drop(job.core().jobs.take_back(number));
        }
        if job.give_up() {
            self.token.cancel();
        }
    }
}

/// Whether the calling thread is a worker of this pool, whatever it runs.
pub(crate) fn is_worker_of(core: &Arc<Core>) -> bool {
    Frame::with_current(|frame| {
        let seat = frame.and_then(|frame| frame.seat_in(core));
        seat.is_some_and(Seat::is_worker)
    })
}

/// Calls `f` on a worker of the pool, or here if there is none, and waits for what it leaves.
pub(crate) fn install<F, T>(core: &Arc<Core>, f: F) -> Left<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let job = Arc::new(Job {
        core: Arc::clone(core),
        promise: Promise::new(in_context(core, f)),
    });
    let for_workers: Arc<dyn jobs::Job + '_> = Arc::clone(&job) as _;
    // SAFETY: what `f` and its value borrow is used until the value is taken out of the promise, which this function
    // waits for. From then on the job is *gone*: it owns nothing that borrows, and other threads only drop it.
    let for_workers: Arc<dyn jobs::Job + 'static> = unsafe { mem::transmute(for_workers) };
    core.submit(&for_workers);
    block_in_place(|| job.promise.wait())
}
