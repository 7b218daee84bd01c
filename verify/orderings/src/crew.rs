//! As many threads as there are CPUs, for work that waits for processes.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What `f` makes of each item, in order; or the first error in that order.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    f: impl Fn(&T) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut done: Vec<(usize, Result<R, String>)> = thread::scope(|scope| {
        let work = || {
            let indices = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            let mine = indices.map_while(|at| Some((at, f(items.get(at)?))));
            mine.collect::<Vec<_>>()
        };
        let crew: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let all = crew
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        all.flatten().collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
