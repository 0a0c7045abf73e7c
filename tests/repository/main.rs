//! Checks of the repository itself: the built binary, dependencies between layers, and the tests that SECURITY.md names.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

mod binary;
mod layering;
mod security_table;
