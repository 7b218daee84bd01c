//! One child: a header, and a slot that holds first the closure, then the result.
//!
//! ```text
//!   chunk header ...  | vtable | next | offset back to the chunk, class, state | slot |
//! ```
//!
//! Closure, value and payload each lie where their own alignment puts them behind the header. So
//! the type alone says where it lies.
//!
//! A record is reached through three owning references, each a type of its own: [`Queued`],
//! [`Running`] and [`Handle`]. INVARIANT: the memory of a record is valid as long as one of them
//! exists; `state` says which of them ends it. They are plain pointers, so they must not simply be
//! dropped: each has one method that ends it.
#![allow(unsafe_code, reason = "erased records: see the invariant above")]

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::ptr::{self, NonNull};

use crate::platform::cell::Cell;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicU8, Ordering};
use crate::platform::witness::Witness;
pub(crate) use crate::task::chunk::Class;
use crate::task::chunk::{ChunkHeader, Kind, Releaser, Storage};
pub(crate) use crate::task::completion::{Completion, Payload};
use crate::task::completion::{JoinedByOthers, Panicked};
use crate::task::private::privately;
pub(crate) use crate::task::rank::Rank;
use crate::task::state::{Dropped, Finished, State, Taken, TakenAlone};
pub(crate) use crate::task::state::{Outcome, Step};

/// What the typed layer knows about a record whose types are erased.
///
/// The functions are called with the owner that the record's chunk carries, and give the right to
/// the child back when they return.
pub(crate) struct Vtable {
    /// Runs or skips the child, and leaves in its slot what the outcome says.
    pub(crate) call: unsafe fn(Running, owner: *const ()) -> Outcome,
    /// Takes what a child left that nobody will join.
    pub(crate) dispose: unsafe fn(Running, owner: *const (), outcome: Outcome),
    /// Whether `dispose` has anything to do for a value.
    pub(crate) drops_values: bool,
}

/// The erased front of every record.
pub(crate) struct Header {
    vtable: &'static Vtable,
    /// The next record of the pending list that holds the queue reference.
    next: Cell<Option<NonNull<Header>>>,
    /// Bytes from the chunk's header to this one.
    offset: u32,
    kind: Kind,
    state: State,
    /// In which run the child was shared last: a hint, and the spawner's to interpret.
    run_number: AtomicU8,
    /// For the model checker: watches the slot, and the whole record once it is given back.
    slot: Witness,
}

/// A header with what lies behind it.
#[repr(C)]
struct With<V> {
    header: MaybeUninit<Header>,
    slot: MaybeUninit<V>,
}

/// The memory of one child of closure type `F` and result type `T`.
#[allow(
    dead_code,
    reason = "it gives size and alignment; the slot goes by address"
)]
#[repr(C)]
pub(crate) union Record<F, T> {
    closure: ManuallyDrop<With<F>>,
    value: ManuallyDrop<With<T>>,
    panicked: ManuallyDrop<With<Panicked>>,
}

/// Where a `V` lies in a record.
#[inline]
fn slot<V>(header: NonNull<Header>) -> NonNull<V> {
    // SAFETY: inside the record, which has room for a `With<V>`.
    unsafe { header.byte_add(offset_of!(With<V>, slot)) }.cast()
}

impl<F, T> Record<F, T> {
    /// Where the closure lies.
    #[inline]
    pub(super) fn closure(at: NonNull<Self>) -> NonNull<F> {
        slot(at.cast())
    }

    /// Writes an unstarted record and returns its two first references.
    ///
    /// # Safety
    ///
    /// `at` is valid for writes of `Self`, lies `offset` bytes behind the header of its chunk in
    /// the same allocation, and stays valid until the record is released. `vtable` is of this very
    /// type. The caller keeps what `F` and `T` borrow alive until both references have ended.
    #[inline]
    pub(super) unsafe fn write(
        at: NonNull<Self>,
        offset: u32,
        kind: Kind,
        vtable: &'static Vtable,
        closure: F,
    ) -> (Queued, Handle<T>) {
        // SAFETY: the slot is valid for writes, as the record is.
        unsafe { Self::closure(at).write(closure) };
        // SAFETY: the caller promises the same.
        unsafe { Self::write_header(at, offset, kind, vtable) }
    }

    /// The handle of a record in a fork's frame.
    ///
    /// # Safety
    ///
    /// The record has been written, and this is called once.
    pub(super) unsafe fn handle(at: NonNull<Self>) -> Handle<T> {
        Handle(at.cast(), PhantomData)
    }

