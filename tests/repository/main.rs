//! Checks of the repository: the binary, dependencies between layers, documents and doc comments.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

mod binary;
mod doc_comments;
mod layering;
mod named_files;
mod security_table;
