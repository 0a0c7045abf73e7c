//! The pages of the services, in real browsers. `tests/browsers.sh` gets what is needed and runs this.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail where it stands")]

mod accessibility;
mod both;
mod canary;
mod firefox;
mod formats;
mod large;
mod measure;
mod receive;
mod s3;
mod screenshots;
mod send;
mod support;
mod watchers;
