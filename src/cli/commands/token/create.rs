//! `sgsend token create`: creates a sender token and prints it.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use zeroize::Zeroizing;

use super::notifications::{NotificationOptions, note_secret};
use super::{expiry_text, quota_text};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::prompt::YesOption;
use crate::cli::input::values::{positive_duration, positive_number, positive_size};
use crate::cli::output::escape;
use crate::client::AdminApi;
use crate::domain::id::TokenId;
use crate::domain::token::{InvalidTokenName, check_name};
use crate::domain::wire::CreateToken;

/// Arguments of `sgsend token create`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Name of the token, which its holder can see
    #[arg(value_parser = token_name)]
    name: String,
    /// Time until the token expires, such as 90d [default: never]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// Maximum number of transfers in total [default: unlimited]
    #[arg(long, value_name = "N", value_parser = positive_number::<u64>)]
    max_transfers: Option<u64>,
    /// Maximum encrypted size of all stored transfers of the token, such as 2GiB [default: unlimited]
    #[arg(long, value_name = "SIZE", value_parser = positive_size)]
    max_total_bytes: Option<ByteSize>,
    /// Also save the token for this user's uploads to the current server
    #[arg(long)]
    pub(super) login: bool,
    /// With --login, replace the saved token of the profile
    #[arg(long, requires = "login")]
    replace: bool,
    #[command(flatten)]
    notifications: NotificationOptions,
    #[command(flatten)]
    answer: YesOption,
}

pub(super) fn token_name(text: &str) -> std::result::Result<String, InvalidTokenName> {
    check_name(text).map(|()| text.to_owned())
}

/// Revokes a token that could not be printed, and returns the failure to report.
async fn revoke_unprinted(api: &AdminApi, id: TokenId, error: &io::Error) -> Failure {
    let (state, hint) = if api.revoke_token(id).await.is_ok() {
        ("the token was revoked", "check the target of stdout, and run the command again".to_owned())
    } else {
        (
            "the token could not be revoked",
            format!("revoke the token with `sgsend token revoke {id}`, and create a new one"),
        )
    };
    Failure::new(Exit::LocalFile, "token_unprinted", format!("cannot print the token: {error}; {state}")).hint(hint)
}

/// Runs `sgsend token create`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let api = context.admin_api().await?;
    // Before the token is created, since it is shown only once.
    if arguments.login {
        context.config_path()?;
    }
    if arguments.login && !arguments.replace {
        let name = escape::for_shell(Path::new(&arguments.name));
        let keep_both =
            format!("no token was created; keep both with `sgsend -P NEW_PROFILE token create {name} --login`");
        context.check_kept_token(&context.prompt.answering(arguments.answer.yes), None, &keep_both).await?;
    }
    let request = CreateToken {
        name: arguments.name,
        expires_in_s: arguments.expires.map(|expires| expires.as_secs()),
        max_transfers: arguments.max_transfers,
        max_total_bytes: arguments.max_total_bytes.map(|ByteSize(bytes)| bytes),
        notifications: arguments.notifications.change(None)?,
    };
    let created = api.create_token(&request).await?;
    let printer = &context.printer;
    // Prints the token first, since a later error would lose the only copy.
    let output = if printer.is_json() { printer.json_of(&created) } else { printer.result(&created.token) };
    if let Err(error) = output {
        return Err(revoke_unprinted(&api, created.item.token_id, &error).await.into());
    }
    if !printer.is_json() {
        let (name, id) = (escape::one_line(&created.item.name).into_owned(), created.item.token_id);
        let quota = quota_text(&created.item).map(|quota| format!(", {quota}")).unwrap_or_default();
        printer.note(&format!("{name}: token {id}, {}{quota}", expiry_text(created.item.expires_at)));
        note_secret(printer, created.webhook_secret.as_deref());
        printer.note(&format!("the token is shown only once; revoke it with: sgsend token revoke {id}"));
    }
    if arguments.login {
        let server = context.settings.server();
        let path = context.save_token(&server, &Zeroizing::new(created.token))?;
        printer.note(&format!("saved the token for uploads to {server} in {}", path.display()));
    }
    Ok(())
}
