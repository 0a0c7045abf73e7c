//! Targets of notifications: of all transfers, and of those of one token.

use serde::{Deserialize, Serialize};

use super::{EmailAddress, NotificationAddress, NotificationChoice, WebhookUrl};
use crate::domain::id::TargetId;

/// Target of notifications, under an id that names its queue and its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationTarget {
    /// Id of the target. Another address has another id, and with it another secret.
    pub target_id: TargetId,
    /// Address of the target.
    pub address: NotificationAddress,
}

impl NotificationTarget {
    /// Creates the target of a webhook of all transfers.
    #[must_use]
    pub fn of_service(url: WebhookUrl) -> Self {
        let target_id = TargetId::of_webhook(url.reveal().as_str());
        Self { target_id, address: NotificationAddress::Webhook(url) }
    }

    fn random(address: NotificationAddress) -> Self {
        Self { target_id: TargetId::random(), address }
    }
}

/// Targets of notifications about a token's transfers, and the default choice of new transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenTargets {
    /// Choice of transfers that name none.
    #[serde(default, skip_serializing_if = "NotificationChoice::is_default")]
    pub choice: NotificationChoice,
    /// Webhook; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<NotificationTarget>,
    /// E-mail address; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<NotificationTarget>,
}

impl TokenTargets {
    /// Returns whether the record can omit the targets.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Sets the webhook, under a new id; `None` removes it.
    pub fn set_webhook(&mut self, url: Option<WebhookUrl>) {
        self.webhook = url.map(NotificationAddress::Webhook).map(NotificationTarget::random);
    }

    /// Sets the e-mail address, under a new id; `None` removes it.
    pub fn set_email(&mut self, address: Option<EmailAddress>) {
        self.email = address.map(NotificationAddress::Email).map(NotificationTarget::random);
    }

    /// Returns all targets.
    pub fn all(&self) -> impl Iterator<Item = &NotificationTarget> {
        self.webhook.iter().chain(&self.email)
    }
}
