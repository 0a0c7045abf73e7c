//! The tokens of the admin service: asked for once, for a second at most, and never with a question.

use std::time::Duration;

use clap_complete::engine::CompletionCandidate;
use tokio::time::timeout;

use super::words;
use crate::cli::context::Context;
use crate::cli::printer::Printer;
use crate::cli::{escape, signals};
use crate::domain::token::TokenStatus;
use crate::domain::wire::TokenItem;

/// The longest that somebody waits behind a half-typed word.
const PATIENCE: Duration = Duration::from_secs(1);

/// The tokens that can be revoked; nothing where they cannot be had.
pub(super) fn candidates() -> Vec<CompletionCandidate> {
    let items = ask().unwrap_or_default();
    let active = items.into_iter().filter(|item| item.status == TokenStatus::Active);
    let candidate = |item: TokenItem| {
        let name = escape::one_line(&item.name).into_owned();
        CompletionCandidate::new(item.token_id.to_string()).help(Some(name.into()))
    };
    active.map(candidate).collect()
}

fn ask() -> Option<Vec<TokenItem>> {
    let mut global = words::global()?;
    // Nobody is there to answer, and stdin is the shell's.
    global.no_input = true;
    global.timeout = PATIENCE;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let items = runtime.block_on(async {
        let printer = Printer::new(&global);
        let context = Context::new(global, printer, signals::watch().ok()?, false).ok()?;
        let admin_key_on_stdin = context.settings.admin_key().is_none_or(|key| key.takes_stdin());
        if admin_key_on_stdin {
            return None;
        }
        let asking = async { context.admin_api().await.ok()?.tokens(None).await.ok() };
        timeout(PATIENCE, asking).await.ok().flatten().map(|page| page.items)
    });
    // A key file that cannot be read to its end holds nobody up.
    runtime.shutdown_background();
    items
}
