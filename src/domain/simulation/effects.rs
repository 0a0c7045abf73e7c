//! Effects that a change of a transfer must have: on the counters, and as events.

use crate::domain::audit::EventKind;
use crate::domain::stats::{CounterDelta, StatusMoves};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{LinkState, PayloadState, Status, Transfer};

/// Returns the counter change and the events that belong to a change of a transfer.
pub(super) fn expected_effects(
    before: Option<&Transfer>,
    after: &Transfer,
    observed: &[EventKind],
    mut delta: CounterDelta,
) -> (CounterDelta, Vec<EventKind>) {
    let mut events = Vec::new();
    let to = after.state.status();
    let Some(before) = before else {
        delta.created = 1;
        delta.status_moves = StatusMoves::one(None, Some(to));
        return (delta, vec![EventKind::TransferCreated]);
    };
    let from = before.state.status();
    if observed.first() == Some(&EventKind::LinkUpdated) {
        events.push(EventKind::LinkUpdated);
    }
    let gathers =
        before.own_link.limit_history.ungathered && !after.own_link.limit_history.ungathered && events.is_empty();
    if after.own_link.grants.len() > before.own_link.grants.len() && !gathers {
        delta.downloads = 1;
        events.push(EventKind::DownloadGranted);
    }
    if from != to {
        delta.status_moves = StatusMoves::one(Some(from), Some(to));
        if to == Status::Completed {
            (delta.completed, delta.bytes) = (1, after.size_bytes);
        }
        events.push(match to {
            Status::Pending => EventKind::TransferCreated,
            Status::Completed => EventKind::TransferCompleted,
            Status::Expired => EventKind::TransferExpired,
            Status::Exhausted => EventKind::TransferExhausted,
            Status::Deleted | Status::Closed => EventKind::TransferDeleted,
        });
    }
    match (before.own_link.state, after.own_link.state) {
        (LinkState::Open, LinkState::Closed { .. }) if from == to => events.push(EventKind::LinkRevoked),
        (LinkState::Open, LinkState::Exhausted { .. }) if from == to => events.push(EventKind::LinkExhausted),
        _ => {}
    }
    if before.payload != PayloadState::Removed && after.payload == PayloadState::Removed {
        delta.bytes_removed = after.state.completed_at().map_or(0, |_: Timestamp| after.size_bytes);
        events.push(EventKind::PayloadRemoved);
    }
    if after.forgotten && !before.forgotten {
        delta.status_moves = StatusMoves::one(Some(to), None);
    }
    (delta, events)
}
