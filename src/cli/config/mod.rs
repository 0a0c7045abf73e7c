//! Configuration: the file, the environment, the paths, and the settings made of them.

pub(super) mod contacts;
pub(super) mod environment;
pub(super) mod file;
pub(super) mod generated_key;
pub(super) mod guest_uploads;
pub(super) mod known_senders;
pub mod paths;
pub(super) mod private_file;
pub(super) mod service_file;
pub(super) mod settings;
pub(super) mod variables;
