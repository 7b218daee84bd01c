//! Jobs that nobody waits for.

use crate::registry::Registry;
use crate::spawned::Order;

/// Has a thread of the current pool call `func` sooner or later.
///
/// Of the jobs that were spawned on one thread, and that no other thread takes, the newest begins first. A panic goes to the
/// pool's panic handler, or aborts the process.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = std::sync::mpsc::channel();
/// rayon_core::spawn(move || sender.send(1).unwrap());
/// assert_eq!(receiver.recv(), Ok(1));
/// ```
pub fn spawn<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    Registry::current().spawn(func, Order::NewestFirst);
}

/// Like [`spawn`], but of such jobs the oldest begins first.
pub fn spawn_fifo<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    Registry::current().spawn(func, Order::OldestFirst);
}
