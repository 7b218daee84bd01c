//! Law R5, and that age wins: the serial order of what was shown and comes back, and no child waits for
//! ever behind others that spawn without end.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::common::{Gate, on_pool, seeded};
use hatchery::{Nursery, Options, Pool, PoolBuilder, block_in_place};

/// Opens a gate, whatever happens before.
struct OpensAtLast<'a>(&'a Gate);

impl Drop for OpensAtLast<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Runs `test` with every worker of the pool in a child that ends after it: nobody takes what this
/// thread shows.
fn alone_on(builder: PoolBuilder, threads: usize, test: impl FnOnce(&Pool)) {
    on_pool(builder.threads(threads), |pool| {
        let gates: Vec<_> = (0..=threads).map(|_| Gate::default()).collect();
        let (last, begun) = gates.split_last().expect("one more than threads");
        pool.nursery(|n| {
            let _opens = OpensAtLast(last);
            for begun in begun {
                n.spawn(|| {
                    begun.open();
                    last.wait();
                });
                block_in_place(|| begun.wait());
            }
            test(pool);
        });
    });
}

fn alone(threads: usize, test: impl FnOnce(&Pool)) {
    // The places of the workers that wait would be lent, and others would come.
    alone_on(Pool::builder().lend_places(false), threads, test);
}

/// All that this thread holds becomes visible.
fn show() {
    block_in_place(|| ());
}

/// What a task does, in this order.
enum Step {
    Spawn(Task),
    Show,
    /// It opens a nursery whose body is this.
    Open(Task),
}

struct Task {
    number: usize,
    steps: Vec<Step>,
}

impl Task {
    fn random(random: &mut fastrand::Rng, number: &mut usize, budget: usize, shows: bool) -> Self {
        let task = *number;
        *number += 1;
        let mut steps = Vec::new();
        let mut left = budget;
        while left > 0 {
            let part = match random.u8(..8) {
                0 => left,
                1 | 2 => 1 + left / 2,
                _ => 1,
            };
            left -= part.min(left);
            let inner = Self::random(random, number, part - 1, shows);
            let opens = random.u8(..8) == 0;
            steps.push(if opens {
                Step::Open(inner)
            } else {
                Step::Spawn(inner)
            });
            if shows && random.u8(..6) == 0 {
                steps.push(Step::Show);
            }
        }
        Self {
            number: task,
            steps,
        }
    }

    fn run<'s>(&'s self, n: &'s Nursery<'s, '_>, pool: &'s Pool, log: &'s Mutex<Vec<usize>>) {
        log.lock().unwrap().push(self.number);
        for step in &self.steps {
            match step {
                Step::Spawn(task) => _ = n.spawn(move || task.run(n, pool, log)),
                Step::Show => show(),
                Step::Open(body) => pool.nursery(|n| body.run(n, pool, log)),
            }
        }
    }

    /// The order of the serial program: what the task opens, then what it spawns, each with all
    /// that comes of it.
    fn expect(&self, order: &mut Vec<usize>) {
        order.push(self.number);
        let bodies = self.steps.iter().filter_map(|step| match step {
            Step::Open(body) => Some(body),
            _ => None,
        });
        bodies.for_each(|body| body.expect(order));
        let children = self.steps.iter().filter_map(|step| match step {
            Step::Spawn(task) => Some(task),
            _ => None,
        });
        children.for_each(|child| child.expect(order));
    }
}

#[test]
fn r5_what_was_shown_and_comes_back_takes_its_place_in_line() {
    let mut random = seeded("order");
    for threads in [1, 2, 4] {
        alone(threads, |pool| {
            for round in 0..60 {
                let task = Task::random(&mut random, &mut 0, 1 + round, round % 3 > 0);
                let mut expected = Vec::new();
                task.expect(&mut expected);
                let log = Mutex::default();
                pool.nursery(|n| task.run(n, pool, &log));
                assert_eq!(log.into_inner().unwrap(), expected, "{threads} threads");
            }
        });
    }
}

#[test]
fn r5_the_oldest_child_comes_first_though_it_was_shown_alone() {
    alone(1, |pool| {
        let log = Mutex::new(Vec::new());
        let note = |number| log.lock().unwrap().push(number);
        pool.nursery(|n| {
            n.spawn(|| note(0));
            show();
            (1..20).for_each(|number| _ = n.spawn(move || note(number)));
        });
        assert!(log.into_inner().unwrap().into_iter().eq(0..20));
    });
}

