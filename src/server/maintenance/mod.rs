//! Store maintenance for every kind of storage: integrity check and copy, as methods of
//! [`StorageLocation`](super::StorageLocation). Each backend implements its own diagnosis.

pub(super) mod check;
pub(super) mod copy;
