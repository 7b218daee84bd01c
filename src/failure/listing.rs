//! Failures as text and as errors: the cause or all failures, each behind the path to it.
//!
//! Failures may be nested as deep as nurseries are. So no function here recurses, and a long path is written
//! without its middle: the length of a text grows with the number of failures, and not with their depth.

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter, Write};
use std::slice;

use super::{Failure, FailureKind, Failures};

/// How much of a long path is written at each of its ends.
const ENDS: usize = 4;

/// Failures that are not nested in each other.
pub(crate) struct Level<'a, E> {
    pub(crate) failures: &'a [Failure<E>],
    /// Which of them is the cause.
    pub(crate) cause: usize,
    pub(crate) late: &'a [Failure<E>],
}

impl<'a, E> Level<'a, E> {
    pub(crate) fn only(failure: &'a Failure<E>) -> Self {
        Self {
            failures: slice::from_ref(failure),
            cause: 0,
            late: &[],
        }
    }

    /// The cause, then the others in their order, then the late ones.
    fn get(&self, place: usize) -> Option<&'a Failure<E>> {
        let place = match place {
            0 => self.cause,
            place if place <= self.cause => place - 1,
            place => place,
        };
        let late = place.checked_sub(self.failures.len());
        match late {
            None => self.failures.get(place),
            Some(late) => self.late.get(late),
        }
    }
}

/// The innermost cause: the cause of the cause and so on, up to a failure with no others nested in it.
pub(crate) fn cause<E>(failure: &Failure<E>) -> &FailureKind<E> {
    let mut kind = failure.kind();
    while let FailureKind::Nested(failures) = kind {
        kind = failures.cause().kind();
    }
    kind
}

/// Goes through the failures that have no others nested in them.
struct Walk<'a, E> {
    /// The levels that the walk is in, from the outside to the inside, each with the next failure there.
    levels: Vec<(Level<'a, E>, usize)>,
    /// The failures that each level but the first is nested in.
    path: Vec<&'a Failure<E>>,
    /// Whether the walk includes late failures.
    with_late: bool,
}

impl<'a, E> Walk<'a, E> {
    fn through(level: &Level<'a, E>, with_late: bool) -> Self {
        let level = Level { ..*level };
        Self {
            levels: vec![(level, 0)],
            path: Vec::new(),
            with_late,
        }
    }

    /// Returns the next failure; `path` is the path to it until the next call.
    fn next(&mut self) -> Option<&'a Failure<E>> {
        loop {
            let (level, place) = self.levels.last_mut()?;
            let is_over = !self.with_late && *place == level.failures.len();
            match level.get(*place).filter(|_| !is_over) {
                None => {
                    self.levels.pop();
                    self.path.pop();
                }
                Some(failure) => {
                    *place += 1;
                    match failure.nested() {
                        None => return Some(failure),
                        Some(failures) => {
                            self.levels.push((failures.level(), 0));
                            self.path.push(failure);
                        }
                    }
                }
            }
        }
    }

    fn write_path(&self, f: &mut impl Write) -> fmt::Result {
        let path = &self.path;
        let left_out = path.len().saturating_sub(2 * ENDS);
        // A note that one step is missing would be as long as the step.
        if left_out <= 1 {
            return path.iter().try_for_each(|outer| write_whose(f, outer));
        }
        let (first, rest) = path.split_at(ENDS);
        first.iter().try_for_each(|outer| write_whose(f, outer))?;
        write!(f, "({left_out} more): ")?;
        let mut last = rest[left_out..].iter();
        last.try_for_each(|outer| write_whose(f, outer))
    }
}

/// Writes the child; or `body`, if children of another nursery follow.
fn write_whose<E>(f: &mut impl Write, failure: &Failure<E>) -> fmt::Result {
    match (failure.child(), failure.kind()) {
        (Some(child), _) => write!(f, "child {child}: "),
        (None, FailureKind::Nested(_)) => f.write_str("body: "),
        (None, _) => Ok(()),
    }
}

/// Writes the cause and the number of other failures; with `#` all failures, one a line.
pub(crate) fn write<E: Display>(f: &mut Formatter<'_>, level: &Level<'_, E>) -> fmt::Result {
    let mut walk = Walk::through(level, false);
    let mut are_more = false;
    while let Some(failure) = walk.next() {
        if are_more {
            f.write_char('\n')?;
        }
        walk.write_path(f)?;
        write_whose(f, failure)?;
        failure.kind().fmt(f)?;
        if !f.alternate() {
            let leaves = |failure: &Failure<E>| failure.summary().leaves;
            let all: usize = level.failures.iter().map(leaves).sum();
            return match all - 1 {
                0 => Ok(()),
                more => write!(f, " (and {more} more)"),
            };
        }
        are_more = true;
    }
    Ok(())
}

/// Writes all failures in a list, including the late ones.
pub(crate) fn describe<E: Debug>(f: &mut Formatter<'_>, level: &Level<'_, E>) -> fmt::Result {
    f.write_str("Failures ")?;
    let mut list = f.debug_list();
    let mut walk = Walk::through(level, true);
    while let Some(failure) = walk.next() {
        list.entry(&Entry {
            walk: &walk,
            failure,
        });
    }
    list.finish()
}

/// The failure that a walk has come to.
struct Entry<'a, E> {
    walk: &'a Walk<'a, E>,
    failure: &'a Failure<E>,
}

impl<E: Debug> Debug for Entry<'_, E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.walk.write_path(f)?;
        write_whose(f, self.failure)?;
        self.failure.kind().fmt(f)
    }
}

/// Nested failures are written like the text of [`Failures`].
impl<E: Display> Display for Failure<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write(f, &Level::only(self))
    }
}

impl<E: Display> Display for FailureKind<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) | Self::Late(error) => error.fmt(f),
            Self::Panic(panic) => Display::fmt(panic, f),
            Self::Cancelled(cancelled) => Display::fmt(cancelled, f),
            Self::Nested(failures) => failures.fmt(f),
        }
    }
}

impl<E: Debug> Debug for Failure<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("kind", self.kind())
            .field("child", &self.child())
            .finish()
    }
}

impl<E: Error> Error for Failure<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        cause(self).source()
    }
}

impl<E: Error> FailureKind<E> {
    /// The source of a failure that has no others nested in it.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(error) | Self::Late(error) => error.source(),
            Self::Panic(_) | Self::Cancelled(_) | Self::Nested(_) => None,
        }
    }
}

impl<E: Display> Display for Failures<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write(f, &self.level())
    }
}

impl<E: Debug> Debug for Failures<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        describe(f, &self.level())
    }
}

impl<E: Error> Error for Failures<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().source()
    }
}
