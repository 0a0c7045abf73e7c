//! Checks of the repository itself: dependencies between layers, and the tests that SECURITY.md names.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

mod layering;
mod security_table;
