//! `sgsend history`

mod remember;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;

pub(super) use remember::UploadArguments;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::{escape, paths, table};
use crate::client::{History, Sent, UnfinishedTransfer, Way};
use crate::domain::id::TransferId;

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {
    /// Forget every upload
    #[arg(long, conflicts_with = "remove")]
    clear: bool,
    /// Forget the upload of this id
    #[arg(long, value_name = "ID")]
    remove: Option<TransferId>,
}

#[derive(Serialize)]
struct Remembered {
    items: Vec<Sent>,
    next: Option<String>,
    unfinished: Vec<UnfinishedTransfer>,
}

impl Remembered {
    fn of(items: Vec<Sent>) -> Self {
        Self { items, next: None, unfinished: unfinished() }
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<()> {
    let history = of_user()?;
    let failed = |error: std::io::Error| {
        let message = format!("{} cannot be read or changed: {error}", history.path().display());
        Failure::new(Exit::LocalFile, "history", message)
    };
    if let Some(id) = arguments.remove {
        if !history.remove(id).map_err(failed)? {
            let failure = Failure::new(Exit::NotFound, "not_in_history", format!("no upload of {id} is remembered"));
            return Err(failure.hint("`sgsend history` shows those that are").into());
        }
    } else if arguments.clear {
        history.clear().map_err(failed)?;
    }
    let items = history.read().map_err(failed)?;
    if arguments.clear || arguments.remove.is_some() {
        if context.printer.is_json() {
            context.printer.json_of(&Remembered::of(items))?;
        }
        return Ok(());
    }
    print(items, context)
}

fn print(items: Vec<Sent>, context: &Context) -> Result<()> {
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&Remembered::of(items))?;
        return Ok(());
    }
    let row = |sent: &Sent| {
        let key = sent.key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
        let until = format!("until {}", sent.expires_at.for_people());
        let (size, link) = (ByteSize(sent.size).to_string(), format!("{}{key}", sent.link));
        vec![sent.sent_at.for_people(), until, size, table::shortened(&sent.name), link]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    if !rows.is_empty() {
        printer.result(&table::lines(&["SENT", "ENDS", "SIZE", "NAME", "LINK"], &rows))?;
    }
    let unfinished = unfinished();
    for transfer in &unfinished {
        let (name, server) = (escape::one_line(&transfer.name), escape::one_line(&transfer.server));
        let (what, id) = (
            match transfer.kind {
                Way::Upload => "an upload to",
                Way::Download => "a download from",
            },
            transfer.transfer_id,
        );
        printer.note(&format!("unfinished: {name}, {what} {server} ({id})"));
    }
    if !unfinished.is_empty() {
        printer.note("the same command with --resume goes on with it");
    }
    if items.is_empty() && unfinished.is_empty() && printer.has_reader() {
        printer.note("nothing was sent yet, or nothing that is remembered");
    }
    Ok(())
}

/// What this user has begun and not ended.
fn unfinished() -> Vec<UnfinishedTransfer> {
    match (paths::uploads_directory(), paths::downloads_directory()) {
        (Some(uploads), Some(downloads)) => UnfinishedTransfer::all(&uploads, &downloads),
        _ => Vec::new(),
    }
}

/// The history of this user.
fn of_user() -> Result<History> {
    let state = paths::state_directory().ok_or_else(|| {
        Failure::new(Exit::LocalFile, "no_home", "this user has no folder for what is remembered".to_owned())
    })?;
    Ok(History::of(&state))
}
