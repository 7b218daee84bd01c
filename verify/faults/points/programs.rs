//! The programs that are disturbed: small, with much going on.
//!
//! Each program comes to the same value under any schedule. In all of them but the last, a nursery
//! around everything has a saboteur.

use std::thread;
use std::time::Duration;

use super::jobs::{self, jobs};
use super::loops::{self, loops};
use super::threads::{claims, naps, parks, refused, retires};
use super::world::{Value, Why, World, raise};
use crate::{FailureKind, Failures, Nursery, Pool};

/// What a program comes to.
pub(super) type Ending = Result<u64, Vec<Why>>;

/// A program, and what it comes to by itself.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) run: fn(&World) -> Ending,
    pub(super) expected: Result<u64, Why>,
    /// Whether every other thread is refused.
    pub(super) is_refused: bool,
}

const fn program(name: &'static str, run: fn(&World) -> Ending, expected: u64) -> Program {
    Program {
        name,
        run,
        expected: Ok(expected),
        is_refused: false,
    }
}

pub(super) const ALL: [Program; 17] = [
    program("flat", flat, 2 * 252),
    program("forks", forks, 64 + 40),
    program("each", each, 3 * 19_900),
    program("loops", loops, loops::EXPECTED),
    program("jobs", jobs, jobs::EXPECTED),
    program("partial", partial, 2 * 120 + 28),
    program("blocking", blocking, 66 + 10 + 5 + 7),
    program("limited", limited, 2 * 66 + 6),
    program("deadline", deadline, 1 + 45),
    program("parks", parks, 3),
    program("retires", retires, 4),
    program("pools", pools, 3 * 6),
    program("chunks", chunks, 2 * 4950),
    program("claims", claims, 4950),
    program("naps", naps, 1),
    Program {
        expected: Err(Why::Own),
        ..program("panics", panics, 0)
    },
    Program {
        is_refused: true,
        ..program("refused", refused, 2 * 16)
    },
];

/// What a nursery and its nested nurseries have failed of.
pub(super) fn reasons<E>(failures: Failures<E>) -> Vec<Why> {
    let of_one = |failure: crate::Failure<E>| match failure.into_kind() {
        // An error of a task that was told of a cancellation is a consequence of it.
        FailureKind::Cancelled(_) | FailureKind::Late(_) => vec![Why::Cancelled],
        FailureKind::Error(_) => vec![Why::Own],
        FailureKind::Panic(panic) => vec![*panic.into_payload().downcast().expect("one of ours")],
        FailureKind::Nested(failures) => reasons(failures),
    };
    failures.into_iter().flat_map(of_one).collect()
}

/// Opens the nursery around everything, with a saboteur.
pub(super) fn with_saboteur<'env, T>(
    w: &'env World,
    body: impl for<'scope> FnOnce(&'scope Nursery<'scope, 'env>) -> T,
) -> T {
    w.options().nursery(|n| {
        let _release = w.hire(n);
        body(n)
    })
}

/// Children that are joined, left, or given up, and others in them.
fn flat(w: &World) -> Ending {
    let level = |depth: usize| {
        crate::nursery(|n| {
            let children: Vec<_> = (0..24)
                .map(|i| {
                    let captured = w.value(i);
                    n.spawn(move || {
                        w.user();
                        if depth > 0 && i % 8 == 0 {
                            crate::nursery(|m| {
                                drop(m.spawn(|| w.value(1)));
                                m.spawn(|| m.spawn(|| w.value(2)).join()).join()
                            });
                        }
                        w.value(captured.get() * 2)
                    })
                })
                .collect();
            let (mut left, mut sum) = (Vec::new(), 0);
            for (i, child) in children.into_iter().enumerate() {
                match i % 4 {
                    0 | 1 => sum += child.join().get(),
                    2 => drop(child),
                    _ => left.push(child),
                }
            }
            sum
        })
    };
    Ok(with_saboteur(w, |_| level(1) + level(0)))
}

