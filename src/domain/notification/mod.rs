//! Notifications: messages to senders and operators about what happens to transfers.
//!
//! The commit of a change writes a notification to the log of its token, where `GET /events/stream` reads it, and an
//! entry to the outbox. A dispatcher moves the entry to the queue of each target, and a delivery removes it there. So
//! a target receives each notification at least once, always with the same id, and in the order of its transfer.

mod address;
mod choice;
mod delivery;
mod dispatch;
mod kind;
mod outbox;
mod overview;
mod recipients;
mod record;
mod secret;
mod stream;
mod target_state;
#[cfg(test)]
mod tests;
mod transfer;

use std::time::Duration;

pub use address::{EmailAddress, InvalidEmailAddress, InvalidWebhookUrl, NotificationAddress, WebhookUrl};
pub use choice::NotificationChoice;
pub use delivery::{DeliveryError, DeliveryRound, NotificationSender};
pub use kind::NotificationKind;
pub use outbox::{DispatchResult, Outbox};
pub use overview::{TargetHealth, TargetOverview};
pub use recipients::{NotificationTarget, TokenTargets};
pub use record::Notification;
pub use secret::{InvalidWebhookKey, InvalidWebhookSecret, WebhookKey, WebhookSecret};
pub use stream::NotificationCursor;
pub use target_state::FailureReason;
use target_state::TargetScope;
pub(crate) use target_state::{DispatcherState, TargetState};
pub use transfer::TransferNotifications;

/// Period after which an undelivered notification is dropped.
///
/// 24 hours, the last retry that Standard Webhooks recommends.
pub const DELIVERY_PERIOD: Duration = Duration::from_hours(24);
/// Period for which notifications stay in the log.
///
/// Longer than [`DELIVERY_PERIOD`], so that a queue finds them.
pub(crate) const LOG_PERIOD: Duration = Duration::from_hours(48);
/// Maximum number of notifications in the queue of one target; the oldest are dropped.
pub const MAX_QUEUED: usize = 10_000;
