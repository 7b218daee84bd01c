//! `std::sync::atomic`: every operation takes its time. Layouts are the standard library's, and so is what shares a
//! cache line with what.

use std::fmt;
use std::panic::Location;
use std::sync::atomic as real;
pub use std::sync::atomic::{Ordering, compiler_fence};

use crate::lines::{Access, access};

/// A full fence costs something, a weaker one nothing.
pub fn fence(order: Ordering) {
    if order == Ordering::SeqCst {
        crate::lines::fence();
    }
}

macro_rules! atomic {
    ($name:ident $(<$of:ident>)?, $value:ty, $($change:ident)*) => {
        #[repr(transparent)]
        pub struct $name $(<$of>)? (real::$name $(<$of>)?);

        impl $(<$of>)? $name $(<$of>)? {
            #[inline]
            pub const fn new(value: $value) -> Self {
                Self(real::$name::new(value))
            }

            #[inline]
            fn at(&self, kind: Access, at: &'static Location<'static>) {
                access(std::ptr::from_ref(self).addr(), kind, at);
            }

            #[inline]
            #[track_caller]
            pub fn load(&self, _: Ordering) -> $value {
                self.at(Access::Load, Location::caller());
                self.0.load(Ordering::SeqCst)
            }

            #[inline]
            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                let is_fence = order == Ordering::SeqCst;
                let kind = if is_fence { Access::Rmw } else { Access::Store };
                self.at(kind, Location::caller());
                self.0.store(value, Ordering::SeqCst);
            }

            #[inline]
            #[track_caller]
            pub fn swap(&self, value: $value, _: Ordering) -> $value {
                self.at(Access::Rmw, Location::caller());
                self.0.swap(value, Ordering::SeqCst)
            }

            $(
                #[inline]
                #[track_caller]
                pub fn $change(&self, value: $value, _: Ordering) -> $value {
                    self.at(Access::Rmw, Location::caller());
                    self.0.$change(value, Ordering::SeqCst)
                }
            )*

            #[inline]
            #[track_caller]
            pub fn compare_exchange(
                &self,
                expected: $value,
                new: $value,
                _: Ordering,
                _: Ordering,
            ) -> Result<$value, $value> {
                self.at(Access::Rmw, Location::caller());
                self.0.compare_exchange(expected, new, Ordering::SeqCst, Ordering::SeqCst)
            }

            /// Never fails for nothing.
            #[inline]
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                expected: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(expected, new, success, failure)
            }

            #[inline]
            #[track_caller]
            pub fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut next: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut now = self.load(failure);
                while let Some(new) = next(now) {
                    match self.compare_exchange(now, new, success, failure) {
                        Ok(before) => return Ok(before),
                        Err(other) => now = other,
                    }
                }
                Err(now)
            }

            pub fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            pub fn into_inner(self) -> $value {
                self.0.into_inner()
            }
        }

        impl $(<$of>)? fmt::Debug for $name $(<$of>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! integers {
    ($($name:ident $value:ty,)+) => {$(
        atomic!($name, $value, fetch_add fetch_sub fetch_or fetch_and fetch_xor fetch_max fetch_min);

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }
    )+};
}

integers! {
    AtomicU8 u8,
    AtomicU16 u16,
    AtomicU32 u32,
    AtomicU64 u64,
    AtomicUsize usize,
}
atomic!(AtomicBool, bool, fetch_or fetch_and fetch_xor);
atomic!(AtomicPtr<T>, *mut T,);

impl Default for AtomicBool {
    fn default() -> Self {
        Self::new(false)
    }
}

impl<T> Default for AtomicPtr<T> {
    fn default() -> Self {
        Self::new(std::ptr::null_mut())
    }
}
