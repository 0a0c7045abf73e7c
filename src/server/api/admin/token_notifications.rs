//! Notifications of tokens, in the routes that create and change them.

use crate::domain::error::Error;
use crate::domain::wire::{SetNotifications, TokenItem};
use crate::server::state::App;

/// Checks that the server can send the notifications that a request sets.
///
/// # Errors
/// [`Error::NotificationsUnavailable`] with the name of the missing setting.
pub(super) fn check_available(app: &App, change: Option<&SetNotifications>) -> Result<(), Error> {
    let unavailable = |setting| Err(Error::NotificationsUnavailable { setting });
    match change {
        Some(change) if change.sets_webhook() && !app.notifier.has_key() => unavailable("--webhook-key-file"),
        Some(change) if change.sets_email() && !app.notifier.has_mailer() => unavailable("--smtp-url"),
        _ => Ok(()),
    }
}

/// Returns the secret of a token's webhook, if the request has set the webhook.
pub(super) fn new_secret(app: &App, item: &TokenItem, sets_webhook: bool) -> Option<String> {
    let target = item.notifications.as_ref()?.webhook.as_ref().filter(|_| sets_webhook)?;
    Some(app.notifier.secret(target.target_id)?.to_text().to_string())
}
