//! Which process this is. A process that `fork` has made has one thread, a copy of the thread that
//! called `fork`, and a copy of all memory, including locks that other threads held.
//!
//! So what has threads belongs to the process that made it. It notes which process that is, and one
//! comparison with a static tells later whether it is still this process.
//!
//! This is also about the process's signals: the threads that this crate starts do not take signals
//! that other threads may be meant to take.
#![allow(
    unsafe_code,
    reason = "asks the system to be told of forks, and to block signals"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use crate::platform::lazy::Lazy;

/// How often the process of this memory was forked, counted from the first process that made a
/// pool.
///
/// It would wrap in the last of four billion processes each of which was forked from the process
/// before.
static FORKS: AtomicU32 = AtomicU32::new(NONE);

/// The number without forks; in tests, one before the number wraps.
const NONE: u32 = if cfg!(test) { u32::MAX } else { 0 };

/// A process among those that come from each other by `fork`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// The process that made the first pool.
    pub(crate) const FIRST: Self = Self(NONE);

    /// The calling process, which learns of its forks from now on.
    pub(crate) fn this() -> Self {
        // No execution under shuttle forks.
        if !cfg!(hatchery_shuttle) {
            watch();
        }
        Self(FORKS.load(Ordering::Relaxed))
    }

    /// Whether it is the calling process.
    #[inline]
    pub(crate) fn is_this(self) -> bool {
        // ORDERING: Relaxed: it changes only while a process has one thread, which changes it.
        FORKS.load(Ordering::Relaxed) == self.0
    }
}

/// What a thread that forks the process does for it.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(all(unix, not(any(target_os = "emscripten", miri)))),
    allow(dead_code, reason = "no process is forked")
)]
pub(crate) struct AtForks {
    /// Before the fork.
    pub(crate) before: fn(),
    /// After the fork, in this process.
    pub(crate) after: fn(),
    /// In the forked process, on its only thread, before `fork` returns there.
    pub(crate) in_child: fn(),
}

/// What [`at_forks`] was told.
static AT_FORKS: Lazy<AtForks> = Lazy::new();

/// Says what is done when this process is forked.
pub(crate) fn at_forks(what: AtForks) {
    if !cfg!(hatchery_shuttle) {
        AT_FORKS.get_or(|| what);
    }
}

/// Starts to count the forks of this process.
fn watch() {
    use std::sync::atomic::AtomicBool;
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    // No lock, because a lock that is held during a fork is held for ever. If two threads come at
    // once, both ask, and each fork counts twice.
    // ORDERING: Acquire and Release: a thread that finds that the system has been told may fork.
    // No model: the system is not in one.
    if !IS_WATCHED.load(Ordering::Acquire) {
        system::call_after_forks();
        IS_WATCHED.store(true, Ordering::Release);
    }
}

/// Ends a process that has come to wait for threads of the process it was forked from.
#[cold]
pub(crate) fn abort() -> ! {
    system::say(
        "hatchery: this process was forked while a nursery was open, and has come back to that \
         nursery: the threads that it waits for are not in this process\n",
    );
    std::process::abort()
}

/// Keeps its thread from taking signals that another thread may be meant to take, while it exists.
/// Threads that are started meanwhile never take such signals.
///
/// A signal that is sent to a process goes to any of its threads that does not block it. A host
/// that waits for a signal on a thread of its own would miss signals that are taken by threads it
/// knows nothing of; and most signals end the process if nobody has said otherwise. So a thread
/// that is not the host's blocks them from its beginning, because its starter blocks them around
/// the start.
///
/// Two kinds are not blocked: signals that a thread causes itself and nobody else could handle, and
/// signals by which profilers look at running threads.
pub(crate) struct BlockedSignals(Option<signals::Mask>);

impl BlockedSignals {
    pub(crate) fn block() -> Self {
        // All threads are one under shuttle.
        Self((!cfg!(hatchery_shuttle)).then(signals::block))
    }

    /// The main function of a thread that is started meanwhile. If this thread forks a process,
    /// that process takes the same signals as the thread of the host that was first in the row of
    /// starters: it is not the host's process, and may have to be ended.
    pub(crate) fn over(
        &self,
        main: impl FnOnce() + Send + 'static,
    ) -> impl FnOnce() + Send + 'static {
        let before = signals::remembered().or(self.0);
        move || {
            signals::remember(before);
            main();
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            signals::set(before);
        }
    }
}

#[cfg(all(unix, not(any(target_os = "emscripten", miri))))]
mod signals {
    use std::cell::Cell;
    use std::mem::MaybeUninit;
    use std::ptr;

    pub(super) type Mask = libc::sigset_t;

    /// The signals that a thread causes itself, and the signals that profilers send to running threads.
    const KEPT: [libc::c_int; 11] = [
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGPIPE,
        libc::SIGSEGV,
        libc::SIGSYS,
        libc::SIGTRAP,
        libc::SIGXFSZ,
        libc::SIGPROF,
        libc::SIGVTALRM,
    ];

    thread_local! {
        /// The signal mask of the host's thread at the beginning of the row of threads that started
        /// this one. It is read while the process forks, and has no destructor.
        static BEFORE: Cell<Option<Mask>> = const { Cell::new(None) };
    }

    /// Blocks the signals, and returns the mask from before.
    pub(super) fn block() -> Mask {
        let mut blocked = MaybeUninit::<Mask>::uninit();
        // SAFETY: writes the set.
        unsafe { libc::sigfillset(blocked.as_mut_ptr()) };
        for signal in KEPT {
            // SAFETY: the set was written.
            unsafe { libc::sigdelset(blocked.as_mut_ptr(), signal) };
        }
        let mut before = MaybeUninit::<Mask>::uninit();
        // SAFETY: reads a set that was written, and writes the other one: there is no error, for the
        // first argument is a known one.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), before.as_mut_ptr()) };
        // SAFETY: written by the call.
        unsafe { before.assume_init() }
    }

