//! Id of a token as an argument.

use std::convert::Infallible;
use std::str::FromStr;

use crate::cli::failure::Failure;
use crate::cli::input::secret::SecretText;
use crate::domain::id::TokenId;

/// Id of a token, or the complete token; kept as a secret, since it may be the latter.
#[derive(Clone)]
pub(crate) struct TokenArgument(SecretText);

impl FromStr for TokenArgument {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse()?))
    }
}

impl TokenArgument {
    /// Returns the id of the token.
    ///
    /// # Errors
    /// Fails for text that is neither an id nor a token, without quoting it.
    pub(crate) fn id(&self) -> Result<TokenId, Failure> {
        let text = self.0.as_str();
        let id = text.strip_prefix("sgs_").and_then(|rest| rest.split('_').next()).unwrap_or(text);
        id.parse().map_err(|error| Failure::usage(format!("{error}")).hint("`sgsend token list` shows all tokens"))
    }
}
