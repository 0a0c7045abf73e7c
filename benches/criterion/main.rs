//! Benchmarks of single operations: encryption, envelope, records and stores.
//!
//! `cargo bench --package sgsend-benches [FILTER]` runs them.

mod records;
mod sealing;
mod store;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, sealing::payload, sealing::metadata, records::records, store::stores);
criterion_main!(benches);
