//! Uploads and downloads with the command.

mod archives;
mod disk_full;
mod download_count;
mod generated_files;
mod hostile_server;
mod info;
mod links;
mod modes;
mod network;
mod odd_homes;
mod odd_machines;
mod pasted_links;
mod pieces;
mod plaintext_leaks;
mod presigned;
mod proxies;
mod requests;
mod restarts;
mod resume;
mod round_trip;
mod s3;
mod server_kills;
mod signals;
mod size_limit;
mod stdin;
mod store_matrix;
