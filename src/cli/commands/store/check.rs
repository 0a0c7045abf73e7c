//! `sgsend store check`: checks the integrity of a storage, and repairs it.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::location::{check_holds_store, storage};
use crate::cli::commands::serve::start_failure;
use crate::cli::context::Context;
use crate::cli::failure::exit::Exit;
use crate::cli::input::prompt::YesOption;
use crate::cli::input::s3_options::S3Options;
use crate::cli::output::{plural, table};
use crate::domain::maintenance::check::{CheckReport, StoreFinding};
use crate::domain::maintenance::repair::{RepairReport, SkippedRepair};
use crate::server::StorageLocation;

/// Check the integrity of a storage; stop its services first for reliable results
///
/// Changes nothing without --repair, and exits with status 1 if something is found.
///
/// With --repair, prints what a repair would do, and asks on a terminal before it does it; --yes answers yes. Services
/// may run meanwhile: each object is looked at again right before its change, and one that has changed is left. Each
/// repair leaves an audit record. A transfer whose payload is lost is deleted, and its link says so.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct Arguments {
    /// Storage: file:FOLDER or s3://BUCKET/PREFIX
    #[arg(value_name = "URL", value_parser = storage)]
    storage: StorageLocation,
    #[command(flatten)]
    s3: S3Options,
    /// Repair what can be repaired; without --yes, print what that would do first
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    yes: YesOption,
}

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    items: &'a [StoreFinding],
    /// Total number of findings; `items` lists only the first ones.
    found: u64,
    objects: u64,
    /// Repairs; absent if nothing was to be repaired.
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<RepairOutput<'a>>,
}

#[derive(Serialize)]
struct RepairOutput<'a> {
    repaired: u64,
    skipped: &'a [SkippedRepair],
    /// Findings of the check after the repair.
    left: &'a [StoreFinding],
    left_found: u64,
}

/// Runs `sgsend store check`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    let storage = arguments.s3.apply(arguments.storage)?;
    super::check_persistent(&storage)?;
    check_holds_store(&storage)?;
    let failed = |error| start_failure(&error, storage.is_remote());
    let report = storage.check().await.map_err(failed)?;
    let printer = &context.printer;
    if !printer.is_json() {
        print(&report, arguments.repair, context)?;
    }
    let repairable = report.findings.iter().filter(|finding| finding.repair().is_some()).count();
    let mut repaired = None;
    if arguments.repair && repairable > 0 {
        let question = format!("Repair {}?", plural::with_number(repairable, "finding"));
        match context.prompt.answering(arguments.yes.yes).confirm(&question).await? {
            Some(true) => repaired = Some(storage.repair(report.clone()).await.map_err(failed)?),
            Some(false) => printer.note("nothing was changed"),
            None => printer.note("nothing was changed; run the command again with --yes to repair"),
        }
    }
    let left = repaired.as_ref().map_or(report.finding_count, |repaired| repaired.left.finding_count);
    if printer.is_json() {
        print_json(&report, repaired.as_ref(), context)?;
    } else if let Some(repaired) = &repaired {
        print_repairs(repaired, context)?;
    }
    Ok(if left == 0 { Exit::Done } else { Exit::Other })
}

fn print_json(report: &CheckReport, repaired: Option<&RepairReport>, context: &Context) -> Result<()> {
    let (found, objects) = (report.finding_count, report.object_count);
    let repair = repaired.map(|repaired| RepairOutput {
        repaired: repaired.repaired,
        skipped: &repaired.skipped,
        left: &repaired.left.findings,
        left_found: repaired.left.finding_count,
    });
    let left = repaired.map_or(found, |repaired| repaired.left.finding_count);
    Ok(context.printer.json(&Output { v: 1, ok: left == 0, items: &report.findings, found, objects, repair })?)
}

fn print(report: &CheckReport, with_repairs: bool, context: &Context) -> Result<()> {
    let printer = &context.printer;
    if report.finding_count == 0 {
        return Ok(printer.result(&format!("no problems found in {} objects", report.object_count))?);
    }
    let rows: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            let advice = match finding.repair().filter(|_| with_repairs) {
                Some(repair) => format!("repair: {repair}"),
                None => finding.advice.to_owned(),
            };
            vec![finding.code.to_owned(), finding.key.clone(), finding.problem.clone(), advice]
        })
        .collect();
    printer.result(&table::lines(&["FINDING", "OBJECT", "PROBLEM", "ADVICE"], &rows))?;
    let unlisted = report.finding_count - report.findings.len() as u64;
    if unlisted > 0 {
        printer.warning(&format!("{unlisted} more findings are not listed"));
    }
    if !with_repairs && report.findings.iter().any(|finding| finding.repair().is_some()) {
        printer.note("--repair shows what can be repaired, and asks before it does so");
    }
    Ok(())
}

fn print_repairs(repaired: &RepairReport, context: &Context) -> Result<()> {
    let printer = &context.printer;
    for skipped in &repaired.skipped {
        printer.warning(&format!("{} of {} was not repaired: {}", skipped.code, skipped.key, skipped.reason));
    }
    let left = match repaired.left.finding_count {
        0 => "nothing is left to repair".to_owned(),
        1 => "1 finding is left".to_owned(),
        left => format!("{left} findings are left"),
    };
    printer.result(&format!("repaired {}; {left}", repaired.repaired))?;
    Ok(())
}
