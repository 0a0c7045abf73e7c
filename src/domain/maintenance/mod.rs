//! Store maintenance that needs no backend: integrity check, copy, and the findings of `doctor`.

pub mod check;
mod clock_skew;
pub mod copy;
pub mod finding;
