//! Store maintenance for every kind of storage: integrity check, copy and diagnosis.

pub(super) mod check;
pub(super) mod copy;
pub(super) mod examine;
