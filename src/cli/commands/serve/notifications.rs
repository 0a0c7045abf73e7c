//! Options of `sgsend serve` for notifications.

use std::path::{Path, PathBuf};

use clap::Args;

use super::admin_key::{GENERATE, read};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::secret::SecretText;
use crate::domain::notification::{WebhookKey, WebhookSecret, WebhookUrl};
use crate::server::{Settings, SmtpServer};

/// Options for webhooks and e-mail.
#[derive(Args)]
#[command(next_help_heading = "Notification options")]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct NotificationArguments {
    /// URL to which notifications about all transfers are posted, signed by Standard Webhooks
    ///
    /// Needs --webhook-secret-file or --webhook-key-file. With the latter, the first service that starts with a URL prints
    /// its secret once, on stderr.
    #[arg(long, env = "SGSEND_WEBHOOK", value_name = "URL", hide_env_values = true)]
    webhook: Option<SecretText>,
    /// File with the secret of --webhook, whsec_ and 24 to 64 bytes in base64
    #[arg(long, env = "SGSEND_WEBHOOK_SECRET_FILE", value_name = "FILE", requires = "webhook")]
    webhook_secret_file: Option<PathBuf>,
    /// File with a key of at least 32 characters, from which the secrets of webhooks are derived
    ///
    /// With it, `token create` and `token update` take --webhook. Public and admin service need the same key.
    #[arg(long, env = "SGSEND_WEBHOOK_KEY_FILE", value_name = "FILE")]
    webhook_key_file: Option<PathBuf>,
    /// Allow webhooks with private and loopback addresses, which then may be http://
    #[arg(long, env = "SGSEND_WEBHOOK_ALLOW_PRIVATE")]
    webhook_allow_private: bool,
    /// Mail server for notifications: smtps://USER:PASSWORD@HOST?from=ADDRESS; smtp:// uses STARTTLS
    ///
    /// With it, `token create` and `token update` take --email. Others can see arguments: prefer --smtp-url-file.
    #[arg(long, env = "SGSEND_SMTP_URL", value_name = "URL", hide_env_values = true, conflicts_with = "smtp_url_file")]
    smtp_url: Option<SecretText>,
    /// File with the URL of --smtp-url
    #[arg(long, env = "SGSEND_SMTP_URL_FILE", value_name = "FILE")]
    smtp_url_file: Option<PathBuf>,
}

impl NotificationArguments {
    /// Sets the part of the settings that these options determine. `ca_file`: that of `--ca-file`.
    pub(super) fn apply(&self, settings: &mut Settings, ca_file: Option<&Path>) -> Result<(), Failure> {
        let unusable = |message: String| {
            let failure = Failure::new(Exit::Usage, "notifications_unusable", message);
            failure.hint("`sgsend serve public --help` describes the values")
        };
        let set = &mut settings.notifications;
        // Parsed here, since an error of the command line would quote the secrets in the value.
        let unusable_value = |flag: &str, error: String| unusable(format!("cannot use {flag}: {error}"));
        if let Some(url) = &self.webhook {
            let url = url.as_str().parse::<WebhookUrl>();
            set.webhook = Some(url.map_err(|error| unusable_value("--webhook", error.to_string()))?);
        }
        if let Some(file) = &self.webhook_secret_file {
            let text = read(file, "webhook secret", "webhook_secret_unreadable")?;
            let secret = text.parse::<WebhookSecret>();
            set.webhook_secret =
                Some(secret.map_err(|error| {
                    unusable(format!("cannot use the webhook secret in {}: {error}", file.display()))
                })?);
        }
        if let Some(file) = &self.webhook_key_file {
            let text = read(file, "webhook key", "webhook_key_unreadable")?;
            set.webhook_key = Some(WebhookKey::new(&text).map_err(|error| {
                unusable(format!("cannot use the webhook key in {}: {error}", file.display())).hint(GENERATE)
            })?);
        }
        if self.webhook.is_some() && set.webhook_secret.is_none() && set.webhook_key.is_none() {
            let failure = Failure::usage("--webhook needs a secret for its signatures");
            return Err(failure.hint("add --webhook-secret-file, or --webhook-key-file"));
        }
        set.allow_private = self.webhook_allow_private;
        if let Some(url) = &self.smtp_url {
            let server = url.as_str().parse::<SmtpServer>();
            set.smtp = Some(server.map_err(|error| unusable_value("--smtp-url", error.to_string()))?);
        }
        if let Some(file) = &self.smtp_url_file {
            let text = read(file, "URL of the mail server", "smtp_url_unreadable")?;
            set.smtp = Some(text.parse::<SmtpServer>().map_err(|error| {
                unusable(format!("cannot use the URL of the mail server in {}: {error}", file.display()))
            })?);
        }
        set.ca_file = ca_file.map(Path::to_owned);
        Ok(())
    }
}