/// A balanced tree of forks, and a tree that runs down one side.
fn forks(w: &World) -> Ending {
    fn balanced(w: &World, depth: u32) -> u64 {
        if depth == 0 {
            thread::yield_now();
            w.user();
            return w.value(1).get();
        }
        let captured = w.value(0);
        let (left, right) = crate::join(
            || balanced(w, depth - 1),
            move || balanced(w, depth - 1) + captured.get(),
        );
        left + right
    }
    fn lopsided(w: &World, depth: u32) -> u64 {
        if depth == 0 {
            return 0;
        }
        let captured = w.value(1);
        let (left, right) = crate::join(|| lopsided(w, depth - 1), move || captured.get());
        left + right
    }
    Ok(with_saboteur(w, |n| {
        let other = n.spawn(|| lopsided(w, 40));
        balanced(w, 6) + other.join()
    }))
}

/// Items in batches, joined in order, by completion, and not at all.
fn each(w: &World) -> Ending {
    let item = |value: Value| {
        w.user();
        thread::yield_now();
        w.value(value.get())
    };
    Ok(with_saboteur(w, |n| {
        let values = || (0..200).map(|i| w.value(i)).collect::<Vec<_>>();
        let by_completion = n.spawn_each(values(), item);
        drop(n.spawn_each(values(), item));
        let in_order: u64 = n.spawn_each(values(), item).map(|value| value.get()).sum();
        let numbered = by_completion.by_completion();
        let ended: u64 = numbered.map(|(i, value)| i as u64 + value.get()).sum();
        in_order + ended
    }))
}

/// A partial nursery with another nested in it, and an error that is handled.
fn partial(w: &World) -> Ending {
    with_saboteur(w, |_| {
        let sum = w.options().try_nursery(|n| {
            let children: Vec<_> = (0..16)
                .map(|i| {
                    let captured = w.value(i);
                    n.spawn(move || -> Result<Value, Value> {
                        w.user();
                        if n.checkpoint().is_err() {
                            return Err(captured);
                        }
                        Ok(w.value(captured.get() * 2))
                    })
                })
                .collect();
            let inner = n.spawn_body(|| {
                let failed = crate::try_nursery(|m| {
                    let _unjoined = m.spawn_blocking(|| Ok(w.value(1)));
                    m.spawn(|| Err::<Value, _>(w.value(2))).join()
                });
                drop(failed);
                let each = crate::try_nursery(|m| {
                    let values = (0..8).map(|i| w.value(i));
                    let all = m.spawn_each(values, Ok::<_, Value>);
                    m.checkpoint()?;
                    all.map(|value| Ok(value?.get())).sum::<Result<u64, _>>()
                });
                each.map_err(|failures| failures.into_cause())
            });
            let mut sum = inner.join()?;
            for child in children {
                sum += child.join()?.get();
            }
            Ok(sum)
        });
        sum.map_err(reasons)
    })
}

/// Children that may block, a place that is lent, children spawned elsewhere.
fn blocking(w: &World) -> Ending {
    Ok(with_saboteur(w, |n| {
        let children: Vec<_> = (0..12)
            .map(|i| {
                let captured = w.value(i);
                let child = move || {
                    w.user();
                    let lent = || w.value(captured.get()).get();
                    if i % 3 == 0 {
                        crate::block_in_place(lent)
                    } else {
                        lent()
                    }
                };
                if i % 2 == 0 {
                    n.spawn_blocking(child)
                } else {
                    n.spawn(child)
                }
            })
            .collect();
        let foreign = n.spawn_blocking(|| {
            let of_side_thread = n.spawn(|| w.value(10));
            n.spawn_blocking(|| w.value(11));
            of_side_thread.join().get()
        });
        let plain = thread::scope(|scope| {
            let plain = || {
                w.plan.adopt();
                let given_up = n.spawn(|| w.value(3));
                let mine = n.spawn(|| w.value(5)).join().get();
                drop(given_up);
                mine
            };
            scope.spawn(plain).join()
        });
        let plain = plain.unwrap_or_else(|payload| std::panic::resume_unwind(payload));
        let of_children: u64 = children.into_iter().map(crate::Child::join).sum();
        of_children + foreign.join() + plain + 7
    }))
}

