//! `sgsend login`: checks a server and a sender token, and saves them in a profile.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::token::{expiry_text, quota_text};
use crate::cli::context::{Context, parse_pasted};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::prompt::YesOption;
use crate::cli::input::server_arg;
use crate::client::{Api, Origin};
use crate::domain::audit::ServiceName;
use crate::domain::base_url::BaseUrl;
use crate::domain::wire::{Health, TokenItem};

/// Arguments of `sgsend login`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// URL of the public service [default: ask, and suggest the current server]
    url: Option<String>,
    /// Replace the saved token of the profile
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    answer: YesOption,
}

#[derive(Serialize)]
struct Output {
    server: String,
    #[serde(flatten)]
    token: TokenItem,
    config: String,
}

/// Runs `sgsend login`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let base_url = server(arguments.url, context).await?;
    let origin = Origin::from(&base_url);
    let text = match context.settings.unsaved_token(&origin) {
        Some(source) => context.read_secret(source, "sender token").await?,
        None => context.prompt.pasted("Sender token").await?.ok_or_else(|| {
            Failure::usage("a sender token is required, but there is no terminal to ask for it")
                .hint("pass the token with --token-file, or --token -")
        })?,
    };
    let (text, token) = parse_pasted(&text)?;
    let api = context.api_with_token(base_url.clone(), token)?;
    context.first_call(|| api.health()).await?;
    check_service(&api).await?;
    let token = check_token(&api).await?;

    if !arguments.replace {
        let keep_both = format!("nothing was saved; keep both with `sgsend -P NEW_PROFILE login {base_url}`");
        let prompt = context.prompt.answering(arguments.answer.yes);
        context.check_kept_token(&prompt, Some(&text), &keep_both).await?;
    }
    let path = context.save_token(&base_url, &text)?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json_of(&Output { server: base_url.to_string(), token, config: path.display().to_string() })?;
    } else {
        let (id, terms) = (token.token_id, terms(&token));
        printer.note(&format!("token {id} is valid for {base_url}, {terms}; saved in {}", path.display()));
    }
    Ok(())
}

async fn server(url: Option<String>, context: &Context) -> Result<BaseUrl> {
    let in_use = context.settings.server();
    let text = if let Some(url) = url {
        url
    } else {
        let question = format!("Server [{in_use}]:");
        let answer = context.prompt.line(&question).await?.unwrap_or_default();
        if answer.is_empty() {
            return Ok(in_use);
        }
        answer
    };
    Ok(server_arg::parse_host_or_url(&text, "this")?)
}

/// Checks that the server is a public service, and returns its health response.
pub(crate) async fn check_service(api: &Api) -> Result<Health> {
    let health = api.health().await?;
    if health.service != ServiceName::Public {
        let failure = Failure::new(Exit::Usage, "admin_service", format!("{} is an admin service", api.origin()));
        return Err(failure.hint("use the URL of the public service").into());
    }
    Ok(health)
}

/// Checks the sender token, and returns its limits.
pub(crate) async fn check_token(api: &Api) -> Result<TokenItem> {
    Ok(api.token_status().await?)
}

/// Returns the expiry and the quota of a token as text.
pub(crate) fn terms(token: &TokenItem) -> String {
    let terms = [Some(expiry_text(token.expires_at)), quota_text(token)];
    terms.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
