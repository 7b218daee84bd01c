use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::child::{Child, Children};
use crate::pool;
use crate::scope::{self, Class, Nest, Seat};

/// A scope for children that run on a pool; made by [`nursery`].
pub struct Nursery<'scope, 'env: 'scope> {
    nest: Nest<'scope, 'env>,
}

pub fn nursery<'env, F, T>(body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Nursery<'scope, 'env>) -> T,
{
    pool::with_current(|seat| open(seat, body))
}

pub(crate) fn open<'env, F, T>(seat: &Seat, body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Nursery<'scope, 'env>) -> T,
{
    let nursery = Nursery {
        nest: Nest::new(seat),
    };
    nursery.nest.run(seat, || body(&nursery))
}

pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    pool::with_current(|seat| scope::fork(seat, a, b))
}

// A panic cancels a nursery, which is a state like any other.
impl UnwindSafe for Nursery<'_, '_> {}
impl RefUnwindSafe for Nursery<'_, '_> {}

impl<'scope> Nursery<'scope, '_> {
    pub fn spawn<F, T>(&'scope self, f: F) -> Child<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Child::new(self.nest.spawn(Class::Compute, f))
    }

    pub fn spawn_each<I, F, T>(&'scope self, items: I, f: F) -> Children<'scope, T>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        let f = std::sync::Arc::new(f);
        let spawn = |item| {
            let f = std::sync::Arc::clone(&f);
            self.spawn(move || f(item))
        };
        Children::new(items.into_iter().map(spawn).collect())
    }

    pub fn spawn_blocking<F, T>(&'scope self, f: F) -> Child<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Child::new(self.nest.spawn(Class::Blocking, f))
    }
}

impl fmt::Debug for Nursery<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nest.fmt(f)
    }
}
