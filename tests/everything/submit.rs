//! Jobs: how tasks submit them, and what they do with them afterwards.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Result as Caught;

use hatchery::{Failure, FailureKind, Failures, Options, block_in_place};

use crate::everything::job::{Job, Lot, Way};
use crate::everything::jobs::Deed;
use crate::everything::ledger::Ticket;
use crate::everything::open::{self, Came, Returned, told};
use crate::everything::program::{Kind, Task};
use crate::everything::run::Place;
use crate::everything::seen::Thrown;
use crate::everything::stack;
use crate::everything::steps::Stop;
use crate::everything::threads;
use crate::everything::world::{GATE, What, World};

/// How long a job may take that nobody waits for, before it counts as lost. No job takes a hundredth of that.
#[cfg(not(hatchery_shuttle))]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Waits until nothing is left of any job, detached ones and dropped ones included.
pub(crate) fn wait_for_jobs(world: &Arc<World>) -> Result<(), String> {
    #[cfg(not(hatchery_shuttle))]
    let begun = std::time::Instant::now();
    while Arc::strong_count(world) > 1 {
        threads::yield_now();
        #[cfg(not(hatchery_shuttle))]
        if begun.elapsed() > PATIENCE {
            return Err("J1: a job is lost".to_owned());
        }
    }
    fence(Ordering::Acquire);
    Ok(())
}

/// What a job leaves. The world is there until all else is gone.
struct Left {
    returned: Returned,
    _world: Arc<World>,
}

/// What a job panics with.
struct Carried {
    payload: Box<dyn Any + Send>,
    _world: Arc<World>,
}

/// What a job does.
struct Start {
    world: Arc<World>,
    nest: usize,
    capture: Ticket,
    is_inside: bool,
}

impl Start {
    fn new(world: &World, job: &Job, is_inside: bool) -> Self {
        Self {
            world: world.shared(),
            nest: job.nest.id,
            capture: world.capture(&job.nest.tasks[0]),
            is_inside,
        }
    }

    /// Notes that the job has begun.
    fn begin(&self) {
        if self.world.begun[self.nest].fetch_add(1, Ordering::SeqCst) > 0 {
            self.world
                .blame(format!("J1: job {} begins again", self.nest));
        }
        let body = self.world.program.nest(self.nest).tasks[0].id;
        if let Some(nest) = stack::begin_job(&self.world, body) {
            let waits_in = &self.world.nests[self.nest].waits_in;
            waits_in.store(nest, Ordering::SeqCst);
        }
    }

    fn run(self) -> Left {
        self.begin();
        self.open()
    }

    fn open(self) -> Left {
        let Self {
            world,
            nest,
            capture,
            is_inside,
        } = self;
        if is_inside && world.at_gate.fetch_add(1, Ordering::SeqCst) >= GATE {
            world.blame("J5: too many jobs are inside the gate".to_owned());
        }
        let came = open::job(&world, world.program.nest(nest));
        if is_inside {
            world.at_gate.fetch_sub(1, Ordering::SeqCst);
        }
        drop(capture);
        match came {
            Ok(returned) => Left {
                returned,
                _world: world,
            },
            Err(payload) => resume_unwind(Box::new(Carried {
                payload,
                _world: world,
            })),
        }
    }
}

/// The right to what a job leaves.
enum Held {
    Total(hatchery::Submitted<Left>),
    Partial(hatchery::Submitted<Result<Left, Failures<Left>>>),
}

impl Held {
    fn plain(world: &World, options: &Options, job: &Job) -> Self {
        let start = Start::new(world, job, false);
        if job.nest.kind == Kind::Total {
            return Self::Total(options.submit(move || start.run()));
        }
        Self::Partial(options.try_submit(move |n| {
            start.begin();
            let child = n.spawn_body(move || {
                let left = start.open();
                match left.returned {
                    Ok(_) => Ok(left),
                    Err(_) => Err(Failure::from(left)),
                }
            });
            child.join()
        }))
    }

    fn cancel(&self) {
        match self {
            Self::Total(job) => job.cancel(),
            Self::Partial(job) => job.cancel(),
        }
    }

    fn detach(self) {
        match self {
            Self::Total(job) => job.detach(),
            Self::Partial(job) => job.detach(),
        }
    }

    /// What it leaves; nothing if it was cancelled before it opened its nursery.
    fn wait(self, lot: Lot, world: &World) -> Option<Came> {
        match self {
            Self::Total(job) => Some(match wait(job, lot, world) {
                Ok(left) => Ok(left.returned),
                Err(payload) => Err(unpacked(payload)),
            }),
            Self::Partial(job) => match wait(job, lot, world) {
                Ok(Ok(left)) => Some(Ok(left.returned)),
                Ok(Err(failures)) => cause(failures),
                Err(payload) => Some(Err(payload)),
            },
        }
    }
}

/// What the task of a job came to, if it is not skipped.
fn cause(failures: Failures<Left>) -> Option<Came> {
    let (failures, late) = failures.into_parts();
    let all = failures.into_iter().chain(late);
    let mut all = all.filter_map(|failure| match failure.into_kind() {
        FailureKind::Error(left) | FailureKind::Late(left) => Some(Ok(left.returned)),
        FailureKind::Panic(panic) => Some(Err(unpacked(panic.into_payload()))),
        _ => None,
    });
    all.next()
}

