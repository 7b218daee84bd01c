//! Workers on threads of others: which of them may be asked for, which are on their way, and which are inside.
//!
//! ```text
//!               offer          want           ask         come
//!   in reserve ───────> offered ────> wanted ────> asked ──────> inside
//!       ^                                            │              │
//!       └────────────────── refuse ──────────────────┘              │
//!       └────────────────── leave ──────────────────────────────────┘
//! ```
//!
//! One thread, the *recruiter*, offers and asks. Offered is a helper that stands among the sleepers of `idle`: the thread
//! that would rouse it *wants* it instead, and goes on as one that could wake nobody. Nobody counts on a helper from then
//! on until it has come, because it may come late or never. When it has come it joins the sleepers as a worker that stood
//! aside does.
//!
//! 1. While a helper is *fresh*, which it is from its being wanted until it comes, is refused, or [`FRESH`] has passed, it
//!    counts against the number that may be on its way: one, or as many as are inside. So a little work calls
//!    one helper, and much work calls twice as many with each step.
//! 2. Each helper in reserve is offered some time after the last change: no change but those that the recruiter is
//!    told of, or waits for, keeps it from that.
//! 3. To come is refused once this is closed, and to be inside is waited for. So the end of a pool waits for the
//!    helpers that have come, and for no others.
//! 4. If jobs are stuck, which is so if nobody could begin them, and no helper has come for [`LAST_RESORT`], or one was
//!    refused last, the recruiter is told to have a spare thread stand in.
//!
//! Models: `models::helpers_*`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::platform::sync::{Condvar, Mutex, MutexGuard, PoisonError, lock};

/// How long a helper that was asked for keeps others from being asked for: longer than it takes to wake a thread.
const FRESH: Duration = Duration::from_millis(4);
/// How long after a refusal nobody is asked for. The time doubles with each refusal in a row, up to [`LONGEST_PAUSE`].
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a job may wait for the first helper.
const LAST_RESORT: Duration = Duration::from_millis(100);

/// The helpers of one pool. Times are since its beginning.
pub(crate) struct Helpers {
    state: Mutex<State>,
    /// Rung for the recruiter.
    bell: Condvar,
    /// Rung for the end of the pool.
    exit: Condvar,
}

pub(crate) struct State {
    reserve: VecDeque<usize>,
    is_offered: bool,
    wanted: VecDeque<usize>,
    fresh: Vec<Fresh>,
    /// When one may be offered again after a refusal.
    retry: Option<Duration>,
    pause: Duration,
    inside: usize,
    /// Which have been inside.
    known: Vec<bool>,
    /// Since when jobs have been stuck.
    stuck: Option<Duration>,
    /// Whether a spare stands in for those that do not come.
    is_missed: bool,
    is_closed: bool,
}

/// A helper that is on its way.
struct Fresh {
    number: usize,
    since: Duration,
}

/// What the recruiter is to do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Next {
    /// Ask for this helper.
    Ask(usize),
    /// Have this helper join the sleepers.
    Offer(usize),
    /// Have a spare run the jobs.
    StandIn,
    End,
}

/// What a helper that has come has to know.
#[must_use]
pub(crate) struct Came {
    /// Whether this number has not come before.
    pub(crate) is_first: bool,
    /// Whether a spare stood in for those that did not come.
    pub(crate) was_missed: bool,
}

