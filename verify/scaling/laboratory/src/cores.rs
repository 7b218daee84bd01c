//! Virtual threads, each on a core of its own, their clocks, and whose turn it is.
#![allow(unsafe_code, reason = "switches to the coroutine of another thread")]

use std::any::Any;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::mem::ManuallyDrop;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::books::{Books, Marks, Spent};
use crate::costs::{Costs, NS};
use crate::lines::{ByAddress, Lines, MOST_CORES};
use crate::memory;

/// The size of a thread's stack in bytes. Pages that are not used take no memory.
const STACK: usize = 8 << 20;

/// Why a thread stops for others.
enum Stop {
    /// It goes on at its clock.
    Turn,
    /// It goes on when another thread or an alarm wakes it.
    Block,
}

type Body = Coroutine<(), Stop, (), DefaultStack>;

/// One virtual thread.
pub(crate) struct Thread {
    pub(crate) name: Option<String>,
    pub(crate) clock: u64,
    /// Nothing while it runs, and when it is over.
    body: Option<Body>,
    yielder: *const Yielder<(), Stop>,
    /// How often it has blocked: an alarm of an earlier block is void.
    blocks: u64,
    pub(crate) blocked_at: Option<u64>,
    was_woken: bool,
    /// When its last store has left the store buffer.
    pub(crate) drained_at: u64,
    /// The end of its last load that missed, unless something else came in between.
    pub(crate) missed_at: u64,
    pub(crate) is_over: bool,
    pub(crate) joiners: Vec<usize>,
    /// Its thread-locals by their keys, and the order in which they were made.
    pub(crate) locals: Vec<Option<Rc<dyn Any>>>,
    pub(crate) order_of_locals: Vec<usize>,
    pub(crate) spent: Spent,
    pub(crate) marks: Marks,
}

impl Thread {
    /// Waits until the store buffer is empty.
    pub(crate) fn drain(&mut self) {
        let waits = self.drained_at.saturating_sub(self.clock);
        self.clock += waits;
        self.spent.lines += waits;
    }
}

/// When a thread goes on: time, thread, and for an alarm the number of the block that it ends.
type Turn = (u64, usize, Option<u64>);

pub(crate) struct Machine {
    pub(crate) costs: Costs,
    pub(crate) threads: Vec<Thread>,
    pub(crate) current: usize,
    turns: BinaryHeap<Reverse<Turn>>,
    /// The time of the first of the turns.
    horizon: u64,
    pub(crate) lines: Lines,
    /// Threads that wait, by the address of their futex.
    pub(crate) futexes: ByAddress<VecDeque<usize>>,
    pub(crate) books: Books,
    random: u64,
    /// Stacks of threads that are over.
    stacks: Vec<DefaultStack>,
}

thread_local! {
    /// It is not dropped: its threads stand in the middle of what they do.
    static MACHINE: RefCell<Option<ManuallyDrop<Machine>>> = const { RefCell::new(None) };
}

/// Calls `f` with the machine that runs. What `f` allocates is no memory of the program's.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&mut Machine) -> R) -> R {
    memory::aside(|| {
        MACHINE.with_borrow_mut(|machine| f(machine.as_mut().expect("a machine runs")))
    })
}

impl Machine {
    #[inline]
    pub(crate) fn me(&mut self) -> &mut Thread {
        &mut self.threads[self.current]
    }

    /// A random number below `bound`.
    pub(crate) fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    fn add_turn(&mut self, turn: Turn) {
        self.turns.push(Reverse(turn));
        self.horizon = self.horizon.min(turn.0);
    }

    /// Ends the current thread's next block at this time, unless another thread does so before.
    pub(crate) fn set_alarm(&mut self, at: u64) {
        let block = self.me().blocks;
        self.add_turn((at, self.current, Some(block)));
    }

