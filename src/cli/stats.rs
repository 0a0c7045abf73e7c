//! `sgsend stats`

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;

use super::context::Context;
use crate::domain::wire::StatsOverview;

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {}

/// Runs the command.
pub(super) async fn run(_: Arguments, context: &Context) -> Result<()> {
    let stats = context.admin_api().await?.stats().await?;
    if context.printer.is_json() {
        context.printer.json_of(&stats)?;
    } else {
        context.printer.result(&describe(&stats))?;
    }
    Ok(())
}

fn describe(stats: &StatsOverview) -> String {
    let (transfers, tokens) = (&stats.transfers, &stats.tokens);
    let mut lines = vec![
        format!(
            "transfers  {} pending, {} completed, {} expired, {} exhausted, {} deleted",
            transfers.pending, transfers.completed, transfers.expired, transfers.exhausted, transfers.deleted
        ),
        format!("stored     {}", ByteSize(stats.bytes_stored)),
        format!("downloads  {}", stats.downloads),
        format!("tokens     {} active, {} revoked, {} expired", tokens.active, tokens.revoked, tokens.expired),
        format!("as of      {}", stats.as_of.for_people()),
    ];
    let busy = |day: &&crate::domain::wire::DayOverview| day.created + day.completed + day.downloads > 0;
    lines.extend(stats.days.iter().filter(busy).map(|day| {
        let (created, completed, downloads) = (day.created, day.completed, day.downloads);
        format!("{}  {created} created, {completed} completed, {downloads} downloads, {}", day.day, ByteSize(day.bytes))
    }));
    lines.join("\n")
}
