//! The pages of the services, in real browsers. `tests/browsers.sh` gets what is needed and runs this.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail where it stands")]

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
