//! `sgsend token update`: changes a sender token.

use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;

use super::create::token_name;
use super::notifications::{NotificationOptions, RemovalOptions, note_secret};
use super::{TokenArgument, expiry_text, status_text, use_text};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::input::values::{positive_duration, positive_number, positive_size};
use crate::cli::output::escape;
use crate::domain::wire::UpdateToken;

/// Arguments of `sgsend token update`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the token: the 16 hex digits behind sgs_; the complete token is accepted too
    #[arg(value_name = "TOKEN_ID")]
    token_id: TokenArgument,
    #[command(flatten)]
    changes: TokenChanges,
}

/// Changes of a token, of which at least one is required.
#[derive(Args)]
struct TokenChanges {
    /// New name of the token
    #[arg(long, value_name = "NAME", value_parser = token_name)]
    name: Option<String>,
    /// Time from now until the token expires, such as 90d, or never
    #[arg(long, value_name = "DURATION", value_parser = expiry)]
    expires: Option<NewLimit<Duration>>,
    /// Maximum number of transfers in total, or unlimited
    #[arg(long, value_name = "N", value_parser = number)]
    max_transfers: Option<NewLimit<u64>>,
    /// Maximum encrypted size of all stored transfers of the token, such as 2GiB, or unlimited
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_total_bytes: Option<NewLimit<ByteSize>>,
    #[command(flatten)]
    notifications: NotificationOptions,
    #[command(flatten)]
    removal: RemovalOptions,
}

/// Limit that replaces another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewLimit<T> {
    None,
    At(T),
}

impl<T> NewLimit<T> {
    fn parse(text: &str, none: &str, parse: fn(&str) -> Result<T, String>) -> Result<Self, String> {
        if text == none {
            return Ok(Self::None);
        }
        parse(text).map(Self::At).map_err(|error| format!("{error}, or {none}"))
    }

    fn map<U>(self, convert: impl FnOnce(T) -> U) -> Option<U> {
        match self {
            Self::None => None,
            Self::At(limit) => Some(convert(limit)),
        }
    }
}

fn expiry(text: &str) -> Result<NewLimit<Duration>, String> {
    NewLimit::parse(text, "never", positive_duration)
}

fn number(text: &str) -> Result<NewLimit<u64>, String> {
    NewLimit::parse(text, "unlimited", positive_number)
}

fn size(text: &str) -> Result<NewLimit<ByteSize>, String> {
    NewLimit::parse(text, "unlimited", positive_size)
}

impl TokenChanges {
    fn into_request(self) -> Result<UpdateToken, Failure> {
        Ok(UpdateToken {
            name: self.name,
            expires_in_s: self.expires.map(|expires| expires.map(|expires| expires.as_secs())),
            max_transfers: self.max_transfers.map(|limit| limit.map(|limit| limit)),
            max_total_bytes: self.max_total_bytes.map(|limit| limit.map(|ByteSize(bytes)| bytes)),
            notifications: self.notifications.change(Some(&self.removal))?,
        })
    }
}

/// Runs `sgsend token update`.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let id = arguments.token_id.id()?;
    let request = arguments.changes.into_request()?;
    if request == UpdateToken::default() {
        let failure = Failure::usage("nothing to change: no option names a new value");
        let hint = "options are --name, --expires, --max-transfers, --max-total-bytes, --webhook, --email and --notify";
        return Err(failure.hint(hint).into());
    }
    let api = context.admin_api().await?;
    // A change of a webhook is not repeated: each makes a new secret, and only its response has it.
    let updated = match &request.notifications {
        Some(change) if change.sets_webhook() => api.update_token(id, &request).await?,
        _ => context.first_call(|| api.update_token(id, &request)).await?,
    };
    if context.printer.is_json() {
        context.printer.json_of(&updated)?;
    } else {
        let item = &updated.item;
        let (name, status) = (escape::one_line(&item.name).into_owned(), status_text(item.status));
        let terms = format!("{}, {}", expiry_text(item.expires_at), use_text(item));
        context.printer.note(&format!("{name}: token {} is {status}, {terms}", item.token_id));
        note_secret(&context.printer, updated.webhook_secret.as_deref());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_removed_by_its_word() {
        assert_eq!(expiry("never"), Ok(NewLimit::None));
        assert_eq!(expiry("90d"), Ok(NewLimit::At(Duration::from_hours(90 * 24))));
        assert_eq!(number("unlimited"), Ok(NewLimit::None));
        assert_eq!(size("2GiB"), Ok(NewLimit::At(ByteSize::gib(2))));
        assert_eq!(number("0").unwrap_err(), "must be 1 or more, or unlimited");
        assert_eq!(expiry("unlimited").unwrap_err(), "expected a duration such as 90s, 12h or 7d, or never");
    }
}
