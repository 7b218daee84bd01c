//! What the models of runs have in common: threads that pass the children of a nursery around.
//!
//! Records and their lists, nurseries, runs, slots and seats are the real ones. What ties them together in the
//! engine needs frames: a wait there looks around a dozen times before it parks, and gives its place up, which
//! no model could explore. So that is told again here, with the same operations in the same order, and each
//! function names what it stands for.
#![allow(
    unsafe_code,
    reason = "threads of a model use their seats, which are made before"
)]

use std::cell::RefCell;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;

use super::nursery::Nursery;
use crate::engine::core::Core;
use crate::engine::node::Node;
use crate::engine::seat::{Kind, Seat};
use crate::engine::shared::{Run, Slot};
use crate::platform::deque::Worker as Deque;
use crate::platform::planted;
use crate::platform::sync::atomic::Ordering;
use crate::task::list::{PendingList, is_before};
use crate::task::record::{Handle, Queued, Running};

/// A pool, and the seats of its threads.
pub(super) struct Pool {
    seats: Vec<Seat>,
}

// SAFETY: each seat is used by one thread at a time.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Deref for Pool {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.seats[0].core
    }
}

impl Pool {
    /// A pool of this many threads that compute, with as many places; the first `sharing` threads share
    /// something.
    pub(super) fn new(threads: usize, sharing: usize) -> Arc<Self> {
        Self::of(threads, |slots| Core::new(threads, slots, sharing))
    }

    /// A pool of workers, as many as there are places, where jobs are submitted.
    pub(super) fn with_jobs(threads: usize) -> Arc<Self> {
        Self::of(threads, |slots| Core::new(threads, slots, 0).with_jobs())
    }

    /// The same, where jobs submit them.
    pub(super) fn within_jobs(threads: usize) -> Arc<Self> {
        Self::of(threads, |slots| {
            Core::new(threads, slots, 0).with_jobs().within_jobs()
        })
    }

    /// A pool of one worker, which has not started, and of a caller that has the only place. Jobs are submitted.
    pub(super) fn with_jobs_and_a_caller() -> Arc<Self> {
        let pool = Self::of(1, |slots| {
            Core::new(1, slots, 0).with_jobs().that_starts_late()
        });
        pool.slots[0].asleep.store(true, Ordering::Relaxed);
        pool.idle.enlist(0);
        pool
    }

    fn of(
        threads: usize,
        core: impl FnOnce(Vec<crate::platform::sync::Arc<Slot>>) -> Core,
    ) -> Arc<Self> {
        let deques: Vec<_> = (0..threads).map(|_| Deque::new_lifo()).collect();
        let slot = |deque: &Deque<_>| Slot::new(deque.stealer(), String::new());
        let slots = deques.iter().map(slot).map(Into::into).collect();
        let core = crate::platform::sync::Arc::new(core(slots));
        (0..threads).for_each(|_| core.idle.take_place_anyway());
        let seat = |(index, deque)| {
            let slot = crate::platform::sync::Arc::clone(&core.slots[index]);
            Seat::new(core.clone(), slot, deque, Kind::Worker)
        };
        let seats = deques.into_iter().enumerate().map(seat).collect();
        Arc::new(Self { seats })
    }

    /// Asks a thread for something.
    pub(super) fn ask(&self, slot: usize) {
        self.slots[slot].requests.arm();
    }

    /// This thread's part in it.
    pub(super) fn seat(self: &Arc<Self>, index: usize) -> Thread {
        Thread {
            pool: Arc::clone(self),
            index,
        }
    }
}

/// A thread that has a seat.
pub(super) struct Thread {
    pub(super) pool: Arc<Pool>,
    index: usize,
}

impl Deref for Thread {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.pool.seats[self.index]
    }
}

impl Thread {
    /// `Node::release`.
    pub(super) fn release(&self, nursery: &Node) {
        if planted::step("whom to wake is looked up after the release") {
            if nursery.count.release() {
                nursery.home().unpark(self.slot());
            }
            return;
        }
        nursery.release(self);
    }

    /// As `Seat::answer_at_spawn` with one frame that has something, and nothing that is shown:
    /// `give_to_the_hungry` and `give`.
    pub(super) fn answer_request(&self, nursery: &Node, list: &PendingList) {
        let requests = &self.slot().requests;
        if !requests.are_made() || list.is_empty() {
            return;
        }
        requests.clear();
        if requests.are_wanted(&self.core.idle) {
            self.expose(nursery, list.split_newer_half());
        }
    }