fn unpacked(payload: Box<dyn Any + Send>) -> Box<dyn Any + Send> {
    match payload.downcast::<Carried>() {
        Ok(carried) => carried.payload,
        Err(other) => other,
    }
}

fn wait<T>(mut job: hatchery::Submitted<T>, lot: Lot, world: &World) -> Caught<T> {
    if lot != Lot::Joined {
        let context = &mut Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut job).poll(context)));
        match polled {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(value)) => return Ok(value),
            Err(payload) => return Err(payload),
        }
    }
    let is_awaited = lot == Lot::Awaited && world.program.may_block;
    catch_unwind(AssertUnwindSafe(|| match is_awaited {
        false => job.join(),
        true => {
            let _blocks = stack::wait_elsewhere(world);
            block_in_place(|| block_on(job))
        }
    }))
}

struct Unpark(threads::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        // Another one each time.
        let waker = Waker::from(Arc::new(Unpark(threads::current())));
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => threads::park(),
        }
    }
}

/// A job that a task has submitted.
pub(crate) struct Submission<'w> {
    world: &'w World,
    by: &'w Task,
    job: &'w Job,
    held: Option<Held>,
}

/// What comes of submitting a job.
pub(crate) enum Submitted<'w> {
    Told(Result<u64, Stop>),
    Held(Submission<'w>),
}

impl<'s, 'e, 'o: 's, 'w: 'o> Place<'s, 'e, 'o, 'w> {
    pub(crate) fn submit(self, by: &'w Task, job: &'w Job) -> Submitted<'w> {
        let world = self.world;
        let options = world.job_options(job);
        let from = world.now();
        let mut submission = Submission {
            world,
            by,
            job,
            held: None,
        };
        // Where there is no worker, it runs at once.
        let waits = stack::wait_for_job(world, job);
        if job.way == Way::Install && world.program.may_block {
            let start = Start::new(world, job, false);
            let result = catch_unwind(AssertUnwindSafe(|| options.install(move || start.run())));
            drop(waits);
            submission.note(from, Deed::Submitted);
            return Submitted::Told(submission.told(
                from,
                Some(match result {
                    Ok(left) => Ok(left.returned),
                    Err(payload) => Err(unpacked(payload)),
                }),
            ));
        }
        let inside = submission.through_the_gate(&options);
        submission.held = Some(inside.unwrap_or_else(|| Held::plain(world, &options, job)));
        drop(waits);
        submission.note(from, Deed::Submitted);
        if let (true, Some(held)) = (job.is_cancelled, &submission.held) {
            let from = world.now();
            held.cancel();
            submission.note(from, Deed::Cancelled);
        }
        Submitted::Held(submission)
    }
}

impl Submission<'_> {
    fn note(&self, from: u64, deed: Deed) {
        let nest = self.job.nest.id;
        self.world.note(self.by, from, What::Job { nest, deed });
    }

    /// Submits it through the gate, if it comes in.
    fn through_the_gate(&self, options: &Options) -> Option<Held> {
        let Self { world, job, .. } = *self;
        let start = || Start::new(world, job, true);
        match job.way {
            Way::Plain | Way::Install => None,
            Way::Gate => {
                let start = start();
                let submitted = world.gate.try_submit_with(options, move || start.run());
                submitted.ok().map(Held::Total)
            }
            Way::Line => {
                let start = start();
                let submitted = world.gate.submit_with(options, move || start.run());
                if world.program.may_block {
                    let submitted = block_in_place(|| block_on(submitted));
                    return Some(Held::Total(submitted.expect("nobody closes the gate")));
                }
                let submitted = pin!(submitted);
                match submitted.poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(submitted) => {
                        Some(Held::Total(submitted.expect("nobody closes the gate")))
                    }
                    Poll::Pending => None,
                }
            }
        }
    }

    /// Does with it what is to be done.
    pub(crate) fn end(mut self) -> Result<u64, Stop> {
        let Some(held) = self.held.take() else {
            return Ok(0);
        };
        match self.job.lot {
            Lot::Dropped => self.held = Some(held),
            Lot::Detached => self.give_up(Deed::Detached, move || held.detach()),
            lot => {
                let from = self.world.now();
                let waits = stack::wait_for_job(self.world, self.job);
                let came = held.wait(lot, self.world);
                drop(waits);
                return self.told(from, came);
            }
        }
        Ok(0)
    }

    /// Writes down what it has come to, and goes on with it.
    fn told(&self, from: u64, came: Option<Came>) -> Result<u64, Stop> {
        let nest = &self.job.nest;
        let Some(came) = came else {
            self.note(from, Deed::Told(None));
            return Ok(0);
        };
        let (outcome, goes_on) = open::take(came, nest, nest.then);
        let told = told(nest, &outcome);
        self.note(from, Deed::Told(Some(outcome)));
        goes_on.with(self.world, self.by, told)
    }

    /// Does without the job.
    fn give_up(&self, deed: fn(Option<Thrown>) -> Deed, give_up: impl FnOnce()) {
        let from = self.world.now();
        let result = catch_unwind(AssertUnwindSafe(give_up));
        self.note(from, deed(result.err().map(Thrown::take)));
    }
}

/// On drop, gives it up.
impl Drop for Submission<'_> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.give_up(Deed::GivenUp, move || drop(held));
        }
    }
}
