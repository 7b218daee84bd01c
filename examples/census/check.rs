//! Where two censuses differ.

use std::fmt::Debug;

use crate::census::Census;

/// Differences that are told; the first ones say enough.
const MOST: usize = 5;

/// What is not the same in both, in words; nothing if they agree.
pub(crate) fn differences(found: &Census, serial: &Census) -> Vec<String> {
    let mut differences = Vec::new();
    let mut number = |what, found: usize, serial: usize| {
        if found != serial {
            differences.push(format!("{what}: {found}, serially {serial}"));
        }
    };
    number("files", found.files.len(), serial.files.len());
    number("further names", found.names, serial.names);
    number("directories", found.directories, serial.directories);
    number("links", found.links, serial.links);
    number("special files", found.special, serial.special);
    number("problems", found.problems.len(), serial.problems.len());
    differences.extend(first_that_differs(&found.files, &serial.files));
    differences.extend(first_that_differs(&found.problems, &serial.problems));
    differences.truncate(MOST);
    differences
}

fn first_that_differs<T: PartialEq + Debug>(found: &[T], serial: &[T]) -> Option<String> {
    let length = found.len().max(serial.len());
    let differs = (0..length).find(|i| found.get(*i) != serial.get(*i))?;
    Some(format!(
        "{:?}, serially {:?}",
        found.get(differs),
        serial.get(differs)
    ))
}
