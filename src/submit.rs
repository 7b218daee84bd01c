//! Jobs for callers that must not block: futures of what a worker computes.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::cancel::CancelToken;
use crate::engine::core::Core;
use crate::failure::{Failure, Failures};
use crate::gate::Inside;
use crate::options::Options;
use crate::platform::sync::Arc;
use crate::pool::Pool;
use crate::scope::{self, HeldJob};
use crate::try_nursery::TryNursery;

/// Has a worker run `f`, and returns a future of its value.
///
/// It is for callers that must not block: a task of an async runtime, a thread that serves a window. `f` becomes the body
/// of a nursery on a worker of the [current pool](crate::nursery()), so it may open nurseries of its own, borrow from its
/// own frame, and fan out. It borrows nothing from the caller. Jobs begin in the order in which they were submitted.
///
/// [`Submitted`] says how to wait for the value, by `.await` or by blocking, and what happens when it is dropped. No async
/// runtime is needed, and any will do. [`Gate`](crate::Gate) limits how many jobs there are at a time.
///
/// # Blocking
///
/// `submit` does not block, with one exception: if the pool has no worker, because it ends or has ended, or because the
/// system refuses all threads, `submit` runs `f` itself before it returns.
///
/// # Panics
///
/// `submit` does not panic. A panic of `f` goes on where the value is awaited.
///
/// # Cost
///
/// A job costs some 0.3 us, and in an idle pool a worker is woken for it, which takes some 10 us. For less work than that, call
/// `f` where you are. BENCHMARKS.md compares a job with those of others.
///
/// # Examples
///
/// ```
/// # use futures_lite::future::block_on;
/// async fn answer(question: String) -> usize {
///     hatchery::submit(move || {
///         let words: Vec<&str> = question.split(' ').collect();
///         hatchery::nursery(|n| n.spawn_each(&words, |word| word.len()).sum())
///     })
///     .await
/// }
/// assert_eq!(block_on(answer("to be or not".into())), 9);
/// ```
pub fn submit<F, T>(f: F) -> Submitted<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Options::new().submit(f)
}

/// Has a worker run `body` as the body of a partial nursery, and returns a future of the result; see [`submit`].
///
/// # Examples
///
/// ```
/// let job = hatchery::try_submit(|n| {
///     let lines = n.spawn_each(["1", "2", "three"], str::parse::<u32>);
///     lines.sum::<Result<u32, _>>()
/// });
/// let failures = job.join().unwrap_err();
/// assert_eq!(failures.cause().child().unwrap().to_string(), "2");
/// ```
pub fn try_submit<F, T, E>(body: F) -> Submitted<Result<T, Failures<E>>>
where
    F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'static, E>) -> Result<T, Failure<E>>
        + Send
        + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    Options::new().try_submit(body)
}

impl Pool {
    /// Has a worker of this pool run `f`, and returns a future of its value; see [`submit`].
    ///
    /// The end of the pool waits for the job.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let job = pool.submit(|| hatchery::join(|| 1, || 2));
    /// assert_eq!(job.join(), (1, 2));
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn submit<F, T>(&self, f: F) -> Submitted<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Options::new().pool(self).submit_alone(f)
    }

    /// Has a worker of this pool run `body` as the body of a partial nursery, and returns a future of the result; see
    /// [`submit`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(2).build()?;
    /// let job = pool.try_submit(|n| n.spawn(|| Err::<(), _>("disk full")).join());
    /// assert_eq!(job.join().unwrap_err().into_cause().into_error().unwrap(), "disk full");
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn try_submit<F, T, E>(&self, body: F) -> Submitted<Result<T, Failures<E>>>
    where
        F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'static, E>) -> Result<T, Failure<E>>
            + Send
            + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        Options::new().pool(self).try_submit(body)
    }

    /// Runs `f` on a worker of this pool, while the calling thread sleeps, and returns its value.
    ///
    /// Use it if the calling thread should not compute itself: because its stack is small, because the
    /// [start hook](crate::PoolBuilder::on_thread_start) has prepared the workers for the work, or because there are many
    /// callers and no more than [`threads`](Self::threads) should compute. On a worker of this pool `f` runs where it is.
    ///
    /// `f` is the body of a nursery without a nursery around it: nothing cancels it from outside. It waits for its turn among
    /// the [jobs](crate::submit()) of the pool.
    ///
    /// # Blocking
    ///
    /// `install` blocks until `f` has returned and all of its children have ended. If the pool has no worker, because the
    /// system refuses all threads, `f` runs on the calling thread.
    ///
    /// # Panics
    ///
    /// If `f` panics, or a child that nobody joins.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    ///
    /// let pool = hatchery::Pool::builder().threads(2).stack_size(16 << 20).build()?;
    /// let words = ["to", "be"];
    /// let (thread, letters) = pool.install(|| {
    ///     (thread::current().id(), hatchery::map(&words[..], |word| word.len()))
    /// });
    /// assert_ne!(thread, thread::current().id());
    /// assert_eq!(letters, [2, 2]);
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn install<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        Options::new().pool(self).install(f)
    }
}

