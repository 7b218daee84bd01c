//! `hatchery::thread`: what programs of `std::thread::scope` do, by the same text with another path.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};

use crate::common::{on_pool, payload_of};
use hatchery::Pool;

/// Pools that have threads: a child that is waited for in another way than by its handle needs one.
fn on_pools(f: impl Fn(&Pool)) {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), &f);
    }
}

/// Declares tests that run on threads, as a control, and on every pool.
macro_rules! as_on_threads {
    ($($(#[$attr:meta])* fn $name:ident() $body:block)+) => {
        mod on_threads {
            #[allow(unused_imports, reason = "not all programs use all")]
            use super::*;
            use std::thread::{self, Builder};
            $($(#[$attr])* #[test] fn $name() $body)+
        }

        mod on_pools {
            #[allow(unused_imports, reason = "not all programs use all")]
            use super::*;
            use hatchery::thread::{self, Builder};
            $($(#[$attr])* #[test] fn $name() { on_pools(|pool| pool.nursery(|_| $body)); })+
        }
    };
}

as_on_threads! {
    fn children_borrow_and_write() {
        let mut numbers = vec![1, 2, 3];
        let mut largest = 0;
        thread::scope(|s| {
            s.spawn(|| assert_eq!(numbers.len(), 3));
            s.spawn(|| largest = *numbers.iter().max().unwrap());
        });
        numbers.push(largest);
        assert_eq!(numbers, [1, 2, 3, 3]);
    }

    fn a_scope_returns_the_value_of_its_function() {
        let text = String::from("kept");
        assert_eq!(thread::scope(|_| &text[..2]), "ke");
    }

    fn handles_give_values_in_any_order() {
        let values = thread::scope(|s| {
            let mut handles: Vec<_> = (0..50).map(|i| s.spawn(move || i * i)).collect();
            handles.reverse();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(values.into_iter().eq((0..50).rev().map(|i| i * i)));
    }

    fn children_spawn_children_that_borrow_for_as_long() {
        let ran = AtomicUsize::new(0);
        thread::scope(|s| {
            for _ in 0..5 {
                s.spawn(|| {
                    s.spawn(|| ran.fetch_add(1, Ordering::Relaxed));
                    ran.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(ran.into_inner(), 10);
    }

    fn a_joined_panic_is_the_joiners() {
        thread::scope(|s| {
            let child = s.spawn(|| panic_any(7));
            let payload = child.join().unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&7));
        });
    }

    fn an_unjoined_panic_is_the_scopes_and_all_children_run() {
        let ran = AtomicUsize::new(0);
        let payload = payload_of(|| thread::scope(|s| {
            for i in 0..20 {
                let ran = &ran;
                s.spawn(move || {
                    ran.fetch_add(1, Ordering::Relaxed);
                    assert_ne!(i, 3);
                });
            }
        }));
        let text = payload.downcast_ref::<&str>().unwrap();
        assert!(text.starts_with("a scoped"), "{text}");
        assert_eq!(ran.into_inner(), 20);
    }

    fn a_panic_of_the_function_comes_first_and_all_children_run() {
        let ran = AtomicUsize::new(0);
        let payload = payload_of(|| thread::scope(|s| {
            for _ in 0..20 {
                s.spawn(|| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    panic!("a child");
                });
            }
            panic_any("the function");
        }));
        assert_eq!(payload.downcast_ref(), Some(&"the function"));
        assert_eq!(ran.into_inner(), 20);
    }

    fn a_value_is_dropped_before_its_join_is_over_if_nobody_wants_it() {
        struct Notes<'a>(&'a AtomicBool);
        impl Drop for Notes<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let is_dropped = AtomicBool::new(false);
        thread::scope(|s| {
            s.spawn(|| Notes(&is_dropped));
        });
        assert!(is_dropped.load(Ordering::Relaxed));
        let is_dropped = AtomicBool::new(false);
        thread::scope(|s| drop(s.spawn(|| Notes(&is_dropped)).join().unwrap()));
        assert!(is_dropped.load(Ordering::Relaxed));
    }

    fn a_finished_child_says_so() {
        thread::scope(|s| {
            let child = s.spawn(|| 7);
            while !child.is_finished() {
                std::thread::yield_now();
            }
            assert_eq!(child.join().unwrap(), 7);
        });
    }

    fn children_wait_for_each_other() {
        let (sender, receiver) = channel();
        let sum = Mutex::new(0);
        let barrier = Barrier::new(3);
        thread::scope(|s| {
            s.spawn(|| receiver.into_iter().for_each(|i: i32| *sum.lock().unwrap() += i));
            for i in 1..4 {
                let (sender, barrier) = (sender.clone(), &barrier);
                s.spawn(move || {
                    barrier.wait();
                    sender.send(i).unwrap();
                });
            }
            drop(sender);
        });
        assert_eq!(sum.into_inner().unwrap(), 6);
    }

    fn a_builder_spawns_into_a_scope() {
        let sum = thread::scope(|s| {
            let named = Builder::new().name("a child".to_owned()).spawn_scoped(s, || 3).unwrap();
            let sized = Builder::new().stack_size(1 << 20).spawn_scoped(s, || 4).unwrap();
            named.join().unwrap() + sized.join().unwrap()
        });
        assert_eq!(sum, 7);
    }

    fn scopes_nest() {
        let sum = thread::scope(|s| {
            let outer = s.spawn(|| thread::scope(|t| t.spawn(|| 3).join().unwrap() + 4));
            outer.join().unwrap()
        });
        assert_eq!(sum, 7);
    }

    fn small_scopes_end_again_and_again() {
        for _ in 0..100 {
            let ran = AtomicUsize::new(0);
            thread::scope(|s| {
                for _ in 0..5 {
                    s.spawn(|| ran.fetch_add(1, Ordering::Relaxed));
                }
            });
            assert_eq!(ran.into_inner(), 5);
        }
    }

    fn a_panic_is_caught_around_a_scope() {
        let caught = catch_unwind(AssertUnwindSafe(|| thread::scope(|s| {
            s.spawn(|| panic!("caught"));
        })));
        assert!(caught.is_err());
    }
}

/// A thousand children that all live at once would be a thousand threads.
#[test]
fn a_hundred_thousand_children_are_cheap() {
    on_pools(|pool| {
        let sum = AtomicUsize::new(0);
        pool.nursery(|_| {
            hatchery::thread::scope(|s| {
                for i in 0..100_000 {
                    let sum = &sum;
                    s.spawn(move || sum.fetch_add(i % 100, Ordering::Relaxed));
                }
            });
        });
        assert_eq!(sum.into_inner(), 1000 * 4950);
    });
}
