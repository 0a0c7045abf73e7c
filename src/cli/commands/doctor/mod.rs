//! `sgsend doctor`: diagnoses problems and suggests fixes.

mod user;

use std::io;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::store::location::storage;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::s3_options::S3Options;
use crate::cli::output::printer::Printer;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::{Finding, Verdict};
use crate::server::StorageLocation;

/// Width of the column with the check names, in characters.
const NAME_WIDTH: usize = 23;
/// Width of the column with the verdicts, in characters: that of `cannot tell`.
const VERDICT_WIDTH: usize = 11;

/// Arguments of `sgsend doctor`.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(crate) struct Arguments {
    /// Storage to check: file:FOLDER or s3://BUCKET/PREFIX [default: check this user's set-up]
    #[arg(long, env = "SGSEND_STORAGE", value_name = "URL", value_parser = storage)]
    storage: Option<StorageLocation>,
    #[command(flatten)]
    s3: S3Options,
    /// URL of the public service, whose pages access the bucket directly; checks the bucket's CORS rules
    #[arg(long, env = "SGSEND_PUBLIC_URL", value_name = "URL")]
    public_url: Option<BaseUrl>,
}

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    checks: &'a [Finding],
}

/// Runs `sgsend doctor`. Found problems are results, not errors, and set exit status 1.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<Exit> {
    let findings = match arguments.storage {
        None => {
            arguments.s3.check_unused()?;
            user::diagnose(context).await?
        }
        Some(storage) => {
            let storage = arguments.s3.apply(storage)?;
            if !storage.is_persistent() {
                let failure = Failure::usage("a memory: storage exists in one process only and cannot be checked");
                return Err(failure.hint("use another storage, or omit --storage").into());
            }
            storage.diagnose(arguments.public_url.as_ref()).await
        }
    };
    let ok = count(&findings, Verdict::Problem) == 0;
    if context.printer.is_json() {
        context.printer.json(&Output { v: 1, ok, checks: &findings })?;
    } else {
        print(&findings, &context.printer)?;
    }
    Ok(if ok { Exit::Done } else { Exit::Other })
}

fn print(findings: &[Finding], printer: &Printer) -> io::Result<()> {
    for Finding { name, verdict, detail, hint } in findings {
        printer.result(&format!("{:<VERDICT_WIDTH$}  {name:<NAME_WIDTH$}  {detail}", verdict.as_str()))?;
        if let Some(hint) = hint {
            printer.result(&format!("{:<VERDICT_WIDTH$}  {:<NAME_WIDTH$}  hint: {hint}", "", ""))?;
        }
    }
    let counted = [Verdict::Ok, Verdict::Problem, Verdict::Warning, Verdict::CannotTell];
    let counted = counted.map(|verdict| format!("{}: {}", verdict.as_str(), count(findings, verdict)));
    printer.note(&counted.join(", "));
    Ok(())
}

fn count(findings: &[Finding], verdict: Verdict) -> usize {
    findings.iter().filter(|finding| finding.verdict == verdict).count()
}
