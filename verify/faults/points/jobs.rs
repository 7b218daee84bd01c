//! Jobs, and all that may become of them.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::programs::{Ending, reasons, with_saboteur};
use super::world::{Value, World};
use crate::{Gate, Options, Pool, block_in_place};

const ROUNDS: u64 = 6;

/// What is joined in each round counts four times, and what ran at the latest when its pool ended counts 1.
pub(super) const EXPECTED: u64 = 4 * (ROUNDS * (ROUNDS - 1) / 2) + ROUNDS;

/// On drop, waits until nothing is left of any job.
struct Gone(Arc<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        while Arc::strong_count(&self.0) > 1 {
            thread::yield_now();
        }
    }
}

/// Wakes a thread; and is user code.
struct Unpark<F>(Thread, F);

impl<F: Fn() + Send + Sync + 'static> Wake for Unpark<F> {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
        (self.1)();
    }
}

fn wait_for<F: Future>(w: &World, future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current(), w.user_code())));
    let mut future = pin!(future);
    block_in_place(|| {
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(value) => return value,
                Poll::Pending => thread::park(),
            }
        }
    })
}

/// Jobs that are joined, awaited, given up, detached, installed and let through a gate; and a pool that ends with
/// jobs that have not begun.
pub(super) fn jobs(w: &World) -> Ending {
    let gone = Gone(Arc::new(()));
    let here = || (w.user_code(), Arc::clone(&gone.0));
    // What it leaves is dropped before the sign that it is there.
    let job = |value: Value| {
        let (user, left) = here();
        move || {
            user();
            thread::yield_now();
            (value, left)
        }
    };
    let run_late = Arc::new(AtomicU64::new(0));
    let sum = with_saboteur(w, |_| {
        let (options, gate) = (Options::new().pool(&w.pool), Gate::new(1));
        let ending = Pool::builder().threads(1).build().expect("valid");
        let mut sum = 0;
        for i in 0..ROUNDS {
            let submit = || w.pool.submit(job(w.value(i)));
            let [joined, awaited, given_up, detached] = [(); 4].map(|()| submit());
            given_up.cancel();
            drop(given_up);
            detached.detach();
            let counts = Arc::clone(&run_late);
            let (value, (_, left)) = (w.value(i), here());
            let late = move || {
                counts.fetch_add(1, Ordering::Relaxed);
                (value, left)
            };
            ending.submit(late).detach();

            let value = w.value(i);
            let (user, left) = here();
            let partial = w.options().try_submit(move |n| {
                let child = n.spawn(move || {
                    user();
                    Ok::<_, Value>((value, left))
                });
                child.join()
            });

            let inside = wait_for(w, gate.submit_with(&options, job(w.value(i))));
            drop(gate.try_submit_with(&options, job(w.value(i))));
            drop(inside.expect("it is open"));

            sum += wait_for(w, awaited).0.get() + joined.join().0.get();
            sum += w.pool.install(job(w.value(i))).0.get();
            match partial.join() {
                Ok((value, _left)) => sum += value.get(),
                Err(failures) => return Err(reasons(failures)),
            }
        }
        ending.shutdown();
        Ok(sum)
    });
    Ok(sum? + run_late.load(Ordering::Relaxed))
}
