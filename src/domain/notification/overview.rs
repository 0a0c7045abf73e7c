//! Overview of targets, for operators.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::target_state::TargetState;
use super::{FailureReason, Outbox, TargetScope};
use crate::domain::error::Error;
use crate::domain::id::{TargetId, TokenId};
use crate::domain::timestamp::Timestamp;

/// Period of failures after which a target counts as dead: an hour.
const DEAD_AFTER: std::time::Duration = std::time::Duration::from_hours(1);

/// Maximum number of failing targets in an overview.
const MAX_FAILING: usize = 100;

/// Maximum number of targets in a list.
const MAX_LISTED: usize = 1_000;

/// Health of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetHealth {
    /// The last delivery succeeded, or there was none.
    Ok,
    /// Deliveries fail, and are repeated.
    Retrying,
    /// Deliveries have failed for an hour or longer, and are repeated.
    Dead,
}

/// Target of notifications, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetOverview {
    /// Id of the target.
    pub target_id: TargetId,
    /// Token about whose transfers the target is notified; absent for a target of all transfers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// Origin of a webhook's URL, or the e-mail address.
    pub address: String,
    /// Health of the target.
    pub health: TargetHealth,
    /// Time of the first failure since the last delivery; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Cause of the last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailureReason>,
    /// Time of the last delivery; `null` before the first.
    pub delivered_at: Option<Timestamp>,
    /// Number of deliveries.
    pub delivered: u64,
    /// Number of dropped notifications: too old, or too many.
    pub dropped: u64,
}

impl TargetOverview {
    fn of(state: &TargetState, now: Timestamp) -> Self {
        let health = match &state.failing {
            None => TargetHealth::Ok,
            Some(failing) if now.since(failing.since) < DEAD_AFTER => TargetHealth::Retrying,
            Some(_) => TargetHealth::Dead,
        };
        Self {
            target_id: state.target.target_id,
            token_id: match state.scope {
                TargetScope::Service => None,
                TargetScope::Token(id) => Some(id),
            },
            address: state.target.address.to_string(),
            health,
            failing_since: state.failing.as_ref().map(|failing| failing.since),
            reason: state.failing.as_ref().map(|failing| failing.reason),
            delivered_at: state.delivered_at,
            delivered: state.delivered,
            dropped: state.dropped,
        }
    }
}

impl Outbox {
    /// Returns all targets that have received or missed a notification, those that fail longest first.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn overview(&self) -> Result<Vec<TargetOverview>, Error> {
        let now = self.now();
        let mut targets: Vec<_> =
            self.states().await?.into_iter().map(|state| TargetOverview::of(&state, now)).collect();
        targets.sort_by_key(|target| (target.failing_since.is_none(), target.failing_since, target.target_id));
        Ok(targets)
    }

    /// Returns at most 1 000 targets that have received or missed a notification.
    ///
    /// Those that fail longest come first.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn list(&self) -> Result<Vec<TargetOverview>, Error> {
        let mut targets = self.overview().await?;
        targets.truncate(MAX_LISTED);
        Ok(targets)
    }

    /// Returns the targets whose deliveries fail, at most 100, those that fail longest first.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn failing(&self) -> Result<Vec<TargetOverview>, Error> {
        let mut targets = self.overview().await?;
        targets.retain(|target| target.health != TargetHealth::Ok);
        targets.truncate(MAX_FAILING);
        Ok(targets)
    }
}
