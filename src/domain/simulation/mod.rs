//! Deterministic simulation of several servers over one shared store.
//!
//! Each schedule runs servers and clients in one thread. A seed decides which task runs next, which store operations
//! fail, lose their answer or conflict, when servers crash, and how their clocks differ; so a seed repeats a schedule
//! exactly. Each write that takes effect, each response, and the store at rest are compared with a model.
//!
//! `cargo test --lib simulation -- --nocapture` runs 1 000 schedules. `SGSEND_SCHEDULES` sets their number,
//! `SGSEND_SEED` the first seed. A failure prints the seed, the steps of its schedule, and the command that repeats it.

mod clients;
mod effects;
mod executor;
mod judge;
mod links;
mod model;
mod observe;
mod plan;
mod recipients;
mod requests;
mod rest;
mod schedule;
mod scripts;
mod server;
mod store;
mod tests;
mod world;
