//! Pools: configuration, names, hooks, start and end, which pool the free functions use.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::alone;
use crate::common::workers::start_all_workers;
use crate::common::{REFUSED_STACK, on_pool, watched};
use hatchery::{BuildPoolError, Pool};
#[cfg(target_os = "linux")]
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
#[cfg(target_os = "linux")]
use nix::unistd::Pid;

#[test]
fn invalid_configurations_are_refused_with_a_reason() {
    let refusal = |builder: hatchery::PoolBuilder| builder.build().unwrap_err();
    assert_eq!(
        refusal(Pool::builder().threads(0)),
        BuildPoolError::ZeroThreads
    );
    let asked = usize::MAX;
    assert_eq!(
        refusal(Pool::builder().threads(asked)),
        BuildPoolError::TooManyThreads { asked }
    );
    let error = refusal(Pool::builder().threads(1).name("a\0b"));
    assert_eq!(
        error.to_string(),
        r#"a thread name cannot contain a NUL byte: "a\0b""#
    );
    let error = refusal(Pool::builder().threads(Pool::MAX_THREADS + 1));
    assert_eq!(
        error.to_string(),
        "1025 threads asked for, a pool has at most 1024"
    );
}

#[test]
fn threads_have_the_pools_name_and_the_hooks_see_each_of_them_twice() {
    /// A hook that panics is no harm, and what it panics with is not kept.
    struct Payload(Arc<AtomicUsize>);
    impl Drop for Payload {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let (log, dropped) = (Arc::clone(&log), Arc::clone(&dropped));
        move |name: &str| {
            assert_eq!(thread::current().name(), Some(name));
            log.lock().unwrap().push((name.to_owned(), what));
            std::panic::resume_unwind(Box::new(Payload(Arc::clone(&dropped))));
        }
    };
    let builder = Pool::builder()
        .threads(2)
        .name("named")
        .on_thread_start(note("start"))
        .on_thread_exit(note("exit"));
    on_pool(builder.spare_threads(0), |pool| {
        start_all_workers(pool);
        let side = pool.nursery(|n| {
            n.spawn_blocking(|| thread::current().name().map(str::to_owned))
                .join()
        });
        assert_eq!(side.as_deref(), Some("named-side-1"));
    });
    let mut log = log.lock().unwrap().clone();
    log.sort();
    let expected = ["named-0", "named-1", "named-side-1"]
        .map(|name| ["exit", "start"].map(|what| (name.to_owned(), what)));
    assert_eq!(log, expected.concat());
    assert_eq!(dropped.load(Ordering::Relaxed), log.len());
}

#[test]
fn a_hook_may_use_the_pool() {
    let builder = Pool::builder()
        .threads(2)
        .on_thread_start(|_| assert_eq!(hatchery::join(|| 1, || 2), (1, 2)));
    on_pool(builder, |pool| {
        pool.nursery(|n| n.spawn_blocking(|| ()).join())
    });
}

#[test]
fn the_free_functions_run_on_the_current_pool() {
    let current = || hatchery::nursery(|n| format!("{n:?}"));
    let (a, b) = (
        Pool::builder().threads(2).name("pool-a").build().unwrap(),
        Pool::builder().threads(2).name("pool-b").build().unwrap(),
    );
    watched(&a, || {
        assert!(current().contains("\"hatchery\""), "the shared pool");
        a.nursery(|n| {
            assert!(current().contains("pool-a"), "the body's pool");
            let in_child = n.spawn(current).join();
            assert!(in_child.contains("pool-a"), "{in_child}");
            let in_blocking = n.spawn_blocking(current).join();
            assert!(in_blocking.contains("pool-a"), "{in_blocking}");
            b.nursery(|m| {
                assert!(current().contains("pool-b"), "the innermost nursery's pool");
                assert!(m.spawn(current).join().contains("pool-b"));
                assert!(n.spawn(current).join().contains("pool-a"));
            });
            assert!(current().contains("pool-a"));
        });
        assert!(current().contains("\"hatchery\""));
    });
}

#[test]
fn building_or_asking_starts_no_thread() {
    let pool = Pool::builder().threads(2).name("lazy").build().unwrap();
    assert_eq!(pool.threads(), 2);
    assert!(format!("{pool:?}").contains("workers_started: 0"));
    watched(&pool, || pool.nursery(|n| n.spawn(|| ()).join()));
    assert!(
        format!("{pool:?}").contains("workers_started: 1"),
        "one place is left"
    );
    assert!(Pool::shared().threads() >= 1);
}

#[test]
fn a_pool_whose_threads_are_refused_lets_the_caller_do_the_work() {
    let builder = Pool::builder().threads(4).stack_size(REFUSED_STACK);
    on_pool(builder, |pool| {
        let home = thread::current().id();
        let ran_by: Vec<_> =
            pool.nursery(|n| n.spawn_each(0..100, |_| thread::current().id()).collect());
        assert!(ran_by.into_iter().all(|thread| thread == home));
        let blocking = pool.nursery(|n| n.spawn_blocking(|| thread::current().id()).join());
        assert_eq!(blocking, home);
        assert!(format!("{pool:?}").contains("refused"));
    });
}

