//! Sender token of a command: from the settings or a prompt, and protected against replacement.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use zeroize::Zeroizing;

use super::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::prompt::Prompt;
use crate::client::{Api, Origin, OriginBound};
use crate::domain::base_url::BaseUrl;
use crate::domain::token::{InvalidToken, PlainToken};

/// Returns the failure for a malformed sender token, without quoting the token.
pub(in crate::cli) fn malformed_token(error: InvalidToken) -> Failure {
    Failure::usage(error.to_string()).hint("copy the complete token, from sgs_ to its last character")
}

/// Parses a pasted sender token, which may be wrapped.
pub(in crate::cli) fn parse_pasted(text: &str) -> Result<(Zeroizing<String>, PlainToken), Failure> {
    let text = Zeroizing::new(text.split_whitespace().collect::<String>());
    let token = text.parse().map_err(malformed_token)?;
    Ok((text, token))
}

impl Context {
    /// Returns a client of the public service at `base_url`, for requests that need a sender token.
    ///
    /// Asks for a missing token on a terminal.
    pub(in crate::cli) async fn sender_api(&self, base_url: BaseUrl) -> Result<Api> {
        let origin = Origin::from(&base_url);
        if self.settings.token_of(&origin).is_some() {
            return self.api(base_url).await;
        }
        self.needs_config(true)?;
        if self.prompt.is_possible() && self.settings.token_of_other_server(&base_url).is_none() {
            return self.ask_for_token(base_url).await;
        }
        Err(self.token_missing(&base_url).into())
    }

    /// Returns a client of the public service at `base_url` with this sender token.
    pub(in crate::cli) fn api_with_token(&self, base_url: BaseUrl, token: PlainToken) -> Result<Api> {
        let token = Arc::new(OriginBound::new(Origin::from(&base_url), token));
        Ok(Api::new(base_url, Some(token), &self.transport_options()?)?)
    }

    /// Asks for the sender token of a server, checks the token, and offers to save it.
    async fn ask_for_token(&self, base_url: BaseUrl) -> Result<Api> {
        let question = format!("Sender token for {}", Origin::from(&base_url));
        let text = self.prompt.pasted(&question).await?.unwrap_or_default();
        if text.trim().is_empty() {
            return Err(self.token_missing(&base_url).into());
        }
        let (text, token) = parse_pasted(&text)?;
        let api = self.api_with_token(base_url.clone(), token)?;
        self.first_call(|| api.token_status()).await?;
        if let Some(path) = self.config_file().filter(|_| self.can_save_token(&base_url)) {
            let question = format!("Save the token in {} for the next uploads? [Y/n]", path.display());
            if self.prompt.offer(&question).await?
                && let Err(failure) = self.save_token(&base_url, &text)
            {
                self.printer.warning(&format!("the token was not saved: {failure}"));
            }
        }
        Ok(api)
    }

    /// Returns whether the current profile can take the token of a server.
    ///
    /// Such a profile has no other server and no token.
    fn can_save_token(&self, base_url: &BaseUrl) -> bool {
        let Ok(config) = self.config() else { return false };
        config.profiles.get(&self.profile_name(&config)).is_none_or(|profile| {
            let is_same = profile.server.as_deref().is_none_or(|server| server.parse().ok().as_ref() == Some(base_url));
            is_same && profile.token.is_none() && profile.token_file.is_none()
        })
    }

    /// Saves a server and its sender token in the current profile; returns the configuration's path.
    pub(in crate::cli) fn save_token(&self, base_url: &BaseUrl, token: &str) -> Result<PathBuf, Failure> {
        self.change_profile(|profile| {
            profile.server = Some(base_url.to_string());
            profile.token = Some(token.to_owned());
            profile.token_file = None;
        })
    }

    /// Returns the failure for a server without a sender token.
    fn token_missing(&self, base_url: &BaseUrl) -> Failure {
        let (origin, current) = (Origin::from(base_url), Origin::from(&self.settings.server()));
        let failure = |message: String| Failure::new(Exit::NotAuthorised, "token_missing", message);
        if let Some((owner, hint)) = self.settings.token_of_other_server(base_url) {
            let target = if origin == current { "the current server is" } else { "the link points to" };
            return failure(format!("the sender token is for {owner}, but {target} {origin}")).hint(hint);
        }
        let hint = if origin == current {
            "pass a sender token with --token-file or SGSEND_TOKEN, or save a token with `sgsend login`".to_owned()
        } else {
            format!(
                "pass a sender token with --server {base_url} and --token-file, or save a token with `sgsend login {base_url}`"
            )
        };
        failure(format!("no sender token for {origin}")).hint(hint)
    }

    /// Asks before another sender token than `new` is replaced in the current profile.
    ///
    /// Fails if the token must be kept. `how_to_keep` is the hint: a command that keeps both tokens.
    pub(in crate::cli) async fn check_kept_token(
        &self,
        prompt: &Prompt,
        new: Option<&str>,
        how_to_keep: &str,
    ) -> Result<()> {
        let config = self.config()?;
        let name = self.profile_name(&config);
        let profile = config.profiles.get(&name);
        let is_kept = profile.is_some_and(|profile| match (&profile.token, &profile.token_file) {
            (Some(token), _) => new != Some(token.as_str()),
            (None, file) => file.is_some(),
        });
        if !is_kept {
            return Ok(());
        }
        let server = profile.and_then(|profile| profile.server.as_deref()).unwrap_or("a server");
        let problem = format!("profile {name} already has a sender token, for {server}");
        if prompt.confirm(&format!("{problem}. Replace it?")).await? == Some(true) {
            return Ok(());
        }
        let failure = Failure::new(Exit::LocalFile, "token_exists", problem);
        Err(failure.hint(format!("{how_to_keep}, or replace the token with --replace")).into())
    }
}
