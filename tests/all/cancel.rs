//! Who cancels a nursery, and what of that is told: laws X1 and X5.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Gate, number_of, on_every_pool, on_no_worker, raise};
use hatchery::{CancelReason, CancelToken, Cancelled, Options};

#[test]
fn x1_nobody_is_the_first_to_cancel_a_nursery_that_was_cancelled_from_outside() {
    on_every_pool(|pool| {
        let value = pool.try_nursery::<(), _, _>(|outer| {
            outer.cancel();
            let failures = hatchery::try_nursery::<(), _, _>(|n| {
                assert!(!n.cancel());
                n.spawn(|| -> Result<(), ()> { panic!("started") });
                Ok(())
            });
            let cancelled = failures.unwrap_err().cancelled().unwrap();
            assert_eq!(cancelled.reason(), CancelReason::Requested);
            assert!(cancelled.is_inherited());
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
    });
}

#[test]
fn each_of_several_tokens_cancels_a_nursery() {
    on_every_pool(|pool| {
        for cancelled in 0..3 {
            let tokens = [(); 3].map(|()| CancelToken::new());
            let options = Options::new().pool(pool);
            let options = tokens.iter().fold(options, Options::cancel_on);
            let failures = options.try_nursery::<(), (), _>(|n| {
                n.checkpoint()?;
                tokens[cancelled].cancel();
                n.checkpoint()
            });
            let cancelled = failures.unwrap_err().cancelled().unwrap();
            assert_eq!(cancelled.reason(), CancelReason::Token);
        }
    });
}

#[test]
fn a_total_nursery_that_is_cancelled_on_request_tells_and_runs_all_of_its_children() {
    on_every_pool(|pool| {
        let ran = AtomicUsize::new(0);
        let told = |is_inherited| {
            ran.fetch_add(1, Ordering::Relaxed);
            let told = hatchery::checkpoint().unwrap_err();
            assert_eq!(told.reason(), CancelReason::Requested);
            assert_eq!(told.is_inherited(), is_inherited);
        };
        let value = pool.nursery(|n| {
            assert!(!n.is_cancelled());
            for _ in 0..100 {
                n.spawn(|| {
                    n.cancel();
                    told(false);
                });
            }
            n.spawn(|| n.cancel()).join();
            assert!(!n.cancel());
            assert!(n.is_cancelled());
            n.spawn_blocking(|| told(false));
            n.spawn_each(0..100, |_| told(false));
            // Total ones further in run their children, too; partial ones do not.
            hatchery::nursery(|inner| {
                assert!(!inner.cancel());
                inner.spawn(|| told(true));
            });
            let inner = hatchery::try_nursery::<(), _, _>(|inner| {
                inner.spawn(|| -> Result<(), ()> { unreachable!("it is cancelled") });
                Ok(())
            });
            assert!(inner.unwrap_err().cancelled().unwrap().is_inherited());
            n.spawn(|| 7).join()
        });
        assert_eq!(value, 7);
        assert_eq!(ran.into_inner(), 202);
        // Nobody further out is cancelled.
        pool.nursery(|outer| {
            hatchery::nursery(|n| n.cancel());
            assert!(!outer.is_cancelled());
        });
    });
}

/// Also where another thread has taken a closure, or half of a batch.
#[test]
fn a_cancellation_is_not_inherited_in_the_forks_and_batches_of_the_nursery() {
    const ITEMS: usize = 2;
    on_every_pool(|pool| {
        let told = |is_inherited| {
            let told = hatchery::checkpoint().unwrap_err();
            assert_eq!(told.is_inherited(), is_inherited);
        };
        pool.nursery(|n| {
            n.cancel();
            for _ in 0..100 {
                hatchery::join(
                    || hatchery::join(|| told(false), || told(false)),
                    || hatchery::nursery(|_| hatchery::join(|| told(true), || told(true))),
                );
                let both = [Gate::default(), Gate::default()];
                let wait = |own: usize| {
                    both[own].open();
                    if pool.threads() > 1 && pool.stats().workers > 0 {
                        hatchery::block_in_place(|| both[1 - own].wait());
                    }
                    told(false);
                };
                hatchery::join(|| wait(0), || wait(1));
                n.spawn_each(0..ITEMS, |_| told(false)).for_each(drop);
            }
        });
    });
}

#[test]
fn a_panic_skips_children_of_a_total_nursery_although_it_was_cancelled_on_request() {
    on_no_worker(|pool| {
        let number = number_of(|| {
            pool.nursery(|n| {
                n.cancel();
                n.spawn(|| raise(3));
                n.spawn(|| unreachable!("its sibling has panicked"));
                assert_eq!(
                    n.checkpoint().unwrap_err().reason(),
                    CancelReason::Requested
                );
            });
        });
        assert_eq!(number, 3);
    });
}

#[test]
fn a_cancellation_is_an_io_error_that_says_why() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        token.cancel();
        let on_token = Options::new().pool(pool).cancel_on(&token);
        let in_time = Options::new().pool(pool).timeout(Duration::ZERO);
        let of = |options: &Options| {
            let check = || -> io::Result<()> { Ok(hatchery::checkpoint()?) };
            options.nursery(|_| check().unwrap_err())
        };
        for (options, kind, reason) in [
            (on_token, ErrorKind::Other, CancelReason::Token),
            (in_time, ErrorKind::TimedOut, CancelReason::Deadline),
        ] {
            let error = of(&options);
            assert_eq!(error.kind(), kind);
            let inner = error.get_ref().unwrap();
            let cancelled = inner.downcast_ref::<Cancelled>().unwrap();
            assert_eq!(cancelled.reason(), reason);
            assert_eq!(error.to_string(), cancelled.to_string());
        }
        let failures = pool.try_nursery::<io::Error, (), _>(|n| {
            let child = n.spawn(|| {
                n.cancel();
                Ok(hatchery::checkpoint()?)
            });
            child.join()
        });
        let failures = failures.unwrap_err();
        assert!(failures.cancelled().is_some());
        assert_eq!(failures.late().len(), 1);
    });
}
