//! The audit trail: records of requests, of their actions and outcomes, and of the resulting events.

mod action;
mod budget;
mod client;
mod commit;
mod event;
mod log;
mod pieces;
mod record;
mod request;
mod scope;
pub(super) mod user_agent;
mod writer;

pub use action::{Action, ActionName, Outcome};
pub use client::{ClientSummary, IpMode};
pub use commit::RecordedCommit;
pub use event::{Event, EventKind, Skipped, Source};
pub use log::{AuditLog, Flusher, ResponseInfo, WriteMode};
pub use record::{Record, RecordKind};
pub use request::{RequestRecord, ServiceName};
pub(crate) use scope::with_transfer_keys;
pub use scope::{AuditState, ChangeResult, RequestInfo, RequestScope, SuccessStatus};

#[cfg(test)]
mod tests;
