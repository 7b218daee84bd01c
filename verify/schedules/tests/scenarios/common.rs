//! What scenarios have in common: pools, a ledger of drops, panics that the harness does not take for
//! failures.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use hatchery::{Pool, control};

pub(crate) fn pool(threads: usize) -> Pool {
    let built = Pool::builder().threads(threads).build();
    built.expect("a pool")
}

/// Two threads, with this name.
pub(crate) fn named(name: &str) -> Pool {
    let built = Pool::builder().threads(2).name(name).build();
    built.expect("a pool")
}

/// Has threads whose names begin like that refused while it is there.
pub(crate) struct Refusing(&'static str);

impl Refusing {
    pub(crate) fn new(
        prefix: &'static str,
        is_refused: impl Fn(usize) -> bool + Send + 'static,
    ) -> Self {
        control::refuse(prefix, is_refused);
        Self(prefix)
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        control::refuse_no_more(self.0);
    }
}

/// How often each value was dropped. Its lock is a real one: nothing else goes on while it is held.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<u32>>>);

impl Ledger {
    /// A value that is to be dropped once.
    pub(crate) fn value(&self) -> Value {
        let mut drops = self.0.lock().unwrap_or_else(|error| error.into_inner());
        drops.push(0);
        Value {
            number: drops.len() - 1,
            ledger: self.clone(),
        }
    }

    /// There were so many values, and each was dropped once.
    #[track_caller]
    pub(crate) fn check(&self, values: usize) {
        let drops = self.0.lock().unwrap_or_else(|error| error.into_inner());
        assert_eq!(*drops, vec![1; values], "drops of each value");
    }

    /// Each value was dropped once, however many there were.
    #[track_caller]
    pub(crate) fn check_all(&self) {
        let drops = self.0.lock().unwrap_or_else(|error| error.into_inner());
        assert_eq!(*drops, vec![1; drops.len()], "drops of each value");
    }
}

/// One entry in the ledger.
pub(crate) struct Value {
    number: usize,
    ledger: Ledger,
}

impl Drop for Value {
    fn drop(&mut self) {
        let drops = self.ledger.0.lock();
        let mut drops = drops.unwrap_or_else(|error| error.into_inner());
        drops[self.number] += 1;
    }
}

/// Panics with a payload, past the hook by which shuttle learns of failures.
pub(crate) fn raise(payload: impl std::any::Any + Send) -> ! {
    resume_unwind(Box::new(payload))
}

/// The payload that `f` panics with, which is a `T`.
#[track_caller]
pub(crate) fn payload_of<T: 'static, R>(f: impl FnOnce() -> R) -> T {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it does not panic");
    };
    match payload.downcast::<T>() {
        Ok(payload) => *payload,
        Err(other) => {
            eprintln!("another payload: {:?}", other.downcast_ref::<u32>());
            resume_unwind(other)
        }
    }
}

/// Panics when it is dropped; counts in the ledger all the same.
pub(crate) struct Explosive(
    #[expect(dead_code, reason = "it is dropped")] pub(crate) Value,
    pub(crate) u32,
);

impl Drop for Explosive {
    fn drop(&mut self) {
        raise(self.1);
    }
}

/// Runs `other` on a thread of its own while `own` runs here, and waits for both.
///
/// Shuttle's scoped threads wake the thread that has the scope when they end, whatever it waits for.
pub(crate) fn beside<R>(other: impl FnOnce() + Send, own: impl FnOnce() -> R) -> R {
    let other: Box<dyn FnOnce() + Send + '_> = Box::new(other);
    // SAFETY: it has ended when this returns, or unwinds.
    let other: Box<dyn FnOnce() + Send + 'static> = unsafe { std::mem::transmute(other) };
    let other = shuttle::thread::spawn(other);
    let result = catch_unwind(AssertUnwindSafe(own));
    other.join().expect("no panic");
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// Lets others go on.
pub(crate) fn pause() {
    shuttle::thread::yield_now();
}
