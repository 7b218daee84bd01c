//! Cancelling, from everywhere, and races.

use std::time::Duration;

use hatchery::{CancelReason, CancelToken, FailureKind, Options, checkpoint};

use crate::common::{Ledger, beside, pause, pool};
use crate::explore::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "cancelled_by_a_child",
        share: 80,
        play: by_a_child,
    },
    Scenario {
        name: "cancelled_by_the_body",
        share: 80,
        play: by_the_body,
    },
    Scenario {
        name: "cancelled_by_an_error",
        share: 80,
        play: by_an_error,
    },
    Scenario {
        name: "cancelled_by_a_token",
        share: 60,
        play: by_a_token,
    },
    Scenario {
        name: "cancelled_by_a_deadline",
        share: 60,
        play: by_a_deadline,
    },
    Scenario {
        name: "cancelled_from_further_out",
        share: 60,
        play: from_further_out,
    },
    Scenario {
        name: "raced",
        share: 80,
        play: raced,
    },
    Scenario {
        name: "raced_each",
        share: 60,
        play: raced_each,
    },
];

/// Asks until it is told.
fn until_told() -> hatchery::Cancelled {
    loop {
        if let Err(cancelled) = checkpoint() {
            return cancelled;
        }
        pause();
    }
}

fn by_a_child() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let result = pool.try_nursery::<u32, _, _>(|n| {
        for _ in 0..2 {
            let value = ledger.value();
            n.spawn(move || {
                let _value = value;
                pause();
                Ok(())
            });
        }
        n.spawn(|| {
            assert!(n.cancel());
            Ok(())
        });
        Ok(7)
    });
    assert_eq!(result.expect("cancelled by itself"), 7);
    ledger.check(2);
}

/// Children that have begun are told, the others are dropped unrun.
fn by_the_body() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let result = pool.try_nursery::<u32, _, _>(|n| {
        let children = [(); 3].map(|()| {
            let value = ledger.value();
            n.spawn(move || {
                let _value = value;
                assert_eq!(until_told().reason(), CancelReason::Requested);
                Ok(())
            })
        });
        pause();
        n.cancel();
        assert!(!n.cancel());
        for child in children {
            match child.join() {
                Ok(()) => {}
                Err(failure) => assert!(matches!(failure.kind(), FailureKind::Cancelled(_))),
            }
        }
        Ok(7)
    });
    assert_eq!(result.expect("all joined"), 7);
    ledger.check(3);
}

fn by_an_error() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let result = pool.try_nursery::<u32, _, _>(|n| {
        for i in 0..2 {
            let value = ledger.value();
            n.spawn(move || {
                let _value = value;
                Err::<(), _>(i)
            });
        }
        let value = ledger.value();
        n.spawn(move || {
            let _value = value;
            pause();
            Ok(())
        });
        Ok(())
    });
    let failures = result.expect_err("one has failed at least");
    let errors = failures
        .iter()
        .filter(|failure| matches!(failure.kind(), FailureKind::Error(_)));
    assert!((1..=2).contains(&errors.count()));
    drop(failures);
    ledger.check(3);
}

fn by_a_token() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let token = CancelToken::new();
    let cancel = || {
        pause();
        assert!(token.cancel());
    };
    beside(cancel, || {
        let result = Options::new()
            .pool(&pool)
            .cancel_on(&token)
            .try_nursery::<u32, _, _>(|n| {
                for _ in 0..2 {
                    let value = ledger.value();
                    n.spawn(move || {
                        let _value = value;
                        hatchery::nursery(|n| n.spawn(until_told).join());
                        Ok(())
                    });
                }
                assert_eq!(until_told().reason(), CancelReason::Token);
                Ok(())
            });
        if let Err(failures) = result {
            assert_eq!(
                failures.cancelled().expect("no error").reason(),
                CancelReason::Token
            );
        }
    });
    ledger.check(2);
}

fn by_a_deadline() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let soon = Options::new().pool(&pool).timeout(Duration::from_millis(5));
    let result = soon.try_nursery::<u32, _, _>(|n| {
        let value = ledger.value();
        n.spawn(move || {
            let _value = value;
            assert_eq!(until_told().reason(), CancelReason::Deadline);
            Ok(())
        });
        assert_eq!(until_told().reason(), CancelReason::Deadline);
        Ok(())
    });
    if let Err(failures) = result {
        assert_eq!(
            failures.cancelled().expect("no error").reason(),
            CancelReason::Deadline
        );
    }
    ledger.check(1);
}

/// The outer nursery is cancelled while inner ones open, run and end.
fn from_further_out() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let result = pool.try_nursery::<u32, _, _>(|outer| {
        for _ in 0..2 {
            let ledger = &ledger;
            outer.spawn_body(move || {
                let value = ledger.value();
                let inner = hatchery::try_nursery::<u32, _, _>(|inner| {
                    inner.spawn(move || {
                        let _value = value;
                        pause();
                        Ok(())
                    });
                    until_told();
                    Ok(())
                });
                inner?;
                Ok(())
            });
        }
        pause();
        outer.cancel();
        Ok(7)
    });
    if let Err(failures) = &result {
        assert!(failures.cancelled().is_some(), "no error");
    }
    drop(result);
    ledger.check_all();
}

fn raced() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let winner = Options::new().pool(&pool).race::<_, u32, _>(|r| {
        for i in 0..3 {
            let (captured, returned) = (ledger.value(), ledger.value());
            r.spawn(move || {
                let _captured = captured;
                pause();
                if i == 0 { Err(i) } else { Ok((i, returned)) }
            });
        }
    });
    let (winner, value) = winner.expect("two succeed");
    assert!(winner == 1 || winner == 2);
    drop(value);
    ledger.check(6);
}

fn raced_each() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let items: Vec<_> = (0..12).map(|i| (i, ledger.value())).collect();
    let winner = Options::new().pool(&pool).race_each(items, |(i, value)| {
        pause();
        if i % 4 == 3 { Ok((i, value)) } else { Err(i) }
    });
    let (winner, value) = winner.expect("three succeed");
    assert_eq!(winner % 4, 3);
    drop(value);
    ledger.check(12);
}
