//! The output of a finished upload: link and key, warnings, and what the server stores.

use std::io::{self, IsTerminal};
use std::path::Path;

use bytesize::ByteSize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::output::escape::{self, for_shell};
use crate::cli::output::plural::with_number;
use crate::cli::output::printer::Printer;
use crate::cli::output::time;
use crate::client::pack::SkippedEntry;
use crate::client::upload::Uploaded;
use crate::client::{NamedLink, Origin};
use crate::domain::crypto::key::LinkKey;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::link::Link;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{Disclosure, Flow, Transparency};

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    transfer_id: TransferId,
    /// The transfer's own link; absent if there are further links, since nobody can use it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<LinkOutput>,
    /// URL that the server suggests for links, if its origin is not the link's.
    suggested_server: Option<String>,
    expires_at: Timestamp,
    max_downloads: Option<u32>,
    size: Size,
    mode: Flow,
    skipped: &'a [SkippedEntry],
    transparency: &'a Transparency,
    /// Path on the command line, with `--each`.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

/// Result of an upload for a request.
#[derive(Serialize)]
struct SentOutput<'a> {
    v: u8,
    ok: bool,
    transfer_id: TransferId,
    expires_at: Timestamp,
    size: Size,
    mode: Flow,
    skipped: &'a [SkippedEntry],
    transparency: &'a Transparency,
}

#[derive(Serialize)]
struct Size {
    content: u64,
    sealed: u64,
}

/// Further link in JSON output.
#[derive(Serialize)]
pub(crate) struct LinkOutput {
    name: String,
    link_id: LinkId,
    link: String,
    key: String,
    expires_at: Timestamp,
    max_downloads: Option<u32>,
}

impl LinkOutput {
    /// Describes a further link, whose text has no key if `separate_key`.
    pub(crate) fn of(named: &NamedLink, separate_key: bool) -> Self {
        Self {
            name: named.name.to_string(),
            link_id: named.item.link_id,
            link: link_to_print(&named.link, separate_key).to_string(),
            key: key_of(&named.link).to_string(),
            expires_at: named.item.expires_at,
            max_downloads: named.item.max_downloads,
        }
    }
}

/// Returns the link, without its key if `separate_key`.
pub(crate) fn link_to_print(link: &Link, separate_key: bool) -> Zeroizing<String> {
    if separate_key { Zeroizing::new(link.without_key()) } else { link.to_text() }
}

/// Returns the key of a link, empty for a link without a key.
pub(crate) fn key_of(link: &Link) -> Zeroizing<String> {
    link.key.as_ref().map_or_else(Zeroizing::default, LinkKey::to_text)
}

/// Prints the result as JSON, with the `path` of one transfer of several.
fn print_json(uploaded: &Uploaded, summary: &Summary, path: Option<&str>, printer: &Printer) -> io::Result<()> {
    let separate_key = summary.separate_key;
    let status = &uploaded.completed.status;
    let (key, link) = (key_of(&uploaded.link), link_to_print(&uploaded.link, separate_key));
    let is_usable = uploaded.links.is_empty();
    printer.json(&Output {
        v: 1,
        ok: true,
        transfer_id: status.transfer_id,
        link: is_usable.then_some(link.as_str()),
        key: is_usable.then_some(key.as_str()),
        links: uploaded.links.iter().map(|named| LinkOutput::of(named, separate_key)).collect(),
        suggested_server: uploaded.suggested_base_url.as_ref().map(ToString::to_string),
        expires_at: status.expires_at,
        max_downloads: status.max_downloads,
        size: Size { content: uploaded.content_bytes, sealed: status.size_bytes },
        mode: uploaded.flow,
        skipped: &summary.skipped,
        transparency: &uploaded.completed.transparency,
        path,
    })
}

/// Prints the link of one transfer of several, and the path of its content.
pub(super) fn print_each(uploaded: &Uploaded, summary: &Summary, path: &str, printer: &Printer) -> io::Result<()> {
    if printer.is_json() {
        return print_json(uploaded, summary, Some(path), printer);
    }
    let (key, link) = (key_of(&uploaded.link), link_to_print(&uploaded.link, summary.separate_key));
    let fields: &[&str] = if summary.separate_key { &[&link, &key, path] } else { &[&link, path] };
    printer.fields(&[fields.to_vec()])
}

/// Prints the link and its key. No file of this user keeps the key, unless `--keep-key` adds it to the history.
pub(super) fn print(uploaded: &Uploaded, summary: &Summary, context: &Context) -> io::Result<()> {
    let (printer, separate_key) = (&context.printer, summary.separate_key);
    if printer.is_json() {
        return print_json(uploaded, summary, None, printer);
    }
    let (key, link) = (key_of(&uploaded.link), link_to_print(&uploaded.link, separate_key));
    if !uploaded.links.is_empty() {
        let texts = |named: &NamedLink| (link_to_print(&named.link, separate_key), key_of(&named.link));
        let texts: Vec<_> = uploaded.links.iter().map(texts).collect();
        let lines = uploaded.links.iter().zip(&texts).map(|(named, (link, key))| {
            let fields = [named.name.as_str(), link, key];
            fields[..if separate_key { 3 } else { 2 }].to_vec()
        });
        return printer.fields(&lines.collect::<Vec<_>>());
    }
    printer.result(&link)?;
    if separate_key {
        printer.result(&key)?;
    }
    Ok(())
}

/// Returns the command that deletes the transfer, with the options that it needs except the token.
fn delete_command(uploaded: &Uploaded, context: &Context) -> String {
    let server = context.settings.server();
    let (origin, link_origin) = (Origin::from(&server), Origin::from(&uploaded.link.base_url));
    let finds_token = origin == link_origin && context.settings.will_find_token(&origin);
    let id = uploaded.completed.status.transfer_id;
    let transfer = if finds_token { uploaded.link.without_key() } else { format!("-s {server} {id}") };
    format!("sgsend {}delete {transfer}", context.profile_flag())
}

