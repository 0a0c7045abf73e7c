//! Rate limits and quotas.

mod quotas;
mod rate_limits;
