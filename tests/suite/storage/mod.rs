//! Scarce disk space, failing buckets, contention for the database, and upgrades.

mod bucket_endpoints;
mod disk_space;
mod failing_bucket;
mod full_bucket;
mod full_disk;
mod newer_store;
mod readiness;
mod sqlite_contention;
mod upgrade;
mod upgraded_under_server;
