//! What a pool says of itself while it works, and when it hangs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::common::{Gate, on_every_pool, on_no_worker, on_pool};
use hatchery::{Options, Pool, PoolSnapshot};
use serde_json::Value;

/// The dump as a value; it is JSON, and the text lists the same nurseries.
fn parsed(dump: &PoolSnapshot) -> Value {
    let json = dump.to_json();
    let parsed: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    let text = dump.to_string();
    let headings: Vec<_> = text.lines().map(str::trim_start).collect();
    let nurseries = list(&parsed, "nurseries");
    for nursery in nurseries {
        let heading = format!("{} {}", text_of(nursery, "kind"), nursery["id"]);
        let is_there = headings.iter().any(|line| line.starts_with(&heading));
        assert!(is_there, "no {heading:?} in {text}");
    }
    let is_heading = |line: &&&str| line.starts_with("nursery ") || line.starts_with("join ");
    assert_eq!(headings.iter().filter(is_heading).count(), nurseries.len());
    parsed
}

fn list<'a>(of: &'a Value, name: &str) -> &'a Vec<Value> {
    of[name].as_array().expect("a list")
}

fn text_of<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} is no text: {of}"))
}

fn named<'a>(dump: &'a Value, name: &str) -> Option<&'a Value> {
    let mut nurseries = list(dump, "nurseries").iter();
    nurseries.find(|nursery| nursery["name"] == name)
}

/// What the threads are at, by their names.
fn seat(dump: &Value, wanted: impl Fn(&str) -> bool) -> Option<&Value> {
    let mut seats = list(dump, "seats").iter();
    seats.find(|seat| wanted(text_of(seat, "thread")))
}

/// Asks until the dump is as it will be once all threads have come to rest.
fn once(pool: &Pool, is_so: impl Fn(&Value) -> bool) -> (PoolSnapshot, Value) {
    loop {
        let dump = pool.dump();
        let parsed = parsed(&dump);
        if is_so(&parsed) {
            return (dump, parsed);
        }
        thread::yield_now();
    }
}

#[test]
fn a_pool_that_nobody_has_used_has_nothing_open() {
    on_every_pool(|pool| {
        let dump = parsed(&pool.dump());
        assert_eq!(dump["pool"], pool_name(pool));
        assert_eq!(dump["threads"], pool.threads());
        assert_eq!(
            (list(&dump, "nurseries").len(), list(&dump, "seats").len()),
            (0, 0)
        );
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
                parsed(&pool.dump())
            })
        });
        let (outer, inner) = (
            named(&dump, "outer").unwrap(),
            named(&dump, "inner").unwrap(),
        );
        assert_eq!(outer["parent"], Value::Null);
        assert_eq!(inner["parent"], outer["id"]);
        assert_eq!(
            (&outer["unstarted"], &outer["stats"]["spawned"]),
            (&0.into(), &1.into())
        );
        assert_eq!(inner["stats"]["spawned"], 3);
        let here = thread::current();
        let here = here.name().unwrap();
        let seat = seat(&dump, |thread| thread.ends_with(here)).unwrap();
        assert_eq!(
            (&seat["state"], &seat["in"]),
            (&"runs".into(), &"body".into())
        );
        assert_eq!(seat["nursery"], inner["id"]);
        assert!(text_of(inner, "opened_by").ends_with(here));
    });
}

