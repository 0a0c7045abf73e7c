//! Delivery of notifications: webhooks, e-mail, and the job that works through the outbox.

mod mail;
mod resolver;
mod settings;
mod webhook;
mod worker;

use async_trait::async_trait;

pub use settings::{InvalidSmtpUrl, NotificationSettings, SmtpServer};
#[cfg(feature = "lambda")]
pub(super) use worker::deliver_once;
pub(super) use worker::{deliver_periodically, poll_interval};

use crate::domain::id::TargetId;
use crate::domain::notification::{
    DeliveryError, FailureReason, Notification, NotificationAddress, NotificationSender, NotificationTarget,
    WebhookKey, WebhookSecret,
};
use crate::server::StartError;
use mail::Mailer;
use webhook::WebhookClient;

/// Sends notifications by the settings of this server.
pub(super) struct NotificationClient {
    /// Webhook of all transfers, with its own secret if the settings have one.
    service_target: Option<(NotificationTarget, Option<WebhookSecret>)>,
    key: Option<WebhookKey>,
    webhooks: Option<WebhookClient>,
    mailer: Option<Mailer>,
}

impl NotificationClient {
    /// Creates the clients that the settings need.
    ///
    /// # Errors
    /// [`StartError::Notifications`] for unusable certificates.
    pub(super) fn new(settings: &NotificationSettings) -> Result<Self, StartError> {
        let unusable = |error: Box<dyn std::error::Error + Send + Sync>| StartError::Notifications(error);
        let sends_webhooks = settings.webhook.is_some() || settings.webhook_key.is_some();
        // Not read without need: a file that is only there for ACME orders may be gone.
        let roots = if sends_webhooks || settings.smtp.is_some() { settings.extra_roots() } else { Ok(Vec::new()) };
        let roots = roots.map_err(|error| unusable(error.into()))?;
        let webhooks = sends_webhooks.then(|| WebhookClient::new(settings.allow_private, roots.clone()));
        let mailer = settings.smtp.as_ref().map(|server| Mailer::new(server, &roots));
        let target = |url| (NotificationTarget::of_service(url), settings.webhook_secret.clone());
        Ok(Self {
            service_target: settings.webhook.clone().map(target),
            key: settings.webhook_key.clone(),
            webhooks: webhooks.transpose().map_err(|error| unusable(error.into()))?,
            mailer: mailer.transpose().map_err(unusable)?,
        })
    }

    /// Returns the secret of a target; `None` if this server cannot sign for the target.
    pub(super) fn secret(&self, target_id: TargetId) -> Option<WebhookSecret> {
        let own = self.service_target.as_ref().filter(|(target, _)| target.target_id == target_id);
        let own = own.and_then(|(_, secret)| secret.clone());
        own.or_else(|| self.key.as_ref().map(|key| key.secret(target_id)))
    }

    /// Returns whether tokens can have webhooks.
    pub(super) const fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Returns whether tokens can have e-mail addresses.
    pub(super) const fn has_mailer(&self) -> bool {
        self.mailer.is_some()
    }

    /// Returns the webhook of all transfers.
    pub(super) fn service_target(&self) -> Option<&NotificationTarget> {
        self.service_target.as_ref().map(|(target, _)| target)
    }
}

#[async_trait]
impl NotificationSender for NotificationClient {
    fn can_send(&self, target: &NotificationTarget) -> bool {
        match &target.address {
            NotificationAddress::Webhook(_) => self.webhooks.is_some() && self.secret(target.target_id).is_some(),
            NotificationAddress::Email(_) => self.mailer.is_some(),
        }
    }

    async fn send(&self, target: &NotificationTarget, notification: &Notification) -> Result<(), DeliveryError> {
        let unset = || DeliveryError::new(FailureReason::NotConfigured, "this server cannot send to this target");
        match &target.address {
            NotificationAddress::Webhook(url) => {
                let client = self.webhooks.as_ref().ok_or_else(unset)?;
                let secret = self.secret(target.target_id).ok_or_else(unset)?;
                client.send(url, &secret, notification).await
            }
            NotificationAddress::Email(address) => {
                self.mailer.as_ref().ok_or_else(unset)?.send(address, notification).await
            }
        }
    }
}
