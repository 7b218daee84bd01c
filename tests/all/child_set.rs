//! `ChildSet`: children spawned one by one, joined in the order in which they end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Gate, Ledger, on_every_pool, on_no_worker, on_pool};
use hatchery::{ChildSet, Failure, Options, Pool, TryNursery};

#[test]
fn a_set_yields_every_child_once_with_its_number() {
    on_every_pool(|pool| {
        for size in [0, 1, 2, 7, 1000_usize] {
            pool.nursery(|n| {
                let mut set = n.set();
                for i in 0..size {
                    assert_eq!(set.spawn(move || vec![i; 2]), i);
                }
                let mut seen = vec![false; size];
                for left in (0..size).rev() {
                    let (number, value) = set.next().unwrap();
                    assert_eq!(value, [number; 2]);
                    assert!(!std::mem::replace(&mut seen[number], true));
                    assert_eq!(set.len(), left);
                }
                assert_eq!((set.next(), set.next()), (None, None));
            });
        }
    });
}

#[test]
fn children_are_added_while_others_are_taken() {
    const SIZE: usize = 2000;
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut set = n.set();
            assert_eq!(set.next(), None);
            let (mut spawned, mut taken) = (0, 0);
            while spawned < SIZE {
                for _ in 0..1 + spawned % 3 {
                    let number = spawned;
                    assert_eq!(set.spawn(move || number), number);
                    spawned += 1;
                }
                // Sometimes it becomes empty.
                for _ in 0..1 + spawned % 4 {
                    if let Some((number, value)) = set.next() {
                        assert_eq!(number, value);
                        taken += 1;
                    }
                }
                assert_eq!(set.len(), spawned - taken);
            }
            assert_eq!(set.count(), spawned - taken);
        });
    });
}

/// The consumer lets the children end one by one, and waits for each.
#[test]
fn the_child_that_ends_first_comes_first() {
    const SIZE: usize = 8;
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let gates: [Gate; SIZE] = Default::default();
            pool.nursery(|n| {
                let mut set = n.set();
                for gate in &gates {
                    set.spawn_blocking(|| gate.wait());
                }
                for i in [3, 7, 0, 6, 1] {
                    gates[i].open();
                    assert_eq!(set.next(), Some((i, ())));
                }
                // A child that computes, and more that wait.
                assert_eq!(set.spawn(|| ()), SIZE);
                assert_eq!(set.next(), Some((SIZE, ())));
                for i in [5, 2, 4] {
                    gates[i].open();
                    assert_eq!(set.next(), Some((i, ())));
                }
                assert_eq!(set.next(), None);
            });
        });
    }
}

/// Another child lets them end, when the consumer waits already or has not begun to wait.
#[test]
fn a_set_that_waits_is_woken_by_each_child() {
    const ROUNDS: usize = 300;
    for threads in [2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let gates: Vec<[Gate; 4]> = (0..ROUNDS).map(|_| Default::default()).collect();
            pool.nursery(|n| {
                let mut set = n.set();
                for (round, gates) in gates.iter().enumerate() {
                    let first = 4 * round;
                    for gate in gates {
                        set.spawn_blocking(|| gate.wait());
                    }
                    for i in [2, 0, 3, 1] {
                        n.spawn_blocking(move || gates[i].open());
                        assert_eq!(set.next(), Some((first + i, ())));
                    }
                }
            });
        });
    }
}

#[test]
fn s2_a_child_that_waits_for_its_set_runs_the_set_and_nothing_else() {
    on_no_worker(|pool| {
        let (before, in_set) = (AtomicUsize::new(0), AtomicUsize::new(0));
        pool.nursery(|n| {
            let (before, in_set) = (&before, &in_set);
            let waiter = n.spawn(move || {
                let mut set = n.set();
                for i in 0..500 {
                    n.spawn(move || before.fetch_add(1, Ordering::Relaxed));
                    set.spawn(move || {
                        assert_eq!(in_set.fetch_add(1, Ordering::Relaxed), i);
                        i
                    });
                }
                // Alone, it runs them in the order of their spawns.
                assert!(set.by_ref().map(|(_, i)| i).eq(0..500));
                assert_eq!(before.load(Ordering::Relaxed), 0);
            });
            waiter.join();
        });
        assert_eq!(before.into_inner(), 500);
    });
}

#[test]
fn r5_one_thread_starts_the_children_in_the_serial_order() {
    on_no_worker(|pool| {
        let order = Mutex::new(Vec::new());
        pool.nursery(|n| {
            let note = |i| order.lock().unwrap().push(i);
            let mut set = n.set();
            for i in 0..100 {
                n.spawn(move || note(3 * i));
                set.spawn(move || {
                    n.spawn(move || note(3 * i + 2));
                    note(3 * i + 1);
                });
            }
            assert!(set.map(|(number, ())| number).eq(0..100));
        });
        assert!(order.into_inner().unwrap().into_iter().eq(0..300));
    });
}

