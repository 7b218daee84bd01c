//! The same walk without a nursery, to check the other one.

use crate::census::Census;
use crate::entry::{self, Found, Place};

/// Everything below `root`, one after the other.
pub(crate) fn census(root: &Place<'_>, follow: bool) -> Census {
    let mut found = Census::default();
    directory(root, follow, &mut found);
    found.complete()
}

fn directory(place: &Place<'_>, follow: bool, found: &mut Census) {
    let listing = entry::list(place, follow);
    found.add(listing.census);
    for file in listing.files.into_iter().map(Found::hash) {
        found.add_file(file);
    }
    for below in listing.directories {
        directory(&Place::below(below, place), follow, found);
    }
}
