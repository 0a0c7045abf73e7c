//! Commands of an operator: `sgsend serve`, `sgsend doctor`, `sgsend sweep`.

mod access_log;
mod acme;
mod admin_transfers;
mod anonymity;
mod certificates;
mod config_file;
mod doctor;
mod health;
mod impostors;
mod invalid_settings;
mod metrics_listener;
mod service_manager;
mod serving;
mod shared_store;
mod signals;
mod storage_args;
mod sweep;
mod tls;
mod unix_socket;
