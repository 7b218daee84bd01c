use std::cell::RefCell;
use std::fmt;

use crate::child::Child;
use crate::nursery::{self, Nursery};
use crate::pool;
use crate::scope::Seat;

pub struct Gather<'scope, 'env: 'scope, T> {
    nursery: &'scope Nursery<'scope, 'env>,
    children: RefCell<Vec<Child<'scope, T>>>,
}

pub fn gather<'env, F, T>(body: F) -> Vec<T>
where
    F: for<'scope> FnOnce(&Gather<'scope, 'env, T>),
    T: Send + 'env,
{
    pool::with_current(|seat| open(seat, body))
}

pub(crate) fn open<'env, F, T>(seat: &Seat, body: F) -> Vec<T>
where
    F: for<'scope> FnOnce(&Gather<'scope, 'env, T>),
    T: Send + 'env,
{
    nursery::open(seat, |nursery| {
        let gather = Gather {
            nursery,
            children: RefCell::new(Vec::new()),
        };
        body(&gather);
        let children = gather.children.into_inner();
        children.into_iter().map(Child::join).collect()
    })
}

impl<'scope, T: Send + 'scope> Gather<'scope, '_, T> {
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.children.borrow_mut().push(self.nursery.spawn(f));
    }

    pub fn spawn_blocking<F>(&self, f: F)
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.children
            .borrow_mut()
            .push(self.nursery.spawn_blocking(f));
    }
}

impl<T> fmt::Debug for Gather<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("children", &self.children.borrow().len())
            .finish()
    }
}
