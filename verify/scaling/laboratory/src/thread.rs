//! `std::thread`, as far as schedulers need it.

use std::io;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
pub use std::thread::{Result, panicking};

use crate::cores::with;
use crate::kernel;
pub use crate::kernel::{pause, sleep, yield_now};
pub use crate::local::LocalKey;
pub use crate::thread_local;

/// A number of the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadId(usize);

#[derive(Clone, Debug)]
pub struct Thread {
    id: usize,
    name: Option<String>,
}

impl Thread {
    #[must_use]
    pub fn id(&self) -> ThreadId {
        ThreadId(self.id)
    }

    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

#[must_use]
pub fn current() -> Thread {
    let id = with(|machine| machine.current);
    // Cloned outside: the copy is the program's.
    let length = with(|machine| machine.threads[id].name.as_ref().map(String::len));
    let name = length.map(|length| {
        let mut name = String::with_capacity(length);
        with(|machine| name.push_str(machine.threads[id].name.as_deref().unwrap_or_default()));
        name
    });
    Thread { id, name }
}

/// How many threads a pool has that was not told: one.
///
/// # Errors
///
/// Never.
pub fn available_parallelism() -> io::Result<NonZero<usize>> {
    Ok(NonZero::<usize>::MIN)
}

#[derive(Debug, Default)]
pub struct Builder {
    name: Option<String>,
}

/// What a thread has returned.
type Packet<T> = Arc<Mutex<Option<T>>>;

pub struct JoinHandle<T> {
    thread: Thread,
    packet: Packet<T>,
}

impl Builder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn name(mut self, name: String) -> Self {
        self.name = Some(name);
        self
    }

    /// All stacks have the same size.
    #[must_use]
    pub fn stack_size(self, _bytes: usize) -> Self {
        self
    }

    /// # Errors
    ///
    /// Never.
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let packet = Packet::default();
        let result = Arc::clone(&packet);
        let main = move || {
            let value = f();
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        };
        let id = kernel::start(self.name.clone(), Box::new(main));
        let thread = Thread {
            id,
            name: self.name,
        };
        Ok(JoinHandle { thread, packet })
    }
}

impl<T> JoinHandle<T> {
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// # Errors
    ///
    /// Never: a panic ends the machine.
    pub fn join(self) -> Result<T> {
        kernel::join(self.thread.id);
        let mut packet = self.packet.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(packet.take().expect("the thread is over"))
    }
}

pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(f).expect("threads are never refused")
}
