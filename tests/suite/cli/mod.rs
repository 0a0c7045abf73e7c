//! The binary, driven as people and scripts drive it.

mod canary;
mod crash;
mod disk_full;
mod failures;
mod json;
mod limits;
mod lying;
mod network;
mod presigned;
mod round_trip;
mod serving;
mod signals;
mod tls;
