//! Programs that a scheduler can get wrong: a long task or a wait that hides what was spawned, lopsided
//! trees, pools that sleep, more threads than CPUs.

use std::hint::black_box;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::open::PAUSE;
use crate::common::{
    self, Contender, Pools, ROUNDS_100_NS, flat, forced, hatchery_halves, queens, rayon_halves,
    work,
};
use crate::goals::Goal;
use crate::measure::{Group, Row, Table, Unit};
use crate::periodic;

const ROUNDS_1_MS: u32 = 10_000 * ROUNDS_100_NS;
/// The children of the visibility rows, 1 ms each, and the long task beside them.
const CHILDREN: u64 = 1000;
const LEAF_MS: u32 = 500;
/// Forks around the long task and the big tree.
const DEPTH: u32 = 20;
/// Items of a tree, one of which is the long task, and what the other thread does meanwhile.
const ITEMS: u64 = 300;
const LONG_ITEM: u64 = 50;
const OTHER_MS: u32 = 300;
/// Nodes of the list, 100 us each.
const LIST: u64 = 1000;
/// What the body does while its one child should start.
const BODY_MS: u32 = 2;

/// All adversarial rows, for pools of two threads if nothing else is said.
pub(crate) fn all(table: &mut Table<'_>) {
    let pools = Pools::new(2);
    visibility_rows(table, &pools);
    list_rows(table, &pools);
    cold_rows(table, &pools);
    forced_rows(table, &Pools::new(1));
    forced_rows(table, &pools);
    periodic::all(table, &pools);
    drop(pools);
    // Four times as many threads as there are CPUs, or as the other rows have.
    let crowd = Pools::new(4 * common::cpus().min(2));
    let row = |name: &str| Row::new(Group::Adversarial, name, crowd.threads);
    table.row(row("more threads than CPUs: n-queens 12"), || {
        (14_200, queens::contenders(&crowd, 12))
    });
    table.row(row("more threads than CPUs: 10k children of 1 us"), || {
        let rounds = 10 * ROUNDS_100_NS;
        let contenders = flat::children(&crowd, 10_000, rounds);
        (flat::serial(10_000, rounds), contenders)
    });
}

fn child(number: u64) -> u64 {
    work(number, ROUNDS_1_MS)
}

/// One long task; a seed of zero would stay zero, which compilers notice.
fn long(ms: u32) -> u64 {
    work(black_box(7), ms * ROUNDS_1_MS)
}

fn leaf() -> u64 {
    long(LEAF_MS)
}

/// What the children and the leaf add up to; it takes a second and a half to find out.
fn visibility_answer() -> u64 {
    static ANSWER: OnceLock<u64> = OnceLock::new();
    *ANSWER.get_or_init(|| flat::serial(CHILDREN, ROUNDS_1_MS).wrapping_add(leaf()))
}

/// Times `call` after `before`, and checks its answer.
fn timed<'a>(
    name: &'static str,
    before: impl Fn() + 'a,
    answer: impl Fn() -> u64 + 'a,
    call: impl Fn() -> u64 + 'a,
) -> Contender<'a> {
    Contender::timed(name, move || {
        let answer = answer();
        before();
        let start = Instant::now();
        let value = call();
        let took = start.elapsed();
        assert_eq!(value, answer, "{name}");
        took
    })
}

fn visibility_rows(table: &mut Table<'_>, pools: &Pools) {
    let row = |name: &str| Row::new(Group::Adversarial, name, pools.threads);
    let asleep: &dyn Fn() = &|| thread::sleep(PAUSE);
    let busy: &dyn Fn() = &|| {
        let answer = flat::serial(CHILDREN, 0);
        for contender in flat::children(pools, CHILDREN, 0) {
            let common::How::Call(call) = contender.how else {
                unreachable!("all of them are calls");
            };
            assert_eq!(call(), answer);
        }
    };
    for (pool, before) in [("cold", asleep), ("hot", busy)] {
        let name = format!("1000 children of 1 ms, then 500 ms in the body, pool {pool}");
        let row = row(&name)
            .rounds(5)
            .goal(2, Goal::over_ideal("hatchery spawn", 1.05));
        table.row(row, || (0, children_then_leaf(pools, before)));
    }
    table.row(
        row("500 ms beside a tree of 1000 x 1 ms, below 20 forks")
            .rounds(5)
            .goal(2, Goal::over_ideal("hatchery join", 1.05)),
        || (0, leaf_beside_tree(pools)),
    );
    table.row(
        row("500 ms in a tree of 300 x 1 ms, the other thread busy before")
            .rounds(5)
            .goal(2, Goal::over_ideal("hatchery join", 1.05)),
        || (0, leaf_in_tree(pools)),
    );
}

