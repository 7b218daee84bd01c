//! What the models of runs have in common: a nursery whose children are passed around, and threads that
//! pass them.
//!
//! Records, their lists, the count, requests, places, parkers and strays are the real ones. What ties them
//! together in the engine needs stacks and threads; here it is told again, with the same operations in
//! the same order, and each function names what it stands for.
use std::cell::RefCell;
use std::ptr;
use std::sync::Arc;

use super::deque::Deque;
use super::nursery::Nursery;
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::protocol::idle::{Field, Idle};
use crate::protocol::injector::Injector;
use crate::protocol::requests::Requests;
use crate::task::list::{PendingList, is_before};
use crate::task::record::{Handle, Queued, Running};

/// As `engine::shared::Run`.
pub(super) struct Run {
    pub(super) nursery: Arc<Nursery>,
    children: PendingList,
}

impl Run {
    /// As there.
    fn new(nursery: &Arc<Nursery>, children: PendingList) -> Self {
        children.share(0);
        nursery.count.add(1);
        let nursery = Arc::clone(nursery);
        Self { nursery, children }
    }
}

/// What other threads see of one, as `engine::shared::Slot`.
pub(super) struct Slot {
    pub(super) parker: Parker,
    pub(super) requests: Requests<Slot>,
    pub(super) deque: Deque<Run>,
    /// Set while it is enlisted among the sleepers.
    pub(super) asleep: AtomicBool,
}

/// As `Core`.
pub(super) struct Pool {
    pub(super) idle: Idle,
    pub(super) injector: Injector<Run>,
    pub(super) slots: Vec<Slot>,
    /// How many of them share something at some time, the first ones.
    sharing: usize,
}

impl Pool {
    /// A pool of so many threads that compute, with as many places, of which so many share something.
    pub(super) fn new(threads: usize, sharing: usize) -> Arc<Self> {
        let slot = |_| Slot {
            parker: Parker::new(),
            requests: Requests::new(),
            deque: Deque::new(),
            asleep: AtomicBool::new(false),
        };
        let pool = Self {
            idle: Idle::new(threads, 0),
            injector: Injector::new(),
            slots: (0..threads).map(slot).collect(),
            sharing,
        };
        (0..threads).for_each(|_| pool.idle.take_place_anyway());
        Arc::new(pool)
    }

    /// Asks a thread for something, as `Slot::arm`.
    pub(super) fn ask(&self, slot: usize) {
        self.slots[slot].requests.arm();
    }

    /// This thread's part in it.
    pub(super) fn seat(self: &Arc<Self>, index: usize) -> Seat {
        Seat {
            pool: Arc::clone(self),
            index,
        }
    }
}

impl Field for Pool {
    fn has_visible_work(&self) -> bool {
        let mut sharing = self.slots[..self.sharing].iter();
        self.injector.len() > 0 || sharing.any(|slot| !slot.deque.is_empty())
    }

    fn arm_all(&self) {
        self.slots.iter().for_each(|slot| slot.requests.arm());
    }

    fn rouse(&self, worker: usize) {
        // ORDERING: as in `Core::rouse`.
        self.slots[worker].asleep.store(false, Ordering::Release);
        self.slots[worker].parker.unpark();
    }

    fn start_spare(&self) -> bool {
        false
    }
}

/// The private side of a thread, as `engine::seat::Seat`.
pub(super) struct Seat {
    pub(super) pool: Arc<Pool>,
    index: usize,
}

impl Seat {
    pub(super) fn slot(&self) -> &Slot {
        &self.pool.slots[self.index]
    }

    fn is_home(&self, nursery: &Nursery) -> bool {
        nursery.home() == self.index
    }

    /// As `SlotRef::unpark`.
    fn unpark(&self, slot: usize) {
        if slot != self.index {
            self.pool.slots[slot].parker.unpark();
        }
    }

    /// As `Node::release`.
    pub(super) fn release(&self, nursery: &Nursery) {
        let mut home = nursery.home();
        let was_last = nursery.count.release();
        if planted::step("whom to wake is looked up after the release") {
            home = nursery.home();
        }
        if was_last {
            self.unpark(home);
        }
    }

