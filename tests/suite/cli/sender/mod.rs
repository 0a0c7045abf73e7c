//! The sender's machine: history, saved tokens, watched transfers, CI scripts.

mod ci_scripts;
mod history;
mod link_origin;
mod list;
mod status_watch;
mod token_prompt;
mod token_storage;