    pub(super) fn set(mask: &Mask) {
        // SAFETY: reads the set.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
    }

    pub(super) fn remember(before: Option<Mask>) {
        BEFORE.set(before);
    }

    /// The mask of the host's thread, if this thread is not the host's.
    pub(super) fn remembered() -> Option<Mask> {
        BEFORE.get()
    }

    /// Restores that mask, in a process that the calling thread has forked.
    pub(super) fn restore() {
        if let Some(before) = BEFORE.take() {
            set(&before);
        }
    }
}

/// Systems without signals, and interpreters that know of none.
#[cfg(not(all(unix, not(any(target_os = "emscripten", miri)))))]
mod signals {
    #[derive(Clone, Copy)]
    pub(super) struct Mask;

    pub(super) fn block() -> Mask {
        Mask
    }

    pub(super) fn set(_: &Mask) {}

    pub(super) fn remember(_: Option<Mask>) {}

    pub(super) fn remembered() -> Option<Mask> {
        None
    }
}

// Emscripten has no processes, and no `pthread_atfork`; Miri neither.
#[cfg(all(unix, not(any(target_os = "emscripten", miri))))]
mod system {
    use super::{AT_FORKS, FORKS, Ordering, signals};

    pub(super) fn call_after_forks() {
        extern "C" fn before() {
            if let Some(what) = AT_FORKS.peek() {
                (what.before)();
            }
        }
        extern "C" fn after() {
            if let Some(what) = AT_FORKS.peek() {
                (what.after)();
            }
        }
        extern "C" fn in_child() {
            FORKS.fetch_add(1, Ordering::Relaxed);
            signals::restore();
            if let Some(what) = AT_FORKS.peek() {
                (what.in_child)();
            }
        }
        // SAFETY: the functions may be called at any time. If it has no memory to remember this in,
        // a forked process waits for ever where it would have ended with a message.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(in_child)) };
    }

    /// Writes past the lock of the standard error stream, which may be held for ever.
    pub(super) fn say(text: &str) {
        // SAFETY: reads the text.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }
}

#[cfg(not(all(unix, not(any(target_os = "emscripten", miri)))))]
mod system {
    pub(super) fn call_after_forks() {}

    pub(super) fn say(text: &str) {
        eprint!("{text}");
    }
}

/// A value of each process: a forked process makes its own when it first asks for it.
///
/// The value of the other process stays where it is, together with locks that are held by threads
/// of that process.
pub(crate) struct PerProcess<T> {
    process: Process,
    value: T,
    heir: Lazy<Self>,
}

impl<T> PerProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self::of(Process::this(), value)
    }

    /// The value of the first process.
    pub(crate) const fn first(value: T) -> Self {
        Self::of(Process::FIRST, value)
    }

    const fn of(process: Process, value: T) -> Self {
        Self {
            process,
            value,
            heir: Lazy::new(),
        }
    }

    /// This process's value. If there is none, `inherit` makes it from the value of a process that
    /// this one was forked from.
    #[inline]
    pub(crate) fn get(&self, inherit: impl Fn(&T) -> T) -> &T {
        if self.process.is_this() {
            &self.value
        } else {
            self.get_inherited(inherit)
        }
    }

    #[cold]
    fn get_inherited(&self, inherit: impl Fn(&T) -> T) -> &T {
        let mut last = self;
        while !last.process.is_this() {
            last = last.heir.get_or(|| Self::new(inherit(&last.value)));
        }
        &last.value
    }

    /// This process's value, if there is one.
    #[cfg(test)]
    pub(crate) fn peek(&self) -> Option<&T> {
        let mut all = std::iter::successors(Some(self), |last| last.heir.peek());
        all.find(|last| last.process.is_this())
            .map(|last| &last.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_process_is_left_alone_and_a_new_one_made_once() {
        let values = PerProcess::of(Process(NONE - 1), 1);
        assert_eq!(values.peek(), None);
        assert_eq!(values.get(|of_parent| of_parent + 1), &2);
        assert_eq!(values.get(|_| unreachable!()), &2);
        assert_eq!(values.peek(), Some(&2));
        assert_eq!(PerProcess::new(3).get(|_| unreachable!()), &3);
    }

    /// The number of forks wraps in the forked process.
    #[cfg(all(unix, not(any(target_os = "emscripten", miri))))]
    #[test]
    #[allow(
        clippy::multiple_unsafe_ops_per_block,
        reason = "what the forked process does"
    )]
    fn a_forked_process_is_another_one_where_the_number_of_forks_wraps() {
        let values = PerProcess::first(1);
        let here = Process::this();
        assert_eq!((here, here.is_this()), (Process::FIRST, true));
        // SAFETY: the forked process reads and writes atomics and memory of its own, and ends.
        let forked = unsafe {
            let forked = libc::fork();
            if forked == 0 {
                let is_told = Process::this() != here && !here.is_this();
                libc::_exit(i32::from(!(is_told && values.peek().is_none())));
            }
            forked
        };
        let mut status = -1;
        // SAFETY: waits for the process made above.
        assert_eq!(unsafe { libc::waitpid(forked, &raw mut status, 0) }, forked);
        assert_eq!(status, 0);
        assert_eq!((here.is_this(), values.peek()), (true, Some(&1)));
    }
}
