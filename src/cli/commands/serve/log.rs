//! Logging of services to stderr.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::cli::Printer;
use crate::cli::failure::Failure;

/// Log filter without `SGSEND_LOG`.
const DEFAULT_FILTER: &str = "warn,sgsend=info";

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// Starts logging to stderr, with the filter of `SGSEND_LOG`.
pub(crate) fn start(format: LogFormat, printer: &Printer) -> Result<(), Failure> {
    let wanted = std::env::var("SGSEND_LOG").ok().filter(|wanted| !wanted.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(DEFAULT_FILTER)).map_err(|error| {
        Failure::usage(format!("SGSEND_LOG is not a log filter: {error}")).hint("use info, debug or sgsend=debug")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(printer.is_colored())
        .with_target(false)
        // A failed write to stderr must not end the service.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
    Ok(())
}
