//! The threads that programs run on: the system's, or in `verify/schedules` those that a scheduler plays.

#[cfg(hatchery_shuttle)]
pub(crate) use shuttle::thread::{Thread, ThreadId, current, park, yield_now};
#[cfg(hatchery_shuttle)]
pub(crate) use shuttle::thread_local;
#[cfg(not(hatchery_shuttle))]
pub(crate) use std::thread::{Thread, ThreadId, current, park, yield_now};
#[cfg(not(hatchery_shuttle))]
pub(crate) use std::thread_local;

/// What one more thread does.
pub(crate) type Main<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Does `own` here while each of the others is done by a thread of its own, and waits for all.
#[cfg(not(hatchery_shuttle))]
pub(crate) fn all_at_once(own: impl FnOnce(), others: Vec<Main<'_>>) {
    std::thread::scope(|threads| {
        for other in others {
            threads.spawn(other);
        }
        own();
    });
}

#[cfg(hatchery_shuttle)]
pub(crate) fn all_at_once<'a>(own: impl FnOnce() + 'a, others: Vec<Main<'a>>) {
    let own: Box<dyn FnOnce() + 'a> = Box::new(own);
    let all = others.into_iter().fold(own, |own, other| {
        Box::new(move || crate::common::beside(other, own))
    });
    all();
}
