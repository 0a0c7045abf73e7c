//! Parses the link or transfer id of a command, and reads the key.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Result;

use super::secret::{SecretSource, SecretText};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::guess::is_link;
use crate::cli::output::escape::shell_word;
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::key::LinkKey;
use crate::domain::id::TransferId;
use crate::domain::link::{InvalidLink, Link};

/// Hint for a malformed link.
const LINK_FORMAT_HINT: &str = "a link looks like https://send.example/d/ID#v1.KEY; quote it in the shell";

/// A transfer with its server and, if known, its key.
pub(crate) struct LinkArgument {
    pub base_url: BaseUrl,
    pub id: TransferId,
    pub key: Option<LinkKey>,
}

impl LinkArgument {
    /// Parses `text`, which is a link, an id, or `-` to read either from stdin; asks for a missing one.
    pub(crate) async fn read(text: Option<&SecretText>, context: &Context) -> Result<Self> {
        let text = match text {
            Some(text) => context.read_secret(SecretSource::Text(text.clone()), "link").await?,
            // Hidden input, since the link contains the key.
            None => context.prompt.pasted("Link").await?.ok_or_else(|| {
                Failure::usage("a link or the id of a transfer is required")
                    .hint("pass the link or id as an argument, or - to read it from stdin")
            })?,
        };
        // Only an id needs the current server.
        let server = if Link::parse_id(&text).is_some() { context.server()? } else { context.settings.server() };
        Ok(Self::parse(&text, server)?)
    }

    fn parse(text: &str, server: BaseUrl) -> Result<Self, Failure> {
        if let Some(id) = Link::parse_id(text) {
            return Ok(Self { base_url: server, id, key: None });
        }
        match text.parse::<Link>() {
            Ok(Link { base_url, transfer_id, key }) => Ok(Self { base_url, id: transfer_id, key }),
            Err(error) => Err(malformed(error, text)),
        }
    }
}

/// Returns the failure for a malformed link. The text is not quoted, since it may contain the key.
fn malformed(error: InvalidLink, text: &str) -> Failure {
    if !text.is_empty() && !is_link(OsStr::new(text)) && Path::new(text).exists() {
        let file = shell_word(OsStr::new(text));
        let hint = format!("to send it, run `sgsend upload {file}`; to use the link in it, pass - with <{file}");
        return Failure { code: "malformed_link".into(), ..Failure::usage("this is a file, not a link") }.hint(hint);
    }
    let message = match &error {
        InvalidLink::BaseUrl(cause) => format!("{error}: {cause}"),
        InvalidLink::Path if text.trim().trim_start_matches('#').parse::<LinkKey>().is_ok() => {
            "this is only the key of a link".to_owned()
        }
        InvalidLink::Path if !text.contains("://") => {
            "this is neither a link nor the id of a transfer, which has 32 hex digits".to_owned()
        }
        error => error.to_string(),
    };
    let hint = match error {
        InvalidLink::Empty => "pass the link, or the id of a transfer",
        InvalidLink::SeveralLinks => "pass one link at a time",
        InvalidLink::KeyTooShort { .. } => {
            "copy the complete link, or pass the key with --key-file; a key has v1., v1p., v2., v2p. or to. and 43 characters"
        }
        InvalidLink::KeyTooLong { .. } | InvalidLink::KeyCharacter { .. } | InvalidLink::KeyDamaged => {
            "copy the link again; its key has v1., v1p., v2., v2p. or to. and 43 characters"
        }
        InvalidLink::KeyVersion => "copy the link again; if it is complete, a newer sgsend may open it",
        _ => LINK_FORMAT_HINT,
    };
    Failure { code: "malformed_link".into(), ..Failure::usage(message) }.hint(hint)
}

/// Fails if `path` is a link rather than a path. The error does not contain the link.
pub(crate) fn reject_link(path: &Path) -> Result<(), Failure> {
    if is_link(path.as_os_str()) && path.symlink_metadata().is_err() {
        let failure = Failure::usage("this is a link, not a file");
        return Err(failure.hint("to download it, run `sgsend download LINK`"));
    }
    Ok(())
}

