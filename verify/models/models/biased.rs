//! The lock of what a thread holds in private: its owner has it, or the thread that revokes it.

use loom::sync::Arc;

use super::state::Record;
use super::{Memory, exhaustively, spawn_with, twins};
use crate::platform::barrier;
use crate::platform::planted;
use crate::platform::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};
use crate::protocol::biased::BiasedLock;
use crate::protocol::count::Count;
use crate::protocol::requests::Requests;
use crate::protocol::watch::Watch;
use crate::task::state::{Finished, Outcome, Taken};

/// Takes the lock away from its owner, and calls `f` with it if the owner is outside.
fn revoke<R>(lock: &BiasedLock, f: impl FnOnce() -> R) -> Option<R> {
    lock.announce();
    lock.revoke(barrier::heavy(), f)
}

/// What a lock guards.
struct Guarded {
    lock: BiasedLock,
    memory: Memory<u32>,
}

impl Guarded {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: BiasedLock::new(),
            memory: Memory::new(0),
        })
    }

    fn add(&self) {
        self.memory.write(self.memory.read() + 1);
    }
}

#[test]
fn biased_one_at_a_time() {
    exhaustively(|| {
        let shared = Guarded::new();
        let revoker = spawn_with(&shared, |shared| {
            revoke(&shared.lock, || shared.add()).is_some()
        });
        shared.lock.with(|| shared.add());
        shared.lock.with(|| shared.add());
        let has_revoked = revoker.join().unwrap();
        let times = shared.lock.with(|| shared.memory.read());
        assert_eq!(times, 2 + u32::from(has_revoked));
    });
}

/// Where the system has no barrier for the revoker, the owner executes a fence: in a model one more, because a light
/// barrier is one, too.
#[test]
fn biased_with_a_fence() {
    exhaustively(|| {
        let shared = Guarded::new();
        shared.lock.want_fence();
        let revoker = spawn_with(&shared, |shared| {
            revoke(&shared.lock, || shared.add()).is_some()
        });
        shared.lock.with(|| shared.add());
        let has_revoked = revoker.join().unwrap();
        let times = shared.lock.with(|| shared.memory.read());
        assert_eq!(times, 1 + u32::from(has_revoked));
    });
}

/// A frame in the chain, which its owner takes out without the lock, and whose memory is somebody else's then.
struct Chained {
    lock: BiasedLock,
    first: AtomicPtr<u32>,
    frame: Memory<u32>,
}

#[test]
fn biased_retract() {
    exhaustively(|| {
        let shared = Arc::new(Chained {
            lock: BiasedLock::new(),
            first: AtomicPtr::new(std::ptr::dangling_mut()),
            frame: Memory::new(1),
        });
        let revoker = spawn_with(&shared, |shared| {
            revoke(&shared.lock, || {
                if !shared.first.load(Ordering::Relaxed).is_null() {
                    assert_eq!(shared.frame.read(), 1, "the frame is there");
                }
            });
        });
        shared.first.store(std::ptr::null_mut(), Ordering::Relaxed);
        if !planted::step("the owner does not wait") {
            shared.lock.wait_for_revoker();
        }
        shared.frame.write(0);
        revoker.join().unwrap();
    });
}

/// A nursery whose only child stands in a list, and is taken from there.
struct Emptied {
    lock: BiasedLock,
    /// Whether the list has the child.
    list: AtomicBool,
    count: Count,
    nursery: Memory<u32>,
}

#[test]
fn biased_a_list_that_was_emptied_is_counted() {
    exhaustively(|| {
        let shared = Arc::new(Emptied {
            lock: BiasedLock::new(),
            list: AtomicBool::new(true),
            count: Count::new(),
            nursery: Memory::new(1),
        });
        let revoker = spawn_with(&shared, |shared| {
            let taken = revoke(&shared.lock, || {
                let is_late = planted::step("it is counted after it has left the list");
                if !is_late {
                    shared.count.add(1);
                }
                // ORDERING: as in `PendingList::set_oldest`.
                shared.list.store(false, Ordering::Release);
                if is_late {
                    shared.count.add(1);
                }
            });
            if taken.is_some() {
                assert_eq!(shared.nursery.read(), 1, "the nursery is open");
                shared.count.release();
            }
        });
        // ORDERING: as in `PendingList::oldest`.
        let is_empty = !shared.list.load(Ordering::Acquire);
        if is_empty && shared.count.is_zero() {
            shared.nursery.write(0);
        }
        revoker.join().unwrap();
    });
}

