//! Commands of an operator: `sgsend serve`, `sgsend doctor`, `sgsend sweep`.

mod access_log;
mod anonymity;
mod certificates;
mod doctor;
mod health;
mod impostors;
mod invalid_settings;
mod metrics_listener;
mod serving;
mod shared_store;
mod signals;
mod storage_args;
mod sweep;
mod tls;
