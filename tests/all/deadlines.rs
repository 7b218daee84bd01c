//! Deadlines that are moved while their nursery is open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::on_every_pool;
use hatchery::{CancelReason, FailureKind, Options, checkpoint};

const FAR: Duration = Duration::from_secs(1 << 20);

#[test]
fn x4_a_deadline_that_is_moved_to_a_time_that_is_over_is_known_at_once() {
    on_every_pool(|pool| {
        for options in [Options::new(), Options::new().timeout(FAR)] {
            let options = options.pool(pool);
            let result = options.try_nursery::<(), _, _>(|n| {
                // All of them have found that it is not cancelled.
                n.checkpoint()?;
                hatchery::nursery(|inner| {
                    assert!(!inner.is_cancelled());
                    let child = inner.spawn(|| {
                        assert_eq!(checkpoint(), Ok(()));
                        n.set_deadline(Some(Instant::now()));
                        assert!(n.is_cancelled());
                        checkpoint().unwrap_err()
                    });
                    let told = child.join();
                    assert_eq!(
                        (told.reason(), told.is_inherited()),
                        (CancelReason::Deadline, true)
                    );
                    assert!(inner.is_cancelled());
                });
                let skipped = n.spawn(|| Ok(())).join().unwrap_err();
                let FailureKind::Cancelled(told) = skipped.kind() else {
                    panic!("it was started");
                };
                assert_eq!(
                    (told.reason(), told.is_inherited()),
                    (CancelReason::Deadline, false)
                );
                // It stays so.
                for deadline in [None, Some(Instant::now() + FAR)] {
                    n.set_deadline(deadline);
                    assert!(n.is_cancelled());
                }
                Ok(())
            });
            result.unwrap();
        }
    });
}

#[test]
fn x4_a_deadline_that_is_moved_further_or_away_does_not_cancel() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).timeout(FAR);
        let seven = options.try_nursery::<(), _, _>(|n| {
            for deadline in [Some(Instant::now() + 2 * FAR), None, None] {
                n.set_deadline(deadline);
                n.checkpoint()?;
            }
            n.spawn(|| Ok(7)).join()
        });
        assert_eq!(seven.unwrap(), 7);
        // That of a nursery further out holds as before.
        let outer = options.clone().timeout(Duration::ZERO);
        outer.nursery(|_| {
            let told = hatchery::try_nursery::<(), (), _>(|n| {
                n.set_deadline(None);
                n.checkpoint()
            });
            let told = told.unwrap_err().cancelled().unwrap();
            assert!(told.is_inherited());
        });
    });
}

/// Threads move it to and fro and ask, until one of them has moved it to a time that is over.
#[test]
fn x5_whoever_moves_a_deadline_while_others_ask_does_not_take_an_answer_back() {
    on_every_pool(|pool| {
        for _ in 0..50 {
            let was_told = AtomicBool::new(false);
            let result = pool.try_nursery::<(), _, _>(|n| {
                std::thread::scope(|scope| {
                    for nth in 0..3 {
                        let was_told = &was_told;
                        scope.spawn(move || {
                            for turn in 0..20 {
                                let was_told_before = was_told.load(Ordering::Acquire);
                                let is_cancelled = n.is_cancelled();
                                assert!(is_cancelled || !was_told_before);
                                was_told.fetch_or(is_cancelled, Ordering::Release);
                                let now = Instant::now();
                                n.set_deadline(match nth {
                                    0 if turn == 15 => Some(now),
                                    1 => None,
                                    _ => Some(now + FAR),
                                });
                            }
                        });
                    }
                });
                Ok(n.is_cancelled())
            });
            assert!(result.unwrap(), "it was found to be over");
        }
    });
}
