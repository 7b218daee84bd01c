//! A pool that was asked to says so when nothing moves.

use std::cell::Cell;
use std::env;
use std::io::{BufRead, BufReader, Lines, Write, stdin};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::alone;
use crate::common::{Gate, on_pool, threads_left, threads_named};
use hatchery::{Options, Pool, PoolBuilder};

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

/// A way to hang until the gate opens.
type Way = fn(&Options, &Gate);

/// Hangs in this way on a thread with this name, until the test says that it is over.
fn hang(pool: &Pool, name: &str, way: Way) {
    let gate = Gate::default();
    thread::scope(|scope| {
        let options = Options::new().pool(pool).name(name);
        let thread = thread::Builder::new().name(name.to_owned());
        let gate = &gate;
        let hang = move || way(&options, gate);
        thread.spawn_scoped(scope, hang).unwrap();
        while next_line() == MOVE {
            pool.nursery(|n| n.spawn(|| ()).join());
        }
        gate.open();
    });
}

/// Waits for a blocking child, which waits for the test.
fn waits(options: &Options, gate: &Gate) {
    let is_there = Gate::default();
    options.nursery(|n| {
        let child = n.spawn_blocking(|| {
            is_there.open();
            gate.wait();
        });
        // From here on nothing moves.
        is_there.wait();
        child.join();
    });
}

/// Ways to hang in which no thread need be parked in a nursery, or in which nothing was spawned.
const WAYS: [(&str, Way); 7] = [
    ("body", |options, gate| {
        options.nursery(|n| {
            (0..3).for_each(|_| drop(n.spawn(|| ())));
            gate.wait();
        });
    }),
    ("spin", |options, gate| {
        options.nursery(|n| {
            n.spawn(|| ());
            while !gate.is_open() {
                std::hint::spin_loop();
            }
        });
    }),
    ("child", |options, gate| {
        options.nursery(|n| drop(n.spawn(|| gate.wait())));
    }),
    ("both", |options, gate| {
        options.nursery(|n| {
            n.spawn(|| gate.wait());
            gate.wait();
        });
    }),
    ("empty", |options, gate| options.nursery(|_| gate.wait())),
    ("items", |options, gate| {
        options.for_each(0..3, |_| gate.wait());
    }),
    ("elsewhere", |options, gate| {
        let other = Pool::builder().threads(1).build().unwrap();
        options.nursery(|_| other.nursery(|_| gate.wait()));
    }),
];

/// A process that hangs for a test.
struct Hanging {
    process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Hanging {
    /// Starts the ignored test `name` of this file.
    fn start(name: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .arg(alone::full_name(module_path!(), name))
            .args(["--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: process.stdin.take().unwrap(),
            lines: BufReader::new(process.stderr.take().unwrap()).lines(),
            process,
        }
    }

    fn tell(&mut self, line: &str) {
        self.input.write_all(line.as_bytes()).unwrap();
    }

    /// Reads what the process prints, up to the line that is wanted: the hang is over then. Each report says in its
    /// first two lines that it is one, and of which pool.
    ///
    /// A thread that gets no time for long does not answer, or has not come to its wait. So after each report
    /// something moves, and the watchdog looks once more.
    fn until(&mut self, is_wanted: impl Fn(&str) -> bool) {
        loop {
            let line = self.lines.next().expect("it hangs for ever").unwrap();
            assert!(!line.starts_with("pool \"quiet"), "nothing is open there");
            if line.starts_with("nothing has moved for") {
                self.tell(MOVE);
            } else if is_wanted(line.trim_start()) {
                break;
            }
        }
        self.tell(GO_ON);
    }

    fn end(mut self) {
        drop(self.input);
        self.lines.for_each(|line| drop(line.unwrap()));
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
#[ignore = "hangs for a test, in a process of its own"]
fn hang_twice_on_every_pool() {
    for threads in [1, 2, 4] {
        on_pool(watched_pool(threads), |pool| {
            for round in 1..=2 {
                hang(pool, &format!("w{threads} round {round}"), waits);
            }
        });
    }
}

#[test]
fn every_hang_is_printed_with_its_nursery() {
    let mut hanging = Hanging::start("hang_twice_on_every_pool");
    for threads in [1, 2, 4] {
        for round in 1..=2 {
            let name = format!("\"w{threads} round {round}\"");
            // How many lines are left of the two threads that are in it, in whatever order.
            let inside = Cell::new(0);
            hanging.until(|line| {
                if line.contains(&name) {
                    inside.set(2);
                    return false;
                }
                let is_inside = inside.get() > 0;
                inside.set(usize::from(inside.get() == 2));
                is_inside && line.contains("waits in the body for blocking child #1, which w")
            });
        }
    }
    hanging.end();
}

#[test]
#[ignore = "hangs for a test, in a process of its own"]
fn hang_in_every_way() {
    // Threads that have used them are still here.
    let quiet = |name: &str| watched_pool(2).name(name).build().unwrap();
    let [unused, used] = ["quiet and unused", "quiet and used"].map(quiet);
    used.nursery(|n| {
        n.spawn(|| ());
        n.spawn_blocking(|| ()).join();
    });
    for threads in [1, 2, 4] {
        for (name, way) in WAYS {
            let pool = watched_pool(threads);
            on_pool(pool, |pool| hang(pool, &format!("{name} {threads}"), way));
        }
    }
    drop((unused, used));
}

#[test]
fn what_is_open_and_does_not_move_is_printed_whatever_its_thread_does() {
    let mut hanging = Hanging::start("hang_in_every_way");
    for threads in [1, 2, 4] {
        for (name, _) in WAYS {
            let thread = format!("guest {name} {threads} ");
            hanging.until(|line| line.starts_with(&thread));
        }
    }
    hanging.end();
}

/// On a worker that has nothing else open.
#[test]
#[ignore = "hangs for a test, in a process of its own"]
fn hang_in_jobs() {
    for threads in [1, 2, 4] {
        on_pool(watched_pool(threads), |pool| {
            hang(pool, &format!("job {threads}"), |options, gate| {
                options.install(|| gate.wait());
            });
        });
    }
}

#[test]
fn a_job_that_hangs_is_printed() {
    let mut hanging = Hanging::start("hang_in_jobs");
    for threads in [1, 2, 4] {
        let worker = format!("w{threads}-");
        let counts = Cell::new(false);
        hanging.until(|line| {
            if line == "0 jobs waiting, 1 running" {
                counts.set(true);
            }
            counts.get() && line.starts_with(&worker) && line.ends_with(" has not answered")
        });
    }
    hanging.end();
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
