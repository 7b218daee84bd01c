//! `threads_by`: workers on threads of others, which help, and go back to their owners.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};

use crate::common::{Gate, on_pool};
use hatchery::{Helper, Pool, PoolBuilder, join, nursery};

/// Threads that run helpers.
pub(crate) enum Host {
    /// Each takes from a channel what it runs, until the channel is closed.
    Plain(Mutex<Sender<Helper>>),
    Rayon(rayon::ThreadPool),
    Tokio(tokio::runtime::Runtime),
}

impl Host {
    pub(crate) fn plain(threads: usize) -> Self {
        let (sender, receiver) = channel::<Helper>();
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let receiver = Arc::clone(&receiver);
            let next = move || receiver.lock().unwrap().recv().ok();
            let thread = thread::Builder::new().name(format!("host-{number}"));
            let main = move || iter::from_fn(next).for_each(Helper::run);
            thread.spawn(main).unwrap();
        }
        Self::Plain(Mutex::new(sender))
    }

    fn rayon(threads: usize) -> Self {
        let host = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("host-{number}"));
        Self::Rayon(host.build().unwrap())
    }

    fn tokio(threads: usize) -> Self {
        let host = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(threads)
            .thread_name("host-of-tokio")
            .build();
        Self::Tokio(host.unwrap())
    }

    /// One of each kind, of so many threads.
    fn all(threads: usize) -> [Self; 3] {
        [
            Self::plain(threads),
            Self::rayon(threads),
            Self::tokio(threads),
        ]
    }

    pub(crate) fn start(&self, helper: Helper) -> io::Result<()> {
        match self {
            Self::Plain(sender) => {
                let sent = sender.lock().unwrap().send(helper);
                sent.map_err(io::Error::other)?;
            }
            Self::Rayon(host) => host.spawn(move || helper.run()),
            Self::Tokio(host) => drop(host.spawn_blocking(move || helper.run())),
        }
        Ok(())
    }

    /// A pool of so many threads, of which all but the caller's are this host's.
    pub(crate) fn pool(self, threads: usize) -> PoolBuilder {
        let host = self;
        strict(threads).threads_by(move |helper| host.start(helper))
    }
}

/// A pool that has no threads but its workers.
pub(crate) fn strict(threads: usize) -> PoolBuilder {
    let builder = Pool::builder().threads(threads).name("helped");
    builder.spare_threads(0).lend_places(false)
}

/// Whether the calling thread is one of a host.
pub(crate) fn is_host() -> bool {
    let thread = thread::current();
    thread.name().is_some_and(|name| name.starts_with("host-"))
}

/// Children of which each goes on only once all of them run: on so many threads.
pub(crate) fn meet(pool: &Pool, threads: usize) -> HashSet<ThreadId> {
    let all = &Barrier::new(threads);
    let ids = pool.gather(|g| {
        for _ in 0..threads {
            g.spawn(|| {
                all.wait();
                thread::current().id()
            });
        }
    });
    let ids: HashSet<_> = ids.into_iter().collect();
    assert_eq!(ids.len(), threads, "each on a thread of its own");
    ids
}

fn fibonacci(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fibonacci(n - 1), || fibonacci(n - 2));
    a + b
}

#[test]
fn helpers_compute_what_workers_would() {
    for threads in [1, 2, 4] {
        for host in Host::all(threads) {
            on_pool(host.pool(threads), |pool| {
                let squares = pool.gather(|g| (0..1000_u64).for_each(|i| g.spawn(move || i * i)));
                assert_eq!(squares, (0..1000).map(|i| i * i).collect::<Vec<_>>());
                assert_eq!(pool.nursery(|_| fibonacci(16)), 987);
                assert_eq!(pool.install(|| fibonacci(16)), 987);
                let jobs: Vec<_> = (0..20).map(|i| pool.submit(move || fibonacci(i))).collect();
                let sum: u64 = jobs.into_iter().map(hatchery::Submitted::join).sum();
                assert_eq!(sum, 10_945);
                let blocking =
                    pool.nursery(|n| n.spawn_blocking(|| nursery(|_| fibonacci(10))).join());
                assert_eq!(blocking, 55);
            });
        }
    }
}

