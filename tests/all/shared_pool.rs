//! The shared pool is configured once, before its first use, and never after it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use crate::common::threads_named;
#[cfg(unix)]
use crate::processes::forked;
use hatchery::{BuildPoolError, Pool};

alone! {
    the_shared_pool_is_as_it_was_configured
    what_is_not_configured_is_as_usual
    a_second_configuration_is_refused_and_the_first_one_stays
    after_a_question_it_is_too_late
    after_a_nursery_it_is_too_late
    a_nursery_of_another_pool_is_no_use_of_the_shared_one
    an_invalid_configuration_is_refused_and_another_one_may_follow
    of_several_configurations_at_once_one_holds
}

#[cfg(unix)]
alone! {
    a_forked_process_has_the_shared_pool_as_it_was_configured
    a_forked_process_may_configure_a_shared_pool_that_nobody_has_used
}

mod here {
    use super::*;

    /// Recurses through 10 MB in a debug build, more than a thread has by default.
    fn deep(levels: usize) -> usize {
        let frame = std::hint::black_box([levels; 128]);
        if levels == 0 {
            0
        } else {
            deep(levels - 1) + frame[1] - frame[0] + 1
        }
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn the_shared_pool_is_as_it_was_configured() {
        let started = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&started);
        let before = threads_named("");
        Pool::builder()
            .threads(3)
            .name("ours")
            .stack_size(64 << 20)
            .spare_threads(0)
            .watchdog(Duration::from_secs(3600))
            .on_thread_start(move |_| _ = counter.fetch_add(1, Ordering::Relaxed))
            .build_shared()
            .unwrap();
        assert_eq!((hatchery::threads(), Pool::shared().threads()), (3, 3));
        drop((Pool::shared().stats(), Pool::shared().dump()));
        assert_eq!(threads_named(""), before, "no thread has started");
        assert_eq!(started.load(Ordering::Relaxed), 0);

        let name = || thread::current().name().map(str::to_owned);
        let run = hatchery::nursery(|n| n.spawn_blocking(|| (deep(10_000), name())).join());
        assert_eq!(run, (10_000, Some("ours-side-1".to_owned())));
        assert!(started.load(Ordering::Relaxed) > 0, "the hook was called");
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn what_is_not_configured_is_as_usual() {
        let usual = Pool::builder().build().unwrap().threads();
        Pool::builder().name("ours").build_shared().unwrap();
        assert_eq!(hatchery::threads(), usual);
        assert_eq!(hatchery::join(|| 1, || 2), (1, 2));
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_second_configuration_is_refused_and_the_first_one_stays() {
        Pool::builder().threads(2).build_shared().unwrap();
        let captured = Arc::new(());
        let by_hook = Arc::clone(&captured);
        let hook = move |_: &str| _ = &by_hook;
        let builder = Pool::builder().threads(3).on_thread_start(hook);
        let refusal = builder.build_shared().unwrap_err();
        assert_eq!(refusal, BuildPoolError::SharedPoolExists);
        assert_eq!(
            refusal.to_string(),
            "the shared pool exists already: it can be configured once, before its first use"
        );
        assert_eq!(Arc::strong_count(&captured), 1, "the hook was dropped");
        assert_eq!(hatchery::threads(), 2);
        assert_eq!(hatchery::join(|| 1, || 2), (1, 2));
    }

    /// Whether the shared pool refuses to be configured, and stays as it is.
    fn is_too_late() {
        let threads = hatchery::threads();
        let refusal = Pool::builder().threads(threads + 1).build_shared();
        assert_eq!(refusal, Err(BuildPoolError::SharedPoolExists));
        assert_eq!(hatchery::threads(), threads);
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn after_a_question_it_is_too_late() {
        _ = hatchery::threads();
        is_too_late();
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn after_a_nursery_it_is_too_late() {
        hatchery::nursery(|_| ());
        is_too_late();
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_nursery_of_another_pool_is_no_use_of_the_shared_one() {
        let pool = Pool::builder().threads(2).build().unwrap();
        pool.nursery(|n| {
            n.spawn(hatchery::threads);
            assert_eq!(hatchery::join(hatchery::threads, || 2), (2, 2));
        });
        Pool::builder().threads(3).build_shared().unwrap();
        assert_eq!(hatchery::threads(), 3);
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn an_invalid_configuration_is_refused_and_another_one_may_follow() {
        let refusal = Pool::builder().threads(0).build_shared();
        assert_eq!(refusal, Err(BuildPoolError::ZeroThreads));
        let refusal = Pool::builder().name("a\0b").build_shared();
        assert!(matches!(refusal, Err(BuildPoolError::NulInName { .. })));
        Pool::builder().threads(3).build_shared().unwrap();
        assert_eq!(hatchery::threads(), 3);
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn of_several_configurations_at_once_one_holds() {
        const THREADS: usize = 8;
        let all_are_here = Barrier::new(THREADS);
        let configure = |threads| {
            all_are_here.wait();
            let built = Pool::builder().threads(threads).build_shared();
            (built.is_ok(), hatchery::threads() == threads)
        };
        thread::scope(|scope| {
            let configure = &configure;
            let all: Vec<_> = (1..=THREADS)
                .map(|threads| scope.spawn(move || configure(threads)))
                .collect();
            let all = all.into_iter().map(|thread| thread.join().unwrap());
            // Who is told that it was built has the pool that it asked for, and nobody else has.
            let (built, refused): (Vec<_>, Vec<_>) = all.partition(|(is_built, _)| *is_built);
            assert_eq!(built, [(true, true)]);
            assert_eq!(refused, [(false, false); THREADS - 1]);
        });
    }

    #[cfg(unix)]
    #[test]
    #[ignore = "run in a process of its own"]
    fn a_forked_process_has_the_shared_pool_as_it_was_configured() {
        let builder = Pool::builder().threads(3).name("ours");
        builder.build_shared().unwrap();
        let is_as_configured = || {
            assert_eq!(hatchery::threads(), 3);
            let name = || thread::current().name().map(str::to_owned);
            let name = hatchery::nursery(|n| n.spawn_blocking(name).join());
            assert_eq!(name.as_deref(), Some("ours-side-1"));
            is_too_late();
        };
        forked(is_as_configured).has_succeeded();
        is_as_configured();
        forked(is_as_configured).has_succeeded();
    }

    #[cfg(unix)]
    #[test]
    #[ignore = "run in a process of its own"]
    fn a_forked_process_may_configure_a_shared_pool_that_nobody_has_used() {
        forked(|| {
            Pool::builder().threads(3).build_shared().unwrap();
            assert_eq!(hatchery::threads(), 3);
            assert_eq!(hatchery::join(|| 1, || 2), (1, 2));
        })
        .has_succeeded();
        Pool::builder().threads(2).build_shared().unwrap();
        assert_eq!(hatchery::threads(), 2);
    }
}
