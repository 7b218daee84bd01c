//! A barrier between two threads that costs only one of them anything.
//!
//! Dekker's protocol wants a fence on both sides, between a thread's store and its look at what the other thread
//! stores. Where one side runs all the time and the other side hardly ever, the rare side can pay for both: it has
//! the system execute a fence on each CPU that runs a thread of this process. The frequent side then only has to keep
//! the compiler from moving its look (Dice, Huang and Yang, "Asymmetric Dekker synchronization", 2001).
//!
//! The frequent side calls [`light`], the rare side [`heavy`]. Where the system has no such barrier,
//! [`is_asymmetric`] is false, and the frequent side calls [`full`] after that.
//!
//! Linux wants a process to register before its first heavy barrier, which takes some 12 ms while other threads of the
//! process live. So the rare side calls [`register`], and the frequent side only asks what there is.
#![allow(unsafe_code, reason = "asks the system for barriers")]

use crate::platform::sync::atomic::{Ordering, fence};

/// The frequent side's barrier.
#[allow(clippy::inline_always, reason = "no instruction")]
#[inline(always)]
pub(crate) fn light() {
    // The model checker knows no barrier of the whole process. Two fences say the same.
    #[cfg(hatchery_loom)]
    fence(Ordering::SeqCst);
    // ORDERING: no instruction; partner: `heavy`. No model: models have the fence above.
    #[cfg(not(hatchery_loom))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// The frequent side's barrier where the system has none for the other side.
#[cold]
pub(crate) fn full() {
    // ORDERING: SeqCst fence in place of the heavy barrier's other half; partner: the fence in `heavy`. No model: in
    // models `light` is a fence, too.
    fence(Ordering::SeqCst);
}

/// The rare side's barrier; false if the system refuses it, which it does not do once [`register`] was true, unless a
/// sandbox has come since.
#[must_use]
pub(crate) fn heavy() -> bool {
    fence(Ordering::SeqCst);
    !is_asymmetric() || system::heavy()
}

/// Whether the system has a barrier for the rare side. The answer does not change.
pub(crate) fn is_asymmetric() -> bool {
    system::is_asymmetric()
}

/// Prepares for the first heavy barrier of this process; false if the system refuses that.
pub(crate) fn register() -> bool {
    !is_asymmetric() || system::register()
}

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(any(hatchery_loom, hatchery_shuttle, hatchery_lab, miri))
))]
mod system {
    use std::sync::atomic::{AtomicU8, Ordering};

    const QUERY: libc::c_int = 0;
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    fn call(command: libc::c_int) -> libc::c_long {
        let no_flags: libc::c_int = 0;
        // SAFETY: a call that reads and writes no memory of the caller's.
        unsafe { libc::syscall(libc::SYS_membarrier, command, no_flags) }
    }

    pub(super) fn is_asymmetric() -> bool {
        const UNKNOWN: u8 = 0;
        const NO: u8 = 1;
        const YES: u8 = 2;
        static IS: AtomicU8 = AtomicU8::new(UNKNOWN);
        // ORDERING: Relaxed: all threads find the same.
        if IS.load(Ordering::Relaxed) == UNKNOWN {
            let known = call(QUERY);
            let wanted = libc::c_long::from(PRIVATE_EXPEDITED | REGISTER_PRIVATE_EXPEDITED);
            let found = if known >= 0 && known & wanted == wanted {
                YES
            } else {
                NO
            };
            // The first answer holds, also if a sandbox comes between two questions.
            _ = IS.compare_exchange(UNKNOWN, found, Ordering::Relaxed, Ordering::Relaxed);
        }
        IS.load(Ordering::Relaxed) == YES
    }

    pub(super) fn register() -> bool {
        call(REGISTER_PRIVATE_EXPEDITED) == 0
    }

    pub(super) fn heavy() -> bool {
        call(PRIVATE_EXPEDITED) == 0
    }
}

#[cfg(all(windows, not(any(hatchery_shuttle, hatchery_lab, miri))))]
mod system {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn FlushProcessWriteBuffers();
    }

    pub(super) fn is_asymmetric() -> bool {
        true
    }

    pub(super) fn register() -> bool {
        true
    }

    pub(super) fn heavy() -> bool {
        // SAFETY: a call without arguments, of every Windows that the standard library runs on.
        unsafe { FlushProcessWriteBuffers() };
        true
    }
}

// Also where threads are played, and fences are all there is.
#[cfg(any(
    not(any(target_os = "linux", target_os = "android", windows)),
    hatchery_loom,
    hatchery_shuttle,
    hatchery_lab,
    miri
))]
mod system {
    pub(super) fn is_asymmetric() -> bool {
        // The laboratory has one real thread.
        cfg!(hatchery_lab)
    }

    pub(super) fn register() -> bool {
        true
    }

    pub(super) fn heavy() -> bool {
        true
    }
}
