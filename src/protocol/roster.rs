//! The slots of a pool, each held by one thread after the other.
//!
//! Threads come and go, and each of them holds a slot meanwhile. A slot without a holder is *free*.
//!
//! 1. A slot stays where it was made for as long as the pool lives, held or free: other threads may have
//!    its address.
//! 2. A slot has one holder at a time, with its private half. Its next holder has seen all that the
//!    last holder did.
//! 3. A thread that is told of work in a slot finds the slot among the held slots: it is there from
//!    before its holder begins until after its holder has left nothing in it.
//! 4. Only held slots are walked. So what a search costs depends on how many threads there are, and not
//!    on how many there have been.
//! 5. A thread that asked all holders for work has not asked holders that came later. So a new
//!    holder begins as if it had been asked, and looks for itself.
//! 6. The counts of a holder stand in its slot, or in the sum of the *departed*, and pass from one
//!    to the other in one step.
//!
//! # Walking without a lock
//!
//! Idle threads walk the slots all the time, so a walk takes no lock and writes nothing. It reads a
//! *table* of addresses. A thread that comes or goes changes the table, under a lock.
//!
//! A slot that comes is put behind the last slot. When a slot leaves, the last slot is moved to the
//! place that is empty now. So slots move towards the front only. [`Roster::held`] walks towards the
//! front, too: as long as it has not seen a slot that is held all the while, that slot is still in
//! front of it. Before another slot is put where the last slot stood, the move of the last slot is
//! written, and a walk that reads the new address sees that move (Release and Acquire).
//!
//! A walk may see a slot twice, and a slot whose holder has just left. Neither does harm (1).
//!
//! A full table is replaced by a copy with twice the room. Old tables stay, for walks that have
//! begun. Together they are no larger than the newest table.
//!
//! Model: `models::roster_*`.
#![allow(unsafe_code, reason = "follows addresses in the table: see 1")]

use std::iter;
use std::ptr;

use crate::platform::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use crate::platform::sync::{Arc, Mutex, lock};

/// How many slots the first table has room for. In models it is full soon.
const ROOM: usize = if cfg!(hatchery_loom) { 2 } else { 16 };

/// The slots of a pool: shared halves `S`, private halves `P`, and what holders count, `T`.
pub(crate) struct Roster<S, P, T> {
    /// The newest of `Members::tables`.
    table: AtomicPtr<Table<S>>,
    members: Mutex<Members<S, P, T>>,
}

/// The addresses of the held slots, for walks. Places behind the length hold no slot.
struct Table<S> {
    len: AtomicUsize,
    slots: Box<[AtomicPtr<S>]>,
}

struct Members<S, P, T> {
    /// In the order of the table.
    held: Vec<Arc<S>>,
    free: Vec<(Arc<S>, P)>,
    /// What threads have counted that do not hold a slot any more.
    departed: T,
    tables: Vec<Arc<Table<S>>>,
}

impl<S> Table<S> {
    fn new(slots: &[Arc<S>], room: usize) -> Self {
        let addresses = slots.iter().map(Arc::as_ptr);
        let all = addresses.chain(iter::repeat(ptr::null())).take(room);
        Self {
            len: AtomicUsize::new(slots.len()),
            slots: all.map(|slot| AtomicPtr::new(slot.cast_mut())).collect(),
        }
    }

    fn put(&self, at: usize, slot: &Arc<S>) {
        // ORDERING: Release: a walk that reads this address sees the moves before it. Partner:
        // `Roster::follow`. Model: `models::roster_a_slot_that_moves_is_found`.
        self.slots[at].store(Arc::as_ptr(slot).cast_mut(), Ordering::Release);
    }

    fn set_len(&self, len: usize) {
        // ORDERING: Release: a walk of this length sees the slots where they stand. Partner:
        // `Roster::walk`. Model: `models::roster_a_slot_that_moves_is_found`.
        self.len.store(len, Ordering::Release);
    }
}

impl<S, P, T: Default> Default for Roster<S, P, T> {
    fn default() -> Self {
        let first = Arc::new(Table::new(&[], ROOM));
        Self {
            table: AtomicPtr::new(Arc::as_ptr(&first).cast_mut()),
            members: Mutex::new(Members {
                held: Vec::new(),
                free: Vec::new(),
                departed: T::default(),
                tables: vec![first],
            }),
        }
    }
}

impl<S, P, T> Roster<S, P, T> {
    /// The slots that are held.
    pub(crate) fn held(&self) -> impl Iterator<Item = &S> {
        self.walk().iter().rev().map(|slot| self.follow(slot))
    }

