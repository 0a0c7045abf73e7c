//! Input: global options, value parsers, secrets, questions, and the content to send.

pub(super) mod candidates;
pub(super) mod content;
pub(super) mod flow;
pub(super) mod global;
pub(super) mod identity;
pub(super) mod link_arg;
pub(super) mod notify;
#[cfg(unix)]
mod pasted;
pub(super) mod plugin_dialogue;
pub(super) mod prompt;
pub(super) mod recipients;
pub(super) mod request_link;
pub(super) mod s3_options;
pub(super) mod secret;
pub(super) mod server_arg;
pub(super) mod signer;
pub(super) mod spool;
pub(super) mod values;