#[test]
fn any_stack_size_is_taken_or_refused_by_the_system() {
    for bytes in [0, 1, usize::MAX / 2, usize::MAX] {
        on_pool(Pool::builder().threads(2).stack_size(bytes), |pool| {
            let values: Vec<u32> = pool.gather(|g| {
                g.spawn(|| hatchery::nursery(|n| n.spawn_blocking(|| 1).join()));
                g.spawn_blocking(|| hatchery::join(|| 1, || 1).0 + 1);
            });
            assert_eq!(values, [1, 2]);
        });
    }
}

#[test]
fn the_threads_have_the_stack_that_was_asked_for() {
    fn deep(levels: usize) -> usize {
        let frame = std::hint::black_box([levels; 128]);
        if levels == 0 {
            0
        } else {
            deep(levels - 1) + frame[1] - frame[0] + 1
        }
    }
    on_pool(Pool::builder().threads(2).stack_size(64 << 20), |pool| {
        let deepest = pool.nursery(|n| n.spawn_blocking(|| deep(10_000)).join());
        assert_eq!(deepest, 10_000);
    });
}

// On Windows such a drop waits for ever, as the documentation of `Pool` says.
#[cfg(not(windows))]
#[test]
fn a_pool_dropped_by_one_of_its_own_threads_joins_the_others() {
    thread_local! {
        // Dropped in this order: the pool, then the sender.
        static LAST: RefCell<Option<(Arc<Pool>, Sender<()>)>> = const { RefCell::new(None) };
    }
    let pool = Arc::new(Pool::builder().threads(2).build().unwrap());
    let (sender, dropped) = channel();
    watched(Pool::shared(), || {
        let last = Arc::clone(&pool);
        pool.nursery(|n| {
            n.spawn(|| ());
            n.spawn_blocking(move || LAST.set(Some((last, sender))));
        });
        drop(pool);
        // The side thread retires, and its thread-locals hold the last handle.
        assert!(dropped.recv().is_err());
    });
}

