//! Wakers that panic.
#![allow(unsafe_code, reason = "no safe waker panics as it is cloned")]

use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::thread;

use crate::common::raise;

/// Panics when its wakers are used, as far as it is told to.
#[derive(Default)]
pub(crate) struct Grenade {
    on_clone: AtomicBool,
    on_wake: AtomicBool,
    on_drop: AtomicBool,
    alive: AtomicIsize,
    woken: AtomicUsize,
}

const TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let grenade = Grenade::of(data);
        if grenade.on_clone.load(Ordering::SeqCst) {
            raise(Grenade::CLONED);
        }
        grenade.raw()
    },
    |data| {
        let grenade = Grenade::of(data);
        grenade.alive.fetch_sub(1, Ordering::SeqCst);
        grenade.ring();
    },
    |data| Grenade::of(data).ring(),
    |data| {
        let grenade = Grenade::of(data);
        grenade.alive.fetch_sub(1, Ordering::SeqCst);
        if grenade.on_drop.load(Ordering::SeqCst) {
            raise(Grenade::DROPPED);
        }
    },
);

impl Grenade {
    /// What it panics with.
    pub(crate) const CLONED: usize = 101;
    pub(crate) const WOKEN: usize = 102;
    pub(crate) const DROPPED: usize = 103;

    pub(crate) fn new() -> &'static Self {
        Box::leak(Box::default())
    }

    fn of(data: *const ()) -> &'static Self {
        // SAFETY: made by `raw`, and never freed.
        unsafe { &*data.cast::<Self>() }
    }

    fn raw(&'static self) -> RawWaker {
        self.alive.fetch_add(1, Ordering::SeqCst);
        RawWaker::new(std::ptr::from_ref(self).cast(), &TABLE)
    }

    pub(crate) fn waker(&'static self) -> Waker {
        // SAFETY: the functions may be called by any thread, and each waker counts.
        unsafe { Waker::from_raw(self.raw()) }
    }

    fn ring(&self) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        if self.on_wake.load(Ordering::SeqCst) {
            raise(Self::WOKEN);
        }
    }

    pub(crate) fn on_clone(&self, panics: bool) {
        self.on_clone.store(panics, Ordering::SeqCst);
    }

    pub(crate) fn on_wake(&self, panics: bool) {
        self.on_wake.store(panics, Ordering::SeqCst);
    }

    pub(crate) fn on_drop(&self, panics: bool) {
        self.on_drop.store(panics, Ordering::SeqCst);
    }

    /// How many of its wakers are neither dropped nor woken.
    pub(crate) fn alive(&self) -> isize {
        self.alive.load(Ordering::SeqCst)
    }

    pub(crate) fn woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }

    pub(crate) fn wait(&self) {
        while self.woken() == 0 {
            thread::yield_now();
        }
    }
}