    /// As `Frame::expose`.
    pub(super) fn expose(&self, nursery: &Node, children: PendingList) {
        if planted::step("the waiter is not told") {
            self.slot().take_asker();
        }
        if planted::step("a run is visible before it is counted") {
            self.show(Run::again(nursery, children));
            nursery.count.add(1);
        } else {
            self.show(Run::new(nursery, children, 0));
        }
    }

    /// As `Slot::steal`, from this thread.
    pub(super) fn steal(&self, victim: usize) -> Option<Run> {
        self.core.slots[victim].steal()
    }

    /// As `Frame::drain`, `Queued::run` and what is called there: false if there were none.
    pub(super) fn drain(&self, nursery: &Node, list: &PendingList) -> bool {
        let mut has_run = false;
        while self.run_next(nursery, list) {
            has_run = true;
        }
        has_run
    }

    /// As one turn of that.
    pub(super) fn run_next(&self, nursery: &Node, list: &PendingList) -> bool {
        let Some(child) = list.pop() else {
            return false;
        };
        self.answer_request(nursery, list);
        let wake = |_| nursery.home().unpark(self.slot());
        child.run(nursery.is_on(self), ptr::null(), |_| (), wake);
        true
    }

    /// As `Run::execute`, to the end.
    pub(super) fn execute(&self, run: Run) {
        run.with_nursery(|run, nursery| {
            self.drain(nursery, &run.children);
            self.release(nursery);
        });
    }

    /// As `Frame::take_back`, of a frame that has shown two parts at most: takes back those that stand in
    /// front of the list.
    pub(super) fn take_back_next(&self, nursery: &Node, list: &PendingList) -> bool {
        let own = || {
            let run = self.pop()?;
            assert!(ptr::eq(run.scope(), nursery));
            Some(run)
        };
        let mut parts = [own(), own()];
        // What was shown first comes first, unless what was shown later was cut in front of it.
        let first = |part: &Option<Run>| part.as_ref().map(|run| run.numbers().start);
        if let [Some(last), Some(former)] = parts.each_ref().map(first)
            && !is_before(last, former)
            && !planted::step("what was shown last comes back first")
        {
            parts.swap(0, 1);
        }
        let front = PendingList::new();
        let mut has_come = false;
        for run in parts.into_iter().flatten() {
            if list.len_before(run.numbers().start) > 0 {
                self.put_back([run]);
                continue;
            }
            run.take_back(self, &front);
            has_come = true;
        }
        list.prepend(&front);
        has_come
    }

    /// As `Seat::help_others`: hands the list on, and takes the first stray.
    pub(super) fn help_others(&self, nursery: &Node, list: &PendingList) {
        let is_own = |run: &Run| ptr::eq(run.scope(), nursery);
        let Some(run) = self.core.injector.take(is_own) else {
            return;
        };
        let rest = list.take();
        if !rest.is_empty() {
            let rest = Run::new(nursery, rest, 0);
            if planted::step("what is handed on is not counted") {
                nursery.count.release();
            }
            self.inject(rest);
        }
        run.take_back(self, list);
    }

    /// As `Seat::queue`, where no frame of the nursery is on this thread.
    pub(super) fn spawn_elsewhere(&self, nursery: &Node, child: Queued) {
        let children = PendingList::of(child);
        if planted::step("a stray is visible before it is counted") {
            self.inject(Run::again(nursery, children));
            nursery.count.add(1);
        } else {
            self.inject(Run::new(nursery, children, 0));
        }
    }

    /// `Seat::inject`.
    pub(super) fn inject(&self, run: Run) {
        let home = run.scope().home();
        if planted::step("the home is told before the stray is there") {
            home.leave_token(self.slot());
            self.core.injector.push(run);
            self.core.idle.wake_one(&*self.core);
        } else if planted::step("no worker is told of the stray") {
            self.core.injector.push(run);
            home.leave_token(self.slot());
        } else {
            (**self).inject(run);
        }
    }

    /// As the rest of `Seat::help`: has something of the nursery come back home.
    pub(super) fn get_back(&self, nursery: &Node, list: &PendingList) -> bool {
        let is_own = |run: &Run| ptr::eq(run.scope(), nursery);
        if let Some(run) = self.pop() {
            if is_own(&run) {
                run.take_back(self, list);
                return true;
            }
            // An outer nursery's.
            self.put_back([run]);
        }
        let stray = self.core.injector.take(is_own);
        stray.map(|run| run.take_back(self, list)).is_some()
    }