    /// Adds a thread that begins at this time.
    pub(crate) fn add_thread(
        &mut self,
        name: Option<String>,
        at: u64,
        main: Box<dyn FnOnce()>,
    ) -> usize {
        let id = self.threads.len();
        assert!(id < MOST_CORES, "too many threads");
        let stack = self.stacks.pop();
        let stack = stack.unwrap_or_else(|| DefaultStack::new(STACK).expect("memory for a stack"));
        let body = Coroutine::with_stack(stack, move |yielder, ()| {
            with(|machine| machine.me().yielder = yielder);
            main();
            crate::local::end_all();
        });
        self.threads.push(Thread {
            name,
            clock: at,
            body: Some(body),
            yielder: std::ptr::null(),
            blocks: 0,
            blocked_at: None,
            was_woken: false,
            drained_at: 0,
            missed_at: 0,
            is_over: false,
            joiners: Vec::new(),
            locals: Vec::new(),
            order_of_locals: Vec::new(),
            spent: Spent::default(),
            marks: Marks::default(),
        });
        self.add_turn((at, id, None));
        id
    }

    /// Lets a blocked thread go on at this time.
    pub(crate) fn wake(&mut self, id: usize, at: u64) {
        self.unblock(id, at, true);
        let at = self.threads[id].clock;
        self.add_turn((at, id, None));
    }

    fn unblock(&mut self, id: usize, at: u64, was_woken: bool) {
        let thread = &mut self.threads[id];
        let since = thread.blocked_at.take().expect("it is blocked");
        thread.was_woken = was_woken;
        thread.blocks += 1;
        thread.clock = thread.clock.max(at);
        thread.spent.asleep += thread.clock - since;
    }

    /// The thread that goes on next, which is the current one then.
    fn next(&mut self) -> usize {
        loop {
            let Some(Reverse((at, id, alarm))) = self.turns.pop() else {
                let blocked = self
                    .threads
                    .iter()
                    .filter(|thread| thread.blocked_at.is_some());
                let names: Vec<_> = blocked.map(|thread| thread.name.as_deref()).collect();
                panic!("nobody can go on; blocked: {names:?}");
            };
            self.horizon = self.turns.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
            if let Some(block) = alarm {
                let thread = &self.threads[id];
                if thread.blocked_at.is_none() || thread.blocks != block {
                    continue;
                }
                self.unblock(id, at, false);
            }
            self.current = id;
            return id;
        }
    }

    /// Puts a thread away that has stopped.
    fn stopped(&mut self, id: usize, body: Body, how: CoroutineResult<Stop, ()>) {
        let at = self.threads[id].clock;
        match how {
            CoroutineResult::Yield(stop) => {
                self.threads[id].body = Some(body);
                if let Stop::Turn = stop {
                    self.add_turn((at, id, None));
                }
            }
            CoroutineResult::Return(()) => {
                self.stacks.push(body.into_stack());
                self.threads[id].is_over = true;
                for joiner in std::mem::take(&mut self.threads[id].joiners) {
                    self.wake(joiner, at);
                }
            }
        }
    }
}

/// Lets the threads go first whose clocks are behind.
#[inline]
pub(crate) fn in_turn() {
    if with(|machine| machine.threads[machine.current].clock > machine.horizon) {
        stop(Stop::Turn);
    }
}

/// Blocks the current thread; returns whether another thread woke it, and not an alarm.
pub(crate) fn block() -> bool {
    with(|machine| {
        let thread = machine.me();
        thread.blocked_at = Some(thread.clock);
    });
    stop(Stop::Block);
    with(|machine| machine.me().was_woken)
}

/// Lets other threads run, until it is this thread's turn.
fn stop(stop: Stop) {
    let yielder = with(|machine| machine.me().yielder);
    // SAFETY: the coroutine has set this before it did anything else, and it calls this function. Its yielder lives
    // as long as the coroutine.
    unsafe { &*yielder }.suspend(stop);
}

/// Computes for this many nanoseconds.
pub fn work(nanos: u64) {
    // Work begins in the order of virtual time.
    in_turn();
    with(|machine| {
        let began = machine.books.began;
        let thread = machine.me();
        if thread.spent.work == thread.marks.spent.work {
            thread.marks.first_work = thread.clock - began;
        }
        thread.clock += nanos * NS;
        thread.marks.last_work = thread.clock - began;
        thread.spent.work += nanos * NS;
        thread.missed_at = 0;
    });
}

