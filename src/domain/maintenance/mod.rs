//! Store maintenance that needs no backend: integrity check, copy, and the findings of `doctor`.

pub mod check;
pub mod copy;
pub mod finding;
