//! The pages of the services in real browsers. `tests/browsers.sh` installs the requirements and runs these tests.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

mod accessibility;
mod accessibility_trees;
mod admin;
mod benchmark;
mod drag_and_drop;
mod flows;
mod formats;
mod harness;
mod hostile_server;
mod languages;
mod plaintext_leaks;
mod receive;
mod refusing_store;
mod request;
mod s3;
mod save_to_disk;
mod screenshots;
mod scripts;
mod send;
mod support;
mod upload_cancel;
