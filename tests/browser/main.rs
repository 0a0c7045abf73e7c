//! The pages of the services in real browsers. `tests/browsers.sh` installs the requirements and runs these tests.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

mod accessibility;
mod admin;
mod both;
mod canary;
mod dropping;
mod firefox;
mod formats;
mod hostile;
mod large;
mod measure;
mod receive;
mod s3;
mod saving;
mod screenshots;
mod scripts;
mod send;
mod stopping;
mod support;
mod watchers;
