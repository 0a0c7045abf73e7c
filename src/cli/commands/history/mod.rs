//! `sgsend history`: lists this user's uploads and unfinished transfers.

mod remember;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;

pub(crate) use remember::{UploadArguments, find_upload, record_change, record_end, record_link};

use super::status::state_text;
use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::prompt::YesOption;
use crate::cli::output::plural::with_number;
use crate::cli::output::{escape, table, time};
use crate::client::{Direction, History, HistoryEntry, UnfinishedTransfer};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

/// Arguments of `sgsend history`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Remove all uploads from the history
    #[arg(long, conflicts_with = "remove")]
    clear: bool,
    /// Remove the upload with this id from the history
    #[arg(long, value_name = "ID")]
    remove: Option<TransferId>,
    #[command(flatten)]
    answer: YesOption,
}

#[derive(Serialize)]
struct Output {
    items: Vec<HistoryEntry>,
    next: Option<String>,
    unfinished: Vec<UnfinishedTransfer>,
}

impl Output {
    fn of(items: Vec<HistoryEntry>) -> Self {
        Self { items, next: None, unfinished: unfinished() }
    }
}

/// Runs `sgsend history`.
pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<()> {
    let history = user_history()?;
    let failed = |error: std::io::Error| {
        let message = format!("cannot read or write {}: {error}", history.path().display());
        Failure::new(Exit::LocalFile, "history", message)
    };
    if let Some(id) = arguments.remove {
        if !history.remove(id).map_err(failed)? {
            let failure =
                Failure::new(Exit::NotFound, "not_in_history", format!("transfer {id} is not in the history"));
            return Err(failure.hint("`sgsend history` lists all uploads").into());
        }
        context.printer.note(&format!("removed transfer {id} from the history"));
    } else if arguments.clear {
        let uploads = |count| with_number(count, "upload");
        let count = history.read().map_err(failed)?.len();
        let question = format!("Remove {} from the history, with any stored keys?", uploads(count));
        let prompt = context.prompt.answering(arguments.answer.yes);
        if count > 0 && prompt.confirm(&question).await? == Some(false) {
            context.printer.note("nothing was removed");
        } else {
            let removed = history.clear().map_err(failed)?;
            context.printer.note(&format!("removed {} from the history", uploads(removed)));
        }
    }
    let mut items = history.read().map_err(failed)?;
    let now = SystemClock.now();
    for upload in &mut items {
        for link in upload.links.iter_mut().filter(|link| link.expires_at <= now) {
            link.ended.get_or_insert(Status::Expired);
        }
        // A transfer ends with its last link.
        if upload.expires_at <= now && upload.links.iter().all(|link| link.ended.is_some()) {
            upload.ended.get_or_insert(Status::Expired);
        }
    }
    if arguments.clear || arguments.remove.is_some() {
        if context.printer.is_json() {
            context.printer.json_of(&Output::of(items))?;
        }
        return Ok(());
    }
    print(items, context)
}

fn print(items: Vec<HistoryEntry>, context: &Context) -> Result<()> {
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&Output::of(items))?;
        return Ok(());
    }
    let rows: Vec<_> = items.iter().flat_map(rows).collect();
    if !rows.is_empty() {
        printer.result(&table::lines(&["UPLOADED", "EXPIRES", "SIZE", "NAME", "LINK"], &rows))?;
    }
    let unfinished = unfinished();
    for transfer in &unfinished {
        let (name, server) = (escape::one_line(&transfer.name), escape::one_line(&transfer.server));
        let (kind, id) = (
            match transfer.kind {
                Direction::Upload => "upload to",
                Direction::Download => "download from",
            },
            transfer.transfer_id,
        );
        printer.note(&format!("unfinished: {name}, {kind} {server} ({id})"));
    }
    if !unfinished.is_empty() {
        printer.note("resume: run the same command with --resume");
    }
    if items.is_empty() && unfinished.is_empty() && printer.is_interactive() {
        printer.note("the history is empty");
    }
    Ok(())
}

/// Returns the rows of an upload: one, or one for each of its further links.
fn rows(upload: &HistoryEntry) -> Vec<Vec<String>> {
    let row = |ended: Option<Status>, expires_at: Timestamp, name: String, (link, key): (&String, &Option<String>)| {
        let key = key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
        let expires = match ended {
            Some(Status::Expired) => format!("expired {}", time::relative(expires_at)),
            Some(ended) => state_text(ended).to_owned(),
            None => format!("expires {}", time::relative(expires_at)),
        };
        let size = ByteSize(upload.size).to_string();
        vec![time::local(upload.sent_at), expires, size, name, format!("{link}{key}")]
    };
    let name = table::shortened(&upload.name);
    let own = (&upload.link, &upload.key);
    if upload.links.is_empty() {
        return vec![row(upload.ended, upload.expires_at, name, own)];
    }
    let further = upload.links.iter().map(|link| {
        let (ended, name) = (link.ended.or(upload.ended), format!("{name} ({})", link.name));
        row(ended, link.expires_at, name, (&link.link, &link.key))
    });
    further.collect()
}

/// Returns this user's unfinished uploads and downloads.
fn unfinished() -> Vec<UnfinishedTransfer> {
    match (paths::uploads_directory(), paths::downloads_directory()) {
        (Some(uploads), Some(downloads)) => UnfinishedTransfer::all(&uploads, &downloads),
        _ => Vec::new(),
    }
}

/// Returns this user's history file.
fn user_history() -> Result<History> {
    let state = paths::state_directory().ok_or_else(|| {
        Failure::new(Exit::LocalFile, "no_home", "this user has no home directory for the history".to_owned())
            .hint("set HOME or XDG_STATE_HOME")
    })?;
    Ok(History::of(&state))
}
