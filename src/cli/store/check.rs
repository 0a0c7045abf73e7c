//! `sgsend store check`

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::location::{check_holds_store, storage};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::s3_options::S3Options;
use crate::cli::serve::why_not_started;
use crate::cli::table;
use crate::domain::soundness::Finding;
use crate::server::{StorageLocation, check_store};

/// What the command takes.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct Arguments {
    /// The storage: file:FOLDER or s3://BUCKET/PREFIX
    #[arg(value_name = "URL", value_parser = storage)]
    storage: StorageLocation,
    #[command(flatten)]
    s3: S3Options,
}

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    items: &'a [Finding],
    /// How many there are, of which only the first are listed.
    found: u64,
    objects: u64,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    let storage = arguments.s3.apply(arguments.storage)?;
    super::check_lasting(&storage)?;
    check_holds_store(&storage)?;
    let in_bucket = matches!(storage, StorageLocation::S3(_));
    let soundness = check_store(storage).await.map_err(|error| why_not_started(&error, in_bucket))?;
    let (sound, printer) = (soundness.found == 0, &context.printer);
    if printer.is_json() {
        let (found, objects) = (soundness.found, soundness.objects);
        printer.json(&Output { v: 1, ok: sound, items: &soundness.findings, found, objects })?;
    } else if sound {
        printer.result(&format!("sound: {} objects were read", soundness.objects))?;
    } else {
        let row = |finding: &Finding| {
            let (key, problem) = (finding.key.clone(), finding.problem.clone());
            vec![finding.code.to_owned(), key, problem, finding.advice.to_owned()]
        };
        let rows: Vec<_> = soundness.findings.iter().map(row).collect();
        printer.result(&table::lines(&["FINDING", "OBJECT", "WHAT IS WRONG", "WHAT TO DO"], &rows))?;
        let left_out = soundness.found - soundness.findings.len() as u64;
        if left_out > 0 {
            printer.warning(&format!("{left_out} more findings are not listed"));
        }
    }
    Ok(if sound { Exit::Done } else { Exit::Other })
}