#[test]
fn r5_half_of_a_long_list_comes_back_where_it_was() {
    alone(2, |pool| {
        let log = Mutex::new(Vec::new());
        pool.nursery(|n| {
            for number in 0..1000 {
                let log = &log;
                n.spawn(move || log.lock().unwrap().push(number));
            }
        });
        assert!(log.into_inner().unwrap().into_iter().eq(0..1000));
    });
}

/// Spawns a child for each of these numbers, which notes it.
fn spawn_all<'s>(n: &'s Nursery<'s, '_>, numbers: Range<usize>, note: &'s (impl Fn(usize) + Sync)) {
    for number in numbers {
        n.spawn(move || note(number));
    }
}

/// A body that has spawned eight children shows the newer half, and spawns three more. Then its children show
/// more of what it holds: two of the three, and later what comes before that half together with what comes behind.
#[test]
fn r5_a_part_comes_back_into_the_middle_of_one_that_was_shown_later() {
    alone(2, |pool| {
        let log = Mutex::new(Vec::new());
        let note = |number| log.lock().unwrap().push(number);
        pool.nursery(|n| {
            spawn_all(n, 0..2, &note);
            n.spawn(|| {
                note(2);
                n.spawn(|| {
                    note(3);
                    spawn_all(n, 4..12, &note);
                });
                spawn_all(n, 12..19, &note);
            });
            spawn_all(n, 19..27, &note);
        });
        assert!(log.lock().unwrap().is_sorted(), "{log:?}");
    });
}

/// Spawns as many children as this, the last of which does the same, until `is_over`.
fn respawn<'s>(n: &'s Nursery<'s, '_>, width: usize, is_over: &'s AtomicBool) {
    if is_over.load(Ordering::Relaxed) {
        return;
    }
    for _ in 1..width {
        n.spawn(|| ());
    }
    n.spawn(move || respawn(n, width, is_over));
}

fn finish(is_over: &AtomicBool) {
    is_over.store(true, Ordering::Relaxed);
}

#[test]
fn s1_the_oldest_child_starts_before_a_younger_one_respawns_for_ever() {
    for (threads, width) in [(1, 1), (1, 2), (2, 1), (2, 20)] {
        alone(threads, |pool| {
            let is_over = AtomicBool::new(false);
            pool.nursery(|n| {
                n.spawn(|| finish(&is_over));
                show();
                n.spawn(|| respawn(n, width, &is_over));
                n.spawn(|| ());
            });
        });
    }
}

/// As above, in a child, and while the body waits for another one.
#[test]
fn s1_the_oldest_child_of_a_child_starts_before_a_younger_one_respawns_for_ever() {
    for width in [1, 2, 20] {
        alone(1, |pool| {
            let is_over = AtomicBool::new(false);
            pool.nursery(|n| {
                let child = n.spawn(|| {
                    n.spawn(|| finish(&is_over));
                    show();
                    n.spawn(|| respawn(n, width, &is_over));
                    n.spawn(|| ());
                });
                n.spawn(|| ());
                child.join();
            });
        });
    }
}

#[test]
fn s1_strays_start_behind_children_that_respawn_for_ever() {
    for (threads, width) in [(1, 1), (1, 2), (2, 2)] {
        alone(threads, |pool| {
            let are_over = [const { AtomicBool::new(false) }; 3];
            pool.nursery(|n| {
                for is_over in &are_over {
                    n.spawn(move || respawn(n, width, is_over));
                    let spawn = move || _ = n.spawn(move || finish(is_over));
                    thread::scope(|scope| scope.spawn(spawn).join()).unwrap();
                }
            });
        });
    }
}

#[test]
fn s1_what_a_limit_holds_back_starts_behind_children_that_respawn_for_ever() {
    for (threads, limit, width) in [(1, 1, 1), (1, 1, 2), (2, 1, 2), (2, 2, 2)] {
        alone(threads, |pool| {
            let are_over = [const { AtomicBool::new(false) }; 3];
            let limited = Options::new().limit(limit).pool(pool);
            limited.nursery(|n| {
                for is_over in &are_over {
                    n.spawn(move || respawn(n, width, is_over));
                    n.spawn(move || finish(is_over));
                }
            });
        });
    }
}

/// The thread that runs the children that respawn has the only permit.
#[test]
fn s1_what_only_a_home_may_run_starts_behind_children_that_respawn_for_ever() {
    for width in [1, 2] {
        alone(1, |pool| {
            let limited = Options::new().limit(1).pool(pool);
            let is_over = AtomicBool::new(false);
            limited.nursery(|n| {
                n.spawn(|| {
                    pool.nursery(|n| {
                        n.spawn(|| respawn(n, width, &is_over));
                        n.spawn_blocking(|| finish(&is_over));
                    });
                });
            });
        });
    }
}

