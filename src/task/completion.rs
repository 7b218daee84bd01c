//! How a child ended.

pub(crate) use crate::platform::payload::{Payload, lose};

/// How a child ended, with what it left in its slot.
pub(crate) enum Completion<T> {
    /// The value it returned.
    Done(T),
    /// What it, or a destructor of something it owned, panicked with.
    Panicked(Payload),
    /// Nothing: it was dropped unrun.
    Skipped,
}

/// What a panic leaves in a record: one word, where a payload has two. So the record of a child that captures
/// one word takes four words in all, half of a cache line.
pub(super) type Panicked = Box<Payload>;

/// A handle of a child that other tasks than its spawner may have: no type implements it.
///
/// It words the error that a program gets if it sends or shares a handle.
#[diagnostic::on_unimplemented(
    message = "only the task that spawned a child may join it",
    label = "a handle to a child leaves the task that spawned the child",
    note = "join the child first and pass its value on, or have the other task spawn the child"
)]
pub(crate) trait JoinedByOthers {}
