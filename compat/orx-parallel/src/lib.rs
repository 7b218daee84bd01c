//! hatchery's pools as pools of orx-parallel.
//!
//! A parallel iterator of orx-parallel takes its pool from its runner. [`On`] makes a pool of it out of a
//! [`hatchery::Pool`], and [`OnCurrent`] is the pool of the nursery around the call, or the one that the program shares:
//!
//! ```
//! use hatchery_orx_parallel::{On, OnCurrent};
//! use orx_parallel::*;
//!
//! let pool = hatchery::Pool::builder().threads(2).build()?;
//! let runner = Runner::adaptive_with_pool(On(&pool));
//! let squares: Vec<usize> = (0..1000_usize).into_par().runner(runner).map(|n| n * n).collect();
//! assert_eq!(squares[999], 998_001);
//!
//! let runner = Runner::adaptive_with_pool(OnCurrent);
//! assert_eq!(squares.par().runner(runner).copied().sum(), 332_833_500);
//! # Ok::<(), hatchery::BuildPoolError>(())
//! ```
//!
//! The thread that calls computes too, and while it waits it runs nothing but its own computation. So parallel iterators
//! nest on one pool, and a lock may be held around one.

#![forbid(unsafe_code)]

use std::borrow::Borrow;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use hatchery::{Nursery, Pool};
use orx_parallel::{Scope, ThreadPool};

/// A pool of hatchery, for orx-parallel: of a `&Pool`, an `Arc<Pool>`, or a `Pool` itself.
///
/// # Blocking
///
/// A computation ends when all of its tasks have ended. Until then its thread runs them, and nothing else.
///
/// # Panics
///
/// A panic in a task goes on from the computation, with its payload. Tasks that have not begun are dropped unrun.
///
/// # Examples
///
/// ```
/// use hatchery_orx_parallel::On;
/// use orx_parallel::*;
/// use std::sync::Mutex;
///
/// let pool = hatchery::Pool::builder().threads(2).build()?;
/// let numbers = [4, 8, 15];
/// let (sum, most) = (Mutex::new(0), Mutex::new(0));
/// On(&pool).run_all(tasks![
///     || *sum.lock().unwrap() = numbers.iter().sum(),
///     || *most.lock().unwrap() = *numbers.iter().max().unwrap(),
/// ]);
/// assert_eq!((sum.into_inner().unwrap(), most.into_inner().unwrap()), (27, 15));
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct On<P>(pub P);

/// The current pool, which hatchery's free functions use, too: the pool of the innermost nursery around the call, or of the
/// calling thread, else the shared pool.
///
/// It blocks and panics as [`On`] does.
///
/// # Examples
///
/// ```
/// use hatchery_orx_parallel::OnCurrent;
/// use orx_parallel::*;
///
/// let pool = hatchery::Pool::builder().threads(3).build()?;
/// assert_eq!(pool.nursery(|_| OnCurrent.max_num_threads().get()), 3);
/// # Ok::<(), hatchery::BuildPoolError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OnCurrent;

/// What a computation runs its tasks in: a nursery.
#[derive(Clone, Copy)]
pub struct Within<'scope, 'env>(&'scope Nursery<'scope, 'env>);

impl fmt::Debug for Within<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Within").finish_non_exhaustive()
    }
}

impl<'s, 'env, 'scope> Scope<'s, 'env, 'scope> for Within<'s, 'env> {
    fn run<W>(self, work: W)
    where
        'scope: 's,
        'env: 'scope + 's,
        W: FnOnce() + Send + 'scope + 'env,
    {
        // Nobody joins it: its panic goes on from the end of the nursery.
        drop(self.0.spawn(work));
    }
}

// `Sync`, because a runner of orx-parallel says that it may be shared, whatever its pool is.
impl<P: Borrow<Pool> + Sync> ThreadPool for On<P> {
    type ScopeRef<'s, 'env, 'scope>
        = Within<'s, 'env>
    where
        'scope: 's,
        'env: 'scope + 's;

    fn scope<'env, 'scope, F>(&'env self, f: F)
    where
        'env: 'scope,
        for<'s> F: FnOnce(Within<'s, 'env>) + Send,
    {
        self.0.borrow().nursery(|n| f(Within(n)));
    }

    fn max_num_threads(&self) -> NonZeroUsize {
        at_most(self.0.borrow().threads())
    }
}

impl ThreadPool for OnCurrent {
    type ScopeRef<'s, 'env, 'scope>
        = Within<'s, 'env>
    where
        'scope: 's,
        'env: 'scope + 's;

    fn scope<'env, 'scope, F>(&'env self, f: F)
    where
        'env: 'scope,
        for<'s> F: FnOnce(Within<'s, 'env>) + Send,
    {
        hatchery::nursery(|n| f(Within(n)));
    }

    fn max_num_threads(&self) -> NonZeroUsize {
        at_most(hatchery::threads())
    }
}

/// The number of threads of a pool, unless `ORX_NUM_THREADS` allows fewer: orx-parallel promises that for each pool. It is
/// read once, as it is for orx-parallel's own pools.
fn at_most(threads: usize) -> NonZeroUsize {
    static MOST: LazyLock<NonZeroUsize> = LazyLock::new(|| {
        let set = std::env::var("ORX_NUM_THREADS").ok();
        let most = set.and_then(|number| number.parse().ok());
        most.unwrap_or(NonZeroUsize::MAX)
    });
    NonZeroUsize::new(threads).map_or(NonZeroUsize::MIN, |threads| threads.min(*MOST))
}
