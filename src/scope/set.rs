//! Children that are joined in the order in which they end.
//!
//! Each child has an [`Announcement`], which goes with its closure. So the set learns the child's number when the closure
//! is gone, whether it was called or not: a moment before the child ends. The set then joins this child like any other.
//!
//! ```text
//!   closure called or dropped -> announced (1) -> ended (2)     child
//!                                    |              |
//!                                    v              v
//!   is there an announcement? -----------------> join (3)       set
//! ```
//!
//! A set that finds no announcement waits. It asks each child for a wake-up, once in the child's life: the child has been
//! announced (1) before it ends and wakes the set (2). So there is no protocol of its own here: what a child leaves, its
//! panic, and the wake-up come through the child's record, and the announcement is only a hint about where to look (3).
//!
//! The set keeps nothing for a child that it has joined. All it does for a child takes a number of steps that does not
//! depend on how many there are, apart from the search in a sorted map: children are visited in the order of their numbers
//! to claim and to ask them, and each search begins where the last one ended.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::mem;

use crate::engine::awaited::Awaited;
use crate::engine::report::WaitsFor;
use crate::engine::seat::Seat;
use crate::platform::sync::{Arc, Mutex, lock};
use crate::platform::thread::pause;
use crate::scope::Scope;
use crate::scope::nest::Held;
use crate::task::record::{Class, Handle, Running};

/// How often a set looks whether an announced child has ended, before it waits for it as for any child. A wait may begin
/// with another child, and the announced one has at most to write down what has become of it.
const LOOKS: u32 = 64;

/// The numbers of children whose closures are gone, until the set takes them; none once the set is gone.
struct Announced(Mutex<Option<VecDeque<usize>>>);

/// On drop, announces the child with this number.
pub(crate) struct Announcement {
    number: usize,
    announced: Arc<Announced>,
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some(announced) = &mut *lock(&self.announced.0) {
            announced.push_back(self.number);
        }
    }
}

/// Children that are joined in the order in which they end.
pub(crate) struct Set<'scope, T> {
    scope: &'scope Scope,
    /// The children that have not been joined, by their numbers.
    children: BTreeMap<usize, Held<T>>,
    /// How many children there have been: the number of the next one.
    spawned: usize,
    announced: Arc<Announced>,
    /// Announcements that the set has taken; they come before those that it has not.
    ended: VecDeque<usize>,
    /// The children before this number were asked to wake this thread.
    asked: Cell<usize>,
    /// Of the children before these numbers, those that compute have started, and those that may block.
    started: [Cell<usize>; 2],
}

impl<'scope, T> Set<'scope, T> {
    pub(crate) fn new(scope: &'scope Scope) -> Self {
        Self {
            scope,
            children: BTreeMap::new(),
            spawned: 0,
            announced: Arc::new(Announced(Mutex::new(Some(VecDeque::new())))),
            ended: VecDeque::new(),
            asked: Cell::new(0),
            started: Default::default(),
        }
    }

    /// The announcement of the next child, which goes with its closure. [`push`](Self::push) is to follow.
    pub(crate) fn announcement(&self) -> Announcement {
        Announcement {
            number: self.spawned,
            announced: Arc::clone(&self.announced),
        }
    }

    /// Adds the child that has this announcement; returns its number.
    pub(crate) fn push(&mut self, child: Held<T>) -> usize {
        let number = self.spawned;
        self.spawned += 1;
        self.children.insert(number, child);
        number
    }

    /// How many children there have been.
    pub(crate) fn spawned(&self) -> usize {
        self.spawned
    }

    /// How many children have not been joined.
    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    /// Waits until any child has ended and takes its number and value, or raises its panic.
    pub(crate) fn next(&mut self) -> Option<(usize, T)> {
        if self.children.is_empty() {
            return None;
        }
        let number = loop {
            if let Some(number) = self.take_announced() {
                break number;
            }
            let node = &self.scope.node;
            Seat::with(node.core(), |seat| {
                seat.occupy(|| seat.wait_for(node, self));
            });
        };
        let child = self.children.remove(&number).expect("announced once");
        for _ in 0..LOOKS {
            if child.handle().outcome().is_some() {
                break;
            }
            pause(1);
        }
        Some((number, child.join()))
    }

    fn take_announced(&mut self) -> Option<usize> {
        if self.ended.is_empty() {
            let mut announced = lock(&self.announced.0);
            mem::swap(&mut self.ended, announced.as_mut().expect("there is a set"));
        }
        self.ended.pop_front()
    }

    /// The first child of this class that nobody has started.
    fn first_unstarted(&self, class: Class) -> Option<&Handle<T>> {
        let started = &self.started[class as usize];
        let mut later = self.children.range(started.get()..);
        let found = later.find_map(|(number, child)| {
            let child = child.handle();
            (child.class() == class && !child.is_started()).then_some((*number, child))
        });
        started.set(found.map_or(self.spawned, |(number, _)| number));
        found.map(|(_, child)| child)
    }
}

impl<T> Awaited for Set<'_, T> {
    fn is_over(&self) -> bool {
        let announced = lock(&self.announced.0);
        announced
            .as_ref()
            .is_some_and(|numbers| !numbers.is_empty())
    }

    fn ask_for_wake(&self) -> bool {
        let mut unasked = self.children.range(self.asked.get()..);
        unasked.all(|(number, child)| {
            self.asked.set(number + 1);
            child.handle().ask_for_wake()
        })
    }

    fn is_unclaimed(&self, class: Class) -> bool {
        self.first_unstarted(class).is_some()
    }

    fn claim(&self, class: Class) -> Option<Running> {
        loop {
            // If it cannot be claimed, it has started, and is not the first any more.
            let claimed = self.first_unstarted(class)?.claim();
            if claimed.is_some() {
                return claimed;
            }
        }
    }

    fn describe(&self) -> WaitsFor {
        WaitsFor::Any
    }
}

impl<T> Drop for Set<'_, T> {
    fn drop(&mut self) {
        // Children that are left announce themselves to nobody.
        *lock(&self.announced.0) = None;
    }
}