/// Options for a key that is not part of the link.
pub(crate) struct KeyOptions {
    pub key: Option<SecretText>,
    pub key_file: Option<std::path::PathBuf>,
}

impl KeyOptions {
    /// Reads the key without a link: from an option, the environment, or the prompt.
    pub(crate) async fn read_without_link(self, context: &Context) -> Result<LinkKey> {
        let missing =
            Failure::usage("the key is missing").hint("pass the key with --key-file or SGSEND_KEY, or --key -");
        self.read_or(None, context, missing).await
    }

    /// Reads the key: from an option, the link (`in_link`), the environment, or the prompt.
    pub(crate) async fn read(self, in_link: Option<LinkKey>, context: &Context) -> Result<LinkKey> {
        let missing = Failure::usage("the key is missing: the link ends before its key")
            .hint("pass the complete link, or the key with --key-file or SGSEND_KEY");
        self.read_or(in_link, context, missing).await
    }

    async fn read_or(self, in_link: Option<LinkKey>, context: &Context, missing: Failure) -> Result<LinkKey> {
        let environment = if in_link.is_some() { None } else { context.environment.key.clone() };
        let text = match (self.source(environment), in_link) {
            (Some(source), _) => context.read_secret(source, "key").await?,
            (None, Some(key)) => return Ok(key),
            (None, None) => {
                let missing = Failure { code: "key_missing".into(), ..missing };
                context.prompt.pasted("Key").await?.ok_or(missing)?
            }
        };
        Ok(Link::parse_key(&text).map_err(malformed_key)?)
    }

    fn source(&self, environment: Option<SecretText>) -> Option<SecretSource> {
        let key = self.key.clone().map(SecretSource::Text);
        key.or_else(|| self.key_file.clone().map(SecretSource::File)).or_else(|| environment.map(SecretSource::Text))
    }
}

/// Returns the failure for a malformed key, without quoting the key.
fn malformed_key(error: InvalidLink) -> Failure {
    let message = match error {
        InvalidLink::Empty | InvalidLink::KeyTooShort { missing: 43 } => "the key is empty".to_owned(),
        InvalidLink::SeveralLinks => "the text contains two different keys".to_owned(),
        error => error.to_string(),
    };
    let failure = Failure { code: "malformed_key".into(), ..Failure::usage(message) };
    failure.hint("the key is the part of the link behind the #, and starts with v1., v1p., v2., v2p. or to.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_belongs_to_the_current_server_and_a_link_names_its_own() {
        let server = || "https://a.example".parse::<BaseUrl>().unwrap();
        let id = TransferId::random();
        let target = LinkArgument::parse(&id.to_string(), server()).unwrap();
        assert_eq!((target.base_url, target.id, target.key.is_none()), (server(), id, true));
        let link = format!("<https://b.example/base/d/{id}#{}>.", LinkKey::random().to_text().as_str());
        let target = LinkArgument::parse(&link, server()).unwrap();
        assert_eq!((target.base_url.to_string(), target.id), ("https://b.example/base".into(), id));
        assert!(target.key.is_some());
    }

    #[test]
    fn text_without_a_server_is_neither_a_link_nor_an_id() {
        for text in ["foo", "0", "nope", &format!("{}#v1.key", TransferId::random())] {
            let failure = LinkArgument::parse(text, "https://a.example".parse().unwrap()).err().unwrap();
            assert!(failure.message.contains("neither a link nor the id"), "{}", failure.message);
        }
    }

    #[test]
    fn usage_errors_do_not_repeat_a_malformed_link() {
        let id = TransferId::random();
        for text in ["", "secret", "https://b.example/d/secret", &format!("https://b.example/d/{id}#v1.secret")] {
            let failure = LinkArgument::parse(text, "https://a.example".parse().unwrap()).err().unwrap();
            assert_eq!(failure.exit, crate::cli::Exit::Usage);
            assert!(!failure.message.contains("secret"), "{}", failure.message);
        }
    }
}
