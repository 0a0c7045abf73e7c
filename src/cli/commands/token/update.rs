//! `sgsend token update`: changes a sender token.

use anyhow::Result;
use clap::Args;

use super::notifications::{NotificationOptions, RemovalOptions, note_secret};
use super::revoke::token_id;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::input::secret::SecretText;
use crate::cli::output::escape;
use crate::domain::wire::UpdateToken;

/// Arguments of `sgsend token update`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the token: the 16 hex digits behind sgs_; the complete token is accepted too
    #[arg(value_name = "TOKEN_ID")]
    token_id: SecretText,
    #[command(flatten)]
    notifications: NotificationOptions,
    #[command(flatten)]
    removal: RemovalOptions,
}

/// Runs `sgsend token update`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let id = token_id(&arguments.token_id)?;
    let request = UpdateToken { notifications: arguments.notifications.change(Some(&arguments.removal)) };
    if request == UpdateToken::default() {
        let failure = Failure::usage("nothing to change: no option names a new value");
        return Err(failure.hint("`sgsend token update --help` lists the options").into());
    }
    let api = context.admin_api().await?;
    // Not repeated: each change of a webhook makes a new secret, and only its response has it.
    let updated = api.update_token(id, &request).await?;
    if context.printer.is_json() {
        context.printer.json_of(&updated)?;
    } else {
        let name = escape::one_line(&updated.item.name).into_owned();
        context.printer.note(&format!("token {id} ({name}) is changed"));
        note_secret(&context.printer, updated.webhook_secret.as_deref());
    }
    Ok(())
}
