//! Settings of notifications in the bodies of the routes under `/tokens/`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{TokenItem, present};
use crate::domain::id::TargetId;
use crate::domain::notification::{
    EmailAddress, NotificationAddress, NotificationChoice, NotificationTarget, TargetOverview, TokenTargets, WebhookUrl,
};

/// Targets of notifications with their deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetList {
    /// Targets that have received or missed a notification, those that fail longest first; at most 1 000.
    pub items: Vec<TargetOverview>,
}

/// Change of a token's notifications: absent members stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetNotifications {
    /// Choice of transfers that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<NotificationChoice>,
    /// URL to which notifications are posted; `null` removes it. Each change makes a new secret.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2_000, pattern = r"^https://[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)*(/[a-z0-9_-]*)*$")]
    pub webhook: Option<Option<WebhookUrl>>,
    /// E-mail address to which notifications are sent; `null` removes it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 254, pattern = r"^[!#$%&'*+./0-9=?A-Z^_`a-z{|}~-]+@[0-9A-Za-z-][0-9A-Za-z.-]*$")]
    pub email: Option<Option<EmailAddress>>,
}

impl SetNotifications {
    /// Applies the change.
    pub fn apply(self, targets: &mut TokenTargets) {
        if let Some(choice) = self.choice {
            targets.choice = choice;
        }
        if let Some(url) = self.webhook {
            targets.set_webhook(url);
        }
        if let Some(address) = self.email {
            targets.set_email(address);
        }
    }

    /// Returns the targets of a new token.
    #[must_use]
    pub fn targets(self) -> TokenTargets {
        let mut targets = TokenTargets::default();
        self.apply(&mut targets);
        targets
    }

    /// Returns whether the change sets a webhook.
    #[must_use]
    pub fn sets_webhook(&self) -> bool {
        matches!(self.webhook, Some(Some(_)))
    }

    /// Returns whether the change sets an e-mail address.
    #[must_use]
    pub fn sets_email(&self) -> bool {
        matches!(self.email, Some(Some(_)))
    }
}

/// Notifications of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenNotifications {
    /// Choice of transfers that name none.
    pub choice: NotificationChoice,
    /// Webhook; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<TokenWebhook>,
    /// E-mail address; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// Webhook of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenWebhook {
    /// Id of the target, from which its secret is derived.
    pub target_id: TargetId,
    /// Scheme, host and port of the URL; its path may be a secret of the receiver.
    pub origin: String,
}

impl TokenNotifications {
    /// Describes the targets of a token; `None` for the defaults.
    #[must_use]
    pub fn of(targets: &TokenTargets) -> Option<Self> {
        let origin = |NotificationTarget { target_id, address }: &NotificationTarget| TokenWebhook {
            target_id: *target_id,
            origin: address.to_string(),
        };
        let email = |target: &NotificationTarget| match &target.address {
            NotificationAddress::Email(address) => address.to_string(),
            NotificationAddress::Webhook(url) => url.to_string(),
        };
        (!targets.is_default()).then(|| Self {
            choice: targets.choice,
            webhook: targets.webhook.as_ref().map(origin),
            email: targets.email.as_ref().map(email),
        })
    }
}

/// Response of `POST /tokens/id/{token_id}/update`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdatedToken {
    /// The token.
    #[serde(flatten)]
    pub item: TokenItem,
    /// Secret of a webhook that was set, `whsec_…`; shown only once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_members_stay_and_null_removes() {
        let change = |json: &str| serde_json::from_str::<SetNotifications>(json).unwrap();
        let mut targets =
            change(r#"{"choice":"every","webhook":"https://a.example/x","email":"a@b.example"}"#).targets();
        let first = targets.clone();
        change("{}").apply(&mut targets);
        assert_eq!(targets, first);
        change(r#"{"email":null}"#).apply(&mut targets);
        assert_eq!((targets.email.clone(), &targets.webhook), (None, &first.webhook));
        change(r#"{"webhook":"https://a.example/x"}"#).apply(&mut targets);
        let (old, new) = (first.webhook.unwrap().target_id, targets.webhook.as_ref().unwrap().target_id);
        assert_ne!(old, new, "a webhook that is set again keeps its secret");
        change(r#"{"webhook":null,"choice":"first"}"#).apply(&mut targets);
        assert!(targets.is_default());
        for wrong in [r#"{"webhook":"x"}"#, r#"{"email":"x"}"#, r#"{"choice":"some"}"#, r#"{"url":"https://a"}"#] {
            assert!(serde_json::from_str::<SetNotifications>(wrong).is_err(), "{wrong}");
        }
    }
}
