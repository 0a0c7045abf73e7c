//! Logging of services to stderr.

use tracing_subscriber::EnvFilter;

use crate::cli::Printer;
use crate::cli::failure::Failure;

/// Log filter without `SGSEND_LOG`.
const DEFAULT_FILTER: &str = "warn,sgsend=info";

/// Starts logging to stderr, with the filter of `SGSEND_LOG`.
pub(crate) fn start(printer: &Printer) -> Result<(), Failure> {
    let wanted = std::env::var("SGSEND_LOG").ok().filter(|wanted| !wanted.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(DEFAULT_FILTER)).map_err(|error| {
        Failure::usage(format!("SGSEND_LOG is not a log filter: {error}")).hint("use info, debug or sgsend=debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(printer.is_colored())
        .with_target(false)
        // A failed write to stderr must not end the service.
        .log_internal_errors(false)
        .init();
    Ok(())
}