impl Helpers {
    /// So many helpers, of which the first is offered.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            state: Mutex::new(State {
                reserve: (1..most).collect(),
                is_offered: true,
                wanted: VecDeque::new(),
                fresh: Vec::new(),
                retry: None,
                pause: SHORTEST_PAUSE,
                inside: 0,
                known: vec![false; most],
                stuck: None,
                is_missed: false,
                is_closed: false,
            }),
            bell: Condvar::new(),
            exit: Condvar::new(),
        }
    }

    /// Helpers on their way, and inside; for people to read.
    pub(crate) fn snapshot(&self) -> [usize; 2] {
        let state = lock(&self.state);
        [state.fresh.len(), state.inside]
    }

    /// Has the recruiter ask for a helper that was offered, and has left the sleepers.
    pub(crate) fn want(&self, number: usize, now: Duration) {
        let mut state = lock(&self.state);
        state.is_offered = false;
        state.wanted.push_back(number);
        state.fresh.push(Fresh { number, since: now });
        self.bell.notify_one();
    }

    /// Has the recruiter look whether jobs are stuck.
    pub(crate) fn ring(&self) {
        let _state = lock(&self.state);
        self.bell.notify_one();
    }

    /// Returns what the recruiter is to do next. `wait` waits for the bell, for this time at most.
    pub(crate) fn next<'a>(
        &'a self,
        now: impl Fn() -> Duration,
        is_stuck: impl Fn() -> bool,
        wait: impl Fn(&Condvar, MutexGuard<'a, State>, Option<Duration>) -> MutexGuard<'a, State>,
    ) -> Next {
        let mut state = lock(&self.state);
        loop {
            if state.is_closed {
                return Next::End;
            }
            if let Some(number) = state.wanted.pop_front() {
                return Next::Ask(number);
            }
            let now = now();
            state.forget_what_is_over(now);
            if let Some(number) = state.offer() {
                return Next::Offer(number);
            }
            if state.is_resort(now, is_stuck()) {
                return Next::StandIn;
            }
            let until = state.next_change();
            let left = until.map(|until| until.saturating_sub(now));
            state = wait(&self.bell, state, left);
        }
    }

    /// Notes that the helper with this number has come, and is inside until [`leave`](Self::leave); none if it comes too
    /// late.
    pub(crate) fn come(&self, number: usize) -> Option<Came> {
        let mut state = lock(&self.state);
        if state.is_closed {
            return None;
        }
        state.forget(number);
        state.inside += 1;
        state.retry = None;
        state.pause = SHORTEST_PAUSE;
        state.stuck = None;
        self.bell.notify_one();
        Some(Came {
            is_first: !std::mem::replace(&mut state.known[number], true),
            was_missed: std::mem::take(&mut state.is_missed),
        })
    }

    /// Notes that the helper with this number leaves, and may be asked for again. It does nothing with the pool
    /// afterwards.
    pub(crate) fn leave(&self, number: usize) {
        let mut state = lock(&self.state);
        state.inside -= 1;
        state.reserve.push_front(number);
        self.bell.notify_one();
        self.exit.notify_all();
    }

    /// Notes that the helper with this number does not come. It may be asked for again, after a pause.
    pub(crate) fn refuse(&self, number: usize, now: Duration) {
        let mut state = lock(&self.state);
        state.forget(number);
        state.reserve.push_back(number);
        state.retry = Some(now + state.pause);
        state.pause = (state.pause * 2).min(LONGEST_PAUSE);
        self.bell.notify_one();
    }

    /// Notes that a spare stands in for those that do not come; false if one does already, or if a helper is inside.
    pub(crate) fn miss(&self) -> bool {
        let mut state = lock(&self.state);
        let is_new = state.inside == 0 && !state.is_missed;
        state.is_missed |= is_new;
        is_new
    }

    /// Lets no more helpers in, and ends the recruiter.
    pub(crate) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.bell.notify_one();
    }

    /// Waits until no helper is inside, but for so many: the calling thread.
    pub(crate) fn wait_for_all_but(&self, few: usize) {
        let mut state = lock(&self.state);
        while state.inside > few {
            let woken = self.exit.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    /// Notes that this helper is not on its way any more.
    fn forget(&mut self, number: usize) {
        self.fresh.retain(|fresh| fresh.number != number);
    }

    fn forget_what_is_over(&mut self, now: Duration) {
        self.fresh.retain(|fresh| now < fresh.since + FRESH);
        self.retry = self.retry.filter(|retry| now < *retry);
    }

    /// Takes the next helper to be offered, if one is to be.
    fn offer(&mut self) -> Option<usize> {
        let is_enough = self.is_offered || self.fresh.len() >= self.inside.max(1);
        if is_enough || self.retry.is_some() {
            return None;
        }
        let next = self.reserve.pop_front();
        self.is_offered = next.is_some();
        next
    }

    /// Whether a spare has to stand in now.
    fn is_resort(&mut self, now: Duration, is_stuck: bool) -> bool {
        if !is_stuck || self.inside > 0 {
            self.stuck = None;
            return false;
        }
        let since = *self.stuck.get_or_insert(now);
        let is_refused = self.retry.is_some() && self.fresh.is_empty();
        let is_so = is_refused || now >= since + LAST_RESORT;
        if is_so {
            self.stuck = None;
        }
        is_so
    }

    /// When time alone changes what is to be done.
    fn next_change(&self) -> Option<Duration> {
        let stale = self.fresh.iter().map(|fresh| fresh.since + FRESH);
        // If nobody is left to be offered, it does not matter when.
        let stale = stale.filter(|_| !self.is_offered && !self.reserve.is_empty());
        let stuck = self.stuck.map(|since| since + LAST_RESORT);
        stale.chain(self.retry).chain(stuck).min()
    }
}
