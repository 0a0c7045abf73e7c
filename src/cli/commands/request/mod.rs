//! `sgsend request`: asks others for files, and downloads what they send.

mod create;
mod download;
mod identity;
mod list;
mod revoke;
mod saved;
mod show;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::domain::error::ErrorCode;
use crate::domain::token::TokenStatus;
use crate::domain::wire::RequestItem;

/// Arguments of `sgsend request`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: RequestCommand,
}

#[derive(Subcommand)]
enum RequestCommand {
    /// Create a link with which others upload to this user, and print it
    Create(create::Arguments),
    /// List the requests of this user's token
    List,
    /// Print the link of a request again, and list what has arrived
    Show(show::Arguments),
    /// End a request; what has arrived stays
    Revoke(revoke::Arguments),
    /// Download all that has arrived for a request and was not downloaded yet
    Download(download::Arguments),
}

impl Arguments {
    /// Returns whether the command handles interruption itself.
    pub(crate) const fn handles_interrupt(&self) -> bool {
        matches!(self.command, RequestCommand::Download(_))
    }
}

/// Runs `sgsend request`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    match arguments.command {
        RequestCommand::Create(arguments) => create::run(arguments, context).await,
        RequestCommand::List => list::run(context).await,
        RequestCommand::Show(arguments) => show::run(&arguments, context).await,
        RequestCommand::Revoke(arguments) => revoke::run(&arguments, context).await,
        RequestCommand::Download(arguments) => Box::pin(download::run(arguments, context)).await,
    }
}

/// Returns the status of a request, for people.
const fn status_text(status: TokenStatus) -> &'static str {
    match status {
        TokenStatus::Active => "active",
        TokenStatus::Revoked => "revoked",
        TokenStatus::Expired => "expired",
    }
}

/// Returns the number of transfers that guests have created, with the limit of the request.
fn transfers_text(item: &RequestItem) -> String {
    match item.max_transfers {
        Some(limit) => format!("{} of {limit}", item.transfers_created),
        None => item.transfers_created.to_string(),
    }
}

/// Returns what a guest can do about an error of the request's token; `None` for other errors.
pub(crate) fn guest_failure(error: &anyhow::Error) -> Option<Failure> {
    let code = match error.downcast_ref::<crate::client::upload::UploadError>() {
        Some(crate::client::upload::UploadError::Client(client)) => client.code()?,
        Some(_) => return None,
        None => error.downcast_ref::<crate::client::ClientError>()?.code()?,
    };
    let (exit, message) = match code {
        ErrorCode::TokenRevoked => (Exit::NotAuthorised, "the recipient has ended this request"),
        ErrorCode::TokenExpired => (Exit::NotAuthorised, "this request has expired"),
        ErrorCode::TokenInvalid => (Exit::NotAuthorised, "the server does not know this request"),
        ErrorCode::QuotaExceeded => (Exit::LimitExceeded, "this request takes no more files, or not as large ones"),
        _ => return None,
    };
    let failure = Failure { message: message.to_owned(), ..Failure::of(error) };
    let hint = "ask the recipient for another request link, and check that the link is complete";
    Some(Failure { exit, ..failure }.hint(hint))
}
