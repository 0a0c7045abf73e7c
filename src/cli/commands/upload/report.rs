//! The output of a finished upload: link and key, warnings, and what the server stores.

use std::io;

use bytesize::ByteSize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::output::escape;
use crate::cli::output::plural::counted;
use crate::client::upload::Uploaded;
use crate::client::{Api, Origin};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::key::LinkKey;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{Flow, Transparency};

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    transfer_id: TransferId,
    link: &'a str,
    key: &'a str,
    expires_at: Timestamp,
    max_downloads: Option<u32>,
    size: Size,
    mode: Flow,
    transparency: &'a Transparency,
}

#[derive(Serialize)]
struct Size {
    content: u64,
    sealed: u64,
}

/// Returns the link, without its key if `separate_key`.
pub(super) fn link_to_print(uploaded: &Uploaded, separate_key: bool) -> Zeroizing<String> {
    if separate_key { Zeroizing::new(uploaded.link.without_key()) } else { uploaded.link.to_text() }
}

/// Prints link and key, which are not stored anywhere.
pub(super) fn print(uploaded: &Uploaded, separate_key: bool, context: &Context) -> io::Result<()> {
    let printer = &context.printer;
    let status = &uploaded.completed.status;
    let key = uploaded.link.key.as_ref().map_or_else(Zeroizing::default, LinkKey::to_text);
    let link = &*link_to_print(uploaded, separate_key);
    if printer.is_json() {
        return printer.json(&Output {
            v: 1,
            ok: true,
            transfer_id: status.transfer_id,
            link,
            key: &key,
            expires_at: status.expires_at,
            max_downloads: status.max_downloads,
            size: Size { content: uploaded.content_bytes, sealed: status.size_bytes },
            mode: uploaded.flow,
            transparency: &uploaded.completed.transparency,
        });
    }
    printer.result(link)?;
    if separate_key {
        printer.result(&key)?;
    }
    Ok(())
}

/// Returns the command that deletes the transfer, with the options that it needs.
fn delete_command(uploaded: &Uploaded, context: &Context) -> String {
    let server = context.settings.server();
    let (origin, link_origin) = (Origin::from(&server), Origin::from(&uploaded.link.base_url));
    let finds_token = origin == link_origin && context.settings.finds_token_again(&origin);
    let id = uploaded.completed.status.transfer_id;
    let transfer = if finds_token { uploaded.link.without_key() } else { format!("-s {server} {id}") };
    let token_note = if context.settings.has_token_flag() { ", and the same token" } else { "" };
    format!("sgsend {}delete {transfer}{token_note}", context.profile_flag())
}

/// Prints sizes, expiry, the delete command and the stored data of a finished upload to stderr.
pub(super) fn print_details(
    uploaded: &Uploaded,
    (name, files): (&str, Option<usize>),
    separate_key: bool,
    context: &Context,
) {
    let printer = &context.printer;
    let status = &uploaded.completed.status;
    let (size, sealed) = (ByteSize(uploaded.content_bytes), ByteSize(status.size_bytes));
    let downloads = match status.max_downloads {
        None => "unlimited".to_owned(),
        Some(limit) => limit.to_string(),
    };
    let files = files.map_or_else(String::new, |files| format!("{}, ", counted(files, "file")));
    printer.note(&format!("\n{}: {files}{size}, {sealed} encrypted", escape::one_line(name)));
    printer.note(&format!("expires {}, download limit: {downloads}", status.expires_at.human_readable()));
    printer.note(&format!("delete with: {}", delete_command(uploaded, context)));
    if separate_key {
        printer.note("send link and key over separate channels: downloading needs both");
    }
    let transparency = &uploaded.completed.transparency;
    printer.note("\nstored by the server about you:");
    for (field, form) in &transparency.stored {
        printer.note(&format!("  {}: {}", escape::one_line(field), escape::one_line(form)));
    }
    printer.note(&format!("not stored: {}", escape::one_line(&transparency.not_stored.join(", "))));
    if !transparency.seen_by_others.is_empty() {
        printer.note(&format!("visible to others: {}", escape::one_line(&transparency.seen_by_others.join(", "))));
    }
}

/// Warns if the link points to another server than the upload, or if the server's link address was rejected.
pub(super) fn warn(uploaded: &Uploaded, api: &Api, context: &Context) {
    if let Some(rejected) = &uploaded.rejected_base_url {
        let used = &uploaded.link.base_url;
        context.printer.warning(&format!(
            "the server sets the unencrypted address {rejected} for its links; this link uses {used} instead"
        ));
    }
    let host = |base_url: &BaseUrl| base_url.join("/").host_str().map(str::to_owned);
    if host(&uploaded.link.base_url) != host(api.base_url()) {
        context.printer.warning(&format!(
            "the server sets the link to {}, but the upload went to {}",
            uploaded.link.base_url,
            api.origin()
        ));
    }
}
