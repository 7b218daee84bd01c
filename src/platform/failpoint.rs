//! Fail points: named moments between two steps of a protocol, where a check may step in.
//!
//! Ordinary builds have none of this: there, and under loom, whose models are exhaustive anyway,
//! [`reach`] is an empty function. Where the crate is compiled for checking, a thread with a `Plan`
//! counts the points that it reaches and does there what the plan says. Threads of a pool have the
//! plan of the thread that had them started, and all others have none.
#![cfg_attr(
    not(hatchery_faults),
    allow(dead_code, reason = "some of it is for the checks")
)]

macro_rules! points {
    ($($(#[$doc:meta])+ $name:ident,)*) => {
        /// A moment between two steps of a protocol.
        #[cfg_attr(hatchery_faults, derive(Clone, Copy, Debug, PartialEq, Eq))]
        pub(crate) enum Failpoint {
            $($(#[$doc])+ $name,)*
        }

        #[cfg(hatchery_faults)]
        impl Failpoint {
            /// All points, in the order of their numbers.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

points! {
    /// A child has left its queue, and its taker is about to run it.
    ChildTaken,
    /// A child that its handle had claimed has left its queue.
    ChildStale,
    /// A handle has claimed a child that stands in a queue.
    ChildClaimed,
    /// A child's closure is about to be called.
    ChildStarted,
    /// A child is about to be dropped unrun.
    ChildSkipped,
    /// The payload of a child's panic is about to be noted.
    ChildPanicked,
    /// A child's outcome is out.
    ChildFinished,
    /// A joiner has asked to be woken by a child's end.
    ChildAwaited,
    /// A child's handle has been dropped before the child's last other reference.
    ChildAbandoned,
    /// The remains of an unjoined child are about to be disposed of.
    ChildEmptied,
    /// Children are in a thread's deque, and nobody has been woken for them.
    RunExposed,
    /// A run has been taken from another thread's deque.
    RunStolen,
    /// The newer half of a list has been cut off.
    RunSplit,
    /// A run has come back to a frame of its nursery's home.
    RunTakenBack,
    /// The rest of a run is about to be shared again.
    RunLeft,
    /// Runs that were taken from the own deque are about to go back there.
    RunPutBack,
    /// A run of claimed children has been swept out.
    RunSwept,
    /// All threads have been asked for work.
    RequestSet,
    /// A waiter has asked one thread for work.
    RequestAsked,
    /// A thread is about to answer a request.
    RequestAnswered,
    /// A run is in the injector, and nobody has been told.
    StrayPut,
    /// A run has been taken out of the injector.
    StrayTaken,
    /// A job is in its queue, and nobody has been told.
    JobSubmitted,
    /// A worker is about to run a job.
    JobTaken,
    /// A run counts in its nursery, and nobody else can see it yet.
    CountAdded,
    /// A run no longer counts; others do.
    CountReleased,
    /// The last run no longer counts; its nursery may be gone.
    CountZero,
    /// A thread that waits in a nursery is about to park.
    WaiterParks,
    /// A waiter goes on after it has parked.
    WaiterWoken,
    /// A worker is about to park.
    WorkerSleeps,
    /// A worker has been roused.
    WorkerWoken,
    /// A worker that was woken for nothing is about to nap, as a searcher with a place.
    WorkerNaps,
    /// A worker is among the sleepers, and has not looked once more.
    WorkerAnnounced,
    /// A worker has been taken out of the sleepers and is about to be roused.
    WorkerRoused,
    /// A worker is one too many and stops after its present child.
    WorkerStandsDown,
    /// A worker or spare is about to be started.
    WorkerStarts,
    /// A worker or spare has been refused.
    WorkerRefused,
    /// A place has been given up, and nobody has been told.
    PlaceGivenUp,
    /// A place has been taken because one was left.
    PlaceTaken,
    /// A place has been taken whether one was left or not.
    PlaceTakenAnyway,
    /// A worker counts as absent, and nobody has looked for a spare.
    WorkerAbsent,
    /// An absent worker has come back.
    WorkerBack,
    /// A spare has been started.
    SpareStarted,
    /// A spare has been refused.
    SpareRefused,
    /// A spare that was not needed for long has left the sleepers.
    SpareRetires,
    /// A thread has the permits that a child needs.
    PermitTaken,
    /// A run is held back for lack of a permit.
    PermitHeldBack,
    /// A permit has been given back, and the run that was let go has not been sent on.
    PermitGivenBack,
    /// A child that may block is about to be queued.
    BlockingQueued,
    /// A side thread has taken a child that may block.
    BlockingTaken,
    /// A waiter runs a child that may block.
    BlockingHelped,
    /// A side thread is about to be started.
    SideThreadStarts,
    /// A side thread has been refused.
    SideThreadRefused,
    /// A side thread has started.
    SideThreadStarted,
    /// A side thread is about to end.
    SideThreadRetires,
    /// A fork begins that other threads may see.
    ForkBegins,
    /// A fork begins that is hidden behind many others.
    ForkHidden,
    /// A fork has become a nursery.
    ForkShown,
    /// The second closure of a fork is about to run on the thread that took it.
    ForkStolen,
    /// A fork that was shown has come back to its thread.
    ForkTakenBack,
    /// A fork that nobody has asked for can no longer be taken by others.
    ForkKept,
    /// A nursery's body is about to begin.
    NurseryOpened,
    /// A nursery's body has ended, and its children are about to be waited for.
    NurseryClosing,
    /// A nursery's last child has ended.
    NurseryClosed,
    /// A nursery has a reason, and the epoch has not advanced.
    CancelMarked,
    /// A nursery has learned that it is cancelled, by its terms or with an outer nursery.
    CancelNoticed,
    /// A failure has been recorded, and the siblings know of it.
    FailureRecorded,
    /// A panic that nobody joins is about to be kept.
    PanicKept,
    /// A deadline is found to have passed.
    DeadlinePassed,
    /// The epoch has advanced.
    EpochAdvanced,
    /// A thread has a guest's seat.
    GuestTaken,
    /// A guest's seat has been returned.
    GuestReturned,
    /// A nursery needs another chunk.
    ChunkGrows,
    /// A chunk without live records is about to be filled again.
    ChunkReused,
    /// A nursery's chunks are about to be given back.
    ChunksFreed,
    /// A child is about to get a chunk of its own.
    ChunkOfOne,
    /// A batch of items, or a piece of a `for_each`, is about to be split.
    BatchSplit,
    /// A thread is about to lend its place while it blocks.
    BlockInPlace,
    /// User code has returned to the catch that it was called under: it could as well have
    /// panicked.
    UserCodeEnds,
    /// A pool says that it is over, and nobody has been told.
    ShutdownBegun,
    /// A pool's threads have ended.
    ShutdownEnded,
}

/// Says that the calling thread is at this point, if `is_so`.
#[allow(clippy::inline_always, reason = "mostly there is nothing to call")]
#[inline(always)]
pub(crate) fn reach_if(is_so: bool, point: Failpoint) {
    if is_so {
        reach(point);
    }
}

/// Says that the calling thread is at this point.
#[cfg(not(hatchery_faults))]
#[allow(clippy::inline_always, reason = "there is nothing to call")]
#[inline(always)]
pub(crate) fn reach(_point: Failpoint) {}

/// The main function of a new thread, with the plan of the calling thread.
#[cfg(not(hatchery_faults))]
#[allow(clippy::inline_always, reason = "there is nothing to call")]
#[inline(always)]
pub(crate) fn inherited<F>(main: F) -> F {
    main
}

#[cfg(hatchery_faults)]
#[path = "../../verify/door/plan.rs"]
mod plan;
#[cfg(hatchery_faults)]
pub(crate) use plan::{Plan, inherited, reach};
