//! Failures as text: the first one, or all, each behind the path to it.

use std::fmt::{self, Display, Formatter};

use crate::failure::{Failure, Kind};

/// The first of these and how many more there are; with `#` all of them, one a line.
pub(crate) fn write<E: Display>(f: &mut Formatter<'_>, failures: &[Failure<E>]) -> fmt::Result {
    if f.alternate() {
        return list(f, failures, &mut String::new(), &mut "");
    }
    let mut first = &failures[0];
    while let Kind::Nested(nested) = first.kind() {
        f.write_str(&whose(first))?;
        first = nested.cause();
    }
    f.write_str(&whose(first))?;
    first.kind().fmt(f)?;
    match number(failures) - 1 {
        0 => Ok(()),
        more => write!(f, " (and {more} more)"),
    }
}

/// How many there are that have no others nested in them.
fn number<E>(failures: &[Failure<E>]) -> usize {
    let number = |failure: &Failure<E>| match failure.kind() {
        Kind::Nested(nested) => number(nested.all()),
        _ => 1,
    };
    failures.iter().map(number).sum()
}

fn list<E: Display>(
    f: &mut Formatter<'_>,
    failures: &[Failure<E>],
    path: &mut String,
    end_of_last: &mut &str,
) -> fmt::Result {
    for failure in failures {
        let len = path.len();
        path.push_str(&whose(failure));
        if let Kind::Nested(nested) = failure.kind() {
            list(f, nested.all(), path, end_of_last)?;
        } else {
            write!(f, "{end_of_last}{path}")?;
            failure.kind().fmt(f)?;
            *end_of_last = "\n";
        }
        path.truncate(len);
    }
    Ok(())
}

/// The child; or that it was the body, where the children of another nursery follow.
fn whose<E>(failure: &Failure<E>) -> String {
    match (failure.child(), failure.kind()) {
        (Some(child), _) => format!("child {child}: "),
        (None, Kind::Nested(_)) => "body: ".to_owned(),
        (None, _) => String::new(),
    }
}
