//! Completes token ids: one request to the admin service, with a timeout of 1 s and without prompts.

use std::time::Duration;

use clap::Command;
use clap_complete::engine::CompletionCandidate;
use tokio::time::timeout;

use super::words;
use crate::cli::context::Context;
use crate::cli::output::printer::Printer;
use crate::cli::output::{escape, time};
use crate::cli::signals;
use crate::domain::token::TokenStatus;
use crate::domain::wire::TokenItem;

/// Timeout of the request; the shell waits for the response.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Returns the ids of the active tokens as candidates; empty if the request fails.
pub(super) fn candidates(command_line: fn() -> Command) -> Vec<CompletionCandidate> {
    let items = request_tokens(command_line).unwrap_or_default();
    let active = items.into_iter().filter(|item| item.status == TokenStatus::Active);
    let candidate = |item: TokenItem| {
        let help = format!("{}, created {}", escape::one_line(&item.name), time::local(item.created_at));
        CompletionCandidate::new(item.token_id.to_string()).help(Some(help.into()))
    };
    active.map(candidate).collect()
}

fn request_tokens(command_line: fn() -> Command) -> Option<Vec<TokenItem>> {
    let mut global = words::global(command_line)?;
    // No prompts: stdin belongs to the shell.
    global.no_input = true;
    global.timeout = TIMEOUT;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let items = runtime.block_on(async {
        let printer = Printer::new(&global);
        let context = Context::new(global, printer, signals::watch().ok()?, false).ok()?;
        let needs_stdin = context.settings.admin_key().is_none_or(|key| key.takes_stdin());
        if needs_stdin {
            return None;
        }
        let request = async { context.admin_api().await.ok()?.tokens(None).await.ok() };
        timeout(TIMEOUT, request).await.ok().flatten().map(|page| page.items)
    });
    // A blocked read of a key file (for example a pipe) must not delay the shell.
    runtime.shutdown_background();
    items
}