fn children_then_leaf<'a>(pools: &'a Pools, before: &'a dyn Fn()) -> Vec<Contender<'a>> {
    let serial = || flat::serial(CHILDREN, ROUNDS_1_MS).wrapping_add(leaf());
    let contender =
        |name, call: Box<dyn Fn() -> u64 + 'a>| timed(name, before, visibility_answer, call);
    vec![
        contender("serial", Box::new(serial)).reference(),
        contender(
            "rayon scope",
            Box::new(|| {
                let mut slots = vec![0; CHILDREN as usize];
                let own = pools.rayon.scope(|scope| {
                    for (i, slot) in (0..).zip(&mut slots) {
                        scope.spawn(move |_| *slot = child(i));
                    }
                    leaf()
                });
                slots.into_iter().fold(own, u64::wrapping_add)
            }),
        ),
        contender(
            "hatchery spawn",
            Box::new(|| {
                pools.hatchery.nursery(|n| {
                    let children: Vec<_> =
                        (0..CHILDREN).map(|i| n.spawn(move || child(i))).collect();
                    let own = leaf();
                    let values = children.into_iter().map(hatchery::Child::join);
                    values.fold(own, u64::wrapping_add)
                })
            }),
        ),
        contender(
            "hatchery spawn_each",
            Box::new(|| {
                pools.hatchery.nursery(|n| {
                    let children = n.spawn_each(0..CHILDREN, child);
                    let own = leaf();
                    children.fold(own, u64::wrapping_add)
                })
            }),
        ),
    ]
}

fn leaf_beside_tree(pools: &Pools) -> Vec<Contender<'_>> {
    let numbers: Vec<u64> = (0..CHILDREN).collect();
    let answer = || visibility_answer().wrapping_add(work(1, 1).wrapping_mul(DEPTH.into()));
    macro_rules! below_forks {
        ($join:path, $halves:path, $numbers:ident) => {{
            fn below_forks(depth: u32, numbers: &[u64]) -> u64 {
                let (a, b) = match depth {
                    0 => $join(leaf, || $halves(numbers, &|number| child(*number))),
                    _ => $join(|| below_forks(depth - 1, numbers), || work(1, 1)),
                };
                a.wrapping_add(b)
            }
            below_forks(DEPTH, &$numbers)
        }};
    }
    let asleep = || thread::sleep(PAUSE);
    let (rayons, ours) = (numbers.clone(), numbers);
    vec![
        timed(
            "serial",
            || (),
            answer,
            move || {
                let forks = work(1, 1).wrapping_mul(DEPTH.into());
                let children = flat::serial(CHILDREN, ROUNDS_1_MS);
                children.wrapping_add(leaf()).wrapping_add(forks)
            },
        )
        .reference(),
        timed("rayon join", asleep, answer, move || {
            let call = || below_forks!(rayon::join, rayon_halves, rayons);
            pools.rayon.install(call)
        }),
        timed("hatchery join", asleep, answer, move || {
            let call = || below_forks!(hatchery::join, hatchery_halves, ours);
            pools.hatchery.nursery(|_| call())
        }),
    ]
}

/// The tree begins when the other thread has got something to do, which asks for nothing until that
/// is done. By then this thread is in the long leaf, and may hide what it has forked on its way there.
fn leaf_in_tree(pools: &Pools) -> Vec<Contender<'_>> {
    fn item(number: &u64) -> u64 {
        if *number == LONG_ITEM {
            leaf()
        } else {
            child(*number)
        }
    }
    fn other() -> u64 {
        long(OTHER_MS)
    }
    let numbers: Vec<u64> = (0..ITEMS).collect();
    let serial = |numbers: &[u64]| {
        let items = numbers.iter().map(item).fold(other(), u64::wrapping_add);
        items.wrapping_add(child(0))
    };
    let answer = serial(&numbers);
    macro_rules! in_tree {
        ($join:path, $halves:path, $numbers:ident) => {{
            let tree = || child(0).wrapping_add($halves(&$numbers, &item));
            let (tree, other) = $join(tree, other);
            tree.wrapping_add(other)
        }};
    }
    let asleep = || thread::sleep(PAUSE);
    let (serials, rayons, ours) = (numbers.clone(), numbers.clone(), numbers);
    vec![
        timed("serial", || (), move || answer, move || serial(&serials)).reference(),
        timed(
            "rayon join",
            asleep,
            move || answer,
            move || {
                let call = || in_tree!(rayon::join, rayon_halves, rayons);
                pools.rayon.install(call)
            },
        ),
        timed(
            "hatchery join",
            asleep,
            move || answer,
            move || {
                let call = || in_tree!(hatchery::join, hatchery_halves, ours);
                pools.hatchery.nursery(|_| call())
            },
        ),
    ]
}

