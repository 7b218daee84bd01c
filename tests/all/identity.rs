//! Who a child is: the path of spawn indices, whatever thread runs it.

use std::collections::HashSet;
use std::thread;

use crate::common::{on_every_pool, on_no_worker, seeded};
use hatchery::{ChildId, Failures, OnFailure, Options, Pool, TryNursery};

fn all_of(pool: &Pool) -> Options {
    Options::new().pool(pool).on_failure(OnFailure::Continue)
}

fn ids<E>(failures: &Failures<E>) -> Vec<ChildId> {
    failures.iter().filter_map(|f| f.child().cloned()).collect()
}

/// What takes long enough for other threads to come.
fn work() {
    for _ in 0..2000 {
        std::hint::spin_loop();
    }
}

#[test]
fn what_an_item_spawns_is_its_own_wherever_it_runs() {
    on_every_pool(|pool| {
        let failures = all_of(pool).try_nursery::<u32, (), _>(|n| {
            n.spawn_each(0..2000_u32, |i| {
                work();
                n.spawn(move || Err::<(), _>(i));
                Ok(())
            });
            Ok(())
        });
        let ids = ids(&failures.unwrap_err());
        assert_eq!(ids.len(), 2000);
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(id.to_string(), format!("{i}.0"));
            assert_eq!(id.spawner().unwrap().index(), i as u64);
        }
    });
}

#[test]
fn forks_are_part_of_their_task_as_long_as_they_stay_on_its_thread() {
    fn halves<'s>(n: &'s TryNursery<'s, '_, ()>, depth: u32) {
        if depth == 0 {
            work();
            n.spawn(|| Err::<(), _>(()));
            return;
        }
        hatchery::join(|| halves(n, depth - 1), || halves(n, depth - 1));
    }
    on_every_pool(|pool| {
        for _ in 0..10 {
            let failures = all_of(pool).try_nursery::<(), (), _>(|n| {
                halves(n, 6);
                n.spawn(|| {
                    halves(n, 6);
                    Ok(())
                });
                Ok(())
            });
            let ids = ids(&failures.unwrap_err());
            assert_eq!(ids.len(), 128);
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 128);
            let elsewhere = ids.iter().filter(|id| id.is_elsewhere()).count();
            // The first half of each of the two stays.
            assert!(!ids[0].is_elsewhere() && elsewhere <= 126, "{elsewhere}");
        }
    });
    on_no_worker(|pool| {
        let failures = all_of(pool).try_nursery::<(), (), _>(|n| {
            halves(n, 3);
            Ok(())
        });
        let texts = ids(&failures.unwrap_err())
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        assert_eq!(texts, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    });
}

#[test]
fn children_spawned_elsewhere_have_numbers_of_their_own() {
    on_every_pool(|pool| {
        let failures = all_of(pool).try_nursery::<(), (), _>(|n| {
            n.spawn(|| Err::<(), _>(()));
            thread::scope(|threads| {
                threads.spawn(|| (0..3).for_each(|_| drop(n.spawn(|| Err::<(), _>(())))));
            });
            // From inside a nursery further in, too.
            hatchery::nursery(|_| drop(n.spawn(|| Err::<(), _>(()))));
            n.spawn(|| Err::<(), _>(()));
            Ok(())
        });
        let ids = ids(&failures.unwrap_err());
        let told: Vec<_> = ids
            .iter()
            .map(|id| (id.is_elsewhere(), id.index()))
            .collect();
        let expected = [
            (false, 0),
            (false, 1),
            (true, 0),
            (true, 1),
            (true, 2),
            (true, 3),
        ];
        assert_eq!(told, expected);
        assert!(ids.iter().all(|id| id.spawner().is_none()));
        assert_ne!(ids[0], ids[2]);
    });
}

#[test]
fn a_path_may_be_as_long_as_a_chain_of_children() {
    /// Each spawns one that fails, perhaps, and the next.
    fn chain<'s>(n: &'s TryNursery<'s, '_, ()>, left: u32, before: u32) -> Result<(), ()> {
        if left == 0 {
            return Err(());
        }
        (0..before).for_each(|_| drop(n.spawn(|| Ok(()))));
        n.spawn(move || chain(n, left - 1, 1 - before));
        Ok(())
    }
    on_every_pool(|pool| {
        let last = || {
            let failures = pool.try_nursery::<_, (), _>(|n| {
                n.spawn(|| chain(n, 50_000, 1));
                Ok(())
            });
            ids(&failures.unwrap_err()).remove(0)
        };
        let (one, other) = (last(), last());
        assert_eq!(one, other);
        assert!(one.spawner().unwrap() < one);
        let both = HashSet::from([one.clone(), other]);
        assert_eq!(both.len(), 1);
        assert_eq!(one.path().count(), 50_001);
        assert!(one.to_string().len() < 100, "{one}");
    });
}

/// Against paths that are written out.
#[test]
fn ids_are_ordered_as_their_paths() {
    fn tree<'s>(n: &'s TryNursery<'s, '_, ()>, seed: u64, depth: u32) -> Result<(), ()> {
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..rng.u32(0..3) {
            let seed = rng.u64(..);
            if depth > 0 {
                n.spawn(move || tree(n, seed, depth - 1));
            }
        }
        Err(())
    }
    on_every_pool(|pool| {
        let mut rng = seeded("identity");
        let seeds = [(); 3].map(|()| rng.u64(..));
        let failures = all_of(pool).try_nursery::<_, (), _>(|n| {
            for seed in seeds {
                n.spawn(move || tree(n, seed, 12));
            }
            Ok(())
        });
        let failures = failures.unwrap_err();
        let mut ids = ids(&failures);
        ids.truncate(300);
        let path = |id: &ChildId| id.path().collect::<Vec<_>>();
        let paths: Vec<_> = ids.iter().map(path).collect();
        for (one, own) in ids.iter().zip(&paths) {
            let spawner = one.spawner().map(|spawner| path(&spawner));
            assert_eq!(spawner.unwrap_or_default(), own[..own.len() - 1]);
            for (two, others) in ids.iter().zip(&paths) {
                assert_eq!(one.cmp(two), own.cmp(others), "{one} and {two}");
                assert_eq!(one == two, own == others);
            }
        }
    });
}

#[test]
fn what_is_spawned_while_a_call_blocks_in_place_is_its_tasks_own() {
    on_every_pool(|pool| {
        let failures = all_of(pool).try_nursery::<(), (), _>(|n| {
            n.spawn_body(|| {
                hatchery::block_in_place(|| n.spawn(|| Err::<(), _>(())));
                Ok(())
            });
            hatchery::block_in_place(|| n.spawn(|| Err::<(), _>(())));
            n.spawn(|| Err::<(), _>(()));
            Ok(())
        });
        let ids = ids(&failures.unwrap_err());
        let texts: Vec<_> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["0.0", "1", "2"]);
    });
}
