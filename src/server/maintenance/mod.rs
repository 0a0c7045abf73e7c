//! Store maintenance for every kind of storage: integrity check, copy and backup, as methods of
//! [`StorageLocation`](super::StorageLocation). Each backend implements its own diagnosis.

pub(super) mod backup;
pub(super) mod check;
pub(super) mod copy;
