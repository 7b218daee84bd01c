//! Panics, wherever user code runs.

use std::sync::atomic::{AtomicU32, Ordering};

use hatchery::{FailureKind, Options};

use crate::common::{Explosive, Ledger, pause, payload_of, pool, raise};
use crate::explore::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "one_panics",
        share: 80,
        play: one_panics,
    },
    Scenario {
        name: "many_panic",
        share: 80,
        play: many_panic,
    },
    Scenario {
        name: "body_and_child_panic",
        share: 80,
        play: body_and_child_panic,
    },
    Scenario {
        name: "fork_panics",
        share: 80,
        play: fork_panics,
    },
    Scenario {
        name: "capture_panics",
        share: 80,
        play: capture_panics,
    },
    Scenario {
        name: "result_panics",
        share: 80,
        play: result_panics,
    },
    Scenario {
        name: "payload_panics",
        share: 80,
        play: payload_panics,
    },
    Scenario {
        name: "blocking_child_panics",
        share: 80,
        play: blocking_child_panics,
    },
    Scenario {
        name: "partial_panics",
        share: 80,
        play: partial_panics,
    },
    Scenario {
        name: "item_panics",
        share: 60,
        play: item_panics,
    },
    Scenario {
        name: "mapped_item_panics",
        share: 60,
        play: mapped_item_panics,
    },
];

fn one_panics() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let payload: u32 = payload_of(|| {
        pool.nursery(|n| {
            for i in 0..4 {
                let value = ledger.value();
                n.spawn(move || {
                    let _value = value;
                    pause();
                    if i == 1 {
                        raise(17_u32);
                    }
                });
            }
        });
    });
    assert_eq!(payload, 17);
    ledger.check(4);
    // It is of use still.
    assert_eq!(pool.nursery(|n| n.spawn(|| 1).join()), 1);
}

/// One of them is reported, and the payloads of the others are dropped.
fn many_panic() {
    let ledger = Ledger::default();
    let pool = pool(3);
    let (i, value) = payload_of::<(u32, crate::common::Value), _>(|| {
        pool.nursery(|n| {
            for i in 0..4_u32 {
                let (captured, payload) = (ledger.value(), ledger.value());
                n.spawn(move || {
                    let _captured = captured;
                    pause();
                    raise((i, payload));
                });
            }
        });
    });
    assert!(i < 4);
    drop(value);
    ledger.check(8);
}

fn body_and_child_panic() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let payload: u32 = payload_of(|| {
        pool.nursery(|n| {
            let (first, second) = (ledger.value(), ledger.value());
            n.spawn(move || {
                let _first = first;
                raise(1_u32);
            });
            n.spawn(move || drop(second));
            pause();
            raise(2_u32);
        })
    });
    assert!(payload == 1 || payload == 2);
    ledger.check(2);
}

fn fork_panics() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let payload: u32 = payload_of(|| {
        pool.nursery(|_| {
            let (a, b) = (ledger.value(), ledger.value());
            hatchery::join(
                || {
                    hatchery::join(pause, || {
                        let _b = b;
                        pause();
                        raise(2_u32)
                    })
                },
                || {
                    let _a = a;
                    pause();
                    raise(1_u32)
                },
            )
        })
    });
    // All of them run, and the first in order goes on.
    assert_eq!(payload, 2);
    ledger.check(2);
}

fn capture_panics() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let payload: u32 = payload_of(|| {
        pool.nursery(|n| {
            for i in [1, 2] {
                let explosive = Explosive(ledger.value(), i);
                n.spawn(move || {
                    let _explosive = explosive;
                    pause();
                });
            }
            let value = ledger.value();
            n.spawn(move || drop(value));
        });
    });
    assert!(payload == 1 || payload == 2);
    ledger.check(3);
}

/// A value that nobody reads, and one whose handle is dropped.
fn result_panics() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let payload: u32 = payload_of(|| {
        pool.nursery(|n| {
            let (first, second) = (Explosive(ledger.value(), 1), Explosive(ledger.value(), 2));
            let dropped = n.spawn(move || first);
            n.spawn(move || second);
            pause();
            drop(dropped);
        });
    });
    assert!(payload == 1 || payload == 2);
    ledger.check(2);
}

/// Payloads that lose panic when they are dropped.
fn payload_panics() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let mut payload: Explosive = payload_of(|| {
        pool.nursery(|n| {
            for i in [1, 2, 3] {
                let (captured, ledger) = (ledger.value(), &ledger);
                n.spawn(move || {
                    let _captured = captured;
                    pause();
                    // Made here: one that is skipped has nothing that panics.
                    raise(Explosive(ledger.value(), i));
                });
            }
        });
    });
    payload.1 = 9;
    assert_eq!(payload_of::<u32, _>(|| drop(payload)), 9);
    ledger.check_all();
}

fn blocking_child_panics() {
    let ledger = Ledger::default();
    let pool = pool(1);
    let payload: u32 = payload_of(|| {
        pool.nursery(|n| {
            for i in [1_u32, 2] {
                let value = ledger.value();
                n.spawn_blocking(move || {
                    let _value = value;
                    pause();
                    raise(i);
                });
            }
            let value = ledger.value();
            n.spawn(move || drop(value));
        });
    });
    assert!(payload == 1 || payload == 2);
    ledger.check(3);
}

/// Panics are failures like others.
fn partial_panics() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let result = Options::new().pool(&pool).try_nursery::<u32, _, _>(|n| {
        for i in 0..3_u32 {
            let value = ledger.value();
            n.spawn(move || {
                let _value = value;
                pause();
                match i {
                    0 => Ok(()),
                    1 => Err(1),
                    _ => raise(2_u32),
                }
            });
        }
        let explosive = Explosive(ledger.value(), 3);
        n.spawn(move || Ok(explosive));
        Ok(())
    });
    let failures = result.expect_err("some have failed");
    for failure in &failures {
        let is_expected = match failure.kind() {
            FailureKind::Error(error) => *error == 1,
            FailureKind::Panic(_) => true,
            _ => false,
        };
        assert!(is_expected, "{failure:?}");
    }
    drop(failures);
    ledger.check(4);
}

fn item_panics() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let payload: u32 = payload_of(|| {
        pool.nursery(|n| {
            let items: Vec<_> = (0..12).map(|i| (i, ledger.value())).collect();
            let values = n.spawn_each(items, |(i, value)| {
                pause();
                if i == 5 {
                    raise(5_u32);
                }
                (i, value)
            });
            values.count()
        })
    });
    assert_eq!(payload, 5);
    ledger.check(12);
}

/// Two items panic, maybe at once: what arrives is the first, and what comes before it has run.
fn mapped_item_panics() {
    let ledger = Ledger::default();
    let pool = pool(3);
    let items: Vec<_> = (0..12_u32).map(|i| (i, ledger.value())).collect();
    let runs = AtomicU32::new(0);
    let payload: u32 = payload_of(|| {
        pool.map(items, |(i, value)| {
            pause();
            runs.fetch_or(1 << i, Ordering::Relaxed);
            if i == 5 || i == 9 {
                raise(i);
            }
            (ledger.value(), value)
        })
    });
    assert_eq!(payload, 5);
    assert_eq!(runs.into_inner() & 0b11_1111, 0b11_1111);
    ledger.check_all();
}
