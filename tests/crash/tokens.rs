//! An admin who makes and revokes tokens.

use std::collections::HashMap;

use serde_json::Value;

use crate::dice::Dice;
use crate::known::{Fact, Trouble};
use crate::wire::{Client, text};

/// An admin, and what is known of the tokens.
pub(crate) struct Admin {
    pub(crate) dice: Dice,
    tokens: Vec<Token>,
    /// Tokens that may have been made, and that nobody was told.
    untold: usize,
}

struct Token {
    id: String,
    secret: String,
    revoked: Fact,
}

/// From so many tokens on, few are made: each is looked at after each kill, and none is ever forgotten.
const ENOUGH: usize = 200;

/// What a creation is asked for with that comes to nothing: only whether its token is let in matters.
const NOTHING: &str = r#"{"size_bytes":0}"#;

impl Admin {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { dice, tokens: Vec::new(), untold: 0 }
    }

    /// Makes a token that is not revoked, for the senders.
    pub(crate) async fn make(&mut self, client: &Client) -> Result<String, Trouble> {
        self.untold += 1;
        let made = client.admin_post("/tokens/create", r#"{"name":"test"}"#).await?.json()?;
        let (id, secret) = (text(&made, "token_id"), text(&made, "token"));
        if id.is_empty() {
            return Err(Trouble::Wrong(format!("no token is made: {made}")));
        }
        self.untold -= 1;
        self.tokens.push(Token { id, secret: secret.clone(), revoked: Fact::No });
        Ok(secret)
    }

    /// Works until the server goes away, or breaks a promise.
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
        if self.tokens.len() < ENOUGH || self.dice.percent(2) {
            self.make(client).await?;
        }
        // Never the first one, which the senders have.
        let at = self.dice.within(1..self.tokens.len().max(2));
        if let Some(token) = self.tokens.get_mut(at) {
            if token.revoked == Fact::No {
                token.revoked = Fact::Perhaps;
            }
            let answer = client.admin_post(&format!("/tokens/id/{}/revoke", token.id), "{}").await?;
            let outcome = answer.outcome()?;
            if outcome.0 != 200 {
                return Err(Trouble::Wrong(format!("a token cannot be revoked: {outcome:?}")));
            }
            token.revoked = Fact::Yes;
        }
        Ok(())
    }

    /// Settles what is in doubt. What was revoked, or made, stays so.
    pub(crate) async fn settle(&mut self, client: &Client) -> Result<(), Trouble> {
        let listed = self.list(client).await?;
        let statuses: HashMap<_, _> =
            listed.iter().map(|item| (text(item, "token_id"), text(item, "status"))).collect();
        for token in &mut self.tokens {
            token.revoked = match (statuses.get(&token.id).map(String::as_str), token.revoked) {
                (Some("revoked"), Fact::Yes | Fact::Perhaps) => Fact::Yes,
                (Some("active"), Fact::No | Fact::Perhaps) => Fact::No,
                other => return Err(Trouble::Wrong(format!("token {} is not as it was: {other:?}", token.id))),
            };
        }
        let made = self.tokens.len();
        if !(made..=made + self.untold).contains(&listed.len()) {
            return Err(Trouble::Wrong(format!("{} tokens are there, {made} were made", listed.len())));
        }
        let Some(token) = self.tokens.last() else { return Ok(()) };
        let wanted = if token.revoked == Fact::Yes { "token_revoked" } else { "invalid_request" };
        let code = client.clone().with_token(&token.secret).post("/transfers/create", NOTHING).await?.outcome()?.1;
        if code == wanted { Ok(()) } else { Err(Trouble::Wrong(format!("{code} and not {wanted}"))) }
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
