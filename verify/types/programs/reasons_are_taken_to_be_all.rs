use hatchery::{FailureKind, OnFailure, CancelReason};

fn main() {
    match CancelReason::Requested {
        CancelReason::Requested => {}
    }
    match OnFailure::Cancel {
        OnFailure::Cancel | OnFailure::Continue => {}
    }
    match FailureKind::Error(()) {
        FailureKind::Error(()) | FailureKind::Late(()) => {}
        FailureKind::Panic(_) | FailureKind::Cancelled(_) | FailureKind::Nested(_) => {}
    }
}
