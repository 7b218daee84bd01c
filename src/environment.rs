//! What the environment says about pools whose builders say nothing.

use std::io::{self, Write};
use std::num::{IntErrorKind, NonZero};

use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::platform::sync::statics;

/// An environment variable that holds a whole number, at least 1.
struct Variable {
    name: &'static str,
    /// What the number counts.
    unit: &'static str,
    /// Whether this process has written that it ignores the variable.
    is_said: &'static AtomicBool,
}

statics! {
    static ARE_THREADS_SAID: AtomicBool = AtomicBool::new(false);
}
statics! {
    static IS_STACK_SAID: AtomicBool = AtomicBool::new(false);
}

/// How many threads `HATCHERY_THREADS` asks for. It may be more than a pool can have.
pub(crate) fn threads() -> Option<usize> {
    let threads = Variable {
        name: "HATCHERY_THREADS",
        unit: "threads",
        is_said: &ARE_THREADS_SAID,
    };
    threads.get(Some(usize::MAX))
}

/// How many bytes of stack `HATCHERY_STACK_SIZE` asks for, for each thread that runs children.
pub(crate) fn stack_size() -> Option<usize> {
    let bytes = Variable {
        name: "HATCHERY_STACK_SIZE",
        unit: "bytes",
        is_said: &IS_STACK_SAID,
    };
    bytes.get(None)
}

impl Variable {
    /// Returns the number; none if the variable is not set, or empty, or ignored. `beyond` stands for numbers that
    /// are too large for a `usize`; if there is none, they are ignored.
    fn get(&self, beyond: Option<usize>) -> Option<usize> {
        let value = std::env::var_os(self.name).filter(|value| !value.is_empty())?;
        let value = value.to_string_lossy();
        let number = match value.trim().parse::<NonZero<usize>>() {
            Ok(number) => Some(number.get()),
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => beyond,
            Err(_) => None,
        };
        if number.is_none() {
            self.say_that_it_is_ignored(&value);
        }
        number
    }

    /// Writes a message, once in this process.
    #[cold]
    fn say_that_it_is_ignored(&self, value: &str) {
        let Self { name, unit, .. } = self;
        if !self.is_said.swap(true, Ordering::Relaxed) {
            // Without a standard error the message is lost.
            _ = writeln!(
                io::stderr(),
                "hatchery: {name} is ignored: it should be a whole number of {unit}, at least 1, and is {value:?}"
            );
        }
    }
}
