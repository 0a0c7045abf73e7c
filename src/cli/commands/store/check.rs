//! `sgsend store check`: checks the integrity of a storage.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::location::{check_holds_store, storage};
use crate::cli::commands::serve::start_failure;
use crate::cli::context::Context;
use crate::cli::failure::exit::Exit;
use crate::cli::input::s3_options::S3Options;
use crate::cli::output::table;
use crate::domain::maintenance::check::StoreFinding;
use crate::server::StorageLocation;

/// Arguments of `sgsend store check`.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct Arguments {
    /// Storage: file:FOLDER or s3://BUCKET/PREFIX
    #[arg(value_name = "URL", value_parser = storage)]
    storage: StorageLocation,
    #[command(flatten)]
    s3: S3Options,
}

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    items: &'a [StoreFinding],
    /// Total number of findings; `items` lists only the first ones.
    found: u64,
    objects: u64,
}

/// Runs `sgsend store check`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    let storage = arguments.s3.apply(arguments.storage)?;
    super::check_persistent(&storage)?;
    check_holds_store(&storage)?;
    let report = storage.check().await.map_err(|error| start_failure(&error, storage.is_remote()))?;
    let (is_ok, printer) = (report.finding_count == 0, &context.printer);
    if printer.is_json() {
        let (found, objects) = (report.finding_count, report.object_count);
        printer.json(&Output { v: 1, ok: is_ok, items: &report.findings, found, objects })?;
    } else if is_ok {
        printer.result(&format!("no problems found in {} objects", report.object_count))?;
    } else {
        let row = |finding: &StoreFinding| {
            let (key, problem) = (finding.key.clone(), finding.problem.clone());
            vec![finding.code.to_owned(), key, problem, finding.advice.to_owned()]
        };
        let rows: Vec<_> = report.findings.iter().map(row).collect();
        printer.result(&table::lines(&["FINDING", "OBJECT", "PROBLEM", "ADVICE"], &rows))?;
        let unlisted = report.finding_count - report.findings.len() as u64;
        if unlisted > 0 {
            printer.warning(&format!("{unlisted} more findings are not listed"));
        }
    }
    Ok(if is_ok { Exit::Done } else { Exit::Other })
}
