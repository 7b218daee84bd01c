//! The rows of ordinary programs.

use std::cell::LazyCell;

use crate::common::quicksort::Numbers;
use crate::common::{
    Pools, ROUNDS_100_NS, fib, flat, jobs, lend, mandelbrot, matrix, merge_sort, open, partial,
    queens, quicksort, tree, uts, work,
};
use crate::goals::Goal;
use crate::measure::{Group, Row, Table};

/// All ordinary rows, for pools of each of these sizes.
pub(crate) fn all(table: &mut Table<'_>, threads: &[usize]) {
    let pools: Vec<_> = threads.iter().copied().map(Pools::new).collect();
    for part in [
        flat_rows,
        fork_rows,
        opening_rows,
        job_rows,
        cancellation_rows,
        kernel_rows,
    ] {
        for pools in &pools {
            part(table, pools);
        }
    }
}

fn flat_rows(table: &mut Table<'_>, pools: &Pools) {
    const CHILDREN: u64 = 10_000;
    const ITEMS: u64 = 1_000_000;
    let threads = pools.threads;
    for (length, rounds) in [
        ("empty children", 0),
        ("children of 100 ns", ROUNDS_100_NS),
        ("children of 1 us", 10 * ROUNDS_100_NS),
    ] {
        let mut row = Row::new(Group::Flat, format!("10k {length}"), threads);
        row = row.per("child", CHILDREN);
        if rounds == 0 {
            row = row.goal(1, Goal::at_most("hatchery spawn", 5.0));
            row = row.goal(2, Goal::at_most("hatchery spawn", 10.0));
        } else if rounds > ROUNDS_100_NS {
            row = row.goal(2, Goal::over_ideal("hatchery spawn", 1.03));
        }
        table.row(row, || {
            let contenders = flat::children(pools, CHILDREN, rounds);
            (flat::serial(CHILDREN, rounds), contenders)
        });
    }
    let row = Row::new(Group::Flat, "1M empty items", threads)
        .per("item", ITEMS)
        .goal(1, Goal::at_most("hatchery spawn_each", 1.5))
        .goal(2, Goal::at_most("hatchery spawn_each", 1.0));
    table.row(row, || {
        let mut contenders = flat::items(pools, ITEMS, 0);
        contenders.push(flat::map(pools, ITEMS, 0));
        (flat::serial(ITEMS, 0), contenders)
    });
    const NUMBERS: u64 = 20_000_000;
    let numbers = LazyCell::new(|| (0..NUMBERS).map(|i| work(i, 0)).collect::<Vec<_>>());
    let row =
        Row::new(Group::Flat, "20M numbers of a slice, added up", threads).per("number", NUMBERS);
    table.row(row, || {
        (flat::sum_of(&numbers), flat::sums(pools, &numbers))
    });
}

fn fork_rows(table: &mut Table<'_>, pools: &Pools) {
    let threads = pools.threads;
    let row = Row::new(Group::Forks, "fib(32), a fork per call", threads)
        .per("fork", fib::forks(32))
        .goal(1, Goal::over("hatchery join", 2.0));
    table.row(row, || (2_178_309, fib::joins(pools, 32)));
    let row = Row::new(Group::Forks, "fib(25), a nursery per call", threads)
        .per("nursery", fib::forks(25))
        .goal(1, Goal::over("hatchery nursery", 8.0));
    table.row(row, || (75_025, fib::scopes(pools, 25)));
    for (levels, name) in [
        (10, "sum of a tree of 1023 nodes"),
        (20, "sum of a tree of 2^20-1 nodes"),
    ] {
        let nodes = (1 << levels) - 1;
        let nodes_of = LazyCell::new(|| tree::Node::tree(levels));
        let row = Row::new(Group::Forks, name, threads).per("node", nodes);
        table.row(row, || (nodes, tree::contenders(pools, &nodes_of)));
    }
}

fn opening_rows(table: &mut Table<'_>, pools: &Pools) {
    let threads = pools.threads;
    let name = |children, what: &str| match children {
        1 => format!("1 child, {what}"),
        _ => format!("{children} children, {what}"),
    };
    for children in [0, 1, 2] {
        let name = name(children, "opened outside, pool hot");
        let mut row = Row::new(Group::Opening, name, threads).per("nursery", 1);
        if children == 2 {
            row = row.goal(2, Goal::at_most("hatchery nursery", 150.0));
        }
        table.row(row, || (7 * children, open::outside(pools, children)));
    }
    for children in [1, 2] {
        let name = name(children, "opened outside after 50 ms of idleness");
        let mut row = Row::new(Group::Opening, name, threads).per("nursery", 1);
        if children == 2 {
            row = row.goal(2, Goal::over("hatchery nursery", 3000.0));
        }
        table.row(row, || (7 * children, open::after_a_pause(pools, children)));
    }
    let nurseries = open::OUTSIDE_THREADS * open::NURSERIES_EACH;
    let row = Row::new(
        Group::Opening,
        "4 children, opened by 8 outside threads",
        threads,
    )
    .per("nursery", nurseries)
    .goal(2, Goal::at_most("hatchery nursery", 200.0));
    table.row(row, || (0, open::many_outside(pools)));
    for (children, bound) in [(0, 3.0), (1, 10.0), (2, 18.0)] {
        let name = name(children, "opened inside a child");
        let row = Row::new(Group::Opening, name, threads)
            .per("nursery", open::INSIDE)
            .goal(1, Goal::at_most("hatchery nursery", bound));
        table.row(row, || {
            (7 * children * open::INSIDE, open::inside(pools, children))
        });
    }
    if threads > 1 {
        let row = Row::new(Group::Opening, "a place lent for nothing", threads);
        let sum = lend::CALLS * (lend::CALLS + 1) / 2;
        table.row(row.per("call", lend::CALLS), || {
            (sum, lend::for_nothing(pools))
        });
        let row = Row::new(Group::Opening, "blocking until a child has run", threads);
        table.row(row.per("child", 1), || (7, lend::to_a_child(pools)));
    }
}

