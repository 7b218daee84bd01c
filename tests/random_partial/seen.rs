//! Failures and outcomes as values that can be compared.

use std::iter;

use hatchery::{CancelReason, Cancelled, ChildId, Failure, FailureKind, Failures};

use crate::world::Fault;

/// A step of a child's path: whether it was spawned elsewhere, and its number.
pub(crate) type Hop = (bool, u64);

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) child: Option<Vec<Hop>>,
    pub(crate) sign: Sign,
}

/// What went wrong; tasks are named by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Error(usize),
    Late(usize),
    Panic(Option<String>),
    Cancelled(Answer),
    /// Failures, and late ones.
    Nested(Vec<Seen>, Vec<Seen>),
}

/// What somebody is told who asks whether a nursery is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    /// Without a reason.
    Yes,
    /// And whether it is that of a nursery further out.
    Because(CancelReason, bool),
}

/// What a task has returned, before it becomes its nursery's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    Value,
    Failed(Seen, Source),
    Panicked(Option<String>),
}

/// Where a task has the failure from that it returns. Nurseries and tasks are named by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// It has made it, of an error or of all the failures of a nursery further in.
    Own,
    /// It has asked this nursery, and was told.
    Told(usize),
    /// It has joined a child of this nursery: that one, or the last, that says there are no more items.
    Child(usize, Option<usize>),
    /// It has taken the first of all failures of this nursery.
    Cause(usize),
}

impl Source {
    /// The nursery that it was taken out of.
    pub(crate) fn nursery(self) -> Option<usize> {
        match self {
            Self::Own => None,
            Self::Told(nursery) | Self::Child(nursery, _) | Self::Cause(nursery) => Some(nursery),
        }
    }
}

/// What a nursery has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With the late errors that were handed over, if it has a body that asked for them.
    Value(usize, Vec<Seen>),
    /// Failures, late ones, and which of the failures is the cause.
    Failed(Vec<Seen>, Vec<Seen>, usize),
    /// Of a total nursery, a fork or a loop.
    All(Vec<Result<usize, Seen>>),
    Raised(Option<String>),
}

impl Answer {
    pub(crate) fn of(cancelled: Cancelled) -> Self {
        Self::Because(cancelled.reason(), cancelled.is_inherited())
    }
}

impl Seen {
    pub(crate) fn of(failure: &Failure<Fault>) -> Self {
        let sign = match failure.kind() {
            FailureKind::Error(fault) => Sign::Error(fault.0),
            FailureKind::Late(fault) => Sign::Late(fault.0),
            FailureKind::Panic(panic) => Sign::Panic(panic.message().map(str::to_owned)),
            FailureKind::Cancelled(cancelled) => Sign::Cancelled(Answer::of(*cancelled)),
            FailureKind::Nested(failures) => {
                let (failures, late) = both(failures);
                Sign::Nested(failures, late)
            }
            kind => unreachable!("{kind:?} is new"),
        };
        let child = failure.child().map(path);
        Self { child, sign }
    }
}

impl Outcome {
    pub(crate) fn of(failures: &Failures<Fault>) -> Self {
        let mut all = failures.iter();
        let cause = all.position(|failure| std::ptr::eq(failure, failures.cause()));
        let (failures, late) = both(failures);
        Self::Failed(failures, late, cause.expect("it is one of them"))
    }
}

fn both(failures: &Failures<Fault>) -> (Vec<Seen>, Vec<Seen>) {
    let late = failures.late().iter().map(Seen::of);
    (failures.iter().map(Seen::of).collect(), late.collect())
}

/// The path of an identity, child by child: the order of identities is not to be trusted here, and the text leaves
/// out the middle of a long path.
fn path(id: &ChildId) -> Vec<Hop> {
    let ids = iter::successors(Some(id.clone()), ChildId::spawner);
    let mut hops: Vec<_> = ids.map(|id| (id.is_elsewhere(), id.index())).collect();
    hops.reverse();
    hops
}

impl Seen {
    /// Whether it says no more than that a nursery was cancelled, or perhaps, what followed from it.
    pub(crate) fn says_cancelled(&self, or_late: bool) -> bool {
        match &self.sign {
            Sign::Cancelled(_) => true,
            Sign::Late(_) => or_late,
            Sign::Nested(failures, _) => failures.iter().all(|seen| seen.says_cancelled(or_late)),
            Sign::Error(_) | Sign::Panic(_) => false,
        }
    }

    /// Whether it is late, or there are late ones in it; of a consequence of a cancellation.
    pub(crate) fn is_late(&self) -> bool {
        match &self.sign {
            Sign::Late(_) => true,
            Sign::Nested(failures, late) => !late.is_empty() || failures.iter().any(Self::is_late),
            _ => false,
        }
    }
}
