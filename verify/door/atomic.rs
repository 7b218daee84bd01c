//! The atomics of the model checker and of the scheduler, whose calls can be made wrong: see [`planted`].
#![cfg_attr(hatchery_shuttle, allow(dead_code, reason = "models use the rest"))]

pub(crate) use std::sync::atomic::Ordering;

#[cfg(hatchery_loom)]
use loom::sync::atomic as model;
#[cfg(hatchery_shuttle)]
use shuttle::sync::atomic as model;

use crate::platform::planted::{self, Change};

/// Returns the ordering that is left of this one.
#[track_caller]
fn left_of(order: Ordering) -> Ordering {
    match planted::here() {
        Some(Change::Relaxed) => Ordering::Relaxed,
        _ => order,
    }
}

/// The orderings of the two halves of an operation that is split.
fn halves(order: Ordering) -> (Ordering, Ordering) {
    match order {
        Ordering::Acquire => (Ordering::Acquire, Ordering::Relaxed),
        Ordering::Release => (Ordering::Relaxed, Ordering::Release),
        Ordering::AcqRel => (Ordering::Acquire, Ordering::Release),
        order => (order, order),
    }
}

/// As [`std::sync::atomic::fence`].
#[track_caller]
pub(crate) fn fence(order: Ordering) {
    match planted::here() {
        None => model::fence(order),
        Some(Change::AcqRel) => model::fence(Ordering::AcqRel),
        Some(_) => {}
    }
}

macro_rules! atomic {
    ($name:ident $(<$of:ident>)?, $value:ty, $($change:ident: $next:expr),*) => {
        /// As the type of this name in [`std::sync::atomic`].
        #[derive(Debug)]
        pub(crate) struct $name $(<$of>)? (model::$name $(<$of>)?);

        impl $(<$of>)? $name $(<$of>)? {
            #[cfg(hatchery_loom)]
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Self(model::$name::new(value))
            }

            #[cfg(hatchery_shuttle)]
            pub(crate) const fn new(value: $value) -> Self {
                Self(model::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.0.load(left_of(order))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                if planted::here() != Some(Change::Skipped) {
                    self.0.store(value, left_of(order));
                }
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.change(order, |order| self.0.swap(value, order), |_| value)
            }

            $(
                #[track_caller]
                pub(crate) fn $change(&self, value: $value, order: Ordering) -> $value {
                    let next: fn($value, $value) -> $value = $next;
                    self.change(order, |order| self.0.$change(value, order), |now| next(now, value))
                }
            )*

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                expected: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let whole = |success, failure| self.0.compare_exchange(expected, new, success, failure);
                self.try_change(success, failure, whole, |now| (now == expected).then_some(new))
            }

            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                next: impl Fn($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let whole = |success, failure| self.0.fetch_update(success, failure, &next);
                self.try_change(success, failure, whole, &next)
            }

            /// Does `whole`, or what is planted at the call.
            #[track_caller]
            fn change(
                &self,
                order: Ordering,
                whole: impl FnOnce(Ordering) -> $value,
                next: impl FnOnce($value) -> $value,
            ) -> $value {
                match planted::here() {
                    None | Some(Change::AcqRel) => whole(order),
                    Some(Change::Relaxed) => whole(Ordering::Relaxed),
                    Some(Change::Skipped) => self.0.load(Ordering::Relaxed),
                    Some(Change::Split) => {
                        let (load, store) = halves(order);
                        let now = self.0.load(load);
                        self.0.store(next(now), store);
                        now
                    }
                }
            }

            /// Like `change`, for an operation that may not come to write.
            #[track_caller]
            fn try_change(
                &self,
                success: Ordering,
                failure: Ordering,
                whole: impl FnOnce(Ordering, Ordering) -> Result<$value, $value>,
                next: impl FnOnce($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let change = planted::here();
                match change {
                    None | Some(Change::AcqRel) => whole(success, failure),
                    Some(Change::Relaxed) => whole(Ordering::Relaxed, Ordering::Relaxed),
                    Some(Change::Skipped | Change::Split) => {
                        let (load, store) = halves(success);
                        let now = self.0.load(load);
                        let next = next(now).ok_or(now)?;
                        if change == Some(Change::Split) {
                            self.0.store(next, store);
                        }
                        Ok(now)
                    }
                }
            }
        }
    };
}

/// The end of a value that knows it: it fails if an access of another thread is not ordered before
/// it.
macro_rules! end {
    ($name:ident $(<$of:ident>)?, $value:ty) => {
        #[cfg(hatchery_loom)]
        impl $(<$of>)? $name $(<$of>)? {
            pub(crate) fn into_inner(mut self) -> $value {
                self.0.with_mut(|value| *value)
            }
        }

        #[cfg(hatchery_loom)]
        impl $(<$of>)? Drop for $name $(<$of>)? {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    self.0.with_mut(|_| ());
                }
            }
        }
    };
}

macro_rules! integer {
    ($name:ident, $value:ty) => {
        atomic!(
            $name,
            $value,
            fetch_add: |now, by| now.wrapping_add(by),
            fetch_sub: |now, by| now.wrapping_sub(by),
            fetch_or: |now, bits| now | bits,
            fetch_and: |now, bits| now & bits,
            fetch_max: |now, other| now.max(other),
            fetch_min: |now, other| now.min(other)
        );

        end!($name, $value);

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }
    };
}

integer!(AtomicU8, u8);
integer!(AtomicU32, u32);
integer!(AtomicU64, u64);
integer!(AtomicUsize, usize);
atomic!(AtomicPtr<T>, *mut T,);
end!(AtomicPtr<T>, *mut T);
atomic!(AtomicBool, bool, fetch_or: |now, bit| now | bit, fetch_and: |now, bit| now & bit);

impl<T> Default for AtomicPtr<T> {
    fn default() -> Self {
        Self::new(std::ptr::null_mut())
    }
}

impl Default for AtomicBool {
    fn default() -> Self {
        Self::new(false)
    }
}
