//! `sgsend token create`

use std::io;
use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use zeroize::Zeroizing;

use super::super::arguments::{positive_duration, positive_number, positive_size};
use super::super::context::Context;
use super::super::escape;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::{quota_text, until};
use crate::client::{AdminApi, ClientError};
use crate::domain::error::ErrorCode;
use crate::domain::id::TokenId;
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
    #[arg(long, value_name = "N", value_parser = positive_number::<u64>)]
    max_transfers: Option<u64>,
    /// How much encrypted payload its transfers may hold at once, such as 2GiB [default: any amount]
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_total_bytes: Option<ByteSize>,
    /// Also keep it for this user's uploads to the server in use
    #[arg(long)]
    pub(super) login: bool,
}

/// What the service says of a token that it does not create.
fn refused(error: ClientError) -> anyhow::Error {
    let is_about_name = |error: &ClientError| error.to_string().starts_with("name ");
    if error.code() == Some(ErrorCode::InvalidRequest) && is_about_name(&error) {
        return Failure::usage(error.to_string()).hint("choose another name").into();
    }
    error.into()
}

/// Revokes a token that nobody has seen.
async fn unprinted(api: &AdminApi, id: TokenId, error: &io::Error) -> Failure {
    let (ended, hint) = if api.revoke_token(id).await.is_ok() {
        ("it was revoked", "check where the output goes, and run it again".to_owned())
    } else {
        ("it could not be revoked", format!("revoke it with `sgsend token revoke {id}`, and create another one"))
    };
    Failure::new(Exit::LocalFile, "token_unprinted", format!("the token cannot be printed: {error}; {ended}"))
        .hint(hint)
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
    let created = api.create_token(&asked).await.map_err(refused)?;
    let printer = &context.printer;
    // Shown first: this is the only time, whatever happens to the rest.
    let shown = if printer.is_json() { printer.json_of(&created) } else { printer.result(&created.token) };
    if let Err(error) = shown {
        return Err(unprinted(&api, created.item.token_id, &error).await.into());
    }
    if !printer.is_json() {
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