impl Options {
    /// Has a worker run `f` as the body of a nursery with these options, and returns a future of its value; see
    /// [`submit`].
    ///
    /// The nursery of a job hears nothing of the nurseries around the call of `submit`. A [`timeout`](Self::timeout)
    /// counts from this call, not from the start of the job.
    ///
    /// # Cancellation
    ///
    /// The body of a total nursery runs even if it is cancelled before it starts; [`checkpoint`](crate::checkpoint())
    /// tells it. Only a job whose [`Submitted`] was dropped does not start.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use hatchery::{CancelReason, Options};
    ///
    /// let request = Options::new().name("request").timeout(Duration::ZERO);
    /// let told = request.submit(|| hatchery::checkpoint()).join();
    /// assert_eq!(told.unwrap_err().reason(), CancelReason::Deadline);
    /// ```
    pub fn submit<F, T>(&self, f: F) -> Submitted<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.clone().submit_alone(f)
    }

    /// The same as [`Self::submit`], for options that nobody needs any more.
    fn submit_alone<F, T>(self, f: F) -> Submitted<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_with(|options| options.nursery(|_| f()))
    }

    /// Has a worker run `body` as the body of a partial nursery with these options, and returns a future of the result;
    /// see [`Options::submit`].
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::{CancelToken, Options};
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let request = Options::new().cancel_on(&token);
    /// let job = request.try_submit::<_, (), &str>(|n| n.spawn(|| Ok(())).join());
    /// assert!(job.join().unwrap_err().cancelled().is_some());
    /// ```
    pub fn try_submit<F, T, E>(&self, body: F) -> Submitted<Result<T, Failures<E>>>
    where
        F: for<'scope> FnOnce(&'scope TryNursery<'scope, 'static, E>) -> Result<T, Failure<E>>
            + Send
            + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.clone()
            .submit_with(|options| options.try_nursery(body))
    }

    /// The same as [`Self::submit`], for a job that keeps its place at a gate until it has ended.
    pub(crate) fn submit_inside<F, T>(&self, inside: Inside, f: F) -> Submitted<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.clone().submit_with(|options| {
            let _inside = inside;
            options.nursery(|_| f())
        })
    }

    /// Has a worker call `run` with these options as they are for the job.
    fn submit_with<T>(self, run: impl FnOnce(&Options) -> T + Send + 'static) -> Submitted<T>
    where
        T: Send + 'static,
    {
        let token = CancelToken::new();
        let core = self.core();
        let options = self.for_job(&core).cancel_on(&token);
        Submitted {
            job: HeldJob::submit(core, token.token().clone(), move || run(&options)),
        }
    }

    /// Runs `f` on a worker as the body of a nursery with these options, and returns its value; see [`Pool::install`].
    ///
    /// # Panics
    ///
    /// If `f` panics, or a child that nobody joins.
    ///
    /// # Examples
    ///
    /// ```
    /// use hatchery::Options;
    ///
    /// let words = vec!["to", "be"];
    /// let letters = Options::new().name("count").install(|| words.iter().map(|word| word.len()).sum::<usize>());
    /// assert_eq!(letters, 4);
    /// ```
    pub fn install<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        let core = self.core();
        let options = self.clone().for_job(&core);
        let body = || options.nursery(|_| f());
        if scope::is_worker_of(&core) {
            return body();
        }
        scope::install(&core, body).unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// The same, for the nursery of a job of this pool.
    fn for_job(mut self, core: &Arc<Core>) -> Self {
        // From now on, whoever runs it, and whenever.
        self.deadline = self.next_deadline();
        self.timeout = None;
        self.is_shield = true;
        self.on(core)
    }
}

