//! What panics leave, and how it ends.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// How many payloads in turn may panic as they are dropped, each with the next: a few more than anybody
/// writes, since there may be no end to them.
const CHASED: usize = 8;

/// Drops a payload, and what it panics with meanwhile, and so on; what is left then is leaked.
pub(crate) fn lose(mut payload: Payload) {
    for _ in 0..CHASED {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(again) => payload = again,
        }
    }
    mem::forget(payload);
}
