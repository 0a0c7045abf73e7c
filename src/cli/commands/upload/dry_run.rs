//! `--dry-run`: lists the files of an upload without uploading them.

use anyhow::Result;
use bytesize::ByteSize;
use serde::Serialize;

use crate::cli::output::plural::with_number;
use crate::cli::output::printer::Printer;
use crate::client::pack::{Entry, Kind, Plan, SkippedEntry};
use crate::client::upload::Upload;
use crate::domain::crypto::envelope::Archive;

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    dry_run: bool,
    name: &'a str,
    archive: Option<Archive>,
    files: Vec<PlannedFile<'a>>,
    skipped: &'a [SkippedEntry],
    total: Total,
}

#[derive(Serialize)]
struct PlannedFile<'a> {
    name: &'a str,
    size: u64,
}

#[derive(Serialize)]
struct Total {
    files: usize,
    directories: usize,
    links: usize,
    /// Content size in bytes: of the file, or of the archive.
    content: u64,
    /// Encrypted size in bytes.
    sealed: u64,
}

/// Prints the files of `upload` with their sizes. No transfer exists at this point.
pub(crate) fn print(upload: &Upload, skipped: &[SkippedEntry], printer: &Printer) -> Result<()> {
    let name = &upload.metadata.filename;
    let content = upload.source.size();
    let sealed = upload.sealed_size()?;
    let entries = upload.source.plan().map(Plan::entries).unwrap_or_default();
    let is_archive = upload.source.plan().is_some();
    let count = |wanted: fn(&Entry) -> bool| entries.iter().filter(|entry| wanted(entry)).count();
    let total = Total {
        files: upload.source.plan().map_or(1, Plan::files),
        directories: count(Entry::is_directory),
        links: count(|entry| matches!(entry.kind(), Kind::Link { .. })),
        content,
        sealed,
    };
    if printer.is_json() {
        let files = if is_archive {
            let files = entries.iter().filter(|entry| is_file(entry));
            files.map(|entry| PlannedFile { name: entry.path(), size: entry.size() }).collect()
        } else {
            vec![PlannedFile { name, size: content }]
        };
        let archive = upload.metadata.archive;
        return Ok(printer.json(&Output { v: 1, ok: true, dry_run: true, name, archive, files, skipped, total })?);
    }
    let mut lines: Vec<_> = entries.iter().map(|entry| line(name, entry)).collect();
    if !is_archive {
        lines.push(format!("{content}  {name}"));
    }
    if !lines.is_empty() {
        printer.result(&lines.join("\n"))?;
    }
    let (content, sealed) = (ByteSize(content), ByteSize(sealed));
    printer.note(&format!(
        "{name}: {}, {content}, {sealed} encrypted; nothing was uploaded",
        with_number(total.files, "file")
    ));
    Ok(())
}

/// Formats an entry: size in bytes, and its path after unpacking.
fn line(directory: &str, entry: &Entry) -> String {
    let path = format!("{}  {directory}/{}", entry.size(), entry.path());
    match entry.kind() {
        Kind::Directory => path + "/",
        Kind::File { .. } => path,
        Kind::Link { target } => format!("{path} -> {}", target.as_str()),
    }
}

const fn is_file(entry: &Entry) -> bool {
    matches!(entry.kind(), Kind::File { .. })
}
