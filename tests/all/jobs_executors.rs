//! Jobs as futures of any executor.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use async_executor::Executor;
use futures_lite::future;

use crate::common::jobs::{block_on, gates};
use crate::common::{Number, on_every_pool, on_pool, raise, watched};
use hatchery::{Gate, Options, Pool, Submitted, checkpoint};

const TASKS: usize = 200;
const MOST: usize = 3;

/// What a server does for one request: a job, then a part of it again, and a job behind a gate.
async fn serve(options: Options, gate: Gate, inside: Arc<AtomicUsize>, request: usize) -> usize {
    let words = options.submit(move || vec![request; 10]).await;
    let sum = options
        .submit(move || hatchery::nursery(|n| n.spawn_each(&words, |word| *word).sum::<usize>()));
    let behind = gate.submit_with(&options, move || {
        assert!(inside.fetch_add(1, Ordering::SeqCst) < MOST);
        thread::yield_now();
        inside.fetch_sub(1, Ordering::SeqCst);
        request
    });
    let job = behind.await.unwrap();
    sum.await + job.await
}

/// Serves requests by an executor that runs all of these futures.
fn serve_all(pool: &Pool, run: impl FnOnce(Vec<Task>) -> Vec<usize>) {
    let (gate, inside) = (Gate::new(MOST), Arc::default());
    let options = Options::new().pool(pool);
    let task = |i| Box::pin(serve(options.clone(), gate.clone(), Arc::clone(&inside), i)) as Task;
    let served = run((0..TASKS).map(task).collect());
    assert!(served.into_iter().eq((0..TASKS).map(|i| 11 * i)));
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
}

type Task = Pin<Box<dyn Future<Output = usize> + Send>>;

fn runtimes() -> [tokio::runtime::Runtime; 2] {
    let one = tokio::runtime::Builder::new_current_thread().build();
    let mut several = tokio::runtime::Builder::new_multi_thread();
    [one, several.worker_threads(2).build()].map(Result::unwrap)
}

#[test]
fn jobs_are_futures_of_tokio() {
    on_every_pool(|pool| {
        for runtime in runtimes() {
            serve_all(pool, |tasks| {
                runtime.block_on(async {
                    let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
                    let mut served = Vec::new();
                    for task in tasks {
                        served.push(task.await.unwrap());
                    }
                    served
                })
            });
        }
    });
}

#[test]
fn jobs_are_futures_of_smol() {
    on_every_pool(|pool| {
        serve_all(pool, |tasks| {
            let executor = Executor::new();
            let tasks: Vec<_> = tasks.into_iter().map(|task| executor.spawn(task)).collect();
            let (end, is_over) = channel::<()>();
            let is_over = Mutex::new(is_over);
            thread::scope(|scope| {
                // Another thread ticks as long as there is something to do.
                scope.spawn(|| {
                    while let Err(std::sync::mpsc::TryRecvError::Empty) =
                        is_over.lock().unwrap().try_recv()
                    {
                        executor.try_tick();
                        thread::yield_now();
                    }
                });
                let served = future::block_on(executor.run(async {
                    let mut served = Vec::new();
                    for task in tasks {
                        served.push(task.await);
                    }
                    served
                }));
                drop(end);
                served
            })
        });
    });
}

/// An executor of one thread, made by hand.
struct Woken {
    task: usize,
    queue: Mutex<Sender<usize>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Nobody listens any more when all tasks are ready.
        _ = self.queue.lock().unwrap().send(self.task);
    }
}

fn run_by_hand(tasks: Vec<Task>) -> Vec<usize> {
    let (send, queue) = channel();
    let waker = |task| {
        let queue = Mutex::new(send.clone());
        Waker::from(Arc::new(Woken { task, queue }))
    };
    let wakers: Vec<_> = (0..tasks.len()).map(waker).collect();
    let mut ready: Vec<Option<usize>> = vec![None; tasks.len()];
    let mut tasks: VecDeque<_> = tasks.into_iter().map(Some).collect();
    (0..tasks.len()).for_each(|task| send.send(task).unwrap());
    while ready.iter().any(Option::is_none) {
        let at = queue.recv().unwrap();
        let Some(task) = &mut tasks[at] else { continue };
        let polled = task.as_mut().poll(&mut Context::from_waker(&wakers[at]));
        if let std::task::Poll::Ready(value) = polled {
            ready[at] = Some(value);
            tasks[at] = None;
        }
    }
    ready.into_iter().flatten().collect()
}

#[test]
fn jobs_are_futures_of_an_executor_made_by_hand() {
    on_every_pool(|pool| serve_all(pool, run_by_hand));
}

#[test]
fn jobs_are_futures_that_a_blocked_thread_polls() {
    on_every_pool(|pool| {
        serve_all(pool, |tasks| {
            thread::scope(|scope| {
                let threads: Vec<_> = (tasks.into_iter())
                    .map(|task| scope.spawn(|| block_on(task)))
                    .collect();
                let served = threads.into_iter().map(|thread| thread.join().unwrap());
                served.collect()
            })
        });
    });
}

/// The executor is in a job, and so are the jobs that its tasks await.
#[test]
fn jobs_are_futures_in_jobs() {
    on_every_pool(|pool| serve_all(pool, |tasks| pool.submit(|| run_by_hand(tasks)).join()));
}

/// A job that runs until it is told to stop, on a worker.
fn endless(pool: &Pool) -> (Submitted<()>, impl FnOnce()) {
    let [begun] = gates();
    let (tell, told) = channel();
    let begins = Arc::clone(&begun);
    let job = pool.submit(move || {
        begins.open();
        while checkpoint().is_ok() {
            thread::yield_now();
        }
        tell.send(()).unwrap();
    });
    begun.wait();
    (job, move || told.recv().unwrap())
}

#[test]
fn j2_a_task_that_is_aborted_gives_its_job_up() {
    on_pool(Pool::builder().threads(2), |pool| {
        for runtime in runtimes() {
            let (job, until_told) = endless(pool);
            runtime.block_on(async {
                let task = tokio::spawn(job);
                tokio::task::yield_now().await;
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            });
            until_told();
        }
        let executor = Executor::new();
        let (job, until_told) = endless(pool);
        let task = executor.spawn(job);
        assert!(executor.try_tick());
        drop(task);
        // The executor drops what was cancelled when it comes to it.
        executor.try_tick();
        until_told();
        // Whoever loses a race of futures.
        let (job, until_told) = endless(pool);
        let winner = pool.submit(|| ());
        future::block_on(future::or(job, winner));
        until_told();
    });
}

#[test]
fn j3_a_panic_of_a_job_is_a_panic_of_the_task_that_awaits_it() {
    on_every_pool(|pool| {
        for runtime in runtimes() {
            let job = pool.submit(|| raise(7));
            let task = async { tokio::spawn(job).await };
            let error = runtime.block_on(task).unwrap_err();
            let payload = error.into_panic().downcast::<Number>().unwrap();
            assert_eq!(*payload, Number(7));
        }
    });
}

#[test]
fn a_runtime_may_end_before_its_jobs() {
    let pool = Pool::builder().threads(2).build().unwrap();
    watched(&pool, || {
        for runtime in runtimes() {
            let (job, until_told) = endless(&pool);
            runtime.spawn(job);
            drop(runtime);
            until_told();
        }
    });
}
