//! Law S9: an idle pool uses no CPU and is never woken.
//!
//! The tests that let time pass, since the law is about time passing.

#[path = "common/alone.rs"]
mod alone;
mod common;

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::workers::start_all_workers;
use common::{Gate, REFUSED_STACK, on_pool};
use hatchery::{Nursery, Options, Pool};

const LOOKS: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_secs(5);

/// How often it is looked whether all threads rest, before their idle time begins anyway.
const PATIENCE: usize = 25;

/// The thread that looks at all pools of the process. The system keeps 15 bytes of a name.
const WATCHER: &str = "hatchery-watche";

/// The name of a thread, its context switches of its own will and not, and whether it rests: a thread that
/// gets no time does not switch either.
type Thread = (String, [u64; 2], bool);

/// The threads of the pool.
fn switches(pool: &str) -> Vec<Thread> {
    let tasks = fs::read_dir("/proc/self/task").expect("checked by the caller");
    let mut all: Vec<_> = tasks
        .flatten()
        .filter_map(|task| {
            let status = fs::read_to_string(task.path().join("status")).ok()?;
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                Some(line.trim().to_owned())
            };
            let name = field("Name:").filter(|name| name.starts_with(pool))?;
            if name.ends_with("-watchdog") {
                return None;
            }
            let voluntary = field("voluntary_ctxt_switches:")?.parse().ok()?;
            let involuntary = field("nonvoluntary_ctxt_switches:")?.parse().ok()?;
            let rests = field("State:")?.starts_with('S');
            Some((name, [voluntary, involuntary], rests))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn s9_an_idle_pool_is_not_woken_for_five_seconds_after_a_burst() {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs /proc/self/task");
        return;
    }
    // All at once, so that time passes once.
    thread::scope(|scope| {
        for threads in [1, 2, 4] {
            scope.spawn(move || {
                let name = format!("quiet{threads}");
                let builder = Pool::builder().threads(threads).name(&name);
                on_pool(builder.spare_threads(0), |pool| {
                    start_all_workers(pool);
                    stays_asleep(pool, &name);
                    let asleep = switches(&name).len();
                    assert!(asleep > threads, "workers and a side thread, not {asleep}");
                });
            });
        }
        scope.spawn(|| {
            let builder = Pool::builder().threads(2).name("looked").watchdog(LOOKS);
            // The watchdog looks, and wakes nobody.
            on_pool(builder, |pool| stays_asleep(pool, "looked-"));
        });
        scope.spawn(|| {
            let builder = Pool::builder().stack_size(REFUSED_STACK).name("quiet0");
            on_pool(builder, |pool| {
                stays_asleep(pool, "quiet0");
                assert_eq!(switches("quiet0"), []);
            });
        });
        scope.spawn(|| {
            let name = "s9_a_body_that_sleeps_is_not_looked_after_once_all_children_have_started";
            let run = alone::alone(module_path!(), name, |_| ());
            assert_eq!(run.code, Some(0), "{run:?}");
        });
    });
}

#[test]
#[ignore = "runs in a process of its own: there is one watcher for all pools"]
fn s9_a_body_that_sleeps_is_not_looked_after_once_all_children_have_started() {
    let pool = |threads| {
        Pool::builder()
            .threads(threads)
            .name(format!("open{threads}"))
    };
    let in_pools = |one: &Pool, two: &Pool| {
        start_all_workers(two);
        let gate = Gate::default();
        let [before, after] = one.nursery(|outer| {
            two.nursery(|inner| {
                let burst = || {
                    starts_children(outer, &gate);
                    starts_children(inner, &gate);
                };
                let both = after_a_burst(burst, || [switches("open"), switches(WATCHER)]);
                gate.open();
                both
            })
        });
        assert_eq!(after, before);
        let [workers, watcher] = after;
        assert!(workers.len() >= 3, "there are {workers:?}");
        assert_eq!(watcher.len(), 1);
    };
    on_pool(pool(1), |one| on_pool(pool(2), |two| in_pools(one, two)));
}

/// Spawns children, of which all but one have ended when it returns. That one waits for the gate.
fn starts_children<'s>(n: &'s Nursery<'s, '_>, gate: &'s Gate) {
    n.spawn_each(0..1000_u64, |i| i * i).for_each(drop);
    let (sender, receiver) = mpsc::channel();
    for is_last in (0..10).map(|i| i == 9) {
        let sender = sender.clone();
        n.spawn(move || {
            sender.send(()).unwrap();
            drop(sender);
            if is_last {
                gate.wait();
            }
        });
    }
    drop(sender);
    // The body does not come back to its children: others have to take them.
    assert_eq!(receiver.iter().count(), 10);
}

fn stays_asleep(pool: &Pool, name: &str) {
    let burst = || {
        for _ in 0..100 {
            pool.nursery(|n| {
                n.spawn_each(0..1000_u64, |i| i * i).for_each(drop);
                n.spawn_blocking(|| ());
            });
        }
    };
    let [before, after] = after_a_burst(burst, || [switches(name)]);
    assert_eq!(after, before);
}

/// What `switches` says before and after an idle time that follows a burst.
fn after_a_burst<const N: usize>(
    burst: impl Fn(),
    switches: impl Fn() -> [Vec<Thread>; N],
) -> [[Vec<Thread>; N]; 2] {
    loop {
        burst();
        let both = while_time_passes(&switches);
        // On a machine that lets more time pass, a thread that has had no work for ten seconds ends.
        let [before, after] = both.each_ref().map(|all| all.iter().flatten().count());
        if after >= before {
            return both;
        }
    }
}

/// What `switches` says before and after the idle time.
fn while_time_passes<const N: usize>(
    switches: impl Fn() -> [Vec<Thread>; N],
) -> [[Vec<Thread>; N]; 2] {
    // Until the last searcher has gone to sleep: one quiet fifth of a second in which all rest.
    for _ in 0..PATIENCE {
        let before = switches();
        thread::sleep(IDLE / 25);
        let all_rest = before.iter().flatten().all(|(.., rests)| *rests);
        if all_rest && switches() == before {
            break;
        }
    }
    let before = switches();
    thread::sleep(IDLE);
    [before, switches()]
}

#[test]
fn s9_a_deadline_that_is_pending_wakes_nobody() {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs /proc/self/task");
        return;
    }
    let builder = Pool::builder().threads(2).name("pending");
    on_pool(builder, |pool| {
        let (started, gate) = (Gate::default(), Gate::default());
        let wait = || {
            let far = Options::new().pool(pool).timeout(100 * IDLE);
            far.try_nursery::<(), _, _>(|n| {
                n.spawn_each(0..1000, |_| Ok(()));
                n.spawn_blocking(|| {
                    started.open();
                    gate.wait();
                    Ok(())
                });
                Ok(())
            })
        };
        let [before, after] = thread::scope(|scope| {
            let owner = thread::Builder::new().name("pending-owner".into());
            let owner = owner.spawn_scoped(scope, wait).unwrap();
            started.wait();
            let switches = || [switches("pending"), switches("hatchery-timer")];
            let both = while_time_passes(switches);
            gate.open();
            owner.join().unwrap().unwrap();
            both
        });
        assert_eq!(after, before);
        let [waiting, timer] = after;
        assert!(waiting.len() >= 2, "the owner and its child: {waiting:?}");
        assert_eq!(timer.len(), 1);
    });
}
