//! Whole flows: between two browsers, of large files, behind a proxy, and their length in clicks.

pub(crate) mod behind_nginx;
mod cross_browser;
mod firefox;
mod large;
mod path_lengths;
