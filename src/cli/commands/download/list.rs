//! `sgsend download --list`: lists the files of a transfer.

use std::sync::Arc;

use anyhow::Result;
use bytesize::ByteSize;
use serde::Serialize;

use super::{Arguments, Secret, check};
use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::output::{escape, sender, table, time};
use crate::client::Progress;
use crate::client::download::{self, GrantFile, Listing};
use crate::domain::archive::{IndexEntry, IndexKind};
use crate::domain::file_name::safe_file_name;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    transfer_id: TransferId,
    name: String,
    size: u64,
    is_archive: bool,
    files: Vec<ListedFile<'a>>,
}

/// Entry of a listing in JSON.
#[derive(Serialize)]
struct ListedFile<'a> {
    path: &'a str,
    kind: IndexKind,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

/// Runs `sgsend download --list`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let mut interrupt = context.interrupt.clone();
    let flow = arguments.flow.choice();
    let prepare = async {
        let target = LinkArgument::read(arguments.link.as_ref(), context).await?;
        let grant_file = GrantFile::new(paths::downloads_directory().as_deref(), &target.base_url, target.id);
        let api = context.anonymous_api(target.base_url)?.limited_to(arguments.flow.rate(context));
        let secret = Secret::Unread(arguments.key, target.key, arguments.identity);
        let (status, secret) = check(&api, target.id, (flow, secret), &grant_file, context).await?;
        let opened = secret.read(&api, target.id, context).await?;
        anyhow::Ok((api, grant_file, status, opened.secret))
    };
    let (api, grant_file, status, secret) = tokio::select! {
        biased;
        signal = interrupt.raised() => return Err(Failure::interrupted(signal).hint("nothing was downloaded").into()),
        prepared = Box::pin(prepare) => prepared?,
    };
    let id = status.transfer_id;
    let progress: Arc<dyn Progress> = context.meter("download");
    let retry = (context.retry_policy(), progress);
    let listing = Box::pin(download::list(&api, (status, secret), flow, &grant_file, retry, interrupt)).await?;
    if listing.is_signed {
        sender::warn_unchecked(&context.printer);
    }
    print(id, &listing, context)
}

fn print(id: TransferId, listing: &Listing, context: &Context) -> Result<()> {
    let printer = &context.printer;
    let name = safe_file_name(&listing.filename);
    if printer.is_json() {
        let files = match &listing.entries {
            Some(entries) => entries.iter().map(ListedFile::of).collect(),
            None => vec![ListedFile {
                path: &name,
                kind: IndexKind::File,
                size: listing.size,
                modified_ms: listing.modified_ms,
                mode: None,
                link: None,
            }],
        };
        let is_archive = listing.entries.is_some();
        let output =
            Output { v: 1, ok: true, transfer_id: id, name: name.clone(), size: listing.size, is_archive, files };
        printer.json(&output)?;
        return Ok(());
    }
    let rows: Vec<_> = match &listing.entries {
        Some(entries) => entries.iter().map(row).collect(),
        None => vec![cells(IndexKind::File, listing.size, listing.modified_ms, escape::one_line(&name).into_owned())],
    };
    if rows.is_empty() {
        printer.note("the archive is empty");
        return Ok(());
    }
    Ok(printer.result(&table::lines(&["KIND", "SIZE", "MODIFIED", "NAME"], &rows))?)
}

impl<'a> ListedFile<'a> {
    fn of(entry: &'a IndexEntry) -> Self {
        Self {
            path: entry.path.as_str(),
            kind: entry.kind,
            size: entry.size,
            modified_ms: Some(entry.modified_ms),
            mode: Some(entry.mode),
            link: entry.link.as_ref().map(crate::domain::archive::SymlinkTarget::as_str),
        }
    }
}

fn row(entry: &IndexEntry) -> Vec<String> {
    let path = escape::one_line(entry.path.as_str());
    let name = match &entry.link {
        Some(target) => format!("{path} -> {}", escape::one_line(target.as_str())),
        None if entry.kind == IndexKind::Directory => format!("{path}/"),
        None => path.into_owned(),
    };
    cells(entry.kind, entry.size, Some(entry.modified_ms), name)
}

fn cells(kind: IndexKind, size: u64, modified_ms: Option<i64>, name: String) -> Vec<String> {
    let (kind, size) = match kind {
        IndexKind::File => ("file", ByteSize(size).to_string()),
        IndexKind::Directory => ("directory", String::new()),
        IndexKind::Symlink => ("symlink", String::new()),
    };
    let modified = modified_ms.and_then(|millis| u64::try_from(millis).ok()).map(Timestamp::from_millis);
    vec![kind.to_owned(), size, modified.map(time::local).unwrap_or_default(), name]
}
