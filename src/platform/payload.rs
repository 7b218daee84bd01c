//! What panics carry, and how that ends.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// How many payloads in turn may panic as they are dropped, each with the next. It is a few more
/// than anybody writes, because there may be no end to them.
const CHASED: usize = 8;

/// Drops a payload, then what that panics with, and so on; what is left in the end is leaked.
pub(crate) fn lose(mut payload: Payload) {
    for _ in 0..CHASED {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(again) => payload = again,
        }
    }
    mem::forget(payload);
}
