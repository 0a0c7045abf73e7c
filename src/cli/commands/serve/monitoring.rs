//! Options of `sgsend serve` for logs and metrics.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::log::LogFormat;
use crate::cli::input::values::listen_address;
use crate::server::Settings;

/// Options for logs and metrics.
#[derive(Args)]
#[command(next_help_heading = "Service options")]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct MonitoringOptions {
    /// Listen address of the metrics alone, by plain http; port 0 selects a free port
    #[arg(long, env = "SGSEND_METRICS_LISTEN", value_name = "ADDRESS", value_parser = listen_address)]
    metrics_listen: Option<SocketAddr>,
    /// File with a key that opens only /metrics
    /// [env: SGSEND_METRICS_KEY_FILE; the key itself: SGSEND_METRICS_KEY]
    #[arg(long, value_name = "FILE")]
    metrics_key_file: Option<PathBuf>,
    /// Format of the log on stderr; SGSEND_LOG filters it
    #[arg(long, env = "SGSEND_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// Add ids of transfers and tokens to the log, and clients in the form of --ip-mode
    #[arg(long, env = "SGSEND_LOG_IDS")]
    log_ids: bool,
}

impl MonitoringOptions {
    /// Returns the file of the metrics key, if the flag names one.
    pub(super) fn metrics_key_file(&self) -> Option<&Path> {
        self.metrics_key_file.as_deref()
    }

    /// Returns the listen address of the metrics.
    pub(super) const fn metrics_listen(&self) -> Option<SocketAddr> {
        self.metrics_listen
    }

    /// Returns the format of the log.
    pub(super) const fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// Sets the part of the settings that these options determine.
    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.log_ids = self.log_ids;
    }
}
