//! Children that stand in line for permits.

use std::sync::atomic::{AtomicUsize, Ordering};

use hatchery::{Options, Pool};

use crate::common::{Ledger, Refusing, beside, named, pause, pool};
use crate::explore::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "limited",
        share: 80,
        play: limited,
    },
    Scenario {
        name: "limited_nested",
        share: 60,
        play: limited_nested,
    },
    Scenario {
        name: "limited_blocking",
        share: 60,
        play: limited_blocking,
    },
    Scenario {
        name: "limited_bodies",
        share: 100,
        play: limited_bodies,
    },
    Scenario {
        name: "limited_on_two_pools",
        share: 80,
        play: limited_on_two_pools,
    },
    Scenario {
        name: "limited_waiters",
        share: 100,
        play: limited_waiters,
    },
];

/// How many are at it, and how many there were at most.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn during<R>(&self, f: impl FnOnce() -> R) -> R {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        pause();
        let result = f();
        self.now.fetch_sub(1, Ordering::Relaxed);
        result
    }

    #[track_caller]
    fn check(&self, most: usize) {
        assert!(
            self.most.load(Ordering::Relaxed) <= most,
            "too many at a time"
        );
    }
}

fn limited() {
    let (ledger, gauge) = (Ledger::default(), Gauge::default());
    let pool = pool(3);
    let limited = Options::new().pool(&pool).limit(2);
    let sum: u32 = limited.nursery(|n| {
        let gauge = &gauge;
        let children = [1, 2, 3, 4, 5].map(|i| {
            let value = ledger.value();
            n.spawn(move || gauge.during(|| (i, value)))
        });
        children.into_iter().map(|child| child.join().0).sum()
    });
    ledger.check(5);
    gauge.check(2);
    assert_eq!(sum, 15);
}

/// What a child runs on its own thread counts as part of it; elsewhere it needs a permit.
fn limited_nested() {
    let ledger = Ledger::default();
    let pool = pool(2);
    let limited = Options::new().pool(&pool).limit(1);
    let sum: u32 = limited.nursery(|n| {
        let ledger = &ledger;
        let children = [1, 2].map(|i| {
            n.spawn(move || {
                hatchery::nursery(|inner| {
                    let value = ledger.value();
                    let child = inner.spawn(move || (i, value));
                    pause();
                    child.join().0
                })
            })
        });
        children.into_iter().map(|child| child.join()).sum()
    });
    ledger.check(2);
    assert_eq!(sum, 3);
}

fn limited_blocking() {
    let (ledger, gauge) = (Ledger::default(), Gauge::default());
    let pool = pool(2);
    let limited = Options::new().pool(&pool).limit(1);
    let sum: u32 = limited.nursery(|n| {
        let gauge = &gauge;
        let blocking = [1, 2].map(|i| {
            let value = ledger.value();
            n.spawn_blocking(move || gauge.during(|| (i, value)))
        });
        let value = ledger.value();
        let computing = n.spawn(move || gauge.during(|| (3, value)));
        let sum: u32 = blocking.into_iter().map(|child| child.join().0).sum();
        sum + computing.join().0
    });
    ledger.check(3);
    gauge.check(1);
    assert_eq!(sum, 6);
}

/// Two threads wait in bodies of nurseries, so have no permit, each for a child that needs the only one.
fn limited_bodies() {
    wait_in_bodies(&pool(2), None);
}

/// The nurseries whose bodies wait are another pool's.
fn limited_on_two_pools() {
    wait_in_bodies(&pool(2), Some(&pool(1)));
}

fn wait_in_bodies(here: &Pool, there: Option<&Pool>) {
    let (ledger, gauge) = (Ledger::default(), Gauge::default());
    let (ledger_of_all, gauge_of_all) = (&ledger, &gauge);
    let sum = Options::new().pool(here).limit(1).nursery(|n| {
        let holder = n.spawn(|| gauge_of_all.during(|| 4));
        let waits = |i: u32| {
            there.unwrap_or(here).nursery(|inner| {
                let value = ledger_of_all.value();
                let child = inner.spawn(move || gauge_of_all.during(|| (i, value)));
                child.join().0
            })
        };
        let (left, right) = here.join(|| waits(1), || waits(2));
        left + right + holder.join()
    });
    ledger.check(2);
    gauge.check(1);
    assert_eq!(sum, 7);
}

/// No worker takes a child, so that none stands in line: threads that wait for one each, and may not help,
/// hear of the only permit.
fn limited_waiters() {
    let (ledger, gauge) = (Ledger::default(), Gauge::default());
    let _refusing = Refusing::new("waiting-", |_| true);
    let limited = Options::new().pool(&named("waiting")).limit(1);
    let (ledger_of_all, gauge_of_all) = (&ledger, &gauge);
    let sum = limited.nursery(|n| {
        let waits = |i: u32| {
            let value = ledger_of_all.value();
            let child = n.spawn(move || gauge_of_all.during(move || (i, value)));
            child.join().0
        };
        let outside = || assert_eq!(waits(3), 3);
        beside(outside, || hatchery::join(|| waits(1), || waits(2)))
    });
    ledger.check(3);
    gauge.check(1);
    assert_eq!(sum, (1, 2));
}
