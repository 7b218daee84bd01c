//! Values that belong to each thread. They cost nothing.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cores::with;

/// `std::thread::LocalKey`.
#[derive(Debug)]
pub struct LocalKey<T: 'static> {
    init: fn() -> T,
    /// Its place among a thread's values, from 1; 0 before the first use.
    key: AtomicUsize,
}

/// The thread's value is gone.
#[derive(Debug)]
pub struct AccessError;

static KEYS: AtomicUsize = AtomicUsize::new(1);

impl<T: 'static> LocalKey<T> {
    #[must_use]
    pub const fn new(init: fn() -> T) -> Self {
        Self {
            init,
            key: AtomicUsize::new(0),
        }
    }

    fn key(&self) -> usize {
        let mut key = self.key.load(Ordering::Relaxed);
        if key == 0 {
            key = KEYS.fetch_add(1, Ordering::Relaxed);
            self.key.store(key, Ordering::Relaxed);
        }
        key
    }

    /// The current thread's value; nothing if it has been dropped.
    fn value(&'static self) -> Option<Rc<T>> {
        let key = self.key();
        let (value, is_gone) = with(|machine| {
            let thread = machine.me();
            if thread.locals.len() <= key {
                thread.locals.resize_with(key + 1, || None);
            }
            let value = thread.locals[key].clone();
            let is_gone = value.is_none() && thread.order_of_locals.contains(&key);
            (value, is_gone)
        });
        if let Some(value) = value {
            return Some(value.downcast().expect("each key has one type"));
        }
        if is_gone {
            return None;
        }
        let value = Rc::new((self.init)());
        let shared: Rc<dyn Any> = value.clone();
        with(|machine| {
            let thread = machine.me();
            thread.locals[key] = Some(shared);
            thread.order_of_locals.push(key);
        });
        Some(value)
    }

    /// # Errors
    ///
    /// If the value has been dropped.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        match self.value() {
            Some(value) => Ok(f(&value)),
            // As in the standard library, a value without a destructor is there until the end.
            None if !std::mem::needs_drop::<T>() => Ok(f(&(self.init)())),
            None => Err(AccessError),
        }
    }

    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.try_with(f).expect("the thread-local is there")
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    pub fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    pub fn set(&'static self, value: T) {
        self.with(|cell| *cell.borrow_mut() = value);
    }
}

/// Drops the current thread's values, the newest first.
pub(crate) fn end_all() {
    let mut next = with(|machine| machine.me().order_of_locals.len());
    while let Some(index) = next.checked_sub(1) {
        let value = with(|machine| {
            let thread = machine.me();
            thread.locals[thread.order_of_locals[index]].take()
        });
        drop(value);
        next = index;
    }
}

#[macro_export]
macro_rules! thread_local {
    ($(#[$attr:meta])* $vis:vis static $name:ident: $type:ty = const $init:block $(; $($rest:tt)*)?) => {
        $(#[$attr])*
        $vis static $name: $crate::thread::LocalKey<$type> = $crate::thread::LocalKey::new(|| $init);
        $($crate::thread_local!($($rest)*);)?
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $type:ty = $init:expr $(; $($rest:tt)*)?) => {
        $(#[$attr])*
        $vis static $name: $crate::thread::LocalKey<$type> = $crate::thread::LocalKey::new(|| $init);
        $($crate::thread_local!($($rest)*);)?
    };
    () => {};
}
