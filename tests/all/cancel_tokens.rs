//! Tokens: their children, their guards, and which are the same: laws X1, X3 and X5.

use std::iter::successors;
use std::panic::resume_unwind;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::{Gate, caught, on_every_pool};
use hatchery::{CancelGuard, CancelReason, CancelToken, Options};

/// Each level takes some words of a stack if it is a call, and no stack has room for so many.
const DEEP: usize = 1_000_000;

/// A token and its descendants, each the child of the one before.
fn chain(length: usize) -> impl Iterator<Item = CancelToken> {
    successors(Some(CancelToken::new()), |token| Some(token.child_token())).take(length)
}

fn are_cancelled<const N: usize>(tokens: [&CancelToken; N]) -> [bool; N] {
    tokens.map(CancelToken::is_cancelled)
}

#[test]
fn x3_a_token_cancels_its_descendants_and_neither_its_parent_nor_its_siblings() {
    let parent = CancelToken::new();
    let [child, sibling] = [(); 2].map(|()| parent.child_token());
    let [inner, other] = [(); 2].map(|()| child.child_token());
    let of_sibling = sibling.child_token();
    let all = || are_cancelled([&parent, &child, &sibling, &inner, &other, &of_sibling]);
    assert_eq!(all(), [false; 6]);
    assert!(inner.cancel());
    assert_eq!(all(), [false, false, false, true, false, false]);
    assert!(child.cancel());
    assert_eq!(all(), [false, true, false, true, true, false]);
    assert!(parent.cancel());
    assert_eq!(all(), [true; 6]);
}

#[test]
fn x3_a_nursery_is_cancelled_with_each_ancestor_of_its_token() {
    const LEVELS: usize = 4;
    on_every_pool(|pool| {
        for cancelled in 0..LEVELS {
            // It heeds the last one. The others cancel it while it is open, or before.
            for is_early in [false, true] {
                let tokens: Vec<_> = chain(LEVELS).collect();
                let cancel = || assert!(tokens[cancelled].cancel());
                if is_early {
                    cancel();
                }
                let options = Options::new().pool(pool).cancel_on(&tokens[LEVELS - 1]);
                let result = options.try_nursery::<(), (), _>(|n| {
                    if !is_early {
                        n.checkpoint()?;
                        cancel();
                    }
                    n.spawn(|| unreachable!("it is cancelled")).join()
                });
                let told = result.unwrap_err().cancelled().unwrap();
                assert_eq!(told.reason(), CancelReason::Token);
                assert!(!told.is_inherited());
            }
        }
    });
}

/// The child runs, and learns of it when it asks.
#[test]
fn x3_a_token_that_another_thread_cancels_reaches_the_nurseries_of_its_children() {
    on_every_pool(|pool| {
        let shutdown = CancelToken::new();
        let runs = Gate::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                runs.wait();
                shutdown.cancel();
            });
            let request = shutdown.child_token();
            let options = Options::new().pool(pool).cancel_on(&request);
            options.nursery(|n| {
                n.spawn(|| {
                    runs.open();
                    while hatchery::checkpoint().is_ok() {}
                });
            });
            assert!(request.is_cancelled());
        });
    });
}

#[test]
fn x3_a_nursery_goes_on_when_a_child_of_its_token_is_cancelled() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        let child = token.child_token();
        let options = Options::new().pool(pool).cancel_on(&token);
        let result = options.try_nursery::<(), _, _>(|n| {
            child.cancel();
            n.checkpoint()?;
            n.spawn(|| Ok(7)).join()
        });
        assert_eq!(result.unwrap(), 7);
    });
}

#[test]
fn x5_a_child_of_a_token_that_is_cancelled_is_cancelled_from_the_start() {
    let token = CancelToken::new();
    let before = token.child_token();
    token.cancel();
    let after = token.child_token();
    let inner = after.child_token();
    drop(token);
    assert_eq!(are_cancelled([&before, &after, &inner]), [true; 3]);
}

#[test]
fn x1_a_child_token_has_one_caller_that_cancels_it_and_none_after_its_parent() {
    const THREADS: usize = 4;
    for is_outer_first in [false, true] {
        for _ in 0..50 {
            let tokens: Vec<_> = chain(3).collect();
            assert_eq!(is_outer_first && tokens[0].cancel(), is_outer_first);
            let (firsts, start) = (AtomicUsize::new(0), Barrier::new(THREADS));
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        start.wait();
                        firsts.fetch_add(tokens[2].cancel().into(), Ordering::Relaxed);
                        assert!(tokens[2].is_cancelled());
                    });
                }
            });
            assert_eq!(firsts.into_inner(), usize::from(!is_outer_first));
            assert!(!tokens[2].cancel());
            assert_eq!(tokens[0].cancel(), !is_outer_first, "it had not been");
        }
    }
}