macro_rules! lists {
    ($first:ident, $last:ident, $join:path) => {
        /// The rest of the list is forked off first, then comes the node's own work.
        fn $first(nodes: u64) -> u64 {
            if nodes == 0 {
                return 0;
            }
            let (a, b) = $join(|| node(nodes), || $first(nodes - 1));
            a.wrapping_add(b)
        }

        /// The rest of the list comes first, the node's own work is forked off.
        fn $last(nodes: u64) -> u64 {
            if nodes == 0 {
                return 0;
            }
            let (a, b) = $join(|| $last(nodes - 1), || node(nodes));
            a.wrapping_add(b)
        }
    };
}

fn node(number: u64) -> u64 {
    work(number, ROUNDS_1_MS / 10)
}

fn serially<RA, RB>(a: impl FnOnce() -> RA, b: impl FnOnce() -> RB) -> (RA, RB) {
    (a(), b())
}

lists!(rayon_rest_second, rayon_rest_first, rayon::join);
lists!(hatchery_rest_second, hatchery_rest_first, hatchery::join);
lists!(serial_rest_second, serial_rest_first, serially);

fn list_rows(table: &mut Table<'_>, pools: &Pools) {
    let row = |name: &str| {
        Row::new(Group::Adversarial, name, pools.threads)
            .goal(2, Goal::over_ideal("hatchery join", 1.05))
    };
    type Walk = fn(u64) -> u64;
    let ways: [(_, [Walk; 3]); 2] = [
        (
            "list of 1000 x 100 us, join(node, rest)",
            [serial_rest_second, rayon_rest_second, hatchery_rest_second],
        ),
        (
            "list of 1000 x 100 us, join(rest, node)",
            [serial_rest_first, rayon_rest_first, hatchery_rest_first],
        ),
    ];
    for (name, [serial, rayon, hatchery]) in ways {
        table.row(row(name), || {
            let contenders = vec![
                Contender::serial(move || serial(LIST)),
                Contender::new("rayon join", move || pools.rayon.install(|| rayon(LIST))),
                Contender::new("hatchery join", move || {
                    pools.hatchery.nursery(|_| hatchery(LIST))
                }),
            ];
            (serial(LIST), contenders)
        });
    }
}

/// One coarse child in a pool that sleeps, while the body computes: when does the child start?
fn cold_rows(table: &mut Table<'_>, pools: &Pools) {
    let body = || black_box(long(BODY_MS));
    let row = Row::new(
        Group::Adversarial,
        "one child into a pool asleep: from its spawn to its start",
        pools.threads,
    )
    .goal(2, Goal::at_most("hatchery spawn", 500_000.0));
    table.row(row, || {
        let contenders = vec![
            Contender::timed("a parked thread", wake_latency).reference(),
            Contender::timed("std::thread::scope", move || {
                thread::sleep(PAUSE);
                thread::scope(|scope| {
                    let start = Instant::now();
                    let child = scope.spawn(move || start.elapsed());
                    body();
                    child.join().expect("no panic")
                })
            }),
            Contender::timed("rayon scope", move || {
                thread::sleep(PAUSE);
                let mut started = Duration::ZERO;
                let slot = &mut started;
                pools.rayon.scope(|scope| {
                    let start = Instant::now();
                    scope.spawn(move |_| *slot = start.elapsed());
                    body();
                });
                started
            }),
            Contender::timed("rayon in_place_scope", move || {
                thread::sleep(PAUSE);
                let mut started = Duration::ZERO;
                let slot = &mut started;
                pools.rayon.in_place_scope(|scope| {
                    let start = Instant::now();
                    scope.spawn(move |_| *slot = start.elapsed());
                    body();
                });
                started
            }),
            Contender::timed("hatchery spawn", move || {
                thread::sleep(PAUSE);
                pools.hatchery.nursery(|n| {
                    let start = Instant::now();
                    let child = n.spawn(move || start.elapsed());
                    body();
                    child.join()
                })
            }),
        ];
        (0, contenders)
    });
}

/// Children that their body does not come back to: when do they start?
fn forced_rows(table: &mut Table<'_>, pools: &Pools) {
    let children = forced::CHILDREN;
    let name = |when| format!("{children} children that the body waits for by a channel: {when}");
    let row = Row::new(
        Group::Adversarial,
        name("until the first one begins"),
        pools.threads,
    )
    .second(name("until the last one begins"), Unit::Time("call"), None);
    table.row(row, || (0, forced::contenders(pools)));
}

/// From waking a parked thread to its first instruction.
fn wake_latency() -> Duration {
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            thread::park();
            Instant::now()
        });
        thread::sleep(PAUSE);
        let start = Instant::now();
        sleeper.thread().unpark();
        let woken = sleeper.join().expect("no panic");
        woken.duration_since(start)
    })
}
