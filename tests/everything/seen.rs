//! Failures, panics and outcomes as values that can be compared.

use std::any::Any;

use hatchery::{CancelReason, Cancelled, Failure, FailureKind, Failures};

use crate::everything::ledger::{Exploded, Fault, Payload};

/// What a panic carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Thrown {
    /// That task has panicked.
    Panic(usize),
    /// Something of that task has panicked when it was dropped.
    Exploded(usize),
    Text(String),
    /// What nobody but the crate can read, or what was not looked into.
    Other,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Error(usize),
    Late(usize),
    Panic(Thrown),
    Cancelled(CancelReason, bool),
    /// Failures, and late ones.
    Nested(Vec<Seen>, Vec<Seen>),
}

/// What somebody is told who asks whether a nursery is cancelled.
pub(crate) type Answer = Option<(CancelReason, bool)>;

/// What a task has returned, before it becomes its nursery's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    Value(u64),
    /// An error of its own.
    Error,
    /// That its nursery is cancelled.
    Told,
    /// What it was handed, as it was.
    Passed(Seen),
    Panicked(Thrown),
}

/// What a join comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Value(usize, u64),
    Failed(Seen),
    Raised(Thrown),
}

/// What a nursery has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Of a total nursery: that of its body, or of each of its children, or sides.
    Results(Vec<Result<(usize, u64), Seen>>),
    /// Of a partial nursery: its body's; of a race: the winner's.
    Value(usize, u64),
    /// Failures, and late ones.
    Failed(Vec<Seen>, Vec<Seen>),
    Raised(Thrown),
}

pub(crate) fn answer(cancelled: Cancelled) -> (CancelReason, bool) {
    (cancelled.reason(), cancelled.is_inherited())
}

impl Thrown {
    /// Looks at a payload that goes on.
    pub(crate) fn look(payload: &(dyn Any + Send)) -> Self {
        if let Some(payload) = payload.downcast_ref::<Payload>() {
            return Self::Panic(payload.task);
        }
        if let Some(exploded) = payload.downcast_ref::<Exploded>() {
            return Self::Exploded(exploded.0);
        }
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        text.map_or(Self::Other, Self::Text)
    }

    /// Takes a payload, so that it does no harm.
    pub(crate) fn take(payload: Box<dyn Any + Send>) -> Self {
        let thrown = Self::look(&*payload);
        if let Ok(payload) = payload.downcast::<Payload>() {
            payload.ticket.taken();
        }
        thrown
    }
}

impl Seen {
    /// Takes a failure, so that it does no harm.
    pub(crate) fn take(failure: Failure<Fault>) -> Self {
        match failure.into_kind() {
            FailureKind::Error(fault) => Self::Error(fault.ticket.taken()),
            FailureKind::Late(fault) => Self::Late(fault.ticket.taken()),
            FailureKind::Panic(panic) => Self::Panic(Thrown::take(panic.into_payload())),
            FailureKind::Cancelled(cancelled) => {
                let (reason, is_inherited) = answer(cancelled);
                Self::Cancelled(reason, is_inherited)
            }
            FailureKind::Nested(failures) => {
                let (failures, late) = take_both(failures);
                Self::Nested(failures, late)
            }
            kind => unreachable!("{kind:?} is new"),
        }
    }

    /// Looks at a failure that goes on; what a panic carries is not to be seen.
    pub(crate) fn look(failure: &Failure<Fault>) -> Self {
        match failure.kind() {
            FailureKind::Error(fault) => Self::Error(fault.task),
            FailureKind::Late(fault) => Self::Late(fault.task),
            FailureKind::Panic(_) => Self::Panic(Thrown::Other),
            FailureKind::Cancelled(cancelled) => {
                let (reason, is_inherited) = answer(*cancelled);
                Self::Cancelled(reason, is_inherited)
            }
            FailureKind::Nested(failures) => {
                let (failures, late) = look_both(failures);
                Self::Nested(failures, late)
            }
            kind => unreachable!("{kind:?} is new"),
        }
    }

    /// Whether it is what that one was that somebody has looked at.
    pub(crate) fn is_like(&self, looked: &Self) -> bool {
        let all = |own: &[Self], looked: &[Self]| {
            let mut both = own.iter().zip(looked);
            own.len() == looked.len() && both.all(|(own, looked)| own.is_like(looked))
        };
        match (self, looked) {
            (Self::Panic(_), Self::Panic(Thrown::Other)) => true,
            (Self::Panic(Thrown::Other), Self::Panic(_)) => true,
            // It has become known as a consequence since.
            (Self::Late(own), Self::Error(looked)) => own == looked,
            (Self::Nested(own, late), Self::Nested(looked, looked_late)) => {
                all(own, looked) && all(late, looked_late)
            }
            (own, looked) => own == looked,
        }
    }

    /// Whether it may be no more than a consequence of a cancellation.
    pub(crate) fn may_follow(&self) -> bool {
        match self {
            Self::Cancelled(..) | Self::Late(_) => true,
            Self::Nested(failures, _) => failures.iter().all(Self::may_follow),
            Self::Error(_) | Self::Panic(_) => false,
        }
    }
}

pub(crate) fn take_both(failures: Failures<Fault>) -> (Vec<Seen>, Vec<Seen>) {
    let (failures, late) = failures.into_parts();
    let take = |failures: Vec<_>| failures.into_iter().map(Seen::take).collect();
    (take(failures), take(late))
}

pub(crate) fn look_both(failures: &Failures<Fault>) -> (Vec<Seen>, Vec<Seen>) {
    let late = failures.late().iter().map(Seen::look);
    (failures.iter().map(Seen::look).collect(), late.collect())
}