/// A child that stands in the list of its own thread.
struct Listed {
    lock: BiasedLock,
    record: Arc<Record>,
}

impl Listed {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: BiasedLock::new(),
            record: Record::in_private(),
        })
    }

    /// Takes the child out of the list, and runs it; false if that did not come about.
    fn take_and_run(&self) -> bool {
        let taken = revoke(&self.lock, || self.record.state.share());
        taken.is_some_and(|()| self.record.take_and_run())
    }
}

/// The handle of a child goes while the child is taken out of its list.
#[test]
fn biased_a_handle_goes_or_the_child_is_shared() {
    exhaustively(|| {
        let shared = Listed::new();
        let revoker = spawn_with(&shared, Listed::take_and_run);
        let record = &shared.record;
        let in_private = if planted::step("the handle goes without the lock") {
            record.state.drop_handle_in_private()
        } else {
            shared.lock.with(|| record.state.drop_handle_in_private())
        };
        if !in_private {
            record.abandon();
        }
        let was_taken = revoker.join().unwrap();
        if !was_taken {
            assert!(record.take_and_run(), "it is in the list");
        }
        record.assert_released();
    });
}

/// The handle claims a child while the child is taken out of its list: one of the two runs it.
#[test]
fn biased_a_handle_claims_or_the_child_is_taken() {
    exhaustively(|| {
        let shared = Listed::new();
        let revoker = spawn_with(&shared, |shared| {
            let taken = revoke(&shared.lock, || shared.record.state.share());
            taken.map(|()| shared.record.state.take_from_queue() == Taken::Run)
        });
        let record = &shared.record;
        let is_claimed = if planted::step("the handle claims without the lock") {
            record.state.claim_by_handle()
        } else {
            shared.lock.with(|| record.state.claim_by_handle())
        };
        let is_taken = revoker.join().unwrap();
        if let Some(is_taken) = is_taken {
            assert_ne!(is_claimed, is_taken, "it runs once");
        } else {
            assert!(is_claimed);
        }
    });
}

/// A child that its handle has claimed ends while its stale reference is taken out of the list.
#[test]
fn biased_a_claimed_child_ends_or_its_reference_does() {
    exhaustively(|| {
        let shared = Listed::new();
        let record = &shared.record;
        assert!(record.state.claim_by_handle());
        let revoker = spawn_with(&shared, |shared| {
            let taken = revoke(&shared.lock, || shared.record.state.share());
            taken.is_some_and(|()| !shared.record.take_and_run())
        });
        record.fill();
        let finish = || record.state.finish(Outcome::Done);
        let finished = if planted::step("the child ends without the lock") {
            finish()
        } else {
            shared.lock.with(finish)
        };
        assert_eq!(finished, Finished::Left);
        shared.lock.with(|| record.abandon());
        if !revoker.join().unwrap() {
            assert!(!record.take_and_run(), "claimed");
        }
        record.assert_released();
    });
}

/// A batch that stands in the list of its own thread, which adds items to it.
struct Filled {
    listed: Arc<Listed>,
    len: Memory<u32>,
}

/// An item is added to a batch, or the batch is taken out of its list: then all of its items are known.
#[test]
fn biased_a_batch_grows_or_is_taken() {
    exhaustively(|| {
        let shared = Arc::new(Filled {
            listed: Listed::new(),
            len: Memory::new(1),
        });
        let revoker = spawn_with(&shared, |Filled { listed, len }| {
            let taken = revoke(&listed.lock, || listed.record.state.share());
            taken.map(|()| len.read())
        });
        let Filled { listed, len } = &*shared;
        let add = || {
            let is_private = listed.record.state.is_private_and_unstarted();
            if is_private {
                len.write(2);
            }
            is_private
        };
        let is_added = if planted::step("an item is added without the lock") {
            add()
        } else {
            listed.lock.with(add)
        };
        if let Some(items) = revoker.join().unwrap() {
            assert_eq!(items, 1 + u32::from(is_added), "all items are known");
        }
    });
}

/// A pool whose watcher stops while a thread spawns.
struct Watched {
    lock: BiasedLock,
    list: Memory<bool>,
    requests: Requests<()>,
    watch: Watch,
}

