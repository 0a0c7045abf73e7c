//! What survives: processes that are killed at any moment, machines that lose power, clients that are killed.
//!
//! `cargo test --test crash` is a short form. `SGSEND_KILLS=500 cargo test --test crash -- --nocapture` kills servers that
//! often; `SGSEND_CLIENT_KILLS` and `SGSEND_POWER_LOSSES` say the same of the others, and `SGSEND_SEED` repeats a run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail where it stands")]
#![allow(clippy::print_stdout, reason = "runs tell their seed, and what they did")]

mod adopt;
mod clients;
mod crowd;
mod dice;
mod disk;
mod faults;
mod journal;
mod kills;
mod known;
mod loss;
#[path = "../support/not_run.rs"]
mod not_run;
mod power;
mod preload;
mod sender;
mod server;
mod settle;
mod tokens;
mod wire;
