//! What a snapshot calls the children of a partial nursery, and what it says of failures while the nursery is
//! still open.

use std::panic::resume_unwind;
use std::thread;

use crate::common::{Gate, Ledger, caught, on_every_pool, on_pool};
use crate::dump::{dump, named, once};
use hatchery::{Failure, OnFailure, Options, Pool, ThreadState};

/// What the snapshot says has failed in the nursery "looked at"; its text says the same.
#[track_caller]
fn failed(pool: &Pool) -> Option<String> {
    let dump = dump(pool);
    let failed = named(&dump, "looked at").unwrap().failed.clone();
    let text = dump.to_string();
    match &failed {
        Some(failed) => assert!(text.contains(&format!("; {failed}")), "{text}"),
        None => assert!(!text.contains("panicked:"), "{text}"),
    }
    failed
}

fn options(pool: &Pool) -> Options {
    Options::new().pool(pool).name("looked at")
}

/// Panics with this text, without the panic hook's report.
fn raise(text: impl Into<String>) -> ! {
    resume_unwind(Box::new(text.into()))
}

#[test]
fn a_failed_child_is_named_by_its_id_while_its_nursery_is_open() {
    on_every_pool(|pool| {
        let result = options(pool).try_nursery::<&str, _, _>(|n| {
            n.spawn(|| Ok(())).join()?;
            assert_eq!(failed(pool), None);
            // A joiner has handled it, and the snapshot still says what has cancelled the nursery.
            drop(n.spawn(|| Err::<(), _>("disk full")).join());
            let expected = "child 1 returned an error of the type &str";
            assert_eq!(failed(pool).as_deref(), Some(expected));
            assert!(
                dump(pool)
                    .to_string()
                    .contains(&format!("; cancelled because a child failed; {expected}"))
            );
            Ok(())
        });
        assert!(result.is_ok());
    });
}

#[test]
fn the_first_failure_stays_if_others_follow() {
    on_every_pool(|pool| {
        let options = options(pool).on_failure(OnFailure::Continue);
        let result = options.try_nursery::<(), _, _>(|n| {
            drop(
                n.spawn(|| -> Result<(), _> { raise("no such table") })
                    .join(),
            );
            drop(n.spawn(|| Err::<(), _>(())).join());
            let expected = r#"child 0 panicked: "no such table""#;
            assert_eq!(failed(pool).as_deref(), Some(expected));
            Ok(())
        });
        assert!(result.is_ok());
    });
}

#[test]
fn a_failed_child_is_named_whoever_has_spawned_it_and_whoever_passes_its_failure_on() {
    on_every_pool(|pool| {
        let result = options(pool).try_nursery::<(), (), _>(|n| {
            n.spawn(|| Ok(())).join()?;
            let parent = n.spawn_body(|| n.spawn(|| -> Result<(), _> { raise("deep") }).join());
            drop(parent.join());
            let expected = r#"child 1.0 panicked: "deep""#;
            assert_eq!(failed(pool).as_deref(), Some(expected));
            Ok(())
        });
        assert!(result.is_ok());
    });
}

#[test]
fn a_failed_child_whose_handle_nobody_has_joined_is_named() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let mut shown = None;
            let result = options(pool).try_nursery::<&str, (), _>(|n| {
                let child = n.spawn_blocking(|| Err::<(), _>("no route"));
                while !child.is_finished() {
                    thread::yield_now();
                }
                shown = failed(pool);
                Ok(())
            });
            assert_eq!(result.unwrap_err().to_string(), "child 0: no route");
            let expected = "child 0 returned an error of the type &str";
            assert_eq!(shown.as_deref(), Some(expected));
        });
    }
}

#[test]
fn a_nursery_in_a_child_that_failed_is_said_to_be_the_reason() {
    on_every_pool(|pool| {
        let result = options(pool).try_nursery::<(), (), _>(|n| {
            let child = n.spawn_body(|| {
                let inner = hatchery::try_nursery::<(), (), _>(|_| Err(Failure::new(())));
                Ok(inner?)
            });
            drop(child.join());
            let expected = "child 0 failed: a nursery in it has failed";
            assert_eq!(failed(pool).as_deref(), Some(expected));
            Ok(())
        });
        assert!(result.is_ok());
    });
}

#[test]
fn a_child_that_ends_because_it_was_told_to_has_not_failed() {
    on_every_pool(|pool| {
        let result = options(pool).try_nursery::<(), (), _>(|n| {
            let child = n.spawn(|| {
                n.cancel();
                hatchery::checkpoint().map_err(|_| ())
            });
            drop(child.join());
            assert_eq!(failed(pool), None);
            Ok(())
        });
        assert!(result.is_ok());
    });
}

