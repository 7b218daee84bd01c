//! The end of a pool: nobody sleeps through it, and whoever was started is waited for.
//!
//! What the workers do here mirrors `worker::main` and `work`; what the others do mirrors `Core::rouse`,
//! `Core::start_worker` and `Core::shut_down`.

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread::{self, JoinHandle};

use super::{Memory, exhaustively, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::idle::{Field, Idle};
use crate::protocol::threads::Threads;

const WORKER: usize = 0;
const SPARE: usize = 1;

/// A worker's slot.
struct Slot {
    has_started: AtomicBool,
    is_asleep: AtomicBool,
    parker: Parker,
}

struct Core {
    me: Mutex<Option<Arc<Core>>>,
    idle: Idle,
    threads: Threads<JoinHandle<()>>,
    slots: [Slot; 2],
    visible: AtomicUsize,
    /// What the worker writes at its end, and whoever has waited for that.
    end: Memory<u32>,
}

impl Field for Core {
    fn has_visible_work(&self) -> bool {
        self.visible.load(Ordering::Relaxed) > 0
    }

    fn arm_all(&self) {}

    fn rouse(&self, worker: usize) -> bool {
        let slot = &self.slots[worker];
        if !slot.has_started.swap(true, Ordering::Relaxed) {
            let core = self.this();
            return core.is_some_and(|core| self.start(move || core.be_worker()));
        }
        slot.is_asleep.store(false, Ordering::Release);
        slot.parker.unpark();
        true
    }

    fn start_spare(&self) -> bool {
        let core = self.this();
        core.is_some_and(|core| self.start(move || core.be_spare()))
    }
}

impl Core {
    fn new(spares: usize) -> Arc<Self> {
        let slot = || Slot {
            has_started: AtomicBool::new(true),
            is_asleep: AtomicBool::new(true),
            parker: Parker::new(),
        };
        let core = Arc::new(Self {
            me: Mutex::new(None),
            idle: Idle::new(1, spares),
            threads: Threads::new(),
            slots: [slot(), slot()],
            visible: AtomicUsize::new(0),
            end: Memory::new(0),
        });
        *core.me.lock().unwrap() = Some(Arc::clone(&core));
        core
    }

    /// As a handle for a thread, until the end.
    fn this(&self) -> Option<Arc<Self>> {
        self.me.lock().unwrap().clone()
    }

    fn start(&self, main: impl FnOnce() + 'static) -> bool {
        if planted::step("is started past the lock") {
            thread::spawn(main);
            return true;
        }
        let start = || Some(thread::spawn(main));
        self.threads.start(start, |_| false).is_some()
    }

    /// The look behind the one that enlists.
    fn is_closed_at_last(&self) -> bool {
        !planted::step("does not look again behind the sleepers") && self.threads.is_closed()
    }

    fn sleep(&self, worker: usize) {
        let slot = &self.slots[worker];
        while slot.is_asleep.load(Ordering::Acquire) {
            slot.parker.park();
        }
    }

    /// From a search that has found nothing on, until the pool is over.
    fn search_in_vain(&self, worker: usize, stands_aside: bool) {
        while !self.threads.is_closed() {
            if stands_aside {
                self.idle.stand_aside(self);
                self.slots[worker].is_asleep.store(true, Ordering::Relaxed);
                self.idle.join_sleepers(worker, self);
            } else {
                self.slots[worker].is_asleep.store(true, Ordering::Relaxed);
                self.idle.announce(worker, self);
            }
            if self.is_closed_at_last() {
                self.idle.rouse_all(self);
            }
            self.sleep(worker);
        }
        // The place and the mark that came with the rousing.
        self.idle.found(self);
        self.idle.vacate(self);
    }

    /// A worker that comes with a place and a mark, and takes what there is.
    fn be_worker(&self) {
        self.visible.store(0, Ordering::Relaxed);
        self.search_in_vain(WORKER, false);
        self.end.write(1);
    }

    fn be_spare(&self) {
        self.visible.store(0, Ordering::Relaxed);
        self.search_in_vain(SPARE, false);
    }

    fn shut_down(&self) {
        let is_late = planted::step("says so after it has roused all");
        if !is_late {
            self.threads.close();
        }
        self.idle.rouse_all(self);
        if is_late {
            self.threads.close();
        }
        for thread in self.threads.take() {
            thread.join().unwrap();
        }
        *self.me.lock().unwrap() = None;
    }

    /// Nobody is left, and all that was taken was given back.
    fn assert_empty(&self) {
        let [computing, searching, asleep, ..] = self.idle.snapshot();
        assert_eq!([computing, searching, asleep], [0; 3], "places and marks");
    }
}

/// Shuts down while a worker searches in vain, and stands aside before it goes to sleep or does not.
fn shut_down_beside_a_search(stands_aside: bool) {
    let core = Core::new(0);
    core.idle.take_place_anyway();
    core.idle.search();
    let worker = {
        let core = Arc::clone(&core);
        thread::spawn(move || core.search_in_vain(WORKER, stands_aside))
    };
    core.shut_down();
    worker.join().unwrap();
    core.assert_empty();
}

#[test]
fn shutdown_finds_a_worker_that_goes_to_sleep() {
    exhaustively(|| shut_down_beside_a_search(false));
}

#[test]
fn shutdown_finds_a_worker_that_stood_aside() {
    exhaustively(|| shut_down_beside_a_search(true));
}

#[test]
fn shutdown_waits_for_a_worker_that_is_started_meanwhile() {
    within_bounds(|| {
        let core = Core::new(0);
        core.slots[WORKER]
            .has_started
            .store(false, Ordering::Relaxed);
        core.idle.enlist(WORKER);
        let starter = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                core.visible.store(1, Ordering::Relaxed);
                core.idle.wake_one(&*core);
            })
        };
        core.shut_down();
        // The worker is over, or there is none.
        core.end.write(2);
        starter.join().unwrap();
        core.assert_empty();
    });
}

