//! How many CPUs there are to compute on, and which of them a thread may use.
//!
//! On Linux each thread has a set of CPUs that it may run on, which a new thread inherits from the
//! thread that starts it. Things that belong to the whole process must not depend on the thread
//! that happens to come first. The process has no set of its own; the system's tools show and
//! change the main thread's.
#![allow(unsafe_code, reason = "asks the system for the CPUs of threads")]

use std::num::NonZero;
use std::thread;

/// How many CPUs the calling thread may use, at least 1; a quota of one and a half is one.
pub(crate) fn count() -> usize {
    // The first number heeds quotas up to the root of the control groups; the second finds control
    // groups that are mounted in unusual places.
    let available = thread::available_parallelism().map_or(1, NonZero::get);
    // Miri has neither control groups nor files.
    if cfg!(miri) {
        available
    } else {
        available.min(num_cpus::get())
    }
}

/// Calls `f` while the calling thread may also run where the main thread may.
pub(crate) fn with_those_of_process<R>(f: impl FnOnce() -> R) -> R {
    system::with_those_of_process(f)
}

/// From now on the calling thread may also run where the main thread may.
pub(crate) fn add_those_of_process() {
    system::add_those_of_process();
}

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::mem;

    /// The calling thread, to the system.
    const THIS: libc::pid_t = 0;

    /// A set of CPUs.
    type Cpus = libc::cpu_set_t;

    /// How many CPUs there is room for in a set.
    const MOST: usize = 8 * size_of::<Cpus>();

    fn is_in(cpu: usize, cpus: &Cpus) -> bool {
        // SAFETY: the set has room for it.
        unsafe { libc::CPU_ISSET(cpu, cpus) }
    }

    fn of(thread: libc::pid_t) -> Option<Cpus> {
        // SAFETY: a set is numbers, for which zero is a value.
        let mut cpus: Cpus = unsafe { mem::zeroed() };
        // SAFETY: writes to the set what of that size there is to say.
        let status = unsafe { libc::sched_getaffinity(thread, size_of::<Cpus>(), &raw mut cpus) };
        (status == 0).then_some(cpus)
    }

    /// Restricts the calling thread to these. If the system refuses it, nothing changes.
    pub(super) fn restrict_to(cpus: &Cpus) {
        // SAFETY: reads the set.
        unsafe { libc::sched_setaffinity(THIS, size_of::<Cpus>(), cpus) };
    }

    /// Adds the main thread's CPUs to the calling thread's. Returns the calling thread's own CPUs,
    /// if they were fewer.
    pub(super) fn add_those_of_process() -> Option<Cpus> {
        let own = of(THIS)?;
        // SAFETY: may be called at any time. The main thread has the number of the process.
        let mut all = of(unsafe { libc::getpid() })?;
        let mut is_more = false;
        for cpu in 0..MOST {
            if is_in(cpu, &own) {
                // SAFETY: the set has room for it.
                unsafe { libc::CPU_SET(cpu, &mut all) };
            } else {
                is_more |= is_in(cpu, &all);
            }
        }
        is_more.then(|| {
            restrict_to(&all);
            own
        })
    }

    pub(super) fn with_those_of_process<R>(f: impl FnOnce() -> R) -> R {
        let own = add_those_of_process();
        let result = f();
        if let Some(own) = own {
            restrict_to(&own);
        }
        result
    }

    #[cfg(test)]
    pub(super) fn pin() {
        let mut cpus = of(THIS).expect("known");
        let all: Vec<usize> = (0..MOST).filter(|cpu| is_in(*cpu, &cpus)).collect();
        for cpu in &all[1..] {
            // SAFETY: the set has room for it.
            unsafe { libc::CPU_CLR(*cpu, &mut cpus) };
        }
        restrict_to(&cpus);
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    pub(super) fn with_those_of_process<R>(f: impl FnOnce() -> R) -> R {
        f()
    }

    pub(super) fn add_those_of_process() {}
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_sees_those_of_its_process_for_a_while_or_for_good() {
        let all = count();
        let pinned = thread::spawn(move || {
            system::pin();
            let before = count();
            let during = with_those_of_process(count);
            let after = count();
            add_those_of_process();
            (before, during, after, count())
        });
        assert_eq!(pinned.join().unwrap(), (1, all, 1, all));
    }
}