#[test]
fn helpers_compute_beside_the_caller_and_each_other() {
    for threads in [2, 4] {
        for host in Host::all(threads) {
            on_pool(host.pool(threads), |pool| {
                for _ in 0..20 {
                    let ids = meet(pool, threads);
                    assert!(ids.contains(&thread::current().id()));
                }
            });
        }
    }
}

#[test]
fn jobs_are_run_by_helpers() {
    for host in Host::all(2) {
        // A spare would stand in if they took too long to come.
        let builder = host.pool(2).on_thread_exit(|_| ());
        on_pool(builder, |pool| {
            while !pool.install(is_host) {}
            let ids: HashSet<_> = pool.install(|| meet(pool, 2));
            assert!(!ids.contains(&thread::current().id()));
        });
    }
}

/// Counts helpers that have begun and ended.
#[derive(Default)]
struct Census {
    started: AtomicUsize,
    ended: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl Census {
    fn take(self: &Arc<Self>, builder: PoolBuilder) -> PoolBuilder {
        let (at_start, at_end) = (Arc::clone(self), Arc::clone(self));
        let note = |census: &Self, count: &AtomicUsize, name: &str| {
            if !is_host() || !["helped-0", "helped-1"].contains(&name) {
                census.wrong.lock().unwrap().push(name.to_owned());
            }
            count.fetch_add(1, Ordering::Relaxed);
        };
        builder
            .on_thread_start(move |name| note(&at_start, &at_start.started, name))
            .on_thread_exit(move |name| note(&at_end, &at_end.ended, name))
    }

    /// Waits until all that have begun have ended.
    fn wait(&self) -> usize {
        loop {
            let started = self.started.load(Ordering::Relaxed);
            if self.ended.load(Ordering::Relaxed) == started {
                return started;
            }
            thread::yield_now();
        }
    }
}

#[test]
fn a_helper_leaves_when_there_is_nothing_to_do_and_the_next_work_asks_again() {
    for host in Host::all(2) {
        let census = Arc::new(Census::default());
        on_pool(census.take(host.pool(2)), |pool| {
            let mut before = 0;
            for _ in 0..10 {
                meet(pool, 2);
                // The pool is there all the time.
                let now = census.wait();
                assert!(now > before, "asked again");
                before = now;
            }
        });
        assert_eq!(*census.wrong.lock().unwrap(), [""; 0]);
    }
}

#[test]
fn a_host_of_one_thread_gets_its_thread_back() {
    let host = Arc::new(
        rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap(),
    );
    let builder = {
        let host = Arc::clone(&host);
        strict(2).threads_by(move |helper| {
            host.spawn(move || helper.run());
            Ok(())
        })
    };
    on_pool(builder, |pool| {
        for _ in 0..10 {
            meet(pool, 2);
            // It waits until the only thread is free.
            assert_eq!(host.install(|| 7), 7);
        }
    });
}

#[test]
fn a_helper_says_who_it_is() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let host = Host::plain(3);
    let builder = strict(4).stack_size(3 << 20).threads_by({
        let seen = Arc::clone(&seen);
        move |helper| {
            let text = format!("{helper:?}");
            let row = (
                helper.number(),
                helper.name().to_owned(),
                helper.stack_size(),
                text,
            );
            seen.lock().unwrap().push(row);
            host.start(helper)
        }
    });
    on_pool(builder, |pool| {
        meet(pool, 4);
        let text = format!("{pool:?}");
        assert!(text.contains("helpers_inside: "), "{text}");
        assert!(pool.stats().workers >= 3);
    });
    let seen = seen.lock().unwrap();
    let mut numbers: Vec<_> = seen.iter().map(|row| row.0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() >= 3, "{seen:?}");
    for (number, name, stack, text) in &*seen {
        assert!(*number < 4);
        assert_eq!(*name, format!("helped-{number}"));
        assert_eq!(*stack, Some(3 << 20));
        let debug = format!(
            "Helper {{ name: \"helped-{number}\", number: {number}, stack_size: Some(3145728) }}"
        );
        assert_eq!(*text, debug);
    }
    let builder = format!("{:?}", Pool::builder().threads_by(|_| Ok(())));
    assert!(builder.contains("threads_by: true"), "{builder}");
}