    /// As `Seat::leapfrog`, from the thread that has taken children of this nursery: false if there
    /// was nothing to run.
    pub(super) fn leapfrog(&self, nursery: &Node, list: &PendingList, from: usize) -> bool {
        let runner = &self.core.slots[from];
        if !runner.has_work() {
            runner.requests.ask_as(self.slot());
            return false;
        }
        let Some(run) = runner.steal() else {
            return false;
        };
        if !ptr::eq(run.scope(), nursery) {
            self.inject(run);
            return false;
        }
        run.take_back(self, list);
        true
    }

    /// As `Seat::wait_for_end`.
    pub(super) fn wait_for_end(&self, nursery: &Node, list: &PendingList) {
        loop {
            self.drain(nursery, list);
            if nursery.count.is_zero() {
                return;
            }
            if self.get_back(nursery, list) {
                continue;
            }
            if planted::step("the home does not wait for what was stolen") {
                return;
            }
            self.slot().parker.park();
        }
    }

    /// As `Seat::run_claimed`.
    pub(super) fn run_claimed(&self, nursery: &Node, child: Running) {
        child.run(ptr::null(), |_| nursery.home().unpark(self.slot()));
    }

    /// A worker that has looked everywhere, and sleeps until there is something in one place.
    pub(super) fn sleep_and_work(&self, find: impl Fn(&Self) -> Option<Run>) {
        self.announce();
        self.sleep();
        let run = find(self).expect("roused for it");
        self.core.idle.found(&*self.core);
        self.execute(run);
    }

    /// As in `worker::work`: a search has found nothing.
    pub(super) fn announce(&self) {
        self.slot().asleep.store(true, Ordering::Relaxed);
        self.core.idle.announce(self.index, &*self.core);
    }

    /// As `worker::sleep`.
    pub(super) fn sleep(&self) {
        // ORDERING: as there.
        while self.slot().asleep.load(Ordering::Acquire) {
            self.slot().parker.park();
        }
    }

    /// As `Held::join` and `Seat::wait_for_child`, of a child that was shared.
    pub(super) fn join(
        &self,
        nursery: &Nursery,
        list: &PendingList,
        child: Handle<usize>,
    ) -> usize {
        while child.outcome().is_none() {
            if self.drain(nursery, list) || self.get_back(nursery, list) {
                continue;
            }
            if let Some(running) = child.claim() {
                self.run_claimed(nursery, running);
                continue;
            }
            if child.ask_for_wake() {
                self.slot().parker.park();
            }
        }
        nursery.result(child)
    }
}

/// The frame of a fork, as `scope::fork::Fork`. Its nursery has one child, which is its second closure.
pub(super) struct Fork<'a> {
    nursery: &'a Nursery,
    list: PendingList,
    handle: RefCell<Option<Handle<usize>>>,
}

impl<'a> Fork<'a> {
    pub(super) fn new(nursery: &'a Arc<Nursery>) -> Self {
        Self {
            nursery,
            list: PendingList::new(),
            handle: RefCell::new(None),
        }
    }

    /// As `Seat::answer_before_step` and `Frame::settle`.
    pub(super) fn answer_request(&self, seat: &Thread) {
        let requests = &seat.slot().requests;
        if requests.are_made() && self.handle.borrow().is_none() {
            requests.clear();
            if requests.are_wanted(&seat.core.idle) {
                self.show(seat);
            }
        }
    }

    /// As `Fork::prepare` and `Frame::expose_all_of`.
    pub(super) fn show(&self, seat: &Thread) {
        let (child, handle) = self.nursery.spawn(0);
        self.list.push(child);
        *self.handle.borrow_mut() = Some(handle);
        seat.expose(self.nursery, self.list.take());
    }

    /// As the rest of `openly`, once the first closure has ended.
    pub(super) fn second(&self, seat: &Thread) -> usize {
        let Some(handle) = self.handle.take() else {
            return self.nursery.call(0);
        };
        if planted::step("a fork is over once its child has ended") {
            return seat.join(self.nursery, &self.list, handle);
        }
        seat.wait_for_end(self.nursery, &self.list);
        let value = self.nursery.result(handle);
        assert!(self.nursery.is_released(0), "released once");
        value
    }
}