    /// Writes the header of an unstarted record whose slot holds the closure already.
    ///
    /// # Safety
    ///
    /// As [`Record::write`].
    #[inline]
    pub(super) unsafe fn write_header(
        at: NonNull<Self>,
        offset: u32,
        kind: Kind,
        vtable: &'static Vtable,
    ) -> (Queued, Handle<T>) {
        let header = at.cast::<Header>();
        // SAFETY: the record is valid for writes, and the header is its first field.
        unsafe {
            header.write(Header {
                vtable,
                next: Cell::new(None),
                offset,
                kind,
                state: State::new(),
                run_number: AtomicU8::new(0),
                slot: Witness::new(),
            });
        }
        (Queued(header), Handle(header, PhantomData))
    }
}

/// The queue reference of a child: the right to try to run it.
#[must_use]
pub(crate) struct Queued(NonNull<Header>);

// SAFETY: closures, values and payloads are `Send` by the bounds of the spawning functions; the
// link is used by the holder of this one reference only.
unsafe impl Send for Queued {}

impl Queued {
    /// Whether the handle has claimed the child, so that there is nothing left to take.
    pub(crate) fn is_stale(&self) -> bool {
        header(&self.0).state.is_started()
    }

    pub(crate) fn class(&self) -> Class {
        header(&self.0).kind.class
    }

    /// Whether this reference may go to another thread.
    pub(crate) fn is_shared(&self) -> bool {
        header(&self.0).state.is_shared()
    }

    /// Allows this reference to go to another thread, in the run with this number.
    pub(crate) fn share(&self, run_number: u8) {
        let header = header(&self.0);
        header.state.share();
        // ORDERING: Relaxed: a hint.
        header.run_number.store(run_number, Ordering::Relaxed);
    }

    /// Leaves the queue and runs or skips the child, unless its handle has claimed it.
    ///
    /// If the joiner asked for a wake-up, `wake` is called with the spawner that the chunk carries,
    /// or with none if the spawner is the nursery's own opener. Before anything else, `step` is
    /// told what becomes of the child. False if its handle has claimed it.
    ///
    /// `is_home` says that the caller is the thread that opened the nursery: then the handles of
    /// children that lie in its arena are here, too, and nobody else can see them.
    #[allow(clippy::inline_always, reason = "the loop over a nursery's children")]
    #[inline(always)]
    pub(crate) fn run(
        self,
        is_home: bool,
        owner: *const (),
        step: impl FnOnce(Step),
        wake: impl FnOnce(Option<*const ()>),
    ) -> bool {
        if is_home && header(&self.0).kind.storage != Storage::Single {
            return self.run_alone(owner, step);
        }
        match self.take() {
            Some(child) => {
                step(Step::Begins);
                child.run(owner, wake);
                true
            }
            None => {
                step(Step::IsStale);
                false
            }
        }
    }

    /// Runs or skips a child that has all of its references on this thread, unless its handle has
    /// claimed it.
    #[inline]
    fn run_alone(self, owner: *const (), step: impl FnOnce(Step)) -> bool {
        let header = header(&self.0);
        let child = || Running(self.0);
        match header.state.take_alone() {
            TakenAlone::Unhandled => {
                step(Step::BeginsAtHome);
                // SAFETY: the vtable was made for this record's types.
                let outcome = unsafe { (header.vtable.call)(child(), owner) };
                if outcome != Outcome::Done || header.vtable.drops_values {
                    // SAFETY: the same; the slot is as `call` left it, and nobody else reads it.
                    unsafe { (header.vtable.dispose)(child(), owner, outcome) };
                }
                header.slot.note_use();
                // A fork keeps its handle, so this record lies in an arena.
                chunk_header(&self.0).release(Releaser::Spawner);
                true
            }
            TakenAlone::Handled => {
                step(Step::BeginsAtHome);
                // SAFETY: the vtable was made for this record's types.
                let outcome = unsafe { (header.vtable.call)(child(), owner) };
                header.state.finish_alone(outcome);
                true
            }
            TakenAlone::Stale => {
                step(Step::IsStale);
                false
            }
            TakenAlone::StaleLast => {
                step(Step::IsStale);
                release(self.0, Releaser::Spawner);
                false
            }
        }
    }

    /// Leaves the queue, and returns the right to run, unless the handle has claimed the child.
    #[inline]
    pub(crate) fn take(self) -> Option<Running> {
        match header(&self.0).state.take_from_queue() {
            Taken::Run => Some(Running(self.0)),
            Taken::Stale => None,
            Taken::StaleLast => {
                release(self.0, who(&self.0));
                None
            }
        }
    }