    /// As `Seat::answer_request` with one frame that has something: `answer` and `give`.
    pub(super) fn answer_request(&self, nursery: &Arc<Nursery>, list: &PendingList) {
        let requests = &self.slot().requests;
        if !requests.are_made() || list.is_empty() {
            return;
        }
        requests.clear();
        if requests.are_wanted(&self.pool.idle) {
            self.expose(nursery, list.split_newer_half());
        }
    }

    /// As `Frame::expose`.
    pub(super) fn expose(&self, nursery: &Arc<Nursery>, children: PendingList) {
        if planted::step("a run is visible before it is counted") {
            children.share(0);
            let nursery = Arc::clone(nursery);
            let counted = Arc::clone(&nursery);
            self.slot().deque.push(Run { nursery, children });
            counted.count.add(1);
        } else {
            let run = Run::new(nursery, children);
            self.slot().deque.push(run);
        }
        self.pool.idle.wake_one(&*self.pool);
        if planted::step("the waiter is not told") {
            return;
        }
        if let Some(waiter) = self.slot().requests.take_asker() {
            let mut slots = self.pool.slots.iter();
            let waiter = slots.find(|slot| ptr::eq(*slot, waiter.as_ptr()));
            waiter.expect("of this pool").parker.unpark();
        }
    }

    /// As `Slot::steal`, which tries again if another thread was faster.
    pub(super) fn steal(&self, victim: usize) -> Option<Run> {
        self.pool.slots[victim].deque.steal()
    }

    /// As `Frame::drain`, `Queued::run` and what is called there: false if there were none.
    pub(super) fn drain(&self, nursery: &Arc<Nursery>, list: &PendingList) -> bool {
        let mut has_run = false;
        while self.run_next(nursery, list) {
            has_run = true;
        }
        has_run
    }

    /// As one turn of that.
    pub(super) fn run_next(&self, nursery: &Arc<Nursery>, list: &PendingList) -> bool {
        let Some(child) = list.pop() else {
            return false;
        };
        self.answer_request(nursery, list);
        let home = nursery.home();
        let is_home = self.is_home(nursery);
        child.run(is_home, ptr::null(), |_| (), |_| self.unpark(home));
        true
    }

    /// As `Run::execute`, to the end.
    pub(super) fn execute(&self, run: Run) {
        let Run { nursery, children } = run;
        self.drain(&nursery, &children);
        self.release(&nursery);
    }

    /// As `Frame::take_back`, of a frame that has shown two parts at most: takes back those that stand in
    /// front of the list.
    pub(super) fn take_back_next(&self, nursery: &Arc<Nursery>, list: &PendingList) -> bool {
        let own = || {
            let run = self.slot().deque.pop()?;
            assert!(Arc::ptr_eq(&run.nursery, nursery));
            Some(run)
        };
        let mut parts = [own(), own()];
        // What was shown first comes first, unless what was shown later was cut in front of it.
        let first = |part: &Option<Run>| part.as_ref().map(|run| run.children.begin());
        if let [Some(last), Some(former)] = parts.each_ref().map(first)
            && !is_before(last, former)
            && !planted::step("what was shown last comes back first")
        {
            parts.swap(0, 1);
        }
        let front = PendingList::new();
        let mut has_come = false;
        for run in parts.into_iter().flatten() {
            let number = run.children.begin();
            if list.len_before(number) > 0 {
                self.put_back(run);
                continue;
            }
            self.take_back(run, &front);
            has_come = true;
        }
        list.prepend(&front);
        has_come
    }

    /// As `Seat::help_others`: hands the list on, and takes the first stray.
    pub(super) fn help_others(&self, nursery: &Arc<Nursery>, list: &PendingList) {
        let is_own = |run: &Run| Arc::ptr_eq(&run.nursery, nursery);
        let Some(run) = self.pool.injector.take(is_own) else {
            return;
        };
        let rest = list.take();
        if !rest.is_empty() {
            let rest = Run::new(nursery, rest);
            if planted::step("what is handed on is not counted") {
                nursery.count.release();
            }
            self.inject(rest);
        }
        self.take_back(run, list);
    }

    /// As `Run::take_back`.
    pub(super) fn take_back(&self, run: Run, list: &PendingList) {
        if planted::step("what comes back is given back before it is taken") {
            self.release(&run.nursery);
            list.append(&run.children);
            return;
        }
        list.append(&run.children);
        self.release(&run.nursery);
    }

