//! Crash tests: servers and clients killed at random times, and power loss.
//!
//! `cargo test --test crash` is a short run. `SGSEND_KILLS=500 cargo test --test crash -- --nocapture` sets the number
//! of server kills; `SGSEND_CLIENT_KILLS` and `SGSEND_POWER_LOSSES` do the same for client kills and power losses, and
//! `SGSEND_SEED` repeats a run.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]
#![allow(clippy::print_stdout, reason = "runs print their seed and a summary")]

mod clients;
mod delete_many;
mod disk;
mod disk_rescan;
mod failing_disk;
mod faults;
mod faulty_disk;
mod journal;
mod kills;
mod ld_preload;
mod lost_writes;
#[path = "../support/not_run.rs"]
mod not_run;
mod power;
mod random;
mod slow_disk;
mod transfer_model;
mod users;

mod home;
mod http_client;
mod reconcile;
mod sender;
#[path = "../support/server_process.rs"]
#[allow(dead_code, reason = "shared with other test binaries, which use more of it")]
mod server_process;
mod tokens;