/// A job that was submitted: a future of its value, and the right to give the job up.
///
/// [`submit`] and the methods of that name return it. It is a [`Future`] for any async runtime, and its value can be
/// [waited for](Self::join) without one.
///
/// # Dropping it
///
/// Dropping a `Submitted` cancels its job, and does not block:
///
/// | the job       | what happens                                                                              |
/// |---------------|-------------------------------------------------------------------------------------------|
/// | has not begun | its closure is dropped, unrun, by this thread                                              |
/// | runs          | its nursery is cancelled, and [`checkpoint`](crate::checkpoint()) says so; a worker drops the value |
/// | has ended     | its value is dropped by this thread                                                        |
///
/// To let the job go on, [detach](Self::detach) it.
///
/// # Panics
///
/// A panic of the job goes on where its value is awaited or joined. If nobody does that, the panic hook has reported it,
/// and nothing else happens. A destructor that panics, of a value that nobody wants or of a closure that does not run, is
/// reported in the same way.
/// It is also a panic to poll a `Submitted` that was ready before.
///
/// # The end of the pool
///
/// [`shutdown`](Pool::shutdown) and the drop of a [`Pool`] wait until all jobs have ended, also jobs that have not begun,
/// detached or not, and jobs that these submit meanwhile. They cancel none, and they do not wait for a job that runs on the
/// thread that [joins](Self::join) it. Any other thread that submits a job while the pool ends, or later, runs the job
/// itself before `submit` returns. The end of the process does not wait.
///
/// # `fork`
///
/// A job that was submitted before the fork does not run in the forked process. The process aborts if it polls or joins
/// such a job.
///
/// # Examples
///
/// ```
/// let sums: Vec<_> = (1..4_u64).map(|part| hatchery::submit(move || (0..part).sum::<u64>())).collect();
/// let total: u64 = sums.into_iter().map(|job| job.join()).sum();
/// assert_eq!(total, 0 + 1 + 3);
/// ```
#[must_use = "dropping it cancels the job; call `detach` to let the job run"]
pub struct Submitted<T> {
    job: HeldJob<T>,
}

impl<T> Submitted<T> {
    /// Waits for the value of the job.
    ///
    /// If the job has not begun, this thread runs it, and is a [caller](Pool) of the pool meanwhile. It is for threads that may block; a task of an async runtime awaits
    /// the `Submitted` instead.
    ///
    /// # Blocking
    ///
    /// `join` blocks until the job has ended. A thread of a pool gives up its place meanwhile, as in
    /// [`block_in_place`](crate::block_in_place()), and runs nothing but this job.
    ///
    /// # Panics
    ///
    /// If the job has panicked, with its payload.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(hatchery::submit(|| 6 * 7).join(), 42);
    /// ```
    #[allow(clippy::must_use_candidate, reason = "waiting is an effect")]
    pub fn join(self) -> T {
        self.job
            .wait()
            .unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Returns whether the job has ended, so that [`join`](Self::join) does not block.
    ///
    /// # Examples
    ///
    /// ```
    /// let job = hatchery::submit(|| 6 * 7);
    /// while !job.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// assert_eq!(job.join(), 42);
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.job.is_over()
    }

    /// Cancels the nursery of the job, which comes to its value all the same.
    ///
    /// A body that is told by [`checkpoint`](crate::checkpoint()) can return early. A job of [`try_submit`] that has not
    /// begun runs its body, and no children.
    ///
    /// # Examples
    ///
    /// ```
    /// let job = hatchery::submit(|| {
    ///     let mut steps = 0_u64;
    ///     while hatchery::checkpoint().is_ok() {
    ///         steps += 1;
    ///     }
    ///     steps
    /// });
    /// job.cancel();
    /// println!("{} steps", job.join());
    /// ```
    pub fn cancel(&self) {
        self.job.cancel();
    }

    /// Lets the job go on without anybody who waits for it; its value is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = hatchery::Pool::builder().threads(1).build()?;
    /// pool.submit(|| println!("written at the latest when the pool has ended")).detach();
    /// # Ok::<(), hatchery::BuildPoolError>(())
    /// ```
    pub fn detach(self) {
        self.job.detach();
    }
}

impl<T> Future for Submitted<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.job.poll(context.waker()) {
            None => Poll::Pending,
            Some(Ok(value)) => Poll::Ready(value),
            Some(Err(payload)) => resume_unwind(payload),
        }
    }
}

// A panic of the job is in its value, and nobody sees the value before it is taken out.
impl<T> UnwindSafe for Submitted<T> {}
impl<T> RefUnwindSafe for Submitted<T> {}

impl<T> fmt::Debug for Submitted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted").finish_non_exhaustive()
    }
}
