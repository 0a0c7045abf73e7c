//! The audit trail: records of requests, of their actions and outcomes, and of the resulting events.

mod action;
mod budget;
mod client;
mod commit;
mod event;
mod log;
mod pieces;
mod read_schedule;
mod record;
mod request;
mod retention;
mod scope;
pub(super) mod user_agent;
mod writer;

pub use action::{Action, ActionName, Outcome, RepairedObject};
pub use client::{ClientSummary, IpMode};
pub use commit::RecordedCommit;
pub(crate) use commit::{with_read_keys, with_service_keys, with_transfer_keys};
pub use event::{Event, EventKind, Skipped, Source};
pub use log::{AuditLog, AuditSettings, Flusher, ResponseInfo, WriteMode};
pub(crate) use read_schedule::removal_entry;
pub use record::{Record, RecordKind};
pub use request::{RequestRecord, ServiceName};
pub use retention::{RecordClass, Retention};
pub use scope::{AuditState, ChangeResult, RequestInfo, RequestScope, SuccessStatus};

#[cfg(test)]
mod tests;
