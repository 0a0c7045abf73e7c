//! Store maintenance that needs no backend: check, repair, copy, and the findings of `doctor`.

mod certificate_expiry;
pub mod check;
mod clock_skew;
pub mod copy;
pub mod finding;
pub mod repair;
pub(crate) mod upgrade;