#[test]
fn watch_nothing_is_left_unwatched() {
    exhaustively(|| {
        let pool = Arc::new(Watched {
            lock: BiasedLock::new(),
            list: Memory::new(false),
            requests: Requests::new(),
            watch: Watch::new(),
        });
        pool.requests.clear();
        assert!(pool.watch.begin());
        let watcher = spawn_with(&pool, |pool| {
            let look = || {
                let found = revoke(&pool.lock, || pool.list.read());
                // A thread that is inside holds something, as far as anybody knows.
                found.unwrap_or(true)
            };
            pool.watch.end(|| pool.requests.arm(), look)
        });
        pool.lock.with(|| pool.list.write(true));
        if !planted::step("the thread does not look") && pool.requests.are_made() {
            pool.requests.clear();
            _ = pool.watch.is_on() || pool.watch.begin();
        }
        watcher.join().unwrap();
        assert!(pool.watch.is_on(), "watched");
    });
}

/// A thread answers while the watcher ends the watch: the thread is asked again, or the answer is not forgotten.
#[test]
fn watch_an_answer_is_not_forgotten() {
    exhaustively(|| {
        let pool = Arc::new(Watched {
            lock: BiasedLock::new(),
            list: Memory::new(false),
            requests: Requests::new(),
            watch: Watch::new(),
        });
        assert!(pool.watch.begin());
        let watcher = spawn_with(&pool, |pool| {
            pool.watch.end(|| pool.requests.arm(), || false)
        });
        pool.requests.clear();
        // As in `Requests::are_wanted`.
        fence(Ordering::SeqCst);
        pool.watch.note_answer();
        watcher.join().unwrap();
        let is_known = pool.requests.are_made() || pool.watch.has_answers();
        assert!(is_known, "asked, or known to have answered");
    });
}

twins! {
    biased_one_at_a_time {
        the_owner_does_not_say: skipped("protocol/biased.rs", "enter", "is_inside.store") => Race;
        the_owner_has_no_barrier: skipped("platform/barrier.rs", "light", "fence") => Race;
        the_revoker_does_not_say: skipped("protocol/biased.rs", "announce", "state.fetch_or") => Race;
        the_revoker_has_no_barrier: skipped("platform/barrier.rs", "heavy", "fence") => Race;
        what_the_owner_did_is_not_published: relaxed("protocol/biased.rs", "leave", "is_inside.store") => Race;
        the_revoker_does_not_acquire: relaxed("protocol/biased.rs", "revoke", "is_inside.load") => Race;
        what_the_revoker_did_is_not_published: relaxed("protocol/biased.rs", "revoke", "state.fetch_and") => Race;
        the_owner_does_not_acquire: relaxed("protocol/biased.rs", "enter", "state.load") => Race;
    }
    biased_with_a_fence {
        the_owner_does_not_acquire: relaxed("protocol/biased.rs", "enter_slowly", "Ordering::Acquire") => Race;
    }
    biased_retract {
        the_owner_does_not_wait: step("the owner does not wait") => Race;
        the_owner_has_no_barrier: skipped("platform/barrier.rs", "light", "fence") => Race;
    }
    biased_a_list_that_was_emptied_is_counted {
        it_is_counted_too_late: step("it is counted after it has left the list") => Race;
    }
    biased_a_handle_goes_or_the_child_is_shared {
        without_the_lock: step("the handle goes without the lock") => Says("");
    }
    biased_a_handle_claims_or_the_child_is_taken {
        without_the_lock: step("the handle claims without the lock") => Says("");
    }
    biased_a_claimed_child_ends_or_its_reference_does {
        without_the_lock: step("the child ends without the lock") => Says("");
    }
    biased_a_batch_grows_or_is_taken {
        without_the_lock: step("an item is added without the lock") => Race;
    }
    watch_nothing_is_left_unwatched {
        the_thread_does_not_look: step("the thread does not look") => Says("watched");
        nobody_is_asked: skipped("protocol/requests.rs", "arm", "asked.store") => Says("watched");
        the_watcher_has_no_barrier: skipped("platform/barrier.rs", "heavy", "fence") => Race;
    }
    watch_an_answer_is_not_forgotten {
        the_watcher_has_no_fence: skipped("protocol/watch.rs", "end", "fence") => Says("asked, or known");
    }
}