    /// As `Seat::put_back`, of one run.
    pub(super) fn put_back(&self, run: Run) {
        self.slot().deque.push(run);
        if !planted::step("nobody is woken for what is put back") {
            self.pool.idle.wake_one(&*self.pool);
        }
    }

    /// As `Seat::queue`, where no frame of the nursery is on this thread.
    pub(super) fn spawn_elsewhere(&self, nursery: &Arc<Nursery>, child: Queued) {
        let children = PendingList::of(child);
        if planted::step("a stray is visible before it is counted") {
            children.share(0);
            let counted = Arc::clone(nursery);
            let nursery = Arc::clone(nursery);
            self.inject(Run { nursery, children });
            return counted.count.add(1);
        }
        self.inject(Run::new(nursery, children));
    }

    /// As there.
    pub(super) fn inject(&self, run: Run) {
        let home = run.nursery.home();
        if planted::step("the home is told before the stray is there") {
            self.unpark(home);
        }
        self.pool.injector.push(run);
        if !planted::step("no worker is told of the stray") {
            self.pool.idle.wake_one(&*self.pool);
        }
        if !planted::step("the home is told before the stray is there") {
            self.unpark(home);
        }
    }

    /// As the rest of `Seat::help`: has something of the nursery come back home.
    pub(super) fn get_back(&self, nursery: &Arc<Nursery>, list: &PendingList) -> bool {
        let is_own = |run: &Run| Arc::ptr_eq(&run.nursery, nursery);
        if let Some(run) = self.slot().deque.pop() {
            if is_own(&run) {
                self.take_back(run, list);
                return true;
            }
            // An outer nursery's.
            self.put_back(run);
        }
        let stray = self.pool.injector.take(is_own);
        stray.map(|run| self.take_back(run, list)).is_some()
    }

    /// As `Seat::leapfrog`, from the thread that has taken children of this nursery: false if there
    /// was nothing to run.
    pub(super) fn leapfrog(&self, nursery: &Arc<Nursery>, list: &PendingList, from: usize) -> bool {
        let runner = &self.pool.slots[from];
        if runner.deque.is_empty() {
            runner.requests.ask_as(self.slot());
            return false;
        }
        let Some(run) = self.steal(from) else {
            return false;
        };
        if !Arc::ptr_eq(&run.nursery, nursery) {
            self.inject(run);
            return false;
        }
        self.take_back(run, list);
        true
    }

    /// As `Seat::wait_for_end`.
    pub(super) fn wait_for_end(&self, nursery: &Arc<Nursery>, list: &PendingList) {
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
    pub(super) fn run_claimed(&self, nursery: &Nursery, child: Running) {
        let home = nursery.home();
        child.run(ptr::null(), |_| self.unpark(home));
    }

    /// A worker that has looked everywhere, and sleeps until there is something in one place.
    pub(super) fn sleep_and_work(&self, find: impl Fn(&Self) -> Option<Run>) {
        self.slot().asleep.store(true, Ordering::Relaxed);
        self.pool.idle.announce(self.index, &*self.pool);
        self.sleep();
        let run = find(self).expect("roused for it");
        self.pool.idle.found(&*self.pool);
        self.execute(run);
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
        nursery: &Arc<Nursery>,
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
    nursery: &'a Arc<Nursery>,
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

    /// As `Seat::answer_request` and `Frame::settle`.
    pub(super) fn answer_request(&self, seat: &Seat) {
        let requests = &seat.slot().requests;
        if requests.are_made() && self.handle.borrow().is_none() {
            requests.clear();
            if requests.are_wanted(&seat.pool.idle) {
                self.show(seat);
            }
        }
    }

    /// As `Fork::prepare` and `Frame::expose_all_of`.
    pub(super) fn show(&self, seat: &Seat) {
        let (child, handle) = self.nursery.spawn(0);
        self.list.push(child);
        *self.handle.borrow_mut() = Some(handle);
        seat.expose(self.nursery, self.list.take());
    }

    /// As the rest of `openly`, once the first closure has ended.
    pub(super) fn second(&self, seat: &Seat) -> usize {
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