/// Runs `main` as the first thread of a machine, until it ends. Other threads are left where they stand then: this is
/// for processes that end soon.
pub fn run(costs: Costs, seed: u64, main: impl FnOnce() + 'static) {
    let machine = Machine {
        costs,
        threads: Vec::new(),
        current: 0,
        turns: BinaryHeap::new(),
        horizon: u64::MAX,
        lines: Lines::default(),
        futexes: ByAddress::default(),
        books: Books::default(),
        random: (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        stacks: Vec::new(),
    };
    let before = MACHINE.replace(Some(ManuallyDrop::new(machine)));
    assert!(before.is_none(), "one machine at a time");
    with(|machine| machine.add_thread(Some("main".to_owned()), 0, Box::new(main)));
    while !with(|machine| machine.threads[0].is_over) {
        let (id, mut body) = with(|machine| {
            let id = machine.next();
            (id, machine.threads[id].body.take().expect("it is not over"))
        });
        let how = memory::of_core(id, || body.resume(()));
        with(|machine| machine.stopped(id, body, how));
    }
    MACHINE.take();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex as Real;

    use super::*;
    use crate::atomic::{AtomicUsize, Ordering};
    use crate::sync::Mutex;
    use crate::thread::spawn;
    use crate::{Report, begin, end};

    /// What a program took in a machine.
    fn measured(seed: u64, program: impl Fn() + 'static) -> Report {
        let report = Arc::new(Real::new(None));
        let out = Arc::clone(&report);
        run(Costs::default(), seed, move || {
            begin();
            program();
            *out.lock().expect("no panic") = Some(end(4));
        });
        let report = report.lock().expect("no panic").take();
        report.expect("it has run")
    }

    #[test]
    fn operations_happen_in_the_order_of_virtual_time() {
        let seen = Arc::new(Real::new(Vec::new()));
        let out = Arc::clone(&seen);
        measured(1, move || {
            let shared = Arc::new(AtomicUsize::new(0));
            let threads = [30_000, 10_000, 20_000].map(|nanos| {
                let (shared, out) = (Arc::clone(&shared), Arc::clone(&out));
                spawn(move || {
                    work(nanos * 10);
                    shared.fetch_add(1, Ordering::Relaxed);
                    out.lock().expect("no panic").push(nanos);
                })
            });
            for thread in threads {
                thread.join().expect("no panic");
            }
            assert_eq!(shared.load(Ordering::Relaxed), 3);
        });
        assert_eq!(*seen.lock().expect("no panic"), [10_000, 20_000, 30_000]);
    }

    #[test]
    fn threads_compute_at_the_same_time_and_pass_a_lock_on() {
        let contended = |seed| {
            measured(seed, || {
                let lock = Arc::new(Mutex::new(0));
                let threads = [0; 4].map(|_| {
                    let lock = Arc::clone(&lock);
                    spawn(move || {
                        work(1_000_000);
                        let mut held = lock.lock().expect("never poisoned");
                        let before = *held;
                        work(20_000);
                        *held = before + 1;
                    })
                });
                for thread in threads {
                    thread.join().expect("no panic");
                }
                assert_eq!(*lock.lock().expect("never poisoned"), 4);
            })
        };
        let report = contended(1);
        assert!(
            (1_080_000..1_400_000).contains(&(report.took / NS)),
            "{report:?}"
        );
        assert_eq!(report.spent.work, 4 * 1_020_000 * NS);
        assert!(report.wakes > 0);
        let began: Vec<_> = contended(1).began;
        assert_eq!(began, report.began);
        assert_ne!(contended(2).took, report.took);
    }

    #[test]
    #[should_panic(expected = "nobody can go on")]
    fn a_deadlock_is_noticed() {
        measured(1, || {
            let lock = Mutex::new(());
            let _held = lock.lock();
            let _never = lock.lock();
        });
    }
}
