//! Commands: one file or folder each, with its arguments and its `run`.

pub(super) mod audit;
pub(super) mod completions;
pub(super) mod delete;
pub(super) mod doctor;
pub(super) mod download;
pub(super) mod history;
pub(super) mod login;
pub(super) mod man;
pub(super) mod open;
pub(super) mod serve;
pub(super) mod stats;
pub(super) mod status;
pub(super) mod store;
pub(super) mod sweep;
pub(super) mod token;
pub(super) mod upload;
