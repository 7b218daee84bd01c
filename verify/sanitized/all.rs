//! Test files as modules of one program, which is built much faster than a program for each. Each
//! module runs in a process of its own (`all module::`), so that its tests meet only each other.
#![allow(clippy::duplicate_mod, reason = "each has its own, as a program would")]

#[path = "../../tests/accounts.rs"]
mod accounts;
#[path = "../../tests/block_in_place.rs"]
mod block_in_place;
#[path = "../../tests/by_completion.rs"]
mod by_completion;
#[path = "../../tests/cancel.rs"]
mod cancel;
#[path = "../../tests/cancellation.rs"]
mod cancellation;
#[path = "../../tests/causes.rs"]
mod causes;
#[path = "../../tests/chains.rs"]
mod chains;
#[path = "../../tests/checks.rs"]
mod checks;
#[path = "../../tests/compiles.rs"]
mod compiles;
#[path = "../../tests/deadlines.rs"]
mod deadlines;
#[path = "../../tests/destructors.rs"]
mod destructors;
#[path = "../../tests/dump.rs"]
mod dump;
#[path = "../../tests/each.rs"]
mod each;
#[path = "../../tests/each_failures.rs"]
mod each_failures;
#[path = "../../tests/failures.rs"]
mod failures;
#[path = "../../tests/foreign_code.rs"]
mod foreign_code;
#[path = "../../tests/identity.rs"]
mod identity;
#[path = "../../tests/idle.rs"]
mod idle;
#[path = "../../tests/join.rs"]
mod join;
#[path = "../../tests/join_sort.rs"]
mod join_sort;
#[path = "../../tests/late.rs"]
mod late;
#[path = "../../tests/lifetime.rs"]
mod lifetime;
#[path = "../../tests/limits.rs"]
mod limits;
#[path = "../../tests/limits_blocking.rs"]
mod limits_blocking;
#[path = "../../tests/nested.rs"]
mod nested;
#[path = "../../tests/order.rs"]
mod order;
#[path = "../../tests/outcomes.rs"]
mod outcomes;
#[path = "../../tests/outside.rs"]
mod outside;
#[path = "../../tests/panic_grid.rs"]
mod panic_grid;
#[path = "../../tests/panics.rs"]
mod panics;
#[path = "../../tests/panics_handled.rs"]
mod panics_handled;
#[path = "../../tests/partial.rs"]
mod partial;
#[path = "../../tests/places.rs"]
mod places;
#[path = "../../tests/results.rs"]
mod results;
#[path = "../../tests/scale.rs"]
mod scale;
#[path = "../../tests/scheduling.rs"]
mod scheduling;
#[path = "../../tests/several_pools.rs"]
mod several_pools;
#[path = "../../tests/shield.rs"]
mod shield;
#[path = "../../tests/side_threads.rs"]
mod side_threads;
#[path = "../../tests/signals.rs"]
mod signals;
#[path = "../../tests/stacks.rs"]
mod stacks;
#[path = "../../tests/stats.rs"]
mod stats;
#[path = "../../tests/std_examples.rs"]
mod std_examples;
#[path = "../../tests/stress.rs"]
mod stress;
#[path = "../../tests/verbs.rs"]
mod verbs;
