//! Children, forks and nurseries that come to a value.

use hatchery::join;

use crate::common::{Ledger, beside, pause, pool};
use crate::explore::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "flat",
        share: 200,
        play: flat,
    },
    Scenario {
        name: "deep",
        share: 60,
        play: deep,
    },
    Scenario {
        name: "fib_by_join",
        share: 60,
        play: fib_by_join,
    },
    Scenario {
        name: "fib_by_nursery",
        share: 60,
        play: fib_by_nursery,
    },
    Scenario {
        name: "list_by_join",
        share: 60,
        play: list_by_join,
    },
    Scenario {
        name: "nested",
        share: 80,
        play: nested,
    },
    Scenario {
        name: "spawned_after_the_body",
        share: 120,
        play: spawned_after_the_body,
    },
    Scenario {
        name: "joined_by_a_sibling_spawner",
        share: 120,
        play: joined_by_a_child,
    },
    Scenario {
        name: "one_thread",
        share: 120,
        play: one_thread,
    },
    Scenario {
        name: "handles_dropped_early",
        share: 120,
        play: handles_dropped_early,
    },
    Scenario {
        name: "results_unread",
        share: 120,
        play: results_unread,
    },
    Scenario {
        name: "gathered",
        share: 120,
        play: gathered,
    },
    Scenario {
        name: "split",
        share: 60,
        play: split,
    },
    Scenario {
        name: "mapped",
        share: 60,
        play: mapped,
    },
    Scenario {
        name: "by_completion_stopped_early",
        share: 60,
        play: by_completion_stopped_early,
    },
    Scenario {
        name: "many_nurseries_in_turn",
        share: 60,
        play: many_nurseries_in_turn,
    },
];

/// Some children of one nursery.
fn flat() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let sum: u32 = pool.nursery(|n| {
        let children = [1, 2, 3, 4].map(|i| {
            let captured = ledger.value();
            let returned = ledger.value();
            n.spawn(move || {
                let _captured = captured;
                (i, returned)
            })
        });
        children.into_iter().map(|child| child.join().0).sum()
    });
    ledger.check(8);
    assert_eq!(sum, 10);
}

/// Each child opens a nursery with one child.
fn deep() {
    fn descend(levels: u32, ledger: &Ledger) -> u32 {
        if levels == 0 {
            return 0;
        }
        let value = ledger.value();
        hatchery::nursery(|n| {
            let child = n.spawn(|| {
                let _value = value;
                descend(levels - 1, ledger)
            });
            pause();
            child.join() + 1
        })
    }
    let ledger = Ledger::default();
    let pool = pool(2);
    assert_eq!(pool.nursery(|_| descend(6, &ledger)), 6);
    ledger.check(6);
}

fn fib_by_join() {
    fn fib(n: u32, ledger: &Ledger) -> u32 {
        if n < 2 {
            return n;
        }
        let value = ledger.value();
        let right = || {
            let _value = value;
            fib(n - 2, ledger)
        };
        let (a, b) = join(|| fib(n - 1, ledger), right);
        a + b
    }
    let ledger = Ledger::default();
    let pool = pool(3);
    assert_eq!(pool.join(|| fib(6, &ledger), || fib(5, &ledger)), (8, 5));
    ledger.check_all();
}

fn fib_by_nursery() {
    fn fib(n: u32, ledger: &Ledger) -> u32 {
        if n < 2 {
            return n;
        }
        let value = ledger.value();
        hatchery::nursery(|s| {
            let left = s.spawn(move || (fib(n - 1, ledger), value));
            let right = fib(n - 2, ledger);
            left.join().0 + right
        })
    }
    let ledger = Ledger::default();
    let pool = pool(3);
    assert_eq!(pool.nursery(|_| fib(6, &ledger)), 8);
    ledger.check(12);
}

/// A recursion down one side.
fn list_by_join() {
    fn sum(items: &[u32]) -> u32 {
        match items {
            [] => 0,
            [first, rest @ ..] => {
                let (a, b) = join(|| *first, || sum(rest));
                a + b
            }
        }
    }
    let items: Vec<u32> = (0..20).collect();
    let pool = pool(2);
    assert_eq!(pool.nursery(|_| sum(&items)), 190);
}

/// Nurseries in children and in bodies.
fn nested() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let sum = pool.nursery(|outer| {
        let far = outer.spawn(|| {
            hatchery::nursery(|inner| {
                let value = ledger.value();
                let a = inner.spawn(move || (1, value));
                let b = inner.spawn(|| 2);
                a.join().0 + b.join()
            })
        });
        let near = hatchery::nursery(|inner| {
            // A child of the outer nursery, from within the inner one.
            let value = ledger.value();
            let of_outer = outer.spawn(move || (4, value));
            let of_inner = inner.spawn(|| 8);
            of_inner.join() + of_outer.join().0
        });
        far.join() + near
    });
    ledger.check(2);
    assert_eq!(sum, 15);
}

