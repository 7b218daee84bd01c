//! If a program of plain threads would end, so does the same program of children.
//!
//! Each program here is a plain function that spawns by way of a [`host::Host`]. So the same function runs on
//! threads of `std::thread::scope`, as a control, and on pools of 1, 2, 4 and 8 threads; at its caller and in
//! children, in total, partial and limited nurseries ([`running::Setting`]); on all CPUs and on one; and on the
//! shared pool under `HATCHERY_THREADS=1`. Every program checks what it has computed. The tests in `laws` are one
//! small program for each law that this is about.
//!
//! A program that hangs can only be ended together with its process. So each test starts this program once more
//! for each pool, under a watchdog that says in which setting it hangs and what the pool does then.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/program.rs"]
mod program;

mod host;
mod running;

/// A test for each program in a module `$hosts`, which says who runs the children.
macro_rules! tests {
    ($hosts:ident, $settings:ident, $cases:ident, $($(#[$ignored:meta])? $program:ident)*) => {
        mod $hosts {
            $(
                #[test]
                $(#[$ignored])?
                fn $program() {
                    crate::running::Test {
                        name: concat!(module_path!(), "::", stringify!($program)),
                        program: super::$program,
                        settings: &crate::running::$settings,
                        cases: &crate::running::$cases,
                    }
                    .check();
                }
            )*
        }
    };
}

/// Programs in which as many threads block or compute as a pool of two has places: on such a pool it is enough that
/// unstarted children can be taken. On a pool of one thread, the place of a thread that blocks has to be lent, too.
macro_rules! visible {
    ($($(#[$ignored:meta])? $program:ident)*) => {
        tests! { plain_threads, EVERYWHERE, ON_PLAIN_THREADS, $($program)* }
        tests! { pools, EVERYWHERE, ON_POOLS, $($(#[$ignored])? $program)* }
        tests! { pools_of_one, EVERYWHERE, ON_POOLS_OF_ONE, $($(#[$ignored])? $program)* }
    };
}

/// Programs in which more threads block than the pool has places. No limit can hold for them.
macro_rules! blocked {
    ($($program:ident)*) => {
        tests! { plain_threads, WITHOUT_LIMIT, ON_PLAIN_THREADS, $($program)* }
        tests! { pools, WITHOUT_LIMIT, ON_POOLS, $($program)* }
        tests! { pools_of_one, WITHOUT_LIMIT, ON_POOLS_OF_ONE, $($program)* }
    };
}

mod accepting;
mod beside;
mod blocked;
mod draining;
mod laws;
mod nesting;
mod pairs;
mod polling;
mod races;