/// Whoever calls `cancel`, first or not, finds the nurseries cancelled afterwards.
#[test]
fn x1_who_cancels_a_child_token_beside_its_parent_finds_the_nursery_cancelled() {
    on_every_pool(|pool| {
        for _ in 0..200 {
            let parent = CancelToken::new();
            let child = parent.child_token();
            let options = Options::new().pool(pool).cancel_on(&child);
            options.nursery(|n| {
                let start = Barrier::new(2);
                thread::scope(|scope| {
                    for token in [&parent, &child] {
                        let start = &start;
                        scope.spawn(move || {
                            start.wait();
                            token.cancel();
                            assert!(n.is_cancelled());
                        });
                    }
                });
            });
        }
    });
}

#[test]
fn a_chain_of_a_million_tokens_is_cancelled_asked_shown_and_dropped() {
    let first = CancelToken::new();
    let last = (0..DEEP).fold(first.clone(), |token, _| token.child_token());
    let options = Options::new().cancel_on(&last);
    assert!(!last.is_cancelled());
    assert!(first.cancel());
    assert!(last.is_cancelled());
    assert!(!last.cancel());
    for text in [format!("{last:?}"), format!("{options:?}")] {
        assert!(text.contains("is_cancelled: true") && text.len() < 1000);
    }
    drop(options);
    drop(last);
    assert!(first.is_cancelled());
    // From above: each is there only for the one below.
    let tokens: Vec<_> = chain(DEEP).collect();
    drop(tokens);
}

/// They have most of the chain together, and one of them ends it.
#[test]
fn threads_that_drop_two_ends_of_a_chain_at_once_drop_all_of_it() {
    for _ in 0..20 {
        let fork = chain(10_000).last().unwrap();
        let ends = [(); 2].map(|()| (0..100).fold(fork.clone(), |token, _| token.child_token()));
        drop(fork);
        let start = &Barrier::new(2);
        thread::scope(|scope| {
            for end in ends {
                scope.spawn(move || {
                    start.wait();
                    drop(end);
                });
            }
        });
    }
}

#[test]
fn a_guard_cancels_however_its_scope_is_left() {
    fn leave(token: &CancelToken, how: impl FnOnce() -> Option<u8>) -> Option<u8> {
        let _guard = token.clone().drop_guard();
        assert!(!token.is_cancelled(), "it is still there");
        let value = how()?;
        assert!(!token.is_cancelled(), "it is still there");
        Some(value)
    }
    let tokens = [(); 3].map(|()| CancelToken::new());
    assert_eq!(leave(&tokens[0], || Some(7)), Some(7));
    assert_eq!(leave(&tokens[1], || None), None);
    caught(|| {
        leave(&tokens[2], || resume_unwind(Box::new(())));
    });
    assert!(tokens.iter().all(CancelToken::is_cancelled));
}

#[test]
fn a_guard_of_a_child_token_cancels_the_nursery_that_heeds_it_and_not_the_parent() {
    on_every_pool(|pool| {
        let parent = CancelToken::new();
        let child = parent.child_token();
        let options = Options::new().pool(pool).cancel_on(&child);
        options.nursery(|n| {
            let guard = child.clone().drop_guard();
            assert!(!n.is_cancelled());
            drop(guard);
            assert!(n.is_cancelled());
        });
        assert!(!parent.is_cancelled());
    });
}

#[test]
fn a_guard_that_is_disarmed_gives_its_token_back_and_cancels_nothing() {
    let token = CancelToken::new();
    let back = token.clone().drop_guard().disarm();
    assert!(back.same_as(&token));
    drop(back);
    assert!(!token.is_cancelled());
    // What is given back is no guard.
    let guard: CancelGuard = token.child_token().drop_guard();
    assert_eq!(format!("{guard:?}"), "CancelGuard { is_cancelled: false }");
    let child = guard.disarm();
    assert!(child.cancel());
    assert!(!token.is_cancelled());
}

#[test]
fn tokens_are_the_same_if_and_only_if_one_is_a_clone_of_the_other() {
    let token = CancelToken::new();
    let [child, sibling] = [(); 2].map(|()| token.child_token());
    let all = [token, child, sibling, CancelToken::new()];
    let clones = all.clone();
    for (i, one) in all.iter().enumerate() {
        for (j, other) in clones.iter().enumerate() {
            assert_eq!(one.same_as(other), i == j, "{i} and {j}");
        }
    }
    // Nor does it change when both are cancelled.
    for token in &all {
        token.cancel();
    }
    assert!(!all[1].same_as(&all[2]));
    assert!(all[1].same_as(&clones[1]));
}
