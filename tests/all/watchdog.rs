//! A pool that was asked to says so when nothing moves.

use std::env;
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::alone;
use crate::common::{Gate, on_pool, threads_left, threads_named};
use hatchery::{Options, Pool, PoolBuilder};

/// Set in the process that hangs for the test.
const HANGS: &str = "HATCHERY_HANGS";
const SOON: Duration = Duration::from_millis(20);

fn watched_pool(threads: usize) -> PoolBuilder {
    Pool::builder()
        .threads(threads)
        .name(format!("w{threads}"))
        .watchdog(SOON)
}

/// What the test tells the process: to have something happen in the pool, and that the hang is over.
const MOVE: &str = "move\n";
const GO_ON: &str = "go on\n";

fn next_line() -> String {
    let mut line = String::new();
    stdin().read_line(&mut line).expect("a line");
    line
}

/// Waits for a blocking child that waits for a line from the test.
fn hang(pool: &Pool, name: &str) {
    let (gate, is_there) = (Gate::default(), Gate::default());
    thread::scope(|scope| {
        scope.spawn(|| {
            let options = Options::new().pool(pool).name(name);
            options.nursery(|n| {
                let child = n.spawn_blocking(|| {
                    is_there.open();
                    gate.wait();
                });
                // From here on nothing moves.
                is_there.wait();
                child.join();
            });
        });
        while next_line() == MOVE {
            pool.nursery(|n| n.spawn(|| ()).join());
        }
        gate.open();
    });
}

fn hang_twice_on_every_pool() {
    for threads in [1, 2, 4] {
        on_pool(watched_pool(threads), |pool| {
            for round in 1..=2 {
                hang(pool, &format!("w{threads} round {round}"));
            }
        });
    }
}

#[test]
fn every_hang_is_printed_with_its_nursery() {
    if env::var_os(HANGS).is_some() {
        return hang_twice_on_every_pool();
    }
    let mut process = Command::new(env::current_exe().unwrap())
        .arg(alone::full_name(
            module_path!(),
            "every_hang_is_printed_with_its_nursery",
        ))
        .args(["--exact", "--nocapture"])
        .env(HANGS, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let tell = |input: &mut ChildStdin, line: &str| input.write_all(line.as_bytes()).unwrap();
    for threads in [1, 2, 4] {
        for round in 1..=2 {
            let name = format!("\"w{threads} round {round}\"");
            // How many lines are left of the two threads that are in it, in whatever order.
            let mut inside = 0;
            loop {
                let line = lines.next().expect("it hangs for ever").unwrap();
                if line.starts_with("nothing has moved for") {
                    // A thread that gets no time for long does not answer, or has not begun to wait. So
                    // something moves, and the watchdog looks once more.
                    tell(&mut input, MOVE);
                    inside = 0;
                } else if line.contains(&name) {
                    inside = 2;
                } else if inside > 0 {
                    if line.contains("waits in the body for blocking child #1, which w") {
                        break;
                    }
                    inside -= 1;
                }
            }
            tell(&mut input, GO_ON);
        }
    }
    drop(input);
    lines.for_each(|line| drop(line.unwrap()));
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_watched_pool_works_and_ends_like_any_other() {
    for threads in [1, 2, 4] {
        on_pool(watched_pool(threads), |pool| {
            let sum: u64 = pool.nursery(|n| n.spawn_each(0..1000, |i| i).sum());
            assert_eq!(sum, 499_500);
        });
    }
}

#[test]
fn there_is_a_watchdog_only_if_asked_for_and_once_there_is_something_to_watch() {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs /proc/self/task");
        return;
    }
    let work = |pool: &Pool| {
        pool.nursery(|n| {
            n.spawn(|| ());
            n.spawn_blocking(|| ()).join();
        });
    };
    for threads in [1, 2, 4] {
        let builder = Pool::builder().threads(threads).name(format!("n{threads}"));
        on_pool(builder, |pool| {
            work(pool);
            assert_eq!(threads_named(&format!("n{threads}-watchdog")), Some(0));
        });
    }
    for threads in [1, 2, 4, 8] {
        // Shorter than what Linux shows of a thread's name, and nobody else's.
        let builder = Pool::builder().threads(threads).name(format!("d{threads}"));
        on_pool(builder.watchdog(Duration::from_secs(3600)), |pool| {
            let name = format!("d{threads}-watchdog");
            assert_eq!(threads_named(&name), Some(0));
            drop((pool.stats(), pool.dump()));
            assert_eq!(threads_named(&name), Some(0));
            work(pool);
            // A thread names itself when it starts.
            while threads_named(&name) == Some(0) {
                thread::yield_now();
            }
            work(pool);
            assert_eq!(threads_named(&name), Some(1));
        });
        let left = threads_left(&format!("d{threads}-watchdog"));
        assert_eq!(left, Some(0), "it ends with its pool");
    }
}
