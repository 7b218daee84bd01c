//! Three ways from an async task to a thread that computes, and back.
//!
//! Each has as many threads, refuses a request when as many are inside, and gives up when the time is over. They differ in
//! what happens to a job whose client has left or whose time is over: a job of hatchery does not start, or is told to
//! stop; the others run to their end.

use std::sync::Arc;
use std::time::Instant;

use hatchery::{Gate, Pool};
use tokio::sync::{Semaphore, oneshot};
use tokio::task;
use tokio::time::timeout_at;

use crate::chain::{Chain, Digest};
use crate::tally::{Job, Tally};

/// Why there is no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Why {
    /// Too many are inside.
    Full,
    /// The time is over.
    Late,
    /// The job has panicked.
    Broken,
}

/// How a server has its answers computed.
#[derive(Debug)]
pub(crate) enum Way {
    Hatchery(Pool, Gate),
    Tokio(Arc<Semaphore>),
    Rayon(rayon::ThreadPool, Arc<Semaphore>),
}

impl Way {
    /// All ways, each with this many threads, and room for this many requests. Hatchery's is the first.
    pub(crate) fn all(threads: usize, inside: usize) -> Result<[Self; 3], String> {
        let pool = Pool::builder().threads(threads).build();
        let pool = pool.map_err(|error| format!("the pool: {error}"))?;
        let rayon = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let rayon = rayon.map_err(|error| format!("rayon's pool: {error}"))?;
        let semaphore = || Arc::new(Semaphore::new(inside));
        Ok([
            Self::Hatchery(pool, Gate::new(inside)),
            Self::Tokio(semaphore()),
            Self::Rayon(rayon, semaphore()),
        ])
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hatchery(..) => "hatchery submit",
            Self::Tokio(..) => "tokio spawn_blocking",
            Self::Rayon(..) => "rayon spawn, oneshot",
        }
    }

    /// The answer to a request. To drop this future is to give the request up.
    pub(crate) async fn answer(
        &self,
        chain: Chain,
        deadline: Instant,
        tally: &Arc<Tally>,
    ) -> Result<Digest, Why> {
        // It lives as long as this future.
        let asker = Arc::new(());
        let job = || Job::new(chain, tally, &asker);
        match self {
            Self::Hatchery(pool, gate) => {
                let inside = gate.try_enter().map_err(|_| Why::Full)?;
                let job = job();
                let options = hatchery::Options::new()
                    .name("request")
                    .pool(pool)
                    .deadline(deadline);
                let answer = options.submit(move || {
                    let _inside = inside;
                    job.run()
                });
                answer.await.map_err(|_| Why::Late)
            }
            Self::Tokio(semaphore) => {
                let semaphore = Arc::clone(semaphore);
                let inside = semaphore.try_acquire_owned().map_err(|_| Why::Full)?;
                let job = job();
                let answer = task::spawn_blocking(move || {
                    let _inside = inside;
                    job.run()
                });
                let answer = timeout_at(deadline.into(), answer).await;
                let answer = answer.map_err(|_| Why::Late)?.map_err(|_| Why::Broken)?;
                answer.map_err(|_| Why::Late)
            }
            Self::Rayon(pool, semaphore) => {
                let semaphore = Arc::clone(semaphore);
                let inside = semaphore.try_acquire_owned().map_err(|_| Why::Full)?;
                let job = job();
                let (sender, answer) = oneshot::channel();
                pool.spawn(move || {
                    let answer = job.run();
                    drop(inside);
                    // Whoever asked may have left.
                    let _ = sender.send(answer);
                });
                let answer = timeout_at(deadline.into(), answer).await;
                let answer = answer.map_err(|_| Why::Late)?.map_err(|_| Why::Broken)?;
                answer.map_err(|_| Why::Late)
            }
        }
    }
}
