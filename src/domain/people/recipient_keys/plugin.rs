//! Plugins of age: programs `age-plugin-NAME` in the `PATH` of the user, such as for keys in hardware.
//!
//! Specification: <https://c2sp.org/age-plugin>. Only keys that the user has named are given to plugins: no link, URL or
//! server makes a program run.

use std::fmt;
use std::sync::Arc;

use age::plugin::{IdentityPluginV1, RecipientPluginV1, ResolveError};
use age::secrecy::SecretString;
use zeroize::Zeroizing;

/// Questions and messages of a plugin to the user. Called on threads that may block.
pub trait PluginDialogue: Send + Sync {
    /// Shows a message, such as that a key must be touched.
    fn display(&self, message: &str);

    /// Asks for a confirmation, with the words for yes and no; `None` if nobody can be asked.
    fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool>;

    /// Asks for a text; `None` if nobody can be asked.
    fn ask(&self, question: &str) -> Option<String>;

    /// Asks for a secret, such as a PIN; `None` if nobody can be asked.
    fn ask_secret(&self, question: &str) -> Option<Zeroizing<String>>;
}

/// Permission to run plugins, which ask their questions in one dialogue.
#[derive(Clone)]
pub struct Plugins(Arc<dyn PluginDialogue>);

/// The plugin cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginFailure {
    /// The program is not in the `PATH`.
    #[error("the plugin {0} is not in the PATH of this user")]
    Missing(String),
    /// The plugin has reported an error, or has ended early.
    #[error("the plugin failed: {0}")]
    Failed(String),
}

impl Plugins {
    /// Lets plugins run, with their questions in `dialogue`.
    #[must_use]
    pub fn new(dialogue: Arc<dyn PluginDialogue>) -> Self {
        Self(dialogue)
    }

    /// Finds the program that wraps for these recipients of one plugin.
    pub(super) fn of_recipients(
        &self,
        name: &str,
        recipients: &[age::plugin::Recipient],
    ) -> Result<RecipientPluginV1<Self>, PluginFailure> {
        Ok(RecipientPluginV1::new(name, recipients, &[], self.clone())?)
    }

    /// Finds the program that unwraps for an identity.
    pub(super) fn of_identity(
        &self,
        identity: &age::plugin::Identity,
    ) -> Result<IdentityPluginV1<Self>, PluginFailure> {
        Ok(IdentityPluginV1::new(identity.plugin(), std::slice::from_ref(identity), self.clone())?)
    }
}

impl age::Callbacks for Plugins {
    fn display_message(&self, message: &str) {
        self.0.display(message);
    }

    fn confirm(&self, message: &str, yes_string: &str, no_string: Option<&str>) -> Option<bool> {
        self.0.confirm(message, yes_string, no_string)
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.ask(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        self.0.ask_secret(description).map(|secret| SecretString::from(secret.as_str()))
    }
}

impl From<ResolveError> for PluginFailure {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::MissingPlugin { binary_name } => Self::Missing(binary_name),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl PluginFailure {
    /// Describes the errors that a plugin has reported.
    pub(super) fn of<E: fmt::Display>(errors: &[E]) -> Self {
        Self::Failed(errors.iter().map(E::to_string).collect::<Vec<_>>().join("; "))
    }
}
