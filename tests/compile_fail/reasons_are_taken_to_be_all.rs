use hatchery::{Kind, OnFailure, Reason};

fn main() {
    match Reason::Requested {
        Reason::Requested => {}
    }
    match OnFailure::Cancel {
        OnFailure::Cancel | OnFailure::Continue => {}
    }
    match Kind::Error(()) {
        Kind::Error(()) | Kind::Late(()) => {}
        Kind::Panic(_) | Kind::Cancelled(_) | Kind::Nested(_) => {}
    }
}