/// Two children at a time, and one at a time in a nursery of theirs.
fn limited(w: &World) -> Ending {
    Ok(with_saboteur(w, |_| {
        w.options().limit(2).nursery(|n| {
            let children: Vec<_> = (0..12)
                .map(|i| {
                    let captured = w.value(i);
                    let child = move || {
                        w.user();
                        thread::yield_now();
                        let inner = crate::Options::new().limit(1);
                        inner.nursery(|m| {
                            let other = m.spawn(|| w.value(captured.get()));
                            m.spawn(|| ());
                            other.join().get() + captured.get()
                        })
                    };
                    if i % 4 == 3 {
                        n.spawn_blocking(child)
                    } else {
                        n.spawn(child)
                    }
                })
                .collect();
            let of_children: u64 = children.into_iter().map(crate::Child::join).sum();
            of_children + 6
        })
    }))
}

/// A deadline that has passed: partial nurseries are cancelled, total nurseries are told.
fn deadline(w: &World) -> Ending {
    Ok(with_saboteur(w, |_| {
        let late = w.options().timeout(Duration::ZERO);
        let cancelled = late.try_nursery(|n| {
            let children: Vec<_> = (0..8)
                .map(|i| {
                    let captured = w.value(i);
                    n.spawn(move || Ok::<_, Value>(captured))
                })
                .collect();
            drop(children);
            n.checkpoint()
        });
        let is_cancelled = match cancelled {
            Err(failures) => u64::from(reasons(failures).iter().all(|why| match why {
                Why::Cancelled => true,
                Why::Injected => raise(Why::Injected),
                Why::Own => false,
            })),
            Ok(()) => 0,
        };
        let sum: u64 = late.nursery(|n| {
            let children: Vec<_> = (0..10)
                .map(|i| {
                    let captured = w.value(i);
                    n.spawn(move || {
                        w.user();
                        let is_told = u64::from(crate::checkpoint().is_err());
                        captured.get() * is_told
                    })
                })
                .collect();
            children.into_iter().map(crate::Child::join).sum()
        });
        is_cancelled + sum
    }))
}

/// A pool in a child of another one.
fn pools(w: &World) -> Ending {
    Ok(with_saboteur(w, |n| {
        let children: Vec<_> = (0..3)
            .map(|_| {
                n.spawn(|| {
                    let other = Pool::builder().threads(2).build().expect("valid");
                    let sum = other.nursery(|m| {
                        let children: Vec<_> = (0..4)
                            .map(|i| {
                                let captured = w.value(i);
                                m.spawn(move || {
                                    w.user();
                                    // Opens a nursery on the first pool again.
                                    w.pool.join(|| captured.get(), || w.value(0)).0
                                })
                            })
                            .collect();
                        children.into_iter().map(crate::Child::join).sum::<u64>()
                    });
                    other.shutdown();
                    sum
                })
            })
            .collect();
        children.into_iter().map(crate::Child::join).sum()
    }))
}

/// More children than a chunk has room for at once, and then as many one by one.
fn chunks(w: &World) -> Ending {
    Ok(with_saboteur(w, |_| {
        crate::nursery(|n| {
            let child = |i: u64| {
                let (captured, room) = (w.value(i), [0_u8; 300]);
                n.spawn(move || {
                    w.user();
                    w.value(captured.get() + u64::from(room[7]))
                })
            };
            let children: Vec<_> = (0..100).map(child).collect();
            let at_once: u64 = children.into_iter().map(|child| child.join().get()).sum();
            let one_by_one: u64 = (0..100).map(|i| child(i).join().get()).sum();
            at_once + one_by_one
        })
    }))
}

/// Children that panic, with siblings that are skipped.
fn panics(w: &World) -> Ending {
    with_saboteur(w, |_| {
        crate::nursery(|n| {
            for i in 0..24 {
                let captured = w.value(i);
                let child = move || {
                    w.user();
                    if i % 5 == 4 {
                        raise(Why::Own);
                    }
                    w.value(captured.get())
                };
                if i % 7 == 6 {
                    n.spawn_blocking(child);
                } else {
                    n.spawn(child);
                }
            }
            let values: Vec<_> = (0..50).map(|i| w.value(i)).collect();
            n.spawn_each(values, |value| {
                if value.get() % 20 == 19 {
                    raise(Why::Own);
                }
                value
            });
        });
    });
    Ok(0)
}
