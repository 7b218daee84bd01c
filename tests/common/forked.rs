//! Processes made by `fork`.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::common::outcome;

/// A forked process that takes longer is ended by the system, and its test fails. In seconds.
const WATCHDOG: u32 = 200;

/// The message of a process that has come back to a nursery of its parent's.
const MESSAGE: &str = "hatchery: this process was forked while a nursery was open";

/// A process made by [`Split::now`], as its parent sees it.
pub(crate) struct Forked {
    pid: Pid,
    /// What it has written there.
    text: File,
}

/// Which of the two processes this is.
pub(crate) enum Split {
    Parent(Forked),
    Child,
}

impl Split {
    /// From here on there are two processes.
    pub(crate) fn now() -> Self {
        // Not a pipe: its end would be held by whatever else is forked at the same time.
        let text = tempfile::tempfile().unwrap();
        // SAFETY: the new process uses what is under test, and no lock but those of this crate.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => Self::Parent(Forked { pid: child, text }),
            ForkResult::Child => {
                // SAFETY: the default action of the signal is to end the process.
                unsafe { libc::alarm(WATCHDOG) };
                // SAFETY: both are open.
                unsafe { libc::dup2(text.as_raw_fd(), libc::STDERR_FILENO) };
                STARTED.store(0, Ordering::Relaxed);
                Self::Child
            }
        }
    }
}

/// Writes past all locks, which somebody may have held during the fork.
fn say(text: &str) {
    // SAFETY: reads the text.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}

/// Threads of pools that have started in this process.
pub(crate) static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Ends this process without a look at what its parent has left in it.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: it does not return.
    unsafe { libc::_exit(code) }
}

impl Forked {
    fn end(mut self) -> (WaitStatus, String) {
        let status = waitpid(self.pid, None).unwrap();
        let mut text = String::new();
        self.text.rewind().unwrap();
        self.text.read_to_string(&mut text).unwrap();
        (status, text)
    }

    #[track_caller]
    pub(crate) fn has_succeeded(self) {
        let (status, text) = self.end();
        let succeeded = matches!(status, WaitStatus::Exited(_, 0));
        assert!(succeeded, "{status:?}: {text}");
    }

    #[track_caller]
    pub(crate) fn has_aborted_loudly(self) {
        let (status, text) = self.end();
        let aborted = matches!(status, WaitStatus::Signaled(_, Signal::SIGABRT, _));
        assert!(aborted && text.contains(MESSAGE), "{status:?}: {text}");
    }
}

/// Runs `body` in a new process, on the one thread that it has, and nothing else there.
pub(crate) fn forked(body: impl FnOnce()) -> Forked {
    match Split::now() {
        Split::Parent(forked) => forked,
        Split::Child => end(outcome(body)),
    }
}

/// Ends this process, and says what has failed in it.
pub(crate) fn end(outcome: Result<(), String>) -> ! {
    match outcome {
        Ok(()) => exit(0),
        Err(text) => {
            say(&text);
            exit(1)
        }
    }
}
