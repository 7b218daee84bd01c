//! Tests of `tests/` that need no package but one, and no process of their own: they run where the project's own
//! machines do not.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/common/grenades.rs"]
mod grenades;

#[path = "../../tests/all/block_in_place.rs"]
mod block_in_place;
#[path = "../../tests/all/buffered.rs"]
mod buffered;
#[path = "../../tests/all/by_completion.rs"]
mod by_completion;
#[path = "../../tests/all/cancel_tokens.rs"]
mod cancel_tokens;
#[path = "../../tests/all/cancellation.rs"]
mod cancellation;
#[path = "../../tests/all/child_set.rs"]
mod child_set;
#[path = "../../tests/all/deadlines.rs"]
mod deadlines;
#[path = "../../tests/all/destructors.rs"]
mod destructors;
#[path = "../../tests/all/each.rs"]
mod each;
#[path = "../../tests/all/failures.rs"]
mod failures;
#[path = "../../tests/all/for_each.rs"]
mod for_each;
#[path = "../../tests/all/gates.rs"]
mod gates;
#[path = "../../tests/all/identity.rs"]
mod identity;
#[path = "../../tests/all/jobs_dropped.rs"]
mod jobs_dropped;
#[path = "../../tests/all/jobs_end.rs"]
mod jobs_end;
#[path = "../../tests/all/jobs_joined.rs"]
mod jobs_joined;
#[path = "../../tests/all/join.rs"]
mod join;
#[path = "../../tests/all/limits.rs"]
mod limits;
#[path = "../../tests/all/limits_blocking.rs"]
mod limits_blocking;
#[path = "../../tests/all/nested.rs"]
mod nested;
#[path = "../../tests/all/panics.rs"]
mod panics;
#[path = "../../tests/all/partial.rs"]
mod partial;
#[path = "../../tests/all/results.rs"]
mod results;
#[path = "../../tests/all/scoped_threads.rs"]
mod scoped_threads;
#[path = "../../tests/all/several_pools.rs"]
mod several_pools;
#[path = "../../tests/all/side_threads.rs"]
mod side_threads;
#[path = "../../tests/all/std_examples.rs"]
mod std_examples;
#[path = "../../tests/all/verbs.rs"]
mod verbs;
