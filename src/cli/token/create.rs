//! `sgsend token create`

use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use zeroize::Zeroizing;

use super::super::arguments::{positive_duration, positive_size};
use super::super::context::Context;
use super::super::escape;
use super::{quota_text, until};
use crate::domain::wire::CreateToken;

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {
    /// What to call it; whoever holds it can see this
    name: String,
    /// How long it can be used, such as 90d [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// How many transfers it may create, ever [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_transfers: Option<u64>,
    /// How much encrypted payload its transfers may hold at once, such as 2GiB [default: any amount]
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_total_bytes: Option<ByteSize>,
    /// Also keep it for this user's uploads to the server in use
    #[arg(long)]
    pub(super) login: bool,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let api = context.admin_api().await?;
    let asked = CreateToken {
        name: arguments.name,
        expires_in_s: arguments.expires.map(|expires| expires.as_secs()),
        max_transfers: arguments.max_transfers,
        max_total_bytes: arguments.max_total_bytes.map(|ByteSize(bytes)| bytes),
    };
    let created = api.create_token(&asked).await?;
    let printer = &context.printer;
    // Shown first: this is the only time, whatever happens to the rest.
    if printer.is_json() {
        printer.json_of(&created)?;
    } else {
        printer.result(&created.token)?;
        let (name, id) = (escape::one_line(&created.item.name).into_owned(), created.item.token_id);
        let quota = quota_text(&created.item).map(|quota| format!(", {quota}")).unwrap_or_default();
        printer.note(&format!("{name}: token {id}, {}{quota}", until(created.item.expires_at)));
        printer.note(&format!("it is shown this once; revoke it with: sgsend token revoke {id}"));
    }
    if arguments.login {
        let server = context.settings.server().to_string();
        let token = Zeroizing::new(created.token);
        let path = context.change_profile(|profile| {
            profile.server = Some(server.clone());
            profile.token = Some(token.to_string());
            profile.token_file = None;
        })?;
        printer.note(&format!("kept for uploads to {server} in {}", path.display()));
    }
    Ok(())
}
