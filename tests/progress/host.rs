//! Who runs the children of a program: plain threads, or a pool. The names are those of `std::thread::scope`.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use hatchery::{Child, Failure, Nursery, Options, Pool, TryNursery};

/// What a program opens its scopes on.
#[derive(Clone, Copy)]
pub(crate) struct Host<'p> {
    /// The pool and one more, or none: then each child is a thread.
    pub(crate) pools: Option<[&'p Pool; 2]>,
    pub(crate) form: Form,
}

/// What kind of nursery a scope on a pool is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    Total,
    Partial,
    /// Two children at a time.
    Limited,
}

pub(crate) enum Scope<'scope, 'env: 'scope> {
    Threads(&'scope thread::Scope<'scope, 'env>),
    Total(&'scope Nursery<'scope, 'env>),
    Partial(&'scope TryNursery<'scope, 'env, Infallible>),
}

impl Clone for Scope<'_, '_> {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for Scope<'_, '_> {}

pub(crate) enum Handle<'scope, T> {
    Thread(ScopedJoinHandle<'scope, T>),
    Total(Child<'scope, T>),
    Partial(Child<'scope, Result<T, Failure<Infallible>>>),
}

impl Host<'_> {
    /// Opens a scope, whose end waits for all children.
    pub(crate) fn scope<'env, F, T>(self, body: F) -> T
    where
        F: for<'scope> FnOnce(Scope<'scope, 'env>) -> T,
    {
        let Some([pool, _]) = self.pools else {
            return thread::scope(|n| body(Scope::Threads(n)));
        };
        let options = Options::new().pool(pool);
        match self.form {
            Form::Total => pool.nursery(|n| body(Scope::Total(n))),
            Form::Partial => pool.try_nursery(|n| Ok(body(Scope::Partial(n)))).unwrap(),
            Form::Limited => options.limit(2).nursery(|n| body(Scope::Total(n))),
        }
    }

    /// The results of what the body spawns, in that order.
    pub(crate) fn gather<'env, T, F>(self, body: F) -> Vec<T>
    where
        F: FnOnce(&dyn Fn(Task<'env, T>)),
        T: Send + 'env,
    {
        match self.pools {
            Some([pool, _]) => pool.gather(|g| body(&|task| g.spawn(task))),
            None => thread::scope(|n| {
                let threads = std::cell::RefCell::new(Vec::new());
                body(&|task| threads.borrow_mut().push(n.spawn(task)));
                let threads = threads.into_inner().into_iter();
                threads.map(|thread| thread.join().unwrap()).collect()
            }),
        }
    }

    /// The threads that compute at a time; as many as one likes where each child is a thread.
    pub(crate) fn threads(self) -> usize {
        self.pools.map_or(8, |[pool, _]| pool.threads())
    }

    /// The same on another pool.
    pub(crate) fn other(self) -> Self {
        let pools = self.pools.map(|[pool, other]| [other, pool]);
        Self { pools, ..self }
    }
}

pub(crate) type Task<'env, T> = Box<dyn FnOnce() -> T + Send + 'env>;

impl<'scope> Scope<'scope, '_> {
    pub(crate) fn spawn<F, T>(self, f: F) -> Handle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match self {
            Self::Threads(n) => Handle::Thread(n.spawn(f)),
            Self::Total(n) => Handle::Total(n.spawn(f)),
            Self::Partial(n) => Handle::Partial(n.spawn(|| Ok(f()))),
        }
    }

    /// The values of one child per item.
    pub(crate) fn each<I, F, T>(self, items: I, f: F) -> Vec<T>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        match self {
            Self::Threads(n) => {
                let f = Arc::new(f);
                let spawn = |item| {
                    let f = Arc::clone(&f);
                    n.spawn(move || f(item))
                };
                let threads: Vec<_> = items.into_iter().map(spawn).collect();
                let threads = threads.into_iter();
                threads.map(|thread| thread.join().unwrap()).collect()
            }
            Self::Total(n) => n.spawn_each(items, f).collect(),
            Self::Partial(n) => {
                let values = n.spawn_each(items, move |item| Ok(f(item)));
                values.map(Result::unwrap).collect()
            }
        }
    }
}

impl<T> Handle<'_, T> {
    pub(crate) fn join(self) -> T {
        match self {
            Self::Thread(thread) => thread.join().unwrap(),
            Self::Total(child) => child.join(),
            Self::Partial(child) => child.join().unwrap(),
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        match self {
            Self::Thread(thread) => thread.is_finished(),
            Self::Total(child) => child.is_finished(),
            Self::Partial(child) => child.is_finished(),
        }
    }
}
