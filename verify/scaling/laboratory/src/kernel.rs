//! The system's part: a futex, wake-ups and how late they come, timed waits, the clock.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::cores::{Machine, block, in_turn, with};
use crate::costs::NS;

/// The beginning of virtual time.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The present time on the calling thread's core.
pub fn now() -> Instant {
    with(|machine| {
        let cost = machine.costs.clock;
        let thread = machine.me();
        thread.clock += cost;
        thread.spent.own += cost;
        *BEGINNING + Duration::from_nanos(thread.clock / NS)
    })
}

/// Keeps the core busy for this many pause instructions.
pub fn pause(times: u32) {
    with(|machine| {
        let cost = machine.costs.pause * u64::from(times);
        let thread = machine.me();
        thread.clock += cost;
        thread.spent.pause += cost;
        thread.missed_at = 0;
    });
    in_turn();
}

impl Machine {
    /// The current thread spends this time in the kernel.
    fn enter(&mut self, cost: u64) {
        let thread = self.me();
        thread.drain();
        thread.clock += cost;
        thread.spent.kernel += cost;
        thread.missed_at = 0;
    }

    /// When a wait of the current thread for this time is over.
    fn after(&mut self, time: Duration) -> u64 {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let slack = self.costs.slack;
        self.me()
            .clock
            .saturating_add(time.saturating_mul(NS))
            .saturating_add(slack)
    }
}

/// Gives the core to other threads of the system, of which there are none.
pub fn yield_now() {
    with(|machine| machine.enter(machine.costs.yields));
    in_turn();
}

/// Sleeps.
pub fn sleep(time: Duration) {
    with(|machine| {
        machine.enter(machine.costs.call);
        let at = machine.after(time);
        machine.set_alarm(at);
    });
    block();
}

/// Blocks while the futex of this address has the expected value; returns false if the time was up.
pub(crate) fn futex_wait(
    futex: usize,
    is_expected: impl FnOnce() -> bool,
    time: Option<Duration>,
) -> bool {
    with(|machine| machine.enter(machine.costs.call));
    in_turn();
    if !is_expected() {
        return true;
    }
    with(|machine| {
        let current = machine.current;
        machine.futexes.entry(futex).or_default().push_back(current);
        if let Some(time) = time {
            let at = machine.after(time);
            machine.set_alarm(at);
        }
    });
    let was_woken = block();
    if !was_woken {
        with(|machine| {
            let current = machine.current;
            let waiters = machine.futexes.get_mut(&futex).expect("made above");
            waiters.retain(|waiter| *waiter != current);
        });
    }
    was_woken
}

/// Wakes up to this many threads that wait on the futex of this address.
pub(crate) fn futex_wake(futex: usize, most: usize) {
    with(|machine| machine.enter(machine.costs.call));
    in_turn();
    with(|machine| {
        for _ in 0..most {
            let waiter = machine
                .futexes
                .get_mut(&futex)
                .and_then(VecDeque::pop_front);
            let Some(waiter) = waiter else { break };
            let now = machine.me().clock;
            let since = machine.threads[waiter].blocked_at.expect("it waits");
            let costs = &machine.costs;
            let (call, least, more) = if now.saturating_sub(since) < costs.doze {
                (costs.doze_call, costs.doze_wake, costs.doze_wake)
            } else {
                (costs.wake_call, costs.wake, costs.wake_more)
            };
            let late = least + machine.draw(more + 1);
            machine.wake(waiter, now + late);
            machine.books.wakes += 1;
            machine.enter(call);
        }
    });
}

/// Starts a thread; returns its number.
pub(crate) fn start(name: Option<String>, main: Box<dyn FnOnce()>) -> usize {
    with(|machine| {
        machine.enter(machine.costs.start_call);
        let at = machine.me().clock + machine.costs.start;
        machine.add_thread(name, at, main)
    })
}

/// Waits for the end of a thread.
pub(crate) fn join(id: usize) {
    in_turn();
    let is_over = with(|machine| {
        let current = machine.current;
        let thread = &mut machine.threads[id];
        if !thread.is_over {
            thread.joiners.push(current);
        }
        thread.is_over
    });
    if !is_over {
        block();
    }
}