#[test]
fn a_panic_in_a_total_nursery_is_shown_with_its_text() {
    on_every_pool(|pool| {
        // The panic is handled, so the nursery comes to a value.
        let shown = options(pool).nursery(|n| {
            caught(|| n.spawn(|| raise("boom")).join());
            failed(pool)
        });
        assert_eq!(shown.as_deref(), Some(r#"a child panicked: "boom""#));
    });
}

/// Waits until the snapshot says that this has failed.
fn wait_for(pool: &Pool, expected: &str) {
    once(pool, |dump| {
        let seen = named(dump, "looked at");
        seen.is_some_and(|seen| seen.failed.as_deref() == Some(expected))
    });
}

#[test]
fn a_destructor_that_panics_is_shown() {
    let expected = r#"the destructor of a value panicked: "bomb""#;
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let ledger = Ledger::default();
            caught(|| {
                options(pool).nursery(|n| {
                    drop(n.spawn_blocking(|| ledger.bomb()));
                    wait_for(pool, expected);
                });
            });
            let result = options(pool).try_nursery::<(), (), _>(|n| {
                drop(n.spawn_blocking(|| Ok(ledger.bomb())));
                wait_for(pool, expected);
                Ok(())
            });
            assert!(result.is_err());
        });
    }
}

#[test]
fn a_text_is_escaped_and_cut_and_a_payload_without_text_is_no_harm() {
    let long = "ä\n".repeat(100) + "b";
    let cut = format!(r#"child 0 panicked: "{}"..."#, r"ä\n".repeat(100));
    let whole = r#"child 0 panicked: "a \"quoted\"\u{1b} text""#;
    on_every_pool(|pool| {
        let shown = |panics: &(dyn Fn() + Sync)| {
            let mut shown = None;
            let result = options(pool).try_nursery::<(), (), _>(|n| {
                let child = n.spawn(|| {
                    panics();
                    Ok(())
                });
                drop(child.join());
                shown = failed(pool);
                Ok(())
            });
            assert!(result.is_ok());
            shown.expect("it has failed")
        };
        assert_eq!(shown(&|| raise(&*long)), cut);
        assert_eq!(shown(&|| raise("a \"quoted\"\u{1b} text")), whole);
        assert_eq!(shown(&|| resume_unwind(Box::new(7))), "child 0 panicked");
    });
}

#[test]
fn the_failure_of_a_body_is_shown_while_it_waits_for_its_children() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let panicked = r#"the body panicked: "gone""#;
            let returned = "the body returned an error of the type &str";
            // A child that has not begun would be dropped unrun.
            let [in_total, in_panicked, in_failed] = &<[Gate; 3]>::default();
            let look = |is_there: &Gate, expected| {
                is_there.open();
                wait_for(pool, expected);
            };
            caught(|| {
                options(pool).nursery(|n| {
                    n.spawn_blocking(|| look(in_total, panicked));
                    in_total.wait();
                    raise("gone")
                })
            });
            let failed = options(pool).try_nursery::<(), (), _>(|n| {
                n.spawn_blocking(|| {
                    look(in_panicked, panicked);
                    Ok(())
                });
                in_panicked.wait();
                raise("gone")
            });
            assert!(failed.is_err());
            let failed = options(pool).try_nursery::<&str, (), _>(|n| {
                n.spawn_blocking(|| {
                    look(in_failed, returned);
                    Ok(())
                });
                in_failed.wait();
                Err(Failure::new("gone"))
            });
            assert!(failed.is_err());
        });
    }
}

#[test]
fn a_child_that_runs_is_named_by_its_id_if_its_thread_answers() {
    on_every_pool(|pool| {
        let result = options(pool).try_nursery::<(), (), _>(|n| {
            n.spawn(|| Ok(())).join()?;
            let parent = n.spawn_body(|| {
                n.spawn(|| Ok(())).join()?;
                let child = n.spawn(|| Ok(dump(pool)));
                child.join()
            });
            let dump = parent.join()?;
            let mut threads = dump.thread_states.iter();
            let id = Some("1.1".to_owned());
            assert!(threads.any(|thread| thread.child_id == id), "{dump}");
            assert!(dump.to_string().contains(" runs in child 1.1\n"), "{dump}");
            let here = crate::dump::dump(pool);
            let mut threads = here.thread_states.iter();
            assert!(threads.all(|thread| thread.child_id.is_none()), "{here}");
            Ok(())
        });
        result.unwrap();
    });
}

#[test]
fn a_child_that_waits_is_named_by_its_id() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let result = options(pool).try_nursery::<(), (), _>(|n| {
                n.spawn(|| Ok(())).join()?;
                let parent = n.spawn_body(|| {
                    let look = || {
                        let dump = once(pool, |dump| {
                            let mut threads = dump.thread_states.iter();
                            threads.any(|thread| {
                                let id = thread.child_id.as_deref();
                                thread.state == ThreadState::Waits && id == Some("1")
                            })
                        });
                        Ok(dump.to_string())
                    };
                    n.spawn_blocking(look).join()
                });
                let text = parent.join()?;
                let expected = " waits in child 1 for blocking child #";
                assert!(text.contains(expected), "{text}");
                Ok(())
            });
            result.unwrap();
        });
    }
}
