//! What a pool says of itself while it works, and when it hangs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::common::{Gate, on_every_pool, on_no_worker, on_pool};
use hatchery::{
    NurseryPart, NurserySnapshot, Options, Pool, PoolSnapshot, ThreadSnapshot, ThreadState,
    WaitUntil,
};

/// A snapshot whose text lists the same nurseries.
pub(crate) fn dump(pool: &Pool) -> PoolSnapshot {
    let dump = pool.dump();
    let text = dump.to_string();
    let headings: Vec<_> = text.lines().map(str::trim_start).collect();
    for nursery in &dump.nurseries {
        let kind = if nursery.is_join { "join" } else { "nursery" };
        let heading = format!("{kind} {}", nursery.number);
        let is_there = headings.iter().any(|line| line.starts_with(&heading));
        assert!(is_there, "no {heading:?} in {text}");
    }
    let is_heading = |line: &&&str| line.starts_with("nursery ") || line.starts_with("join ");
    let listed = headings.iter().filter(is_heading).count();
    assert_eq!(listed, dump.nurseries.len(), "{text}");
    dump
}

pub(crate) fn named<'a>(dump: &'a PoolSnapshot, name: &str) -> Option<&'a NurserySnapshot> {
    let mut nurseries = dump.nurseries.iter();
    nurseries.find(|nursery| nursery.name.as_deref() == Some(name))
}

/// What a thread does, by its name.
fn state_of(dump: &PoolSnapshot, is_wanted: impl Fn(&str) -> bool) -> Option<&ThreadSnapshot> {
    let mut threads = dump.thread_states.iter();
    threads.find(|thread| is_wanted(&thread.name))
}

/// Asks until the snapshot is as it will be once all threads have come to rest.
pub(crate) fn once(pool: &Pool, is_so: impl Fn(&PoolSnapshot) -> bool) -> PoolSnapshot {
    loop {
        let dump = dump(pool);
        if is_so(&dump) {
            return dump;
        }
        thread::yield_now();
    }
}

#[test]
fn a_pool_that_nobody_has_used_has_nothing_open() {
    on_every_pool(|pool| {
        let dump = dump(pool);
        assert_eq!(dump.name, pool_name(pool));
        assert_eq!(dump.threads, pool.threads());
        assert_eq!((dump.nurseries.len(), dump.thread_states.len()), (0, 0));
        assert_eq!(pool.stats().workers, 0, "asking starts no thread");
    });
}

fn pool_name(pool: &Pool) -> String {
    let debug = format!("{pool:?}");
    debug.split('"').nth(1).expect("a name").to_owned()
}

#[test]
fn a_body_sees_its_nurseries_one_in_the_other() {
    on_every_pool(|pool| {
        let dump = Options::new().pool(pool).name("outer").nursery(|n| {
            n.spawn_blocking(|| ()).join();
            Options::new().name("inner").nursery(|inner| {
                (0..3).for_each(|_| drop(inner.spawn(|| ())));
                dump(pool)
            })
        });
        let [outer, inner] = ["outer", "inner"].map(|name| named(&dump, name).unwrap());
        assert_eq!((outer.parent, outer.depth), (None, 0));
        assert_eq!((inner.parent, inner.depth), (Some(outer.number), 1));
        assert_eq!((outer.unstarted, outer.stats.spawned), (0, 1));
        assert_eq!(inner.stats.spawned, 3);
        let here = thread::current();
        let here = here.name().unwrap();
        let state = state_of(&dump, |thread| thread.ends_with(here)).unwrap();
        assert_eq!(state.state, ThreadState::Runs);
        let body = (Some(inner.number), Some(NurseryPart::Body));
        assert_eq!((state.nursery, state.part), body);
        assert!(inner.opened_by.as_ref().unwrap().ends_with(here));
    });
}

#[test]
fn children_that_nobody_has_started_are_counted_where_they_are() {
    let builder = Pool::builder().threads(1).name("alone");
    on_pool(builder, |pool| {
        let dump = Options::new().pool(pool).name("flat").nursery(|n| {
            (0..100).for_each(|_| drop(n.spawn(|| ())));
            dump(pool)
        });
        assert_eq!(named(&dump, "flat").unwrap().unstarted, 100);
        assert!(dump.to_string().contains("100 unstarted"), "{dump}");
    });
}

