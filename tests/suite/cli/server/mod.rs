//! Commands of an operator: `sgsend serve`, `sgsend doctor`, `sgsend sweep`.

mod anonymity;
mod certificates;
mod doctor;
mod health;
mod impostors;
mod invalid_settings;
mod serving;
mod shared_store;
mod signals;
mod storage_args;
mod sweep;
mod tls;
