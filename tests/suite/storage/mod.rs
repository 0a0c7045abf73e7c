//! Scarce disk space and contention for the database.

mod disk_space;
mod sqlite_contention;
