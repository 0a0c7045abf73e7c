//! `sgsend token revoke`: revokes a sender token.

use anyhow::Result;
use clap::Args;

use super::status_text;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::input::secret::SecretText;
use crate::cli::output::escape;
use crate::domain::id::TokenId;

/// Arguments of `sgsend token revoke`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the token: the 16 hex digits behind sgs_; the complete token is accepted too
    #[arg(value_name = "TOKEN_ID")]
    token_id: SecretText,
}

/// Returns the id in an argument, which is treated as a secret, since it may be the complete token.
pub(super) fn token_id(argument: &SecretText) -> Result<TokenId, Failure> {
    let text = argument.as_str();
    let id = text.strip_prefix("sgs_").and_then(|rest| rest.split('_').next()).unwrap_or(text);
    id.parse().map_err(|error| Failure::usage(format!("{error}")).hint("`sgsend token list` shows all tokens"))
}

/// Runs `sgsend token revoke`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let id = token_id(&arguments.token_id)?;
    let api = context.admin_api().await?;
    let item = context.first_call(|| api.revoke_token(id)).await?;
    if context.printer.is_json() {
        context.printer.json_of(&item)?;
    } else {
        let name = escape::one_line(&item.name).into_owned();
        context.printer.note(&format!("token {} ({name}) is {}", item.token_id, status_text(item.status)));
    }
    Ok(())
}
