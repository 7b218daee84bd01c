//! What tests of jobs share: an executor, wakers that count, workers that are busy.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};

use super::{Gate, on_pool};
use hatchery::{Pool, PoolBuilder, Submitted};

/// Polls a future on this thread until it is ready, and sleeps in between.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Sleeper(Thread);
    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Sleeper(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

/// Counts how often it was rung.
#[derive(Default)]
pub(crate) struct Bell {
    rung: AtomicUsize,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    pub(crate) fn with_waker() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    pub(crate) fn rung(&self) -> usize {
        self.rung.load(Ordering::SeqCst)
    }

    pub(crate) fn wait(&self) {
        while self.rung() == 0 {
            thread::yield_now();
        }
    }
}

/// Which threads have dropped the witnesses.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<ThreadId>>>);

impl Seen {
    pub(crate) fn witness(&self) -> Witness {
        Witness(self.clone())
    }

    pub(crate) fn by(&self) -> Vec<ThreadId> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until one witness was dropped.
    pub(crate) fn one(&self) -> ThreadId {
        while self.by().is_empty() {
            thread::yield_now();
        }
        let [one] = self.by()[..] else {
            panic!("{:?}", self.by())
        };
        one
    }
}

pub(crate) struct Witness(Seen);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().push(thread::current().id());
    }
}

pub(crate) fn gates<const COUNT: usize>() -> [Arc<Gate>; COUNT] {
    [(); COUNT].map(|()| Arc::default())
}

/// A pool of one worker, which keeps its place while it blocks.
pub(crate) fn lone() -> PoolBuilder {
    Pool::builder().threads(1).lend_places(false)
}

/// Runs `test` on pools that have workers.
pub(crate) fn on_workers(test: impl Fn(&Pool)) {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), &test);
    }
}

/// A job that has its worker busy until it is ended.
pub(crate) struct Busy {
    is_over: Arc<Gate>,
    job: Option<Submitted<()>>,
}

impl Busy {
    pub(crate) fn on(pool: &Pool) -> Self {
        let [begun, is_over] = gates();
        let (has_begun, ends) = (Arc::clone(&begun), Arc::clone(&is_over));
        let job = pool.submit(move || {
            has_begun.open();
            ends.wait();
        });
        begun.wait();
        Self {
            is_over,
            job: Some(job),
        }
    }

    pub(crate) fn end(mut self) {
        self.is_over.open();
        self.job.take().unwrap().join();
    }
}

/// For tests that fail: the pool could not end.
impl Drop for Busy {
    fn drop(&mut self) {
        self.is_over.open();
    }
}

pub(crate) fn until_finished<T>(job: &Submitted<T>) {
    while !job.is_finished() {
        thread::yield_now();
    }
}