/// Children spawn siblings when the body is over.
fn spawned_after_the_body() {
    let ledger = Ledger::default();
    let pool = pool(2);
    pool.nursery(|n| {
        for _ in 0..2 {
            let ledger = &ledger;
            n.spawn(move || {
                pause();
                let value = ledger.value();
                n.spawn(move || {
                    let _value = value;
                    pause();
                    let value = ledger.value();
                    n.spawn(move || drop(value));
                });
            });
        }
    });
    ledger.check(4);
}

/// A child joins what it has spawned next to itself.
fn joined_by_a_child() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let sum = pool.nursery(|n| {
        let ledger = &ledger;
        let children = [10, 20].map(|i| {
            n.spawn(move || {
                let value = ledger.value();
                let sibling = n.spawn(move || (i, value));
                pause();
                sibling.join().0 + 1
            })
        });
        children.into_iter().map(|child| child.join()).sum::<u32>()
    });
    ledger.check(2);
    assert_eq!(sum, 32);
}

/// Two threads open nurseries on a pool of one thread.
fn one_thread() {
    let ledger = Ledger::default();
    let pool = pool(1);
    let work = || {
        let sum: u32 = pool.nursery(|n| {
            let children = [1, 2, 3].map(|i| {
                let value = ledger.value();
                n.spawn(move || (hatchery::nursery(|n| n.spawn(move || i).join()), value))
            });
            children.into_iter().map(|child| child.join().0).sum()
        });
        assert_eq!(sum, 6);
    };
    beside(work, work);
    ledger.check(6);
}

fn handles_dropped_early() {
    let ledger = Ledger::default();
    let pool = pool(2);
    pool.nursery(|n| {
        let children = [(); 4].map(|()| {
            let (captured, returned) = (ledger.value(), ledger.value());
            n.spawn(move || {
                let _captured = captured;
                pause();
                returned
            })
        });
        for child in children {
            pause();
            drop(child);
        }
    });
    ledger.check(8);
}

/// Handles that are kept for longer than the children, and never asked.
fn results_unread() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let finished = pool.nursery(|n| {
        let children = [(); 4].map(|()| {
            let value = ledger.value();
            n.spawn(move || value)
        });
        pause();
        children.iter().filter(|child| child.is_finished()).count()
    });
    assert!(finished <= 4);
    ledger.check(4);
}

fn gathered() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let values = pool.gather(|g| {
        for i in 0..4 {
            let value = ledger.value();
            g.spawn(move || (i, value));
        }
    });
    let values: Vec<u32> = values.into_iter().map(|(i, _)| i).collect();
    assert_eq!(values, [0, 1, 2, 3]);
    ledger.check(4);
}

/// A loop over items that is split when somebody asks.
fn split() {
    let ledger = Ledger::default();
    let pool = pool(3);
    let sum: u32 = pool.nursery(|n| {
        let items: Vec<_> = (0..24).map(|i| (i, ledger.value())).collect();
        let ledger = &ledger;
        let children = n.spawn_each(items, move |(i, _value)| {
            pause();
            (i, ledger.value())
        });
        children.map(|(i, _)| i).sum()
    });
    ledger.check(48);
    assert_eq!(sum, 276);
}

/// Plain loops over items, which are divided when somebody asks; the second inside the first.
fn mapped() {
    let ledger = Ledger::default();
    let pool = pool(3);
    let items: Vec<_> = (0..12).map(|i| (i, ledger.value())).collect();
    let values = pool.map(items, |(i, _item)| {
        pause();
        (i, ledger.value())
    });
    assert!(values.iter().map(|(i, _)| *i).eq(0..12));
    let count = |count, _| {
        pause();
        count + 1
    };
    let count = |items| hatchery::fold(0..items, || 0, count, |left, right| left + right);
    let sum = |sum, items| sum + count(items);
    let sum = pool.fold(0..6, || 0, sum, |left, right| left + right);
    assert_eq!(sum, 15);
    drop(values);
    ledger.check(24);
}

fn by_completion_stopped_early() {
    let ledger = Ledger::default();
    let pool = pool(2);
    pool.nursery(|n| {
        let items: Vec<_> = (0..16).map(|i| (i, ledger.value())).collect();
        let children = n.spawn_each(items, |item| {
            pause();
            item
        });
        let mut places = Vec::new();
        for (place, (i, _)) in children.by_completion().take(5) {
            assert_eq!(place, i);
            places.push(place);
        }
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 5);
    });
    ledger.check(16);
}

/// So that workers go to sleep and are woken again.
fn many_nurseries_in_turn() {
    let ledger = Ledger::default();
    let pool = pool(2);
    for i in 0..4 {
        let doubled = pool.nursery(|n| {
            let value = ledger.value();
            let child = n.spawn(move || (i, value));
            n.spawn(pause);
            child.join().0 * 2
        });
        assert_eq!(doubled, i * 2);
        pause();
    }
    ledger.check(4);
}
