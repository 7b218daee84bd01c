//! Tests of the crate's own source: programs that are brought down at every fail point, and threads that
//! the system refuses.

mod points;
mod refused;