    /// The slots that are held besides `own`: those behind it, then those in front of it. The walk may
    /// miss a slot that moves meanwhile, and if `own` moves it may return `own`. Neither matters: before
    /// a worker sleeps, it looks at all slots.
    pub(crate) fn others(&self, own: &S) -> impl Iterator<Item = &S> {
        let slots = self.walk();
        let is_own = |slot: &AtomicPtr<S>| ptr::eq(slot.load(Ordering::Relaxed), own);
        let at = slots.iter().position(is_own).unwrap_or(0);
        let (before, after) = slots.split_at(at);
        let others = after.iter().skip(1).chain(before);
        others.map(|slot| self.follow(slot))
    }

    fn walk(&self) -> &[AtomicPtr<S>] {
        // ORDERING: Acquire, both; partners: `Members::replace_table` and `Table::set_len`.
        let table = self.table.load(Ordering::Acquire);
        // SAFETY: it is one of `Members::tables`, which live as long as this roster does.
        let table = unsafe { &*table };
        &table.slots[..table.len.load(Ordering::Acquire)]
    }

    fn follow(&self, slot: &AtomicPtr<S>) -> &S {
        // ORDERING: Acquire; partner: `Table::put`.
        let slot = slot.load(Ordering::Acquire);
        // SAFETY: it stands in front of the length, so it is the address of a slot. Slots live as
        // long as this roster does: each is held or free.
        unsafe { &*slot }
    }

    /// The slots that are held, for callers that keep them.
    pub(crate) fn to_vec(&self) -> Vec<Arc<S>> {
        lock(&self.members).held.clone()
    }

    /// Calls `f` with the slots that are held, and with what former holders have counted.
    pub(crate) fn read_with_departed<R>(&self, f: impl FnOnce(&[Arc<S>], &T) -> R) -> R {
        let members = lock(&self.members);
        f(&members.held, &members.departed)
    }

    /// How many slots are free; for people to read.
    pub(crate) fn count_free(&self) -> usize {
        lock(&self.members).free.len()
    }

    /// Adds a slot, which the caller holds.
    pub(crate) fn add_slot(&self, slot: S, private: P) -> (Arc<S>, P) {
        let slot = Arc::new(slot);
        lock(&self.members).hold(Arc::clone(&slot), &self.table);
        (slot, private)
    }

    /// Takes a free slot, if there is one: the caller holds it now. `prepare` makes it a slot that
    /// was asked.
    pub(crate) fn take_free(&self, prepare: impl FnOnce(&S)) -> Option<(Arc<S>, P)> {
        let mut members = lock(&self.members);
        let (slot, private) = members.free.pop()?;
        prepare(&slot);
        members.hold(Arc::clone(&slot), &self.table);
        Some((slot, private))
    }

    /// Gives the caller's slot back. `settle` takes out of it what the caller has counted.
    pub(crate) fn put_free(&self, slot: Arc<S>, private: P, settle: impl FnOnce(&S, &mut T)) {
        let mut members = lock(&self.members);
        members.let_go(&slot);
        settle(&slot, &mut members.departed);
        members.free.push((slot, private));
    }
}

impl<S, P, T> Members<S, P, T> {
    fn table(&self) -> &Table<S> {
        self.tables.last().expect("there is one from the start")
    }

    /// Puts a slot behind the last.
    fn hold(&mut self, slot: Arc<S>, newest: &AtomicPtr<Table<S>>) {
        self.held.push(slot);
        let len = self.held.len();
        if len > self.table().slots.len() {
            return self.replace_table(newest);
        }
        self.table().put(len - 1, &self.held[len - 1]);
        self.table().set_len(len);
    }

    #[cold]
    fn replace_table(&mut self, newest: &AtomicPtr<Table<S>>) {
        let table = Arc::new(Table::new(&self.held, self.held.len() * 2));
        // ORDERING: Release: a walk that finds this table sees what is in it. Partner:
        // `Roster::walk`. Model: `models::roster_a_table_is_replaced_while_it_is_walked`.
        newest.store(Arc::as_ptr(&table).cast_mut(), Ordering::Release);
        self.tables.push(table);
    }

    /// Takes a slot out, and moves the last slot to its place.
    fn let_go(&mut self, slot: &Arc<S>) {
        // Slots that were taken last are given back first, if there is any rule.
        let at = self.held.iter().rposition(|held| Arc::ptr_eq(held, slot));
        let at = at.expect("its holder gives it back once");
        self.held.swap_remove(at);
        if let Some(moved) = self.held.get(at) {
            self.table().put(at, moved);
        }
        self.table().set_len(self.held.len());
    }
}