/// A child of the pool leaves its place, and something is to be done: a spare comes, or is refused.
#[test]
fn shutdown_waits_for_a_spare_that_is_started_meanwhile() {
    within_bounds(|| {
        let core = Core::new(1);
        core.idle.take_place_anyway();
        core.visible.store(1, Ordering::Relaxed);
        let worker = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                core.idle.leave(&*core);
                // And comes back, to end.
                core.idle.take_place_anyway();
                core.idle.note_return();
                core.idle.vacate(&*core);
            })
        };
        worker.join().unwrap();
        core.shut_down();
        core.assert_empty();
    });
}

/// The last handle of a pool is dropped by a child of it: its thread does not wait for itself.
#[test]
fn shutdown_from_a_worker_ends_the_others() {
    within_bounds(|| {
        let core = Core::new(0);
        core.idle.take_place_anyway();
        core.idle.search();
        let sleeper = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.search_in_vain(SPARE, false))
        };
        core.idle.take_place_anyway();
        let worker = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                core.shut_down();
                core.idle.search();
                core.search_in_vain(WORKER, false);
            })
        };
        core.visible.store(0, Ordering::Relaxed);
        core.idle.wake_one(&*core);
        sleeper.join().unwrap();
        worker.join().unwrap();
        core.assert_empty();
    });
}

twins! {
    shutdown_finds_a_worker_that_goes_to_sleep {
        it_does_not_look_again: step("does not look again behind the sleepers") => Deadlock;
        it_is_said_too_late: step("says so after it has roused all") => Deadlock;
    }
    shutdown_finds_a_worker_that_stood_aside {
        it_does_not_look_again: step("does not look again behind the sleepers") => Deadlock;
        it_is_said_too_late: step("says so after it has roused all") => Deadlock;
    }
    shutdown_waits_for_a_worker_that_is_started_meanwhile {
        it_does_not_look_again: step("does not look again behind the sleepers") => Deadlock;
        nobody_has_its_handle: step("is started past the lock") => Says("places and marks");
    }
    shutdown_waits_for_a_spare_that_is_started_meanwhile {
        it_does_not_look_again: step("does not look again behind the sleepers") => Deadlock;
    }
    shutdown_from_a_worker_ends_the_others {
        it_does_not_look_again: step("does not look again behind the sleepers") => Deadlock;
    }
}