#[test]
fn children_that_nobody_has_started_are_counted_where_they_are() {
    let builder = Pool::builder().threads(1).name("alone");
    on_pool(builder, |pool| {
        let dump = Options::new().pool(pool).name("flat").nursery(|n| {
            (0..100).for_each(|_| drop(n.spawn(|| ())));
            pool.dump()
        });
        assert_eq!(named(&parsed(&dump), "flat").unwrap()["unstarted"], 100);
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
                let is_parked = |dump: &Value| {
                    seat(dump, |t| t == "guest victim").is_some_and(|seat| seat["state"] == "waits")
                };
                let (text, dump) = once(pool, is_parked);
                gate.open();

                let nursery = named(&dump, "hangs").unwrap();
                let victim = seat(&dump, |thread| thread == "guest victim").unwrap();
                let runner = seat(&dump, |thread| thread.contains("-side-")).unwrap();
                let waits = &victim["waits_for"];
                assert_eq!(waits["nursery"], nursery["id"]);
                assert_eq!(
                    (&waits["what"], &waits["is_blocking"]),
                    (&"child".into(), &true.into())
                );
                assert_eq!(waits["run_by"], runner["thread"]);
                assert_eq!(waits["child"], runner["child"]);
                assert_eq!(runner["nursery"], nursery["id"]);
                assert_eq!(runner["has_answered"], false);
                let text = text.to_string();
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
            let dump = parsed(&pool.dump());
            gate.open();
            let seat = seat(&dump, |thread| thread.starts_with("guest")).unwrap();
            assert_eq!(
                (&seat["has_answered"], &seat["child"]),
                (&false.into(), &1.into())
            );
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
            let waits = |dump: &Value| {
                let seats = list(dump, "seats").iter();
                seats
                    .map(|seat| &seat["waits_for"]["what"])
                    .any(|what| what == "end")
            };
            let (text, dump) = once(pool, waits);
            gate.open();
            assert!(named(&dump, "ends").is_some());
            assert!(
                text.to_string()
                    .contains("waits in the body for all children"),
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
            let dump = Options::new().name("below").nursery(|_| pool.dump());
            let json = parsed(&dump);
            for name in ["cancelled", "below"] {
                assert_eq!(named(&json, name).unwrap()["cancelled"], "on request");
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
        let dump = options.nursery(|n| n.spawn(|| parsed(&pool.dump())).join());
        let around = named(&dump, "around").unwrap();
        let seats = list(&dump, "seats").iter();
        let mut inside = seats.filter(|seat| seat["nursery"] == around["id"]);
        assert!(inside.any(|seat| seat["in"] == "child"), "{dump}");
    });
}

#[test]
fn open_joins_are_counted() {
    let builder = Pool::builder().threads(1).name("joins");
    on_pool(builder, |pool| {
        let count = |dump: &PoolSnapshot| {
            let dump = parsed(dump);
            let seats = list(&dump, "seats").iter();
            seats
                .map(|seat| seat["open_joins"].as_u64().unwrap())
                .sum::<u64>()
        };
        let inside = || pool.dump();
        let ((dump, ()), ()) = pool.join(|| pool.join(inside, || ()), || ());
        let json = parsed(&dump);
        // Some of them may have become nurseries; another nursery is around them.
        let nurseries = list(&json, "nurseries").iter();
        let (joins, around): (Vec<_>, Vec<_>) =
            nurseries.partition(|shown| shown["kind"] == "join");
        assert_eq!(count(&dump) + joins.len() as u64, 2, "{dump}");
        assert_eq!(around.len(), 1, "{dump}");
    });
}

#[test]
fn names_are_escaped() {
    let name = "a \"quoted\" \\ name\nwith\r\tlines, \u{0}\u{1b}[31m, \u{7f}\u{85}\u{2028} and ä€𝄞";
    on_every_pool(|pool| {
        let dump = Options::new()
            .pool(pool)
            .name(name)
            .nursery(|_| pool.dump());
        assert!(named(&parsed(&dump), name).is_some());
        let is_control = |c: char| c.is_control() || c == '\u{2028}';
        assert!(!dump.to_json().contains(is_control), "{}", dump.to_json());
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
            0 => pool.dump(),
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
            let parsed = parsed(&dump);
            assert_eq!(list(&parsed, "nurseries").len(), shown);
            let mut seats = list(&parsed, "seats").iter();
            assert_eq!(seats.any(|seat| seat["is_cut_short"] == true), is_cut_short);
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
        let sleep = |dump: &Value| {
            let seats = list(dump, "seats");
            seats.iter().all(|seat| seat["state"] == "sleeps") && seats.len() == workers
        };
        let (text, _) = once(pool, sleep);
        assert_eq!(text.to_string().lines().count(), 1 + workers, "{text}");
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
                        let dump = match i % 3 {
                            0 => pool.dump(),
                            1 => pool.nursery(|_| pool.dump()),
                            _ => pool.nursery(|n| n.spawn(|| pool.dump()).join()),
                        };
                        parsed(&dump);
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
                        if named(&parsed(&pool.dump()), names[other]).is_some() {
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
        let (_, dump) = Options::new().pool(pool).name("blocked").nursery(|_| {
            hatchery::block_in_place(|| {
                let ask = || once(pool, |dump| named(dump, "blocked").is_some());
                thread::scope(|scope| scope.spawn(ask).join().unwrap())
            })
        });
        let seats = list(&dump, "seats");
        assert!(seats.iter().any(|seat| seat["state"] == "blocks"), "{dump}");
        assert!(
            seats.iter().all(|seat| seat["has_answered"] == true),
            "{dump}"
        );
    });
}
