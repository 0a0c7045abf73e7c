//! Store maintenance for every kind of storage: integrity check and copy, as methods of
//! [`StorageLocation`](super::StorageLocation). Its diagnosis is a part of each backend.

pub(super) mod check;
pub(super) mod copy;
