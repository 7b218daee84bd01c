//! What a pool needs besides time: bytes per outstanding child, and CPU time while it is idle.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::others::Others;
use crate::common::{self, Contender, flat};
use crate::goals::Goal;
use crate::measure::{Group, Row, Table, Unit};

/// Children that are outstanding at once.
const CHILDREN: usize = 1_000_000;
/// How long a pool is left alone after a burst, and how soon it should sleep for good.
const IDLE: Duration = Duration::from_secs(2);
const FALLING_ASLEEP: Duration = Duration::from_millis(100);

/// Counts the bytes that are asked for and not given back, while somebody wants to know.
struct Counting;

/// One load of it is what the allocator adds in all other rows.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_COUNTING.load(Ordering::Relaxed) {
            IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if IS_COUNTING.load(Ordering::Relaxed) {
            // What was there before the count began wraps around, and so does the difference.
            IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

pub(crate) fn all(table: &mut Table<'_>) {
    memory_row(table);
    if Others::are_known() {
        idle_rows(table);
    }
}

/// Bytes per child while `spawn_all` has spawned and nobody has started any.
fn bytes_per_child(spawn_all: impl FnOnce(&(dyn Fn() + Sync))) -> [f64; 2] {
    IN_USE.store(0, Ordering::Relaxed);
    IS_COUNTING.store(true, Ordering::Relaxed);
    let bytes = AtomicUsize::new(0);
    spawn_all(&|| {
        bytes.store(IN_USE.load(Ordering::Relaxed), Ordering::Relaxed);
        IS_COUNTING.store(false, Ordering::Relaxed);
    });
    [bytes.into_inner() as f64 / CHILDREN as f64, 0.0]
}

fn memory_row(table: &mut Table<'_>) {
    let (rayon, pool) = (&common::rayon(1), &common::hatchery(1));
    // What each child captures.
    let (a, b) = (black_box(&1_u64), black_box(&2_u64));
    let expected = 3 * CHILDREN as u64;
    let name = "outstanding child with two captured words and a u64 result";
    let row = Row::new(Group::Footprint, name, 1)
        .unit(Unit::Bytes("child"))
        .rounds(3)
        .goal(1, Goal::at_most("hatchery spawn", 48.0));
    table.row(row, || {
        let contenders = vec![
            Contender::values("rayon scope", move || {
                rayon.install(|| {
                    bytes_per_child(|spawned| {
                        let mut slots = vec![0; CHILDREN];
                        rayon::scope(|scope| {
                            for slot in &mut slots {
                                scope.spawn(move |_| *slot = a + b);
                            }
                            spawned();
                        });
                        assert_eq!(slots.into_iter().sum::<u64>(), expected);
                    })
                })
            }),
            Contender::values("hatchery spawn", move || {
                bytes_per_child(|spawned| {
                    pool.nursery(|n| {
                        for _ in 0..CHILDREN {
                            n.spawn(move || a + b);
                        }
                        spawned();
                    });
                })
            }),
            Contender::values("hatchery spawn, handles kept", move || {
                bytes_per_child(|spawned| {
                    pool.nursery(|n| {
                        let mut children = Vec::with_capacity(CHILDREN);
                        children.extend((0..CHILDREN).map(|_| n.spawn(move || a + b)));
                        spawned();
                        let values = children.into_iter().map(hatchery::Child::join);
                        assert_eq!(values.sum::<u64>(), expected);
                    });
                })
            }),
        ];
        (0, contenders)
    });
}

fn idle_rows(table: &mut Table<'_>) {
    const THREADS: usize = 2;
    let at_most = |bound| Some(Goal::at_most("hatchery", bound));
    let mut row = Row::new(
        Group::Footprint,
        "CPU time in 2 s of idleness after a burst",
        THREADS,
    )
    .rounds(5)
    .second(
        "threads woken in the last 1.9 s of the idleness",
        Unit::Count("wake-up"),
        at_most(0.0),
    );
    row = row.goal(2, Goal::at_most("hatchery", 100_000.0));
    let burst = |contenders: Vec<Contender<'_>>| {
        let answer = flat::serial(1000, 0);
        for contender in contenders {
            let common::How::Call(call) = contender.how else {
                unreachable!("all of them are calls");
            };
            for _ in 0..100 {
                assert_eq!(call(), answer);
            }
        }
    };
    // Each contender makes pools of its own, in which the other contenders' threads have nothing to do.
    let idle = move |name: &'static str, own: &'static str| {
        Contender::values(name, move || {
            let pools = common::Pools::new(THREADS);
            let contenders = || {
                let mut contenders = flat::children(&pools, 1000, 0);
                contenders.retain(|contender| contender.name.starts_with(own));
                contenders
            };
            // Threads start with the first burst, which is not measured.
            burst(contenders());
            thread::sleep(FALLING_ASLEEP);
            let others = Others::listed();
            burst(contenders());
            rest(&others)
        })
    };
    table.row(row, || {
        let contenders = vec![
            idle("nothing", "nobody").reference(),
            idle("rayon", "rayon"),
            idle("chili", "chili"),
            idle("hatchery", "hatchery"),
        ];
        (0, contenders)
    });
}

/// Lets time pass: CPU time in nanoseconds and wake-ups of the other threads.
fn rest(others: &Others) -> [f64; 2] {
    let burst_over = others.usage();
    thread::sleep(FALLING_ASLEEP);
    let asleep = others.usage();
    thread::sleep(IDLE - FALLING_ASLEEP);
    let end = others.usage();
    [
        (end.cpu - burst_over.cpu).as_secs_f64() * 1e9,
        (end.switches - asleep.switches) as f64,
    ]
}
