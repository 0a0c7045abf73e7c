//! What services tell on stderr.

use tracing_subscriber::EnvFilter;

use crate::cli::Printer;
use crate::cli::failure::Failure;

/// What is told unless `SGSEND_LOG` says otherwise.
const DEFAULT: &str = "warn,sgsend=info";

/// Starts to log to stderr, as much as `SGSEND_LOG` wants.
pub(in crate::cli) fn start(printer: &Printer) -> Result<(), Failure> {
    let wanted = std::env::var("SGSEND_LOG").ok().filter(|wanted| !wanted.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(DEFAULT)).map_err(|error| {
        Failure::usage(format!("SGSEND_LOG is not understood: {error}")).hint("try info, debug or sgsend=debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(printer.is_colored())
        .with_target(false)
        // A stderr that cannot be written must not end what writes to it.
        .log_internal_errors(false)
        .init();
    Ok(())
}