#[test]
fn no_two_helpers_that_run_have_one_number() {
    let inside = Arc::new([const { AtomicUsize::new(0) }; 4]);
    let (at_start, at_end) = (Arc::clone(&inside), Arc::clone(&inside));
    let number = |name: &str| {
        name.strip_prefix("helped-")
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    let host = Host::plain(8);
    let doubles = Arc::new(AtomicUsize::new(0));
    let noted = Arc::clone(&doubles);
    let builder = host
        .pool(4)
        .on_thread_start(move |name| {
            let others = at_start[number(name)].fetch_add(1, Ordering::SeqCst);
            noted.fetch_add(others, Ordering::SeqCst);
        })
        .on_thread_exit(move |name| {
            at_end[number(name)].fetch_sub(1, Ordering::SeqCst);
        });
    on_pool(builder, |pool| {
        for round in 0..200 {
            pool.nursery(|n| _ = n.spawn_each(0..round, |_| ()));
            if round % 8 == 0 {
                meet(pool, 4);
            }
        }
    });
    assert_eq!(doubles.load(Ordering::SeqCst), 0);
    assert!(
        inside
            .iter()
            .all(|inside| inside.load(Ordering::SeqCst) == 0)
    );
}

/// A child that waits in rayon, whose threads run other jobs meanwhile.
#[test]
fn s2_rayon_in_a_child_runs_no_helper_on_top_of_it() {
    thread_local!(static IS_IN_CHILD: Cell<bool> = const { Cell::new(false) });
    for threads in [2, 4] {
        let host = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let host = Arc::new(host.unwrap());
        let builder = {
            let host = Arc::clone(&host);
            strict(threads).threads_by(move |helper| {
                host.spawn(move || helper.run());
                Ok(())
            })
        };
        on_pool(builder, |pool| {
            for _ in 0..30 {
                let sums = pool.gather(|g| {
                    for _ in 0..64 {
                        g.spawn(|| {
                            assert!(!IS_IN_CHILD.replace(true), "on top of another");
                            let rest = || host.join(|| 1, thread::yield_now).0;
                            let (a, b) = host.join(rest, rest);
                            IS_IN_CHILD.set(false);
                            a + b
                        });
                    }
                });
                assert_eq!(sums, [2; 64]);
            }
        });
    }
}

#[test]
fn s2_a_helper_does_not_run_in_a_body_or_child() {
    // Whoever opens the nursery runs the helper in it, of the same pool or of another one.
    let other = Pool::builder().threads(2).build().unwrap();
    for is_other in [false, true] {
        let (sender, helpers) = channel();
        let helpers = Mutex::new(helpers);
        let sender = Mutex::new(sender);
        let builder = strict(2).threads_by(move |helper| {
            let sent = sender.lock().unwrap().send(helper);
            sent.map_err(io::Error::other)
        });
        on_pool(builder, |pool| {
            let has_begun = &Gate::default();
            let outer = if is_other { &other } else { pool };
            let ran_by = outer.nursery(|_| {
                pool.nursery(|n| {
                    let foreign = n.spawn(|| {
                        has_begun.open();
                        thread::current().id()
                    });
                    // It was asked for because of the child, and does not touch it here.
                    let helper: Helper = helpers.lock().unwrap().recv().unwrap();
                    if is_other {
                        outer.nursery(|m| m.spawn(|| helper.run()).join());
                    } else {
                        helper.run();
                    }
                    assert!(!has_begun.is_open());
                    // It counts as refused, and another one is asked for.
                    let again = helpers.lock().unwrap().recv().unwrap();
                    thread::scope(|scope| {
                        scope.spawn(|| again.run());
                        has_begun.wait();
                    });
                    foreign.join()
                })
            });
            assert_ne!(ran_by, thread::current().id());
        });
    }
}
