//! Checks of the repository: the binary, layers, documents, doc comments, and named tests.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

mod binary;
mod doc_comments;
mod fault_matrix;
mod layering;
mod named_files;
mod page_texts;
mod security_table;
mod type_names;
mod vendored;