#[test]
fn a_nursery_in_a_thread_local_destructor_works() {
    struct Late(Sender<u64>);
    impl Drop for Late {
        fn drop(&mut self) {
            let sum = hatchery::nursery(|n| n.spawn_each(0..100_u64, |i| i).sum::<u64>());
            let _ = self.0.send(sum + hatchery::join(|| 1, || 2).1);
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    watched(Pool::shared(), || {
        // Before and after the thread's first nursery: destructors run in reverse order.
        for nursery_first in [false, true] {
            let (sender, receiver) = channel();
            let outside = thread::spawn(move || {
                if nursery_first {
                    hatchery::join(|| (), || ());
                }
                LATE.set(Some(Late(sender)));
                hatchery::join(|| (), || ());
            });
            outside.join().unwrap();
            assert_eq!(receiver.recv(), Ok(4952));
        }
    });
}

/// Runs the test `name` of this file in a process of its own, with the variable set.
fn with_variable(name: &str, variable: &str, value: &str) -> (bool, String) {
    let run = alone::alone(module_path!(), name, |this| {
        this.env(variable, value);
    });
    (run.code == Some(0), run.stdout + &run.stderr)
}

#[test]
#[ignore = "run by the tests of the variable, in a process of its own"]
fn print_the_pools_threads() {
    let unset = Pool::builder().build().unwrap();
    println!("threads={} {}", Pool::shared().threads(), unset.threads());
    assert_eq!(Pool::builder().threads(3).build().unwrap().threads(), 3);
    // The threads of a large pool take their time.
    if unset.threads() < 10 {
        assert_eq!(hatchery::join(|| 1, || 2), (1, 2));
        assert_eq!(unset.join(|| 1, || 2), (1, 2));
    }
}

#[test]
fn the_environment_variable_sets_the_threads_of_pools_that_set_no_number() {
    let run = |value| with_variable("print_the_pools_threads", "HATCHERY_THREADS", value);
    let most = format!("{0} {0}", Pool::MAX_THREADS);
    let cpus = format!("{0} {0}", Pool::shared().threads());
    let beyond = "9".repeat(30);
    for (value, threads) in [
        ("1", "1 1"),
        ("7", "7 7"),
        ("1024", &most),
        (" 100000 ", &most),
        (&beyond, &most),
        ("", &cpus),
    ] {
        let (ok, text) = run(value);
        let expected = format!("threads={threads}\n");
        assert!(ok && text.contains(&expected), "{value:?}: {text}");
        assert!(!text.contains("HATCHERY_THREADS"), "{value:?}: {text}");
    }
    for value in ["0", "-1", "two", "1.5", " ", "1 2"] {
        let (ok, text) = run(value);
        let expected = format!("threads={cpus}\n");
        assert!(ok && text.contains(&expected), "{value:?}: {text}");
        let reason = format!(
            "hatchery: HATCHERY_THREADS is ignored: it should be a whole number of threads, at least 1, and is {value:?}\n"
        );
        assert_eq!(text.matches(&reason).count(), 1, "{value:?}: {text}");
    }
}

#[test]
#[ignore = "run by the tests of the variable, in a process of its own"]
fn print_which_pools_have_threads() {
    let has_threads = |pool: &Pool| {
        let home = thread::current().id();
        pool.nursery(|n| n.spawn_blocking(|| thread::current().id()).join()) != home
    };
    let [unset, set] = [Pool::builder(), Pool::builder().stack_size(1 << 20)];
    let [unset, set] = [unset, set].map(|builder| builder.threads(2).build().unwrap());
    let shared = Pool::shared();
    let have_threads = [shared, &unset, &set].map(has_threads);
    println!("have threads: {have_threads:?}");
}

/// A size that the system refuses leaves the pools without threads that take it from the variable.
#[test]
fn the_environment_variable_sets_the_stack_size_of_pools_that_set_none() {
    let run = |value: &str| {
        with_variable(
            "print_which_pools_have_threads",
            "HATCHERY_STACK_SIZE",
            value,
        )
    };
    let refused = REFUSED_STACK.to_string();
    for (value, expected) in [
        (&*refused, [false, false, true]),
        (&format!(" {refused} "), [false, false, true]),
        ("1", [true; 3]),
        ("4194304", [true; 3]),
        ("", [true; 3]),
    ] {
        let (ok, text) = run(value);
        let expected = format!("have threads: {expected:?}\n");
        assert!(ok && text.contains(&expected), "{value:?}: {text}");
        assert!(!text.contains("HATCHERY_STACK_SIZE"), "{value:?}: {text}");
    }
    let beyond = "9".repeat(30);
    for value in ["0", "-1", "8M", "8 MiB", "1.5", " ", &beyond] {
        let (ok, text) = run(value);
        let expected = "have threads: [true, true, true]\n";
        assert!(ok && text.contains(expected), "{value:?}: {text}");
        let reason = format!(
            "hatchery: HATCHERY_STACK_SIZE is ignored: it should be a whole number of bytes, at least 1, and is {value:?}\n"
        );
        assert_eq!(text.matches(&reason).count(), 1, "{value:?}: {text}");
    }
}

#[test]
#[ignore = "run by the test of both, in a process of its own"]
fn print_the_threads_of_a_shared_pool_that_was_configured() {
    Pool::builder().name("ours").build_shared().unwrap();
    println!("threads={}", hatchery::threads());
}

#[test]
fn the_environment_variable_holds_for_a_shared_pool_that_was_configured_without_a_number() {
    let name = "print_the_threads_of_a_shared_pool_that_was_configured";
    let (ok, text) = with_variable(name, "HATCHERY_THREADS", "7");
    assert!(ok && text.contains("threads=7\n"), "{text}");
}

/// The CPUs that the calling thread may run on.
#[cfg(target_os = "linux")]
fn own_cpus() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let is_in = |cpu: &usize| set.is_set(*cpu).unwrap();
    (0..CpuSet::count()).filter(is_in).collect()
}

/// Restricts the calling thread to the first CPU it may run on.
#[cfg(target_os = "linux")]
fn pin() {
    let mut one = CpuSet::new();
    one.set(own_cpus()[0]).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test of the pinned caller, in a process of its own"]
fn print_what_a_pinned_caller_gets() {
    let cpus = own_cpus();
    let pinned = thread::spawn(move || {
        pin();
        println!("threads={}", Pool::shared().threads());
        // Its own pool stays where it is.
        let own = Pool::builder().build().unwrap();
        assert_eq!(own.threads(), 1);
        let beside = own.nursery(|n| n.spawn_blocking(own_cpus).join());
        assert_eq!((beside.len(), own_cpus().len()), (1, 1));
        // A side thread, and a worker, since this thread does not go on before it has begun.
        let (sender, receiver) = channel();
        hatchery::nursery(|n| {
            assert_eq!(n.spawn_blocking(own_cpus).join(), cpus);
            n.spawn(move || sender.send(own_cpus()));
            assert_eq!(hatchery::block_in_place(|| receiver.recv()), Ok(cpus));
        });
        assert_eq!(own_cpus().len(), 1);
    });
    pinned.join().unwrap();
}

/// And the whole of it restricted: then the pool is, too.
#[cfg(target_os = "linux")]
#[test]
fn a_pinned_first_caller_leaves_the_shared_pool_all_cpus_of_the_process() {
    let cpus = own_cpus().len().min(Pool::shared().threads());
    let (ok, text) = with_variable("print_what_a_pinned_caller_gets", "HATCHERY_THREADS", "");
    assert!(ok && text.contains(&format!("threads={cpus}\n")), "{text}");
    let restricted = thread::spawn(|| {
        pin();
        with_variable("print_what_a_pinned_caller_gets", "HATCHERY_THREADS", "")
    });
    let (ok, text) = restricted.join().unwrap();
    assert!(ok && text.contains("threads=1\n"), "{text}");
}