    #[inline]
    pub(super) fn link(&self) -> &Cell<Option<NonNull<Header>>> {
        &header(&self.0).next
    }

    pub(super) fn into_raw(self) -> NonNull<Header> {
        self.0
    }

    /// Turns what [`Queued::into_raw`] gave into the reference again.
    ///
    /// # Safety
    ///
    /// `raw` came from [`Queued::into_raw`] and is turned back once.
    pub(super) unsafe fn from_raw(raw: NonNull<Header>) -> Self {
        Self(raw)
    }
}

/// The right and the duty to run one child.
#[must_use]
pub(crate) struct Running(NonNull<Header>);

impl Running {
    /// Runs or skips the child and publishes its outcome; see [`Queued::run`].
    pub(crate) fn run(self, owner: *const (), wake: impl FnOnce(Option<*const ()>)) {
        let vtable = header(&self.0).vtable;
        // SAFETY: the vtable was made for this record's types.
        let outcome = unsafe { (vtable.call)(self.again(), owner) };
        // Once the outcome is out, the joiner may give the record back. An arena's chunk is not
        // looked at: its own thread writes to it all the time.
        let spawner = match header(&self.0).kind.storage {
            Storage::Owned | Storage::Frame => None,
            Storage::Single => Some(chunk_header(&self.0).spawner()),
        };
        match header(&self.0).state.finish(outcome) {
            Finished::Left => {}
            Finished::Wake => wake(spawner),
            Finished::Abandoned => {
                failpoint::reach(Failpoint::ChildEmptied);
                // SAFETY: the vtable was made for this record's types; the slot is as `call` left
                // it, and nobody else reads it.
                unsafe { (vtable.dispose)(self.again(), owner, outcome) };
                release(self.0, who(&self.0));
            }
        }
    }

    /// The address of the record, to be compared only.
    pub(crate) fn address(&self) -> *const () {
        self.0.as_ptr().cast()
    }

    /// The child's position in the spawn order of its nursery.
    pub(crate) fn rank(&self) -> Rank {
        rank(&self.0)
    }

    /// Returns the same right, for a callee that gives it back.
    pub(crate) fn again(&self) -> Self {
        Self(self.0)
    }

    /// Moves the closure out.
    ///
    /// # Safety
    ///
    /// The closure is an `F` and has not been moved out before.
    #[inline]
    pub(crate) unsafe fn take_closure<F>(&self) -> F {
        header(&self.0).slot.note_use();
        // SAFETY: the caller promises that the slot holds an `F`; it belongs to the runner until it
        // finishes.
        unsafe { slot(self.0).read() }
    }

    /// Leaves what the child returned in the slot.
    ///
    /// # Safety
    ///
    /// The closure has been moved out, and the record's result type is `T`.
    #[inline]
    pub(crate) unsafe fn store<T>(&self, value: T) -> Outcome {
        header(&self.0).slot.note_use();
        // SAFETY: an empty slot with room for a `T`.
        unsafe { slot(self.0).write(value) };
        Outcome::Done
    }

    /// Leaves what the child panicked with in the slot.
    ///
    /// # Safety
    ///
    /// The closure has been moved out.
    pub(crate) unsafe fn store_payload(&self, payload: Payload) -> Outcome {
        header(&self.0).slot.note_use();
        // SAFETY: an empty slot with room for this.
        unsafe { slot(self.0).write(Panicked::new(payload)) };
        Outcome::Panicked
    }

    /// Moves what was stored out again.
    ///
    /// # Safety
    ///
    /// The record's result type is `T`; the slot holds what `outcome` says, and this is called once.
    pub(crate) unsafe fn take<T>(&self, outcome: Outcome) -> Completion<T> {
        // SAFETY: the caller promises the same.
        unsafe { read_completion(self.0, outcome) }
    }
}

/// The right to the outcome of a child, which a `Child` owns.
///
/// INVARIANT: it stays on the thread that spawned the child, so it is neither `Send` nor `Sync`. As long as no
/// other thread has seen the child, the handle reads and writes its state without a lock or an atomic exchange.
/// And waits point from spawner to spawned, so they cannot form a cycle.
#[must_use]
#[repr(transparent)]
pub(crate) struct Handle<T>(NonNull<Header>, PhantomData<T>);

