//! Logging of services to stderr.

mod queue;

use std::io;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

pub(super) use queue::LogQueue;

use crate::cli::Printer;
use crate::cli::failure::Failure;
use crate::server::DroppedLines;

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
    start_with(format, printer, BoxMakeWriter::new(io::stderr))
}

/// Starts logging to stderr through a queue, so that no request waits for the reader of the log. Panics are logged, too.
///
/// Dropping the returned queue writes the queued lines.
pub(super) fn start_queued(
    format: LogFormat,
    printer: &Printer,
    dropped: DroppedLines,
) -> Result<LogQueue, anyhow::Error> {
    let queue = LogQueue::start(queue::Stderr, dropped)?;
    start_with(format, printer, BoxMakeWriter::new(queue.writer()))?;
    // The default hook writes to stderr itself, which can block the request that panicked.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(tracing::field::display);
        tracing::error!(location, cause = panic.payload_as_str(), "panicked");
    }));
    Ok(queue)
}

fn start_with(format: LogFormat, printer: &Printer, writer: BoxMakeWriter) -> Result<(), Failure> {
    let wanted = std::env::var("SGSEND_LOG").ok().filter(|wanted| !wanted.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(DEFAULT_FILTER)).map_err(|error| {
        Failure::usage(format!("SGSEND_LOG is not a log filter: {error}")).hint("use info, debug or sgsend=debug")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
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
