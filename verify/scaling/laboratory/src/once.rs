//! Values that are set once.

use std::fmt;
use std::sync as real;

use crate::atomic::{AtomicBool, Ordering};
use crate::locks::Mutex;

/// A value that is set once: a thread that comes second waits.
pub struct OnceLock<T> {
    is_set: AtomicBool,
    gate: Mutex<()>,
    value: real::OnceLock<T>,
}

impl<T> OnceLock<T> {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            gate: Mutex::new(()),
            value: real::OnceLock::new(),
        }
    }

    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        self.is_set.load(Ordering::Acquire);
        self.value.get()
    }

    #[track_caller]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            let _gate = self.gate.lock();
            if self.value.get().is_none() {
                // The value is complete before others see it.
                let value = make();
                self.is_set.store(true, Ordering::Release);
                return self.value.get_or_init(|| value);
            }
        }
        self.value.get().expect("it is set")
    }

    /// # Errors
    ///
    /// The value, if there is one already.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        self.is_set.store(true, Ordering::Release);
        self.value.set(value)
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// Something that is done once.
#[derive(Debug, Default)]
pub struct Once(OnceLock<()>);

impl Once {
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    #[track_caller]
    pub fn is_completed(&self) -> bool {
        self.0.get().is_some()
    }

    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        self.0.get_or_init(f);
    }
}
