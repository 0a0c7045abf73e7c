//! Scarce disk space, failing buckets and contention for the database.

mod bucket_endpoints;
mod disk_space;
mod failing_bucket;
mod full_bucket;
mod full_disk;
mod sqlite_contention;