#[test]
fn l2_a_set_that_is_dropped_early_leaves_its_children_to_the_nursery() {
    const SIZE: usize = 300;
    on_every_pool(|pool| {
        for taken in [0, 1, 100, SIZE] {
            let (captures, values) = (&Ledger::default(), &Ledger::default());
            let ran = AtomicUsize::new(0);
            pool.nursery(|n| {
                let mut set = n.set();
                for _ in 0..SIZE {
                    let (capture, ran) = (captures.entry::<8>(), &ran);
                    set.spawn(move || {
                        let _used = &capture;
                        ran.fetch_add(1, Ordering::Relaxed);
                        values.entry::<16>()
                    });
                }
                assert_eq!(set.by_ref().take(taken).count(), taken);
                drop(set);
            });
            captures.is_balanced(SIZE);
            values.is_balanced(SIZE);
            assert_eq!(ran.into_inner(), SIZE);
        }
    });
}

#[test]
fn l1_a_set_that_is_forgotten_leaks_values_and_nothing_else() {
    on_every_pool(|pool| {
        let captures = &Ledger::default();
        pool.nursery(|n| {
            let mut set = n.set();
            for i in 0..100_usize {
                let capture = captures.entry::<8>();
                set.spawn(move || (capture, i).1);
            }
            assert!(set.next().is_some());
            std::mem::forget(set);
        });
        captures.is_balanced(100);
    });
}

#[test]
fn every_kind_of_child_may_be_in_a_set() {
    type Nursery<'s, 'e> = TryNursery<'s, 'e, String>;
    type Set<'s, 'e> = ChildSet<'s, Nursery<'s, 'e>, Result<u8, Failure<String>>>;
    fn fill<'s, 'e>(n: &'s Nursery<'s, 'e>) -> Set<'s, 'e> {
        let mut set = n.set();
        set.spawn(|| Ok(0));
        set.spawn_body(|| n.checkpoint().map(|()| 1));
        set.spawn_blocking(|| Ok(2));
        set.spawn_blocking_body(|| n.checkpoint().map(|()| 3));
        set
    }
    on_every_pool(|pool| {
        let sum = pool.try_nursery(|n| fill(n).map(|(_, value)| value).sum::<Result<u8, _>>());
        assert_eq!(sum.unwrap(), 6);
        let sum = pool.nursery(|n| {
            let mut set = n.set();
            set.spawn(|| 1);
            set.spawn_blocking(|| 2);
            set.map(|(_, value)| value).sum::<i32>()
        });
        assert_eq!(sum, 3);
    });
}

#[test]
fn s5_a_set_goes_on_under_a_limit() {
    on_every_pool(|pool| {
        for limit in [1, 2] {
            let running = AtomicUsize::new(0);
            let options = Options::new().pool(pool).limit(limit);
            let sum = options.nursery(|n| {
                let running = &running;
                let work = move |i| {
                    assert!(running.fetch_add(1, Ordering::Relaxed) < limit);
                    running.fetch_sub(1, Ordering::Relaxed);
                    i
                };
                let mut set = n.set();
                for i in 0..100 {
                    set.spawn(move || work(i));
                    set.spawn_blocking(move || work(i));
                }
                let inner = n.spawn(move || {
                    let mut set = n.set();
                    set.spawn(|| 1);
                    set.spawn_blocking(|| 2);
                    set.map(|(_, i)| i).sum::<usize>()
                });
                set.map(|(_, i)| i).sum::<usize>() + inner.join()
            });
            assert_eq!(sum, 2 * 4950 + 3);
        }
    });
}

#[test]
fn sets_may_be_many_and_nested() {
    on_every_pool(|pool| {
        let sum = pool.nursery(|n| {
            let (mut outer, mut beside) = (n.set(), n.set());
            for i in 0..50_usize {
                beside.spawn(move || i);
                outer.spawn(move || {
                    let mut inner = n.set();
                    for j in 0..i {
                        inner.spawn(move || hatchery::nursery(|_| j));
                    }
                    inner.map(|(_, j)| j).sum::<usize>()
                });
            }
            let sum = outer.map(|(_, sum)| sum).sum::<usize>();
            sum + hatchery::nursery(|_| beside.map(|(_, i)| i).sum::<usize>())
        });
        let triangle = |i: usize| i * i.saturating_sub(1) / 2;
        assert_eq!(sum, (0..50).map(triangle).sum::<usize>() + triangle(50));
    });
}

/// With steps that grow with the number of children, this takes hours.
#[test]
fn many_children_may_be_in_a_set() {
    const SIZE: u64 = 100_000;
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut set = n.set();
            for i in 0..SIZE {
                set.spawn(move || i);
            }
            assert_eq!(set.map(|(_, i)| i).sum::<u64>(), SIZE * (SIZE - 1) / 2);
            let child = n.spawn(|| {
                let mut set = n.set();
                for i in 0..SIZE {
                    set.spawn(move || i);
                }
                set.map(|(_, i)| i).sum::<u64>()
            });
            assert_eq!(child.join(), SIZE * (SIZE - 1) / 2);
        });
    });
}
