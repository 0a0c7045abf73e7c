//! `sgsend token create`

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use zeroize::Zeroizing;

use super::super::arguments::positive_duration;
use super::super::context::Context;
use super::super::escape;
use super::until;
use crate::domain::wire::CreateToken;

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {
    /// What to call it
    name: String,
    /// How long it can be used, such as 90d [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    expires: Option<Duration>,
    /// Also keep it for this user's uploads to the server in use
    #[arg(long)]
    pub(super) login: bool,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let api = context.admin_api().await?;
    let asked = CreateToken { name: arguments.name, expires_in_s: arguments.expires.map(|expires| expires.as_secs()) };
    let created = api.create_token(&asked).await?;
    let printer = &context.printer;
    // Shown first: this is the only time, whatever happens to the rest.
    if printer.is_json() {
        printer.json_of(&created)?;
    } else {
        printer.result(&created.token)?;
        let (name, id) = (escape::one_line(&created.item.name).into_owned(), created.item.token_id);
        printer.note(&format!("{name}: token {id}, {}", until(created.item.expires_at)));
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
