//! Options for the notifications of a token.

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::input::notify::NotifyName;
use crate::cli::input::secret::SecretText;
use crate::cli::output::printer::Printer;
use crate::domain::notification::{EmailAddress, WebhookUrl};
use crate::domain::wire::SetNotifications;

/// Options for the notifications about a token's transfers.
#[derive(Args)]
pub(super) struct NotificationOptions {
    /// URL to which the server posts signed notifications about the token's transfers
    ///
    /// The services need --webhook-key-file. The secret of the webhook is printed once.
    #[arg(long, value_name = "URL")]
    webhook: Option<SecretText>,
    /// E-mail address to which the server sends notifications about the token's transfers
    ///
    /// The services need --smtp-url. Senders see the address with `upload --transparency`.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<EmailAddress>,
    /// Notifications of uploads without --notify
    #[arg(long, value_name = "WHICH")]
    notify: Option<NotifyName>,
}

/// Options that remove targets of notifications.
#[derive(Args)]
pub(super) struct RemovalOptions {
    /// Send no notifications to the webhook of the token any more
    #[arg(long, conflicts_with = "webhook")]
    no_webhook: bool,
    /// Send no notifications to the e-mail address of the token any more
    #[arg(long, conflicts_with = "email")]
    no_email: bool,
}

impl NotificationOptions {
    /// Returns the change for the server; `None` without one.
    ///
    /// # Errors
    /// Fails for an unusable URL, without quoting it: it may contain a secret of the receiver.
    pub(super) fn change(self, removal: Option<&RemovalOptions>) -> Result<Option<SetNotifications>, Failure> {
        let removes = |of: fn(&RemovalOptions) -> bool| removal.is_some_and(of);
        let webhook = self.webhook.as_ref().map(|url| url.as_str().parse::<WebhookUrl>()).transpose();
        let webhook = webhook.map_err(|error| {
            Failure::usage(format!("cannot use --webhook: {error}")).hint("name the address of the receiver")
        })?;
        let change = SetNotifications {
            choice: self.notify.map(Into::into),
            webhook: if removes(|one| one.no_webhook) { Some(None) } else { webhook.map(Some) },
            email: if removes(|one| one.no_email) { Some(None) } else { self.email.map(Some) },
        };
        Ok((change != SetNotifications::default()).then_some(change))
    }
}

/// Prints the secret of a webhook that was set, on stderr.
pub(super) fn note_secret(printer: &Printer, secret: Option<&str>) {
    if let Some(secret) = secret {
        printer.note(&format!("secret of the webhook, shown only once: {secret}"));
    }
}