#[test]
fn s1_blocking_children_that_no_thread_comes_for_start_behind_children_that_respawn_for_ever() {
    for width in [1, 2] {
        let builder = Pool::builder().blocking_threads(0);
        alone_on(builder, 1, |pool| {
            let is_over = AtomicBool::new(false);
            pool.nursery(|n| {
                n.spawn(|| respawn(n, width, &is_over));
                n.spawn_blocking(|| finish(&is_over));
            });
        });
    }
}

/// One worker runs the children that respawn; their home has given its place up.
#[test]
fn s1_a_worker_comes_for_what_waits_elsewhere_though_its_children_respawn_for_ever() {
    for width in [1, 2] {
        for is_stray in [true, false] {
            on_pool(Pool::builder().threads(1), |pool| {
                let is_over = AtomicBool::new(false);
                let (begun, ended) = (Gate::default(), Gate::default());
                let end = || {
                    finish(&is_over);
                    ended.open();
                };
                pool.nursery(|n| {
                    n.spawn(|| {
                        begun.open();
                        respawn(n, width, &is_over);
                    });
                    block_in_place(|| begun.wait());
                    if is_stray {
                        thread::scope(|scope| scope.spawn(|| _ = n.spawn(end)).join()).unwrap();
                    } else {
                        n.spawn(end);
                    }
                    block_in_place(|| ended.wait());
                });
            });
        }
    }
}

/// Others take what this body spawns, and it never runs anything itself.
#[test]
fn s1_the_oldest_child_starts_though_its_body_spawns_for_ever() {
    for is_child in [false, true] {
        on_pool(Pool::builder().threads(2), |pool| {
            let [release, begun, first] = [(); 3].map(|()| Gate::default());
            let others = AtomicUsize::new(0);
            pool.nursery(|n| {
                n.spawn(|| {
                    begun.open();
                    release.wait();
                });
                block_in_place(|| begun.wait());
                let spawner = || {
                    n.spawn(|| first.open());
                    for _ in 0..4 {
                        n.spawn(|| ());
                    }
                    release.open();
                    while !first.is_open() {
                        n.spawn(|| others.fetch_add(1, Ordering::Relaxed));
                        (0..300).for_each(|_| std::hint::spin_loop());
                    }
                };
                if is_child {
                    n.spawn(spawner).join();
                } else {
                    spawner();
                }
            });
        });
    }
}

/// What an item of a batch has spawned would come before the next item.
#[test]
fn s1_strays_start_behind_what_the_items_of_a_batch_respawn_for_ever() {
    alone(1, |pool| {
        let is_over = AtomicBool::new(false);
        pool.nursery(|n| {
            thread::scope(|scope| scope.spawn(|| _ = n.spawn(|| finish(&is_over))).join()).unwrap();
            n.spawn_each(0..100, |_| respawn(n, 1, &is_over)).count();
        });
    });
}

/// How often a test that a busy machine can disturb is tried. What it looks for would disturb it each time.
const TRIES: usize = 20;

/// What the items of a batch and their children note, in the order in which they run.
fn noted_by_a_batch(threads: usize) -> Vec<usize> {
    let log = Mutex::new(Vec::new());
    let note = |number: usize| log.lock().unwrap().push(number);
    alone(threads, |pool| {
        pool.nursery(|n| {
            let items = n.spawn_each(0..50_usize, |item| {
                note(item * 100);
                for number in 1..=item % 25 {
                    let note = &note;
                    n.spawn(move || note(item * 100 + number));
                    if number % 7 == 3 {
                        show();
                    }
                }
            });
            // Not joined one by one: what the last item of a batch leaves may start late then.
            drop(items);
        });
    });
    log.into_inner().unwrap()
}

/// Batches are cut by the clock: a thread that the system interrupts in an item goes on with smaller ones, and
/// what their last items leave may start late.
#[test]
fn r5_what_the_items_of_a_batch_spawn_and_show_comes_before_the_next_item() {
    for threads in [1, 2] {
        let mut logs = (0..TRIES).map(|_| noted_by_a_batch(threads));
        let is_in_order = logs.any(|log| log.is_sorted());
        assert!(is_in_order, "{:?}", noted_by_a_batch(threads));
    }
}