/// Summary of a finished upload for the sender, besides the link.
pub(super) struct Summary {
    /// The name shown to recipients.
    pub name: String,
    /// Number of files, for an archive.
    pub files: Option<usize>,
    /// Entries that were not sent.
    pub skipped: Vec<SkippedEntry>,
    /// Whether link and key are printed separately.
    pub separate_key: bool,
    /// Whether to print what the server stores.
    pub transparency: bool,
}

impl Summary {
    /// Prints name and content size, above the link.
    pub(super) fn print_head(&self, uploaded: &Uploaded, printer: &Printer) {
        let files = self.files.map_or_else(String::new, |files| format!("{}, ", with_number(files, "file")));
        let size = ByteSize(uploaded.content_bytes);
        let skipped = match self.skipped.len() {
            0 => String::new(),
            number => format!("; {number} skipped"),
        };
        printer.note(&format!("uploaded {}: {files}{size}{skipped}", escape::one_line(&self.name)));
    }

    /// Prints the id of a transfer that was sent for a request.
    pub(super) fn print_sent(&self, uploaded: &Uploaded, context: &Context) -> anyhow::Result<()> {
        let (printer, status) = (&context.printer, &uploaded.completed.status);
        if printer.is_json() {
            return Ok(printer.json(&SentOutput {
                v: 1,
                ok: true,
                transfer_id: status.transfer_id,
                expires_at: status.expires_at,
                size: Size { content: uploaded.content_bytes, sealed: status.size_bytes },
                mode: uploaded.flow,
                skipped: &self.skipped,
                transparency: &uploaded.completed.transparency,
            })?);
        }
        if printer.is_interactive() {
            self.print_head(uploaded, printer);
        }
        printer.result(&status.transfer_id.to_string())?;
        if printer.is_interactive() {
            let (relative, local) = (time::relative(status.expires_at), time::local(status.expires_at));
            printer.note(&format!("sent; only the recipient can open it, until it expires {relative} ({local})"));
            let id = status.transfer_id;
            printer.note(&format!("delete it, until it is downloaded: sgsend delete {id} --request LINK"));
        }
        self.print_transparency(uploaded, printer);
        Ok(())
    }

    /// Prints what recipients do, the limits and the delete command, below the link.
    pub(super) fn print_rest(&self, uploaded: &Uploaded, context: &Context) {
        let (printer, status) = (&context.printer, &uploaded.completed.status);
        // With stdout redirected, the key must not appear on the terminal that shows this note.
        let link = if io::stdout().is_terminal() && uploaded.links.is_empty() {
            for_shell(Path::new(link_to_print(&uploaded.link, self.separate_key).as_str()))
        } else {
            "LINK".to_owned()
        };
        let is_for_people = uploaded.link.key.as_ref().is_some_and(|key| key.commitment().is_some());
        let needs_passphrase = uploaded.link.key.as_ref().is_some_and(LinkKey::needs_passphrase);
        let passphrase = if needs_passphrase { "need the passphrase, and " } else { "" };
        let each = if uploaded.links.is_empty() { "the link" } else { "their link" };
        printer.note(&format!("recipients {passphrase}open {each} in a browser, or run: sgsend download {link}"));
        if is_for_people {
            printer.note("the link contains no key: it opens with the private key of a recipient only");
        }
        if self.separate_key {
            printer.note("send link and key over separate channels: downloading needs both");
        }
        let (relative, local) = (time::relative(status.expires_at), time::local(status.expires_at));
        let limit = uploaded.links.first().map_or(status.max_downloads, |named| named.item.max_downloads);
        let downloads = limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
        let for_each = if uploaded.links.is_empty() { "" } else { " for each link" };
        printer.note(&format!("expires {relative} ({local}), download limit: {downloads}{for_each}"));
        let same_token = if context.settings.has_token_flag() { " the same token" } else { "" };
        printer.note(&format!("delete with{same_token}: {}", delete_command(uploaded, context)));
    }

    /// Prints what the server stores, if the user wants to know.
    pub(super) fn print_transparency(&self, uploaded: &Uploaded, printer: &Printer) {
        if !(self.transparency || printer.is_verbose()) {
            return;
        }
        let Transparency { stored, not_stored, seen_by_others, .. } = &uploaded.completed.transparency;
        printer.note(&format!(
            "\nencrypted size: {}\nstored by the server about you:",
            ByteSize(uploaded.completed.status.size_bytes)
        ));
        for item in stored {
            printer.note(&format!("  {}", escape::one_line(&item.text)));
        }
        let listed = |items: &[Disclosure]| {
            let texts: Vec<_> = items.iter().map(|item| item.text.as_str()).collect();
            escape::one_line(&texts.join(", ")).into_owned()
        };
        printer.note(&format!("not stored: {}", listed(not_stored)));
        if !seen_by_others.is_empty() {
            printer.note(&format!("visible to others: {}", listed(seen_by_others)));
        }
    }
}

/// Warns if the server suggests another origin for links than this link has.
///
/// Silent if `link_is_chosen`: the user has chosen the base URL of the link.
pub(super) fn warn(uploaded: &Uploaded, link_is_chosen: bool, context: &Context) {
    if let Some(suggested) = uploaded.suggested_base_url.as_ref().filter(|_| !link_is_chosen) {
        let used = &uploaded.link.base_url;
        context.printer.warning(&format!(
            "the server suggests links to {suggested}, but this link uses {used}, where the upload went; \
             if recipients reach the server at {suggested}, use --link-server {suggested} for the next upload"
        ));
    }
}
