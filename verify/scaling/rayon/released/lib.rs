//! Nothing: only what it depends on is of interest.
