//! Link of a request: the option `--request`.

use anyhow::Result;

use super::secret::{SecretSource, SecretText};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::escape;
use crate::domain::link::{InvalidRequestLink, RequestLink};

/// Reads a request link, and shows what it asks for.
pub(crate) async fn request_link(text: &SecretText, context: &Context) -> Result<RequestLink> {
    let text = context.read_secret(SecretSource::Text(text.clone()), "request link").await?;
    let link: RequestLink = text.parse().map_err(|error: InvalidRequestLink| {
        let failure = Failure { code: "malformed_link".into(), ..Failure::usage(error.to_string()) };
        failure.hint("a request link looks like https://send.example/r/ID#r1.KEY; quote it in the shell")
    })?;
    if let (Some(purpose), true) = (&link.purpose, context.printer.is_interactive()) {
        // The words of whoever made the link.
        context.printer.note(&format!("the request is for \"{}\"", escape::one_line(purpose.as_str())));
    }
    Ok(link)
}