#[test]
fn a_hang_made_on_purpose_names_nursery_child_and_threads() {
    for threads in [1, 2, 4] {
        let builder = Pool::builder().threads(threads).name("stuck");
        on_pool(builder, |pool| {
            let (gate, is_there) = (Gate::default(), Gate::default());
            thread::scope(|scope| {
                let body = || {
                    let options = Options::new().pool(pool).name("hangs");
                    options.nursery(|n| {
                        let child = n.spawn_blocking(|| {
                            is_there.open();
                            gate.wait();
                        });
                        child.join();
                    });
                };
                let named_thread = thread::Builder::new().name("victim".to_owned());
                named_thread.spawn_scoped(scope, body).unwrap();
                is_there.wait();
                let is_victim = |thread: &str| thread == "guest victim";
                let dump = once(pool, |dump| {
                    let victim = state_of(dump, is_victim);
                    victim.is_some_and(|victim| victim.state == ThreadState::Waits)
                });
                gate.open();

                let nursery = named(&dump, "hangs").unwrap();
                let victim = state_of(&dump, is_victim).unwrap();
                let runner = state_of(&dump, |thread| thread.contains("-side-")).unwrap();
                let wait = victim.waits_for.as_ref().unwrap();
                assert_eq!(wait.nursery, nursery.number);
                let WaitUntil::Child(child) = &wait.until else {
                    panic!("it waits for a child: {dump}");
                };
                assert!(child.is_blocking && child.is_started, "{dump}");
                assert_eq!(child.run_by.as_ref(), Some(&runner.name));
                assert_eq!(runner.child, Some(child.number));
                assert_eq!(runner.nursery, Some(nursery.number));
                assert!(!runner.has_answered, "{dump}");
                let text = dump.to_string();
                for part in [
                    "nursery 1 \"hangs\" of guest victim",
                    "guest victim waits in the body for blocking child #1, which stuck-side-1 runs",
                    "stuck-side-1 runs in child #1, has not answered",
                ] {
                    assert!(text.contains(part), "no {part:?} in {text}");
                }
            });
        });
    }
}

#[test]
fn a_waiter_that_runs_the_blocking_child_itself_is_listed_with_it() {
    on_no_worker(|pool| {
        let (gate, is_there) = (Gate::default(), Gate::default());
        thread::scope(|scope| {
            scope.spawn(|| {
                pool.nursery(|n| {
                    n.spawn_blocking(|| {
                        is_there.open();
                        gate.wait();
                    })
                    .join();
                });
            });
            is_there.wait();
            let dump = dump(pool);
            gate.open();
            let guest = state_of(&dump, |thread| thread.starts_with("guest")).unwrap();
            assert_eq!((guest.has_answered, guest.child), (false, Some(1)));
        });
    });
}

#[test]
fn the_end_of_a_nursery_is_waited_for_by_its_body() {
    let builder = Pool::builder().threads(2).name("end");
    on_pool(builder, |pool| {
        let gate = Gate::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                let options = Options::new().pool(pool).name("ends");
                options.nursery(|n| drop(n.spawn_blocking(|| gate.wait())));
            });
            let dump = once(pool, |dump| {
                let mut waits = dump
                    .thread_states
                    .iter()
                    .flat_map(|thread| &thread.waits_for);
                waits.any(|wait| matches!(wait.until, WaitUntil::End))
            });
            gate.open();
            assert!(named(&dump, "ends").is_some());
            let text = dump.to_string();
            assert!(
                text.contains("waits in the body for all children"),
                "{text}"
            );
        });
    });
}

#[test]
fn a_cancelled_nursery_says_why() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).name("cancelled");
        let text = options.try_nursery::<(), _, _>(|n| {
            n.cancel();
            let dump = Options::new().name("below").nursery(|_| dump(pool));
            for name in ["cancelled", "below"] {
                let reason = &named(&dump, name).unwrap().cancelled;
                assert_eq!(reason.as_deref(), Some("on request"));
            }
            Ok(dump.to_string())
        });
        assert!(text.unwrap().contains("; cancelled on request"));
    });
}

#[test]
fn a_dump_in_a_child_shows_what_stands_around_it() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).name("around");
        let dump = options.nursery(|n| n.spawn(|| dump(pool)).join());
        let around = named(&dump, "around").unwrap().number;
        let is_in_child = |thread: &ThreadSnapshot| {
            (thread.nursery, thread.part) == (Some(around), Some(NurseryPart::Child))
        };
        assert!(dump.thread_states.iter().any(is_in_child), "{dump}");
    });
}

#[test]
fn open_joins_are_counted() {
    let builder = Pool::builder().threads(1).name("joins");
    on_pool(builder, |pool| {
        let ((dump, ()), ()) = pool.join(|| pool.join(|| dump(pool), || ()), || ());
        let threads = dump.thread_states.iter();
        let open: usize = threads.map(|thread| thread.open_joins).sum();
        // Some of them may have become nurseries; another nursery is around them.
        let (joins, around): (Vec<_>, Vec<_>) =
            dump.nurseries.iter().partition(|shown| shown.is_join);
        assert_eq!(open + joins.len(), 2, "{dump}");
        assert_eq!(around.len(), 1, "{dump}");
    });
}

#[test]
fn a_closure_of_a_join_that_another_thread_has_taken_is_listed_as_part_of_a_join() {
    on_pool(Pool::builder().threads(2).name("taken"), |pool| {
        let has_begun = Gate::default();
        let first = || hatchery::block_in_place(|| has_begun.wait());
        let second = || {
            has_begun.open();
            dump(pool)
        };
        let (_, dump) = pool.nursery(|_| hatchery::join(first, second));
        let joins = dump.nurseries.iter().filter(|shown| shown.is_join);
        let numbers: Vec<_> = joins.map(|join| Some(join.number)).collect();
        assert_eq!(numbers.len(), 1, "{dump}");
        let mut threads = dump.thread_states.iter();
        let is_in_join = |thread: &ThreadSnapshot| {
            numbers.contains(&thread.nursery) && thread.part == Some(NurseryPart::Join)
        };
        assert!(threads.any(is_in_join), "{dump}");
        assert!(dump.to_string().contains(" in the join"), "{dump}");
    });
}

