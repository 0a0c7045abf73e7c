//! `sgsend stats`: shows the statistics of a service.

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;

use crate::cli::context::Context;
use crate::cli::output::{escape, table, time};
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::notification::{FailureReason, TargetOverview};
use crate::domain::wire::{StatsOverview, StorageSpace};

/// Arguments of `sgsend stats`.
#[derive(Args)]
pub(crate) struct Arguments {}

/// Runs `sgsend stats`.
pub(crate) async fn run(_: Arguments, context: &Context) -> Result<()> {
    let api = context.admin_api().await?;
    let stats = context.first_call(|| api.stats()).await?;
    if context.printer.is_json() {
        context.printer.json_of(&stats)?;
    } else {
        context.printer.result(&describe(&stats))?;
    }
    Ok(())
}

/// Describes the free space of the store, and what its lack means.
fn free_space(storage: &StorageSpace) -> String {
    let size = match (storage.free_bytes, storage.total_bytes) {
        (Some(free), Some(total)) => format!("{} of {}", ByteSize(free), ByteSize(total)),
        _ => "no known limit".to_owned(),
    };
    let consequence = match storage.level {
        FreeSpaceLevel::Ample => return size,
        FreeSpaceLevel::BelowMinimum | FreeSpaceLevel::BelowHalfMinimum => "uploads are rejected",
        FreeSpaceLevel::Full => "full: only deletions work",
    };
    format!("{size} ({consequence})")
}

/// Describes a target of notifications whose deliveries fail.
fn failing_target(target: &TargetOverview) -> String {
    let whose = target.token_id.map_or_else(|| "all transfers".to_owned(), |id| format!("token {id}"));
    let since = target.failing_since.map(time::local).unwrap_or_default();
    let reason = target.reason.map(FailureReason::as_text).unwrap_or_default();
    let address = escape::one_line(&target.address);
    format!("failing    {address} ({whose}) since {since}: {reason}; {} dropped", target.dropped)
}

fn describe(stats: &StatsOverview) -> String {
    let (transfers, tokens) = (&stats.transfers, &stats.tokens);
    let mut lines = vec![
        format!(
            "transfers  {} pending, {} ready, {} expired, {} limit reached, {} deleted",
            transfers.pending, transfers.completed, transfers.expired, transfers.exhausted, transfers.deleted
        ),
        format!("stored     {}", ByteSize(stats.bytes_stored)),
        format!("downloads  {}", stats.downloads),
        format!(
            "tokens     {}{} active, {} revoked, {} expired",
            if tokens.is_partial { "at least " } else { "" },
            tokens.active,
            tokens.revoked,
            tokens.expired
        ),
        format!("free space {}", free_space(&stats.storage)),
        format!("as of      {}", time::local(stats.as_of)),
    ];
    lines.extend(stats.failing_targets.iter().map(failing_target));
    let has_activity = |day: &&crate::domain::wire::DayOverview| day.created + day.completed + day.downloads > 0;
    let row = |day: &crate::domain::wire::DayOverview| {
        let counts = [(day.created, "created"), (day.completed, "uploaded"), (day.downloads, "downloads")];
        let counts = counts.map(|(count, label)| format!("{count} {label}"));
        [day.day.to_string()].into_iter().chain(counts).chain([ByteSize(day.bytes).to_string()]).collect()
    };
    let rows: Vec<Vec<String>> = stats.days.iter().filter(has_activity).map(row).collect();
    if !rows.is_empty() {
        lines.push(table::lines(&["DAY (UTC)", "CREATED", "UPLOADED", "DOWNLOADS", "ENCRYPTED SIZE"], &rows));
    }
    lines.join("\n")
}
