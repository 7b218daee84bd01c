//! The scenarios as functions for a host that calls them.

#[path = "scenarios.rs"]
mod scenarios;
