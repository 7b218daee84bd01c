//! `for_each`, `map` and `fold` with panics: which panic goes on, what is run before that, and that
//! everything is dropped once.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::common::{on_every_pool, on_pool, outcome, payload_of};
use crate::for_each::LENGTHS;
use hatchery::Pool;

/// The call ends with the panic of the first item that panics, all items before it have been run,
/// and no item has been run twice.
#[test]
fn e6_the_panic_of_the_first_item_goes_on_and_all_items_before_it_have_run() {
    on_every_pool(|pool| {
        for len in LENGTHS.into_iter().filter(|len| *len > 0) {
            for first in [0, 1, len / 3, len / 2, len - 1] {
                for step in [1, 2, 1000] {
                    let runs: Vec<_> = (0..len).map(|_| AtomicUsize::new(0)).collect();
                    let run = |(item, runs): (usize, &AtomicUsize)| {
                        runs.fetch_add(1, Relaxed);
                        if item >= first && (item - first) % step == 0 {
                            resume_unwind(Box::new(item));
                        }
                    };
                    if first >= len {
                        continue;
                    }
                    let payload = payload_of(|| pool.for_each((0.., &runs), run));
                    assert_eq!(payload.downcast_ref(), Some(&first), "of {len}");
                    let runs: Vec<_> = runs.into_iter().map(AtomicUsize::into_inner).collect();
                    assert!(runs[..=first].iter().all(|runs| *runs == 1), "of {len}");
                    assert!(runs.iter().all(|runs| *runs <= 1), "of {len}");
                }
            }
        }
    });
}

/// An input without an end, as far as anybody will see, ends with a panic on any thread.
#[test]
fn items_after_a_panic_need_not_be_run() {
    on_pool(Pool::builder().threads(2), |pool| {
        for _ in 0..20 {
            let is_helped = AtomicBool::new(false);
            let home = thread::current().id();
            let payload = payload_of(|| {
                pool.for_each(0..u64::MAX, |item| {
                    if thread::current().id() != home {
                        is_helped.store(true, Relaxed);
                    }
                    if item == 0 {
                        // Help mostly comes, and need not.
                        let mut looks = 0..10_000;
                        while !is_helped.load(Relaxed) && looks.next().is_some() {
                            thread::yield_now();
                        }
                        resume_unwind(Box::new("the first"));
                    }
                });
            });
            assert_eq!(payload.downcast_ref(), Some(&"the first"));
        }
    });
}

#[test]
fn a_panic_of_init_or_reduce_goes_on() {
    on_every_pool(|pool| {
        let init = || resume_unwind(Box::new("init"));
        let payload = payload_of(|| pool.fold(0..10, init, |(), _| (), |(), ()| ()));
        assert_eq!(payload.downcast_ref(), Some(&"init"));
    });
    // Two threads divide it once at least.
    on_pool(Pool::builder().threads(2), |pool| {
        let reduce = |(), ()| resume_unwind(Box::new("reduce"));
        let payload = payload_of(|| pool.fold(0..1000, || (), |(), _| (), reduce));
        assert_eq!(payload.downcast_ref(), Some(&"reduce"));
    });
}

/// Counts what is dropped; some may panic then.
#[derive(Debug)]
struct Counted<'a> {
    dropped: &'a AtomicUsize,
    panics: bool,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Relaxed);
        if self.panics {
            resume_unwind(Box::new("a destructor"));
        }
    }
}

fn counted(dropped: &AtomicUsize, len: usize, panics: impl Fn(usize) -> bool) -> Vec<Counted<'_>> {
    let new = |at| Counted {
        dropped,
        panics: panics(at),
    };
    (0..len).map(new).collect()
}

#[test]
fn l2_the_items_of_a_vec_are_dropped_once_whatever_panics() {
    on_every_pool(|pool| {
        for len in [1, 2, 10, 5000] {
            for panics_at in [0, len / 2, len - 1, len] {
                for every in [usize::MAX, 1, 7] {
                    let dropped = AtomicUsize::new(0);
                    let items = counted(&dropped, len, |at| at % every == every - 1);
                    let run = |(at, item): (usize, Counted<'_>)| {
                        if at == panics_at {
                            std::mem::forget(item);
                            dropped.fetch_add(1, Relaxed);
                            resume_unwind(Box::new("an item"));
                        }
                    };
                    let ended = outcome(|| pool.for_each((0.., items), run));
                    let is_well = panics_at == len && len < every;
                    assert_eq!(ended.is_ok(), is_well);
                    assert_eq!(dropped.into_inner(), len);
                }
            }
        }
    });
}

/// What no item is run for is dropped as well, and so are states that nobody needs.
#[test]
fn l2_what_is_left_over_is_dropped_once() {
    on_every_pool(|pool| {
        let dropped = [const { AtomicUsize::new(0) }; 2];
        let items = || counted(&dropped[0], 1000, |_| false);
        pool.for_each((items(), 0..10), |(item, _)| drop(item));
        assert_eq!(dropped[0].load(Relaxed), 1000);
        pool.for_each((0..0, items()), |(_, item)| drop(item));
        assert_eq!(dropped[0].load(Relaxed), 2000);
        let (made, states) = (AtomicUsize::new(0), &dropped[1]);
        let init = || {
            made.fetch_add(1, Relaxed);
            counted(states, 1, |_| false)
        };
        let fold = |state, at| match at {
            50_000 => resume_unwind(Box::new(at)),
            _ => state,
        };
        let payload = payload_of(|| _ = pool.fold(0..100_000, init, fold, |left, _| left));
        assert_eq!(payload.downcast_ref(), Some(&50_000));
        assert_eq!(states.load(Relaxed), made.into_inner());
    });
}

/// Items that take no memory.
#[test]
fn l2_items_of_no_size_are_run_and_dropped_once() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Relaxed);
        }
    }
    on_every_pool(|pool| {
        let nothing: Vec<_> = (0..10_000).map(|_| Nothing).collect();
        let count = |count, _: &_| count + 1;
        assert_eq!(pool.fold(&nothing, || 0, count, |a, b| a + b), 10_000);
        DROPPED.store(0, Relaxed);
        pool.for_each(nothing, drop);
        assert_eq!(DROPPED.load(Relaxed), 10_000);
        assert_eq!(
            pool.fold(vec![(); 99], || 0, |n, ()| n + 1, |a, b| a + b),
            99
        );
    });
}

#[test]
fn l2_values_of_a_map_are_dropped_once_if_an_item_panics() {
    on_every_pool(|pool| {
        for len in LENGTHS.into_iter().filter(|len| *len > 0) {
            for panics_at in [0, len / 2, len - 1] {
                for values_panic in [false, true] {
                    let (made, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
                    let value = |item| {
                        if item == panics_at {
                            resume_unwind(Box::new(item));
                        }
                        made.fetch_add(1, Relaxed);
                        Counted {
                            dropped: &dropped,
                            panics: values_panic && item % 3 == 1,
                        }
                    };
                    let payload = payload_of(|| pool.map(0..len, value));
                    assert_eq!(payload.downcast_ref(), Some(&panics_at));
                    assert!(made.load(Relaxed) >= panics_at);
                    assert_eq!(dropped.into_inner(), made.into_inner());
                }
            }
        }
    });
}
