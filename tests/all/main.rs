//! Most test files are modules of this one program, because linking a program takes much longer than
//! running most of its tests. Their tests run at the same time in one process: what belongs to the whole
//! process is not theirs to change, nor to count. TESTING.md says which files are programs of their own.

#[macro_use]
#[path = "../common/alone.rs"]
mod alone;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/grenades.rs"]
mod grenades;
#[cfg(unix)]
#[allow(unsafe_code, reason = "forks, and watches what it has forked")]
#[path = "../common/forked.rs"]
mod processes;

mod accounts;
mod auto_traits;
mod block_in_place;
mod buffered;
mod buffered_failures;
mod by_completion;
mod cancel;
mod cancel_tokens;
mod cancellation;
mod causes;
mod chains;
mod checks;
mod child_set;
mod child_set_failures;
mod compiles;
mod context;
mod context_user_code;
mod current;
mod deadlines;
mod destructors;
mod dump;
mod dump_children;
mod each;
mod each_failures;
mod ends;
mod failures;
mod first_use;
mod for_each;
mod for_each_panics;
mod foreign_code;
mod fork;
mod fork_inside;
mod gates;
mod helpers;
mod helpers_refused;
mod hooks;
mod host_signals;
mod identity;
mod install;
mod jobs_dropped;
mod jobs_end;
mod jobs_executors;
#[cfg(unix)]
mod jobs_fork;
mod jobs_joined;
mod jobs_panics;
mod jobs_seen;
mod join;
mod join_sort;
mod late;
mod levels;
mod lifetime;
mod limits;
mod limits_blocking;
mod nested;
mod order;
mod outcomes;
mod outside;
mod panic_grid;
mod panics;
mod panics_handled;
mod partial;
mod places;
mod pool;
mod results;
mod scale;
mod scheduling;
mod scoped_threads;
mod several_pools;
mod shared_pool;
mod shield;
mod side_threads;
mod stacks;
mod stats;
mod std_examples;
mod stress;
mod system;
mod unwinding;
mod verbs;
mod watchdog;
