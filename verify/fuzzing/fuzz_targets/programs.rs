//! Any bytes are a program: it may come to nothing that the laws do not allow.
#![no_main]

#[path = "../../../tests/everything/mod.rs"]
mod everything;

use std::sync::{Arc, OnceLock};

use hatchery::Pool;
use libfuzzer_sys::fuzz_target;

/// They outlive the runs, and what they keep is no leak.
fn pools() -> &'static [Arc<Pool>; 3] {
    static POOLS: OnceLock<[Arc<Pool>; 3]> = OnceLock::new();
    POOLS.get_or_init(|| {
        [1, 2, 4].map(|threads| {
            let pool = Pool::builder().threads(threads).build();
            Arc::new(pool.expect("a valid configuration"))
        })
    })
}

fuzz_target!(|bytes: &[u8]| {
    let program = everything::program(bytes);
    let pools = pools();
    for (pool, other) in pools.iter().zip(pools.iter().rev()) {
        if let Err(wrong) = everything::check(pool, other, &program) {
            panic!("{wrong}\n{program}");
        }
    }
});