fn job_rows(table: &mut Table<'_>, pools: &Pools) {
    let row = |name: &str| Row::new(Group::Jobs, name, pools.threads);
    let one_by_one = row("an empty job, awaited").per("job", jobs::CALLS);
    table.row(one_by_one, || {
        (7 * jobs::CALLS, jobs::contenders(pools, jobs::CALLS, 1))
    });
    let at_once = row("1000 empty jobs at once").per("job", jobs::CALLS);
    table.row(at_once, || {
        let contenders = jobs::contenders(pools, 1, jobs::CALLS);
        (7 * jobs::CALLS, contenders)
    });
    let idle = row("an empty job, awaited after 50 ms of idleness").per("job", 1);
    table.row(idle, || (7, jobs::after_a_pause(pools)));
}

fn cancellation_rows(table: &mut Table<'_>, pools: &Pools) {
    const CHILDREN: u64 = 10_000;
    const CHECKS: u64 = 10_000;
    const SKIPPED: u64 = 1_000_000;
    let threads = pools.threads;
    let row = |name: &'static str| Row::new(Group::Cancellation, name, threads);
    let may_fail = row("10k empty children that may fail")
        .per("child", CHILDREN)
        .goal(1, Goal::over("hatchery spawn, may fail", 3.0));
    table.row(may_fail, || {
        let contenders = partial::children(pools, CHILDREN, 0);
        (flat::serial(CHILDREN, 0), contenders)
    });
    // The other rows are about one thread each.
    if threads > 1 {
        return;
    }
    for (name, of) in [
        (
            "the nursery's checkpoint, 2 nurseries deep",
            "hatchery nursery's checkpoint",
        ),
        (
            "the free checkpoint, 2 nurseries deep",
            "hatchery free checkpoint",
        ),
    ] {
        let row = row(name).per("check", CHECKS);
        table.row(row.goal(1, Goal::at_most(of, 2.0)), || {
            let mut contenders = partial::checks(pools, CHECKS, 2);
            contenders.retain(|contender| contender.is_reference || contender.name == of);
            (CHECKS, contenders)
        });
    }
    let skipped = row("10^6 children in line, from cancelling to the end");
    table.row(skipped.per("skipped child", SKIPPED), || {
        (0, partial::skipped(pools, SKIPPED))
    });
}

fn kernel_rows(table: &mut Table<'_>, pools: &Pools) {
    let threads = pools.threads;
    let row = |name: &'static str| Row::new(Group::Kernels, name, threads);
    let fast = || Goal::speed_up("hatchery nursery", 1.9);
    table.row(row("n-queens 12").goal(2, fast()), || {
        (14_200, queens::contenders(pools, 12))
    });
    table.row(row("n-queens 13"), || {
        (73_712, queens::contenders(pools, 13))
    });
    table.row(
        row("UTS T1").per("node", uts::T1.nodes).goal(2, fast()),
        || (uts::T1.nodes, uts::contenders(pools, &uts::T1)),
    );
    table.row(row("UTS T3").per("node", uts::T3.nodes), || {
        (uts::T3.nodes, uts::contenders(pools, &uts::T3))
    });
    const COUNT: u64 = 10_000_000;
    let input = LazyCell::new(|| Numbers::new(COUNT as usize));
    table.row(
        row("quicksort of 10M u32")
            .per("number", COUNT)
            .goal(2, fast()),
        || (0, quicksort::contenders(pools, &input)),
    );
    table.row(row("merge sort of 10M u32").per("number", COUNT), || {
        (0, merge_sort::contenders(pools, &input))
    });
    let input = LazyCell::new(|| matrix::Matrices::new(512));
    table.row(row("product of two 512 x 512 matrices"), || {
        (input.answer, matrix::contenders(pools, &input))
    });
    let points = u64::from(mandelbrot::SIDE).pow(2);
    table.row(
        row("Mandelbrot set, 512 x 512").per("point", points),
        || (mandelbrot::ANSWER, mandelbrot::contenders(pools)),
    );
}
