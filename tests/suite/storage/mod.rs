//! Scarce disk space and contention for the database.

mod disk_space;
mod full_bucket;
mod full_disk;
mod sqlite_contention;