#[test]
fn names_are_escaped_in_the_text() {
    let name = "a \"quoted\" \\ name\nwith\r\tlines, \u{0}\u{1b}[31m, \u{7f}\u{85}\u{2028} and ä€𝄞";
    on_every_pool(|pool| {
        let dump = Options::new().pool(pool).name(name).nursery(|_| dump(pool));
        assert!(named(&dump, name).is_some());
        let is_control = |c: char| c.is_control() || c == '\u{2028}';
        let text = dump.to_string();
        let lines = text.lines().filter(|line| line.contains("quoted")).count();
        assert_eq!(lines, 1, "{text}");
        assert!(
            !text.contains(|c: char| is_control(c) && c != '\n'),
            "{text}"
        );
    });
}

#[test]
fn a_deep_stack_is_cut_short_and_says_so() {
    fn down(pool: &Pool, depth: usize) -> PoolSnapshot {
        match depth {
            0 => dump(pool),
            _ => hatchery::nursery(|_| down(pool, depth - 1)),
        }
    }
    on_every_pool(|pool| {
        // So many frames are looked at, and so many nurseries around them are listed.
        for (depth, shown, is_cut_short) in [(200, 201, false), (400, 401, true), (600, 512, true)]
        {
            let dump = thread::scope(|scope| {
                let deep = thread::Builder::new().stack_size(64 << 20);
                let dump = || pool.nursery(|_| down(pool, depth));
                deep.spawn_scoped(scope, dump).unwrap().join().unwrap()
            });
            assert_eq!(dump.nurseries.len(), shown);
            let mut threads = dump.thread_states.iter();
            assert_eq!(threads.any(|thread| thread.is_cut_short), is_cut_short);
        }
    });
}

#[test]
fn workers_without_work_sleep_and_who_has_nothing_open_is_not_listed() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            n.spawn(|| ());
            n.spawn_blocking(|| ()).join();
        });
        let workers = pool.stats().workers;
        let dump = once(pool, |dump| {
            let threads = &dump.thread_states;
            let sleeps = |thread: &ThreadSnapshot| thread.state == ThreadState::Sleeps;
            threads.iter().all(sleeps) && threads.len() == workers
        });
        assert_eq!(dump.to_string().lines().count(), 1 + workers, "{dump}");
    });
}

#[test]
fn many_may_ask_at_once_while_work_runs() {
    const ASKERS: usize = 64;
    on_every_pool(|pool| {
        let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    pool.nursery(|n| n.spawn_each(0..100, |i| i).for_each(drop));
                }
            });
            let askers: Vec<_> = (0..ASKERS)
                .map(|i| {
                    let answered = &answered;
                    scope.spawn(move || {
                        match i % 3 {
                            0 => dump(pool),
                            1 => pool.nursery(|_| dump(pool)),
                            _ => pool.nursery(|n| n.spawn(|| dump(pool)).join()),
                        };
                        answered.fetch_add(1, Ordering::Relaxed);
                    })
                })
                .collect();
            askers.into_iter().for_each(|asker| asker.join().unwrap());
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(answered.into_inner(), ASKERS);
    });
}

#[test]
fn threads_that_ask_all_the_time_answer_each_other() {
    let builder = Pool::builder().threads(2).name("both");
    on_pool(builder, |pool| {
        let has_seen = [AtomicBool::new(false), AtomicBool::new(false)];
        let (names, has_seen) = (["left", "right"], &has_seen);
        thread::scope(|scope| {
            for (own, other) in [(0, 1), (1, 0)] {
                scope.spawn(move || {
                    let ask = || loop {
                        if named(&dump(pool), names[other]).is_some() {
                            has_seen[own].store(true, Ordering::Relaxed);
                        }
                        // The other one asks until it has seen this one.
                        if has_seen.iter().all(|seen| seen.load(Ordering::Relaxed)) {
                            break;
                        }
                    };
                    Options::new()
                        .pool(pool)
                        .name(names[own])
                        .nursery(|_| ask());
                });
            }
        });
    });
}

#[test]
fn who_blocks_in_place_is_listed_with_its_nurseries() {
    on_every_pool(|pool| {
        let dump = Options::new().pool(pool).name("blocked").nursery(|_| {
            hatchery::block_in_place(|| {
                let ask = || once(pool, |dump| named(dump, "blocked").is_some());
                thread::scope(|scope| scope.spawn(ask).join().unwrap())
            })
        });
        let threads = &dump.thread_states;
        let blocks = |thread: &ThreadSnapshot| thread.state == ThreadState::Blocks;
        assert!(threads.iter().any(blocks), "{dump}");
        assert!(threads.iter().all(|thread| thread.has_answered), "{dump}");
    });
}
