//! `sgsend token`: manages sender tokens through the admin service.

mod argument;
mod create;
mod list;
mod notifications;
mod quota;
mod revoke;
mod update;

use anyhow::Result;
use clap::{Args, Subcommand};

pub(crate) use argument::TokenArgument;
pub(crate) use quota::quota_text;
use quota::use_text;

use crate::cli::context::Context;
use crate::cli::output::time;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::TokenStatus;

/// Arguments of `sgsend token`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Create a sender token and print it; it is shown only once
    Create(create::Arguments),
    /// List all tokens
    List,
    /// Change the name, expiry, quota or notifications of a token
    Update(update::Arguments),
    /// Revoke a token
    Revoke(revoke::Arguments),
}

impl Arguments {
    /// Returns whether the command creates a missing profile.
    pub(crate) fn writes_profile(&self) -> bool {
        matches!(&self.command, TokenCommand::Create(arguments) if arguments.login)
    }
}

/// Runs `sgsend token`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    match arguments.command {
        TokenCommand::Create(arguments) => create::run(arguments, context).await,
        TokenCommand::List => list::run(context).await,
        TokenCommand::Update(arguments) => update::run(arguments, context).await,
        TokenCommand::Revoke(arguments) => revoke::run(arguments, context).await,
    }
}

const fn status_text(status: TokenStatus) -> &'static str {
    match status {
        TokenStatus::Active => "active",
        TokenStatus::Revoked => "revoked",
        TokenStatus::Expired => "expired",
    }
}

/// Returns the expiry of a token for users.
pub(crate) fn expiry_text(expires_at: Option<Timestamp>) -> String {
    expires_at.map_or_else(
        || "never expires".to_owned(),
        |at| format!("{} {}", if time::is_past(at) { "expired" } else { "expires" }, time::with_distance(at)),
    )
}
