//! Whether another thread runs or is blocked, as the system sees it.
//!
//! Two questions, a cheap one first: how much CPU time has the thread had (0.4 us), and does it wait for something
//! (5 us). A thread that has had no CPU time may be ready to run all the same, when there are more such threads than
//! CPUs: with 16 threads that compute on two CPUs, half of them get none in 10 ms. So the first question alone
//! convicts the innocent.
//!
//! Linux answers both. Where the system does not, no thread is ever found blocked.
#![allow(unsafe_code, reason = "asks the system for clocks")]

use std::time::Duration;

/// A thread, to ask the system about.
#[derive(Clone, Copy)]
pub(crate) struct Activity(system::Thread);

impl Activity {
    /// The calling thread.
    pub(crate) fn own() -> Self {
        Self(system::own())
    }

    /// The CPU time that the thread has had, if that is known. The thread lives.
    pub(crate) fn cpu_time(self) -> Option<Duration> {
        system::cpu_time(self.0)
    }

    /// Whether the thread waits for something, and is not ready to run. The thread lives.
    pub(crate) fn is_blocked(self) -> bool {
        system::is_blocked(self.0)
    }
}

// Where a scheduler plays the threads, the system knows nothing of them.
#[cfg(all(
    target_os = "linux",
    not(any(hatchery_loom, hatchery_shuttle, hatchery_lab, miri))
))]
mod system {
    use std::fs;
    use std::mem::MaybeUninit;
    use std::time::Duration;

    #[derive(Clone, Copy)]
    pub(super) struct Thread {
        number: libc::pid_t,
        clock: Option<libc::clockid_t>,
    }

    pub(super) fn own() -> Thread {
        let mut clock = MaybeUninit::uninit();
        // SAFETY: names the calling thread.
        let this = unsafe { libc::pthread_self() };
        // SAFETY: the calling thread lives, and the clock's number is written to a place for one.
        let status = unsafe { libc::pthread_getcpuclockid(this, clock.as_mut_ptr()) };
        Thread {
            // SAFETY: may be called at any time.
            number: unsafe { libc::gettid() },
            // SAFETY: written by the call, if there was no error.
            clock: (status == 0).then(|| unsafe { clock.assume_init() }),
        }
    }

    pub(super) fn cpu_time(thread: Thread) -> Option<Duration> {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: writes the time. A clock that does not exist is an error.
        let status = unsafe { libc::clock_gettime(thread.clock?, time.as_mut_ptr()) };
        if status != 0 {
            return None;
        }
        // SAFETY: written by the call.
        let time = unsafe { time.assume_init() };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
    }

    pub(super) fn is_blocked(thread: Thread) -> bool {
        // The state comes after the name of the thread, which is in brackets and may have others in it.
        let text = fs::read(format!("/proc/self/task/{}/stat", thread.number)).unwrap_or_default();
        let end_of_name = text.iter().rposition(|byte| *byte == b')');
        let state = end_of_name.and_then(|end| text.get(end + 2));
        // Sleeping, in a wait that signals do not end, or stopped by a debugger.
        state.is_some_and(|state| b"SDtT".contains(state))
    }
}

#[cfg(not(all(
    target_os = "linux",
    not(any(hatchery_loom, hatchery_shuttle, hatchery_lab, miri))
)))]
mod system {
    use std::time::Duration;

    #[derive(Clone, Copy)]
    pub(super) struct Thread;

    pub(super) fn own() -> Thread {
        Thread
    }

    pub(super) fn cpu_time(_thread: Thread) -> Option<Duration> {
        None
    }

    pub(super) fn is_blocked(_thread: Thread) -> bool {
        false
    }
}

#[cfg(all(
    test,
    target_os = "linux",
    not(any(hatchery_loom, hatchery_shuttle, hatchery_lab, miri))
))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_in_a_channel_is_blocked_and_one_that_looks_is_not() {
        let (send, receive) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let waiter = thread::Builder::new()
            .name(") R (".to_owned())
            .spawn(move || {
                tell.send(Activity::own()).unwrap();
                receive.recv().unwrap();
            });
        let other = told.recv().unwrap();
        while !other.is_blocked() {
            thread::yield_now();
        }
        let had = other.cpu_time();
        assert!(!Activity::own().is_blocked() && other.is_blocked());
        assert_eq!(other.cpu_time(), had);
        assert!(Activity::own().cpu_time() < Activity::own().cpu_time());
        send.send(()).unwrap();
        waiter.unwrap().join().unwrap();
    }
}