// SAFETY: nothing implements `JoinedByOthers`, so no handle is `Send`: see its invariant.
unsafe impl<T> Send for Handle<T> where Handle<T>: JoinedByOthers {}
// SAFETY: nothing implements `JoinedByOthers`, so no handle is `Sync`: see its invariant.
unsafe impl<T> Sync for Handle<T> where Handle<T>: JoinedByOthers {}

impl<T> Handle<T> {
    /// The same handle for code that never takes the value, so that such code is compiled once and not for each type.
    #[inline]
    pub(crate) fn untyped(&self) -> &Handle<()> {
        // SAFETY: a pointer and nothing else, whatever the type. What ends a handle or takes the value needs the handle
        // and not a reference to it.
        unsafe { &*ptr::from_ref(self).cast() }
    }

    /// Runs or skips an unstarted child that has the queue reference `queued`; what it leaves is
    /// for [`take_alone`](Self::take_alone).
    ///
    /// Its handle and its queue reference are both at hand, so nobody else can see the child, and
    /// its state is passed by.
    #[inline]
    pub(crate) fn run_alone(&self, queued: Queued, owner: *const ()) -> Outcome {
        debug_assert!(self.is_of(queued.0.as_ptr()) && !self.is_started());
        let call = header(&self.0).vtable.call;
        // The handle has the address, too. So the compiler need not keep the address in `queued` through the call.
        let _ = queued.into_raw();
        // SAFETY: the vtable was made for this record's types.
        unsafe { call(Running(self.0), owner) }
    }

    /// Takes what a child that ran alone has left, and ends all of its references.
    ///
    /// # Safety
    ///
    /// [`run_alone`](Self::run_alone) has answered `outcome`.
    #[inline]
    pub(crate) unsafe fn take_alone(self, outcome: Outcome) -> Completion<T> {
        // SAFETY: the caller promises the outcome, and `T` is the result type.
        let completion = unsafe { read_completion(self.0, outcome) };
        release(self.0, Releaser::Spawner);
        completion
    }

    /// Takes the value of a child that ran alone and lies in an arena of this thread.
    ///
    /// # Safety
    ///
    /// [`run_alone`](Self::run_alone) has answered [`Outcome::Done`].
    #[inline]
    pub(crate) unsafe fn take_value(self) -> T {
        // SAFETY: the caller promises that there is a value, and `T` is the result type.
        let value = unsafe { slot(self.0).read() };
        chunk_header(&self.0).release(Releaser::Spawner);
        value
    }

    /// Whether somebody has won the right to run the child.
    #[inline]
    pub(crate) fn is_started(&self) -> bool {
        header(&self.0).state.is_started()
    }

    /// Whether the child is unstarted and has never been shared.
    #[inline]
    pub(crate) fn is_private_and_unstarted(&self) -> bool {
        header(&self.0).state.is_private_and_unstarted()
    }

    /// Calls `f`, which runs no user code, while the child is unstarted and no other thread can come to it; none if that
    /// is over.
    #[inline]
    pub(crate) fn in_private<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        privately(|| self.is_private_and_unstarted().then(f))
    }

    /// Whether this is a handle of the child that `queued` is a reference to.
    #[inline]
    pub(super) fn is_of(&self, queued: *const Header) -> bool {
        ptr::eq(self.0.as_ptr(), queued)
    }

    /// Wins the right to run the child, if nobody started it.
    #[inline]
    pub(crate) fn claim(&self) -> Option<Running> {
        let is_claimed = header(&self.0).state.claim_by_handle();
        failpoint::reach_if(is_claimed, Failpoint::ChildClaimed);
        is_claimed.then_some(Running(self.0))
    }

    /// The chunk's owner, as given when the chunk was made.
    pub(crate) fn owner(&self) -> *const () {
        chunk_header(&self.0).owner()
    }

    /// The address of the record, to be compared only.
    pub(crate) fn address(&self) -> *const () {
        self.0.as_ptr().cast()
    }

    pub(crate) fn class(&self) -> Class {
        header(&self.0).kind.class
    }

    /// The child's position in the spawn order of its nursery.
    pub(crate) fn rank(&self) -> Rank {
        rank(&self.0)
    }

    /// In which run the child was shared last, if it was.
    pub(crate) fn run_number(&self) -> u8 {
        header(&self.0).run_number.load(Ordering::Relaxed)
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        header(&self.0).state.outcome()
    }

    /// Asks the runner to wake this thread; see [`State::ask_for_wake`].
    #[must_use]
    pub(crate) fn ask_for_wake(&self) -> bool {
        header(&self.0).state.ask_for_wake()
    }

    /// Takes the completion of a finished child; gives the handle back before that.
    #[inline]
    pub(crate) fn take(self) -> Result<Completion<T>, Self> {
        let Some(outcome) = self.outcome() else {
            return Err(self);
        };
        // SAFETY: finished, and the handle has not ended: the slot is its own.
        let completion = unsafe { read_completion(self.0, outcome) };
        if header(&self.0).state.drop_handle() == Dropped::Last {
            release(self.0, Releaser::Spawner);
        }
        Ok(completion)
    }

    /// Gives the right up, if the child is unstarted and was never shared.
    #[inline]
    pub(crate) fn abandon_in_private(self) -> Result<(), Self> {
        if !header(&self.0).state.drop_handle_in_private() {
            return Err(self);
        }
        failpoint::reach(Failpoint::ChildAbandoned);
        Ok(())
    }

    /// Gives the right up, and has what the child has left disposed of, if it has finished.
    pub(crate) fn abandon(self) {
        Handle::<()>(self.0, PhantomData).abandon_untyped();
    }
}

