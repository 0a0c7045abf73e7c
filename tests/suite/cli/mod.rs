//! The binary, driven as people and scripts drive it.

mod anonymity;
mod canary;
mod crash;
mod disk_full;
mod doctor;
mod fails_closed;
mod failures;
mod history;
mod json;
mod limits;
mod lying;
mod matrix;
mod network;
mod presigned;
mod race;
mod round_trip;
mod s3;
mod serving;
mod signals;
mod store_check;
mod sweep;
mod tables;
mod tls;
mod watch;
