//! An admin that creates and revokes tokens.

use std::collections::HashMap;

use serde_json::Value;

use crate::http_client::{Client, text};
use crate::random::Random;
use crate::transfer_model::{Fact, Trouble};

/// An admin with its knowledge of the tokens.
pub(crate) struct Admin {
    pub(crate) random: Random,
    tokens: Vec<Token>,
    /// Number of tokens that may exist although the response was lost.
    unacknowledged: usize,
}

struct Token {
    id: String,
    secret: String,
    revoked: Fact,
}

/// Number of tokens beyond which few are created. A check of all tokens follows each kill, and no token is ever
/// forgotten.
const ENOUGH: usize = 200;

/// Body of an invalid create request, which tests only whether the token is accepted.
const NOTHING: &str = r#"{"size_bytes":0}"#;

impl Admin {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, tokens: Vec::new(), unacknowledged: 0 }
    }

    /// Creates a token for the senders, which is never revoked.
    pub(crate) async fn make(&mut self, client: &Client) -> Result<String, Trouble> {
        self.unacknowledged += 1;
        let created = client.admin_post("/tokens/create", r#"{"name":"test"}"#).await?.json()?;
        let (id, secret) = (text(&created, "token_id"), text(&created, "token"));
        if id.is_empty() {
            return Err(Trouble::Wrong(format!("token create is refused: {created}")));
        }
        self.unacknowledged -= 1;
        self.tokens.push(Token { id, secret: secret.clone(), revoked: Fact::No });
        Ok(secret)
    }

    /// Works until the connection is lost or the server breaks a guarantee.
    pub(crate) async fn work(&mut self, client: &Client) -> Result<(), String> {
        loop {
            match self.step(client).await {
                Ok(()) => {}
                Err(Trouble::Lost) => return Ok(()),
                Err(Trouble::Wrong(what)) => return Err(what),
            }
        }
    }

    async fn step(&mut self, client: &Client) -> Result<(), Trouble> {
        if self.tokens.len() < ENOUGH || self.random.percent(2) {
            self.make(client).await?;
        }
        // Token 0 belongs to the senders and is never revoked.
        let at = self.random.within(1..self.tokens.len().max(2));
        if let Some(token) = self.tokens.get_mut(at) {
            if token.revoked == Fact::No {
                token.revoked = Fact::Perhaps;
            }
            let response = client.admin_post(&format!("/tokens/id/{}/revoke", token.id), "{}").await?;
            let outcome = response.outcome()?;
            if outcome.0 != 200 {
                return Err(Trouble::Wrong(format!("token revoke is refused: {outcome:?}")));
            }
            token.revoked = Fact::Yes;
        }
        Ok(())
    }

    /// Resolves uncertain facts. Created tokens stay, and revoked tokens stay revoked.
    pub(crate) async fn reconcile(&mut self, client: &Client) -> Result<(), Trouble> {
        let listed = self.list(client).await?;
        let statuses: HashMap<_, _> =
            listed.iter().map(|item| (text(item, "token_id"), text(item, "status"))).collect();
        for token in &mut self.tokens {
            token.revoked = match (statuses.get(&token.id).map(String::as_str), token.revoked) {
                (Some("revoked"), Fact::Yes | Fact::Perhaps) => Fact::Yes,
                (Some("active"), Fact::No | Fact::Perhaps) => Fact::No,
                other => return Err(Trouble::Wrong(format!("token {} has changed: {other:?}", token.id))),
            };
        }
        let created = self.tokens.len();
        if !(created..=created + self.unacknowledged).contains(&listed.len()) {
            return Err(Trouble::Wrong(format!("{} tokens are listed, {created} were created", listed.len())));
        }
        let Some(token) = self.tokens.last() else { return Ok(()) };
        let expected = if token.revoked == Fact::Yes { "token_revoked" } else { "invalid_request" };
        let code = client.clone().with_token(&token.secret).post("/transfers/create", NOTHING).await?.outcome()?.1;
        if code == expected { Ok(()) } else { Err(Trouble::Wrong(format!("{code} instead of {expected}"))) }
    }

    async fn list(&self, client: &Client) -> Result<Vec<Value>, Trouble> {
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let mut page = client.admin_get(&format!("/tokens/list?limit=1000{after}")).await?.json()?;
            items.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(items),
            }
        }
    }
}