impl Handle<()> {
    #[inline(never)]
    fn abandon_untyped(self) {
        // Once the child has finished, the slot is the handle's, even if there is a queue reference
        // left. Then the child was claimed in a wait for any of several, and another child was
        // taken.
        failpoint::reach(Failpoint::ChildAbandoned);
        let outcome = self.outcome();
        if let Some(outcome) = outcome {
            self.dispose(outcome);
        }
        if header(&self.0).state.drop_handle() == Dropped::Last {
            if outcome.is_none() {
                let outcome = self.outcome();
                self.dispose(outcome.expect("the last reference ends after the run"));
            }
            release(self.0, Releaser::Spawner);
        }
    }

    /// Empties the slot of a child that has finished and is not joined; once.
    fn dispose(&self, outcome: Outcome) {
        failpoint::reach(Failpoint::ChildEmptied);
        let dispose = header(&self.0).vtable.dispose;
        // SAFETY: finished, so the slot is the handle's; the vtable was made for this record's types.
        unsafe { dispose(Running(self.0), self.owner(), outcome) };
    }
}

/// The fields of a live record; taken by reference so that the borrow is the reference's.
#[inline]
fn header(at: &NonNull<Header>) -> &Header {
    // SAFETY: called on the pointer of a live reference; of the fields, `state` is shared
    // safely, `next` belongs to the queue reference alone, and the others never change.
    unsafe { at.as_ref() }
}

#[inline]
fn chunk_of(at: NonNull<Header>) -> NonNull<ChunkHeader> {
    let offset = header(&at).offset as usize;
    // SAFETY: `Record::write` was promised that the chunk's header lies there.
    unsafe { at.byte_sub(offset) }.cast()
}

#[inline]
fn chunk_header(at: &NonNull<Header>) -> &ChunkHeader {
    // SAFETY: a chunk outlives its records.
    unsafe { chunk_of(*at).as_ref() }
}

fn rank(at: &NonNull<Header>) -> Rank {
    Rank::new(chunk_header(at).sequence(), header(at).offset)
}

/// Which thread ends a record's last reference, if its handle does not: a record that was never
/// shared is still on the thread that spawned it.
#[inline]
fn who(at: &NonNull<Header>) -> Releaser {
    if header(at).state.is_shared() {
        Releaser::Anybody
    } else {
        Releaser::Spawner
    }
}

/// Gives a record's memory back, once its last reference has ended.
#[inline]
fn release(at: NonNull<Header>, releaser: Releaser) {
    header(&at).slot.note_use();
    match header(&at).kind.storage {
        Storage::Owned => chunk_header(&at).release(releaser),
        Storage::Frame => {}
        // SAFETY: state invariant 2: one caller per record, after which nobody touches it.
        Storage::Single => unsafe { super::memory::free_chunk(chunk_of(at)) },
    }
}

/// Reads what a finished child has left.
///
/// # Safety
///
/// The record finished with `outcome`, its result type is `T`, and its slot is read once.
#[inline]
unsafe fn read_completion<T>(at: NonNull<Header>, outcome: Outcome) -> Completion<T> {
    header(&at).slot.note_use();
    match outcome {
        // SAFETY: `store` left a `T`.
        Outcome::Done => Completion::Done(unsafe { slot(at).read() }),
        // SAFETY: `store_payload` left this.
        Outcome::Panicked => Completion::Panicked(*unsafe { slot::<Panicked>(at).read() }),
        Outcome::Skipped => Completion::Skipped,
    }
}
