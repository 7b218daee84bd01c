//! Gates: how many are inside, who comes next, and who gives up.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;

use crate::common::jobs::{Bell, Busy, Seen, block_on, lone, on_workers, poll_once};
use crate::common::{number_of, on_every_pool, on_pool, outcome, raise, seeded, watched};
use crate::grenades::Grenade;
use hatchery::{Gate, GateClosed, Inside, Options, Pool, Refused};

type Entry = Pin<Box<dyn Future<Output = Result<Inside, GateClosed>> + Send>>;

/// A caller that waits in line, or would.
struct Caller {
    entry: Entry,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Caller {
    fn of(gate: &Gate) -> Self {
        let (bell, waker) = Bell::with_waker();
        let entry = Box::pin(gate.enter());
        Self { entry, bell, waker }
    }

    fn poll(&mut self) -> Poll<Result<Inside, GateClosed>> {
        poll_once(&mut self.entry, &self.waker)
    }

    /// One that has been polled, and was not let in.
    fn in_line(gate: &Gate) -> Self {
        let mut caller = Self::of(gate);
        assert!(caller.poll().is_pending());
        caller
    }

    fn enters(&mut self) -> Inside {
        match self.poll() {
            Poll::Ready(Ok(inside)) => inside,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn j5_no_more_are_inside_than_the_gate_allows() {
    on_every_pool(|pool| {
        for most in [1, 3] {
            let (gate, options) = (Gate::new(most), Options::new().pool(pool));
            let [inside, peak] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
            thread::scope(|scope| {
                for caller in 0..4 {
                    let (gate, options) = (&gate, &options);
                    let [inside, peak] = [&inside, &peak].map(Arc::clone);
                    scope.spawn(move || {
                        for round in 0..200 {
                            let [inside, peak] = [&inside, &peak].map(Arc::clone);
                            let job = move || {
                                let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                                peak.fetch_max(now, Ordering::SeqCst);
                                thread::yield_now();
                                inside.fetch_sub(1, Ordering::SeqCst);
                                round
                            };
                            if caller == 0 {
                                let refused = gate.try_submit_with(options, job);
                                assert!(refused.is_ok_and(|job| job.join() == round) || most > 0);
                            } else {
                                let job = block_on(gate.submit_with(options, job)).unwrap();
                                assert!(gate.inside() <= most);
                                assert_eq!(job.join(), round);
                            }
                        }
                    });
                }
            });
            assert!((1..=most).contains(&peak.load(Ordering::SeqCst)));
            assert_eq!((gate.inside(), gate.waiting()), (0, 0));
        }
    });
}

#[test]
fn j5_callers_come_in_in_the_order_of_their_first_polls() {
    let gate = Gate::new(2);
    let mut inside = vec![gate.try_enter().unwrap(), gate.try_enter().unwrap()];
    // They are made in another order.
    let mut callers: Vec<_> = (0..8).map(|_| Caller::of(&gate)).collect();
    callers.reverse();
    for (i, caller) in callers.iter_mut().enumerate() {
        assert!(caller.poll().is_pending());
        assert_eq!(gate.waiting(), i + 1);
    }
    for next in 0..callers.len() {
        // Asking again changes nothing.
        assert!(
            callers[next..]
                .iter_mut()
                .all(|caller| caller.poll().is_pending())
        );
        drop(inside.remove(0));
        let rung = callers.iter().map(|caller| caller.bell.rung());
        assert!(rung.eq((0..8).map(|i| usize::from(i <= next))));
        // Its turn has come, and nobody overtakes it.
        assert_eq!(gate.try_enter().unwrap_err(), Refused::Full);
        assert!(Caller::of(&gate).poll().is_pending());
        inside.push(callers[next].enters());
    }
    assert_eq!((gate.inside(), gate.waiting()), (2, 0));
    drop(inside);
    assert_eq!(gate.inside(), 0);
}

#[test]
fn j6_who_gives_up_loses_nothing_for_the_others() {
    // Before its first poll, in line, when its turn has come, and when it has come in.
    for state in 0..4 {
        let gate = Gate::new(1);
        let inside = gate.try_enter().unwrap();
        let mut first = Caller::of(&gate);
        if state > 0 {
            assert!(first.poll().is_pending());
        }
        let mut second = Caller::in_line(&gate);
        let mut third = Caller::in_line(&gate);
        match state {
            0 | 1 => drop((first, inside)),
            2 => {
                drop(inside);
                assert_eq!((first.bell.rung(), second.bell.rung()), (1, 0));
                drop(first);
            }
            _ => {
                drop(inside);
                let entered = first.enters();
                assert!(second.poll().is_pending());
                drop(entered);
                drop(first);
            }
        }
        assert_eq!((second.bell.rung(), third.bell.rung()), (1, 0), "{state}");
        let inside = second.enters();
        assert!(third.poll().is_pending());
        drop(inside);
        drop(third.enters());
        assert_eq!((gate.inside(), gate.waiting()), (0, 0));
    }
}

#[test]
fn j6_the_wakers_of_who_gives_up_are_dropped() {
    let gate = Gate::new(1);
    let inside = gate.try_enter().unwrap();
    let caller = Caller::in_line(&gate);
    let bell = Arc::clone(&caller.bell);
    drop(caller);
    assert_eq!(Arc::strong_count(&bell), 1);
    drop(inside);
    assert_eq!(bell.rung(), 0);
}

#[test]
fn j6_the_last_waker_of_a_caller_is_rung() {
    let gate = Gate::new(1);
    let inside = gate.try_enter().unwrap();
    let mut caller = Caller::in_line(&gate);
    let (old, waker) = Bell::with_waker();
    assert!(poll_once(&mut caller.entry, &waker).is_pending());
    drop(waker);
    assert!(caller.poll().is_pending());
    // The gate has let go of it.
    assert_eq!(Arc::strong_count(&old), 1);
    drop(inside);
    assert_eq!((old.rung(), caller.bell.rung()), (0, 1));
    drop(caller.enters());
}

#[test]
fn j6_a_gate_that_is_closed_sends_those_in_line_away() {
    let gate = Gate::new(1);
    let inside = gate.try_enter().unwrap();
    let mut called = Caller::in_line(&gate);
    let mut waiting = [(); 3].map(|()| Caller::in_line(&gate));
    let mut unpolled = Caller::of(&gate);
    let seen = Seen::default();
    let witness = seen.witness();
    let mut job = Box::pin(gate.submit(move || drop(witness)));
    assert!(poll_once(&mut job, Waker::noop()).is_pending());
    drop(inside);
    assert!(!gate.is_closed());
    gate.clone().close();
    gate.close();
    assert!(gate.is_closed());
    for caller in &mut waiting {
        assert_eq!(caller.bell.rung(), 1);
        assert!(matches!(caller.poll(), Poll::Ready(Err(GateClosed))));
    }
    assert!(matches!(unpolled.poll(), Poll::Ready(Err(GateClosed))));
    assert!(matches!(
        poll_once(&mut job, Waker::noop()),
        Poll::Ready(Err(GateClosed))
    ));
    assert_eq!(seen.by(), [thread::current().id()]);
    // Its turn had come before.
    let inside = called.enters();
    assert_eq!((gate.inside(), gate.waiting()), (1, 0));
    drop(inside);
    assert_eq!(gate.inside(), 0);
    assert_eq!(gate.try_submit(|| ()).unwrap_err(), Refused::Closed);
    assert_eq!(gate.try_enter().unwrap_err(), Refused::Closed);
}

#[test]
fn j5_a_gate_refuses_who_does_not_wait_and_drops_the_closure() {
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        let (gate, options) = (Gate::new(1), Options::new().pool(pool));
        let job = gate.try_submit_with(&options, || 1).unwrap();
        let seen = Seen::default();
        let witness = seen.witness();
        let refused = gate.try_submit_with(&options, move || drop(witness));
        assert_eq!(refused.unwrap_err(), Refused::Full);
        assert_eq!(seen.by(), [thread::current().id()]);
        busy.end();
        assert_eq!(job.join(), 1);
        assert_eq!(gate.try_submit_with(&options, || 2).unwrap().join(), 2);
    });
    assert_eq!(Refused::Full.to_string(), "the gate is full");
    assert_eq!(Refused::Closed.to_string(), GateClosed.to_string());
    assert_eq!(Gate::new(0).try_enter().map(|_| ()), Ok(()));
}

#[test]
fn j6_a_job_gives_its_place_back_however_it_ends() {
    on_pool(lone(), |pool| {
        let (gate, options) = (Gate::new(1), Options::new().pool(pool));
        let enter = || block_on(gate.submit_with(&options, || raise(1))).unwrap();
        // It has panicked.
        let job = enter();
        assert_eq!(number_of(|| job.join()), 1);
        assert_eq!(gate.inside(), 0);
        // It was dropped unrun: its place is free at once, and the next in line is called.
        let busy = Busy::on(pool);
        let job = enter();
        let mut next = Caller::in_line(&gate);
        drop(job);
        let inside = next.enters();
        drop(inside);
        // It was let go.
        enter().detach();
        assert_eq!(gate.inside(), 1);
        let next = Caller::in_line(&gate);
        busy.end();
        next.bell.wait();
        drop(next);
        // It was cancelled, or joined by somebody else than a worker.
        let busy = Busy::on(pool);
        let job = block_on(gate.submit_with(&options, hatchery::checkpoint)).unwrap();
        job.cancel();
        job.join().unwrap_err();
        assert_eq!(gate.inside(), 0);
        busy.end();
    });
}

#[test]
fn j6_a_place_may_be_moved_to_where_the_work_ends() {
    on_workers(|pool| {
        let gate = Gate::new(1);
        let inside = block_on(gate.enter()).unwrap();
        let (job, held) = (Options::new().pool(pool), Arc::new(Mutex::new(None)));
        let keeps = Arc::clone(&held);
        let job = job.submit(move || {
            // It goes from child to child, and out of the job.
            let inside = hatchery::nursery(|n| n.spawn(move || inside).join());
            *keeps.lock().unwrap() = Some(inside);
        });
        job.join();
        let mut next = Caller::in_line(&gate);
        let inside = held.lock().unwrap().take();
        let thread = thread::spawn(move || drop(inside));
        thread.join().unwrap();
        assert_eq!(next.bell.rung(), 1);
        drop(next.enters());
    });
}

#[test]
fn j6_a_waker_that_panics_loses_no_place() {
    let gate = Gate::new(1);
    let grenade = Grenade::new();
    let waker = grenade.waker();
    let mut entry: Entry = Box::pin(gate.enter());
    // As it comes in at once.
    grenade.on_drop(true);
    drop(outcome(|| drop(poll_once(&mut entry, &waker))));
    assert_eq!(gate.inside(), 0);
    // As it is to stand in line.
    let inside = gate.try_enter().unwrap();
    grenade.on_clone(true);
    let mut entry: Entry = Box::pin(gate.enter());
    drop(outcome(|| drop(poll_once(&mut entry, &waker))));
    assert_eq!(gate.waiting(), 0);
    grenade.on_clone(false);
    assert!(poll_once(&mut entry, &waker).is_pending());
    // As it asks again, in vain and when its turn has come.
    drop(outcome(|| drop(poll_once(&mut entry, &waker))));
    grenade.on_wake(true);
    drop(inside);
    assert_eq!((gate.inside(), gate.waiting()), (1, 0));
    drop(outcome(|| drop(poll_once(&mut entry, &waker))));
    drop(entry);
    assert_eq!(gate.inside(), 0);
    // As it gives up.
    let inside = gate.try_enter().unwrap();
    let mut entry: Entry = Box::pin(gate.enter());
    assert!(poll_once(&mut entry, &waker).is_pending());
    let mut next = Caller::in_line(&gate);
    drop(outcome(|| drop(entry)));
    // As the gate is closed, beside others.
    let mut entry: Entry = Box::pin(gate.enter());
    assert!(poll_once(&mut entry, &waker).is_pending());
    let last = Caller::in_line(&gate);
    drop(inside);
    drop(next.enters());
    gate.close();
    assert_eq!(last.bell.rung(), 1);
    grenade.on_drop(false);
    drop(waker);
    drop(entry);
    assert_eq!((grenade.alive(), gate.inside()), (0, 0));
}

#[test]
fn j5_j6_whatever_callers_do_the_gate_is_empty_at_the_end() {
    watched(Pool::shared(), || {
        let mut random = seeded("gates");
        for most in [1, 2, 5] {
            let gate = Gate::new(most);
            let seeds: Vec<_> = (0..4).map(|_| random.u64(..)).collect();
            thread::scope(|scope| {
                for seed in seeds {
                    let gate = &gate;
                    scope.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(seed);
                        for _ in 0..500 {
                            let mut caller = Caller::of(gate);
                            let polls = random.usize(..4);
                            let entered = (0..polls).find_map(|_| match caller.poll() {
                                Poll::Ready(entered) => Some(entered.unwrap()),
                                Poll::Pending => None,
                            });
                            assert!(gate.inside() <= most);
                            if entered.is_none() && polls > 0 && random.bool() {
                                drop(block_on(caller.entry).unwrap());
                            }
                        }
                    });
                }
            });
            assert_eq!((gate.inside(), gate.waiting()), (0, 0));
        }
    });
}
