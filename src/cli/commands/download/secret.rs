//! Secret of the link to download: its key, or a private key of this user.

use anyhow::Result;

use super::{KeyArguments, link_secret};
use crate::cli::config::contacts::Contacts;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::input::identity::{IdentityOptions, UnwrappedKeys};
use crate::cli::input::link_arg::KeyOptions;
use crate::client::Api;
use crate::client::download::RequiredSignature;
use crate::domain::crypto::key::{LinkKey, LinkSecret};
use crate::domain::id::TransferId;
use crate::domain::people::recipient_keys::{KeysBlob, RecipientKey};

/// Returns the signature that the user requires.
///
/// # Errors
/// Fails for a name without a contact that can sign, and for content that goes to stdout before it is verified.
pub(crate) fn required_signature(
    required: Option<&Option<String>>,
    writes_stdout: bool,
) -> Result<RequiredSignature, Failure> {
    let Some(name) = required else { return Ok(RequiredSignature::None) };
    if writes_stdout {
        let failure =
            Failure::usage("--require-signature cannot write to stdout: the signature is verified after the content");
        return Err(failure.hint("name a file with -o"));
    }
    let Some(name) = name else { return Ok(RequiredSignature::Any) };
    match Contacts::of_user()?.sender_keys_of(name) {
        Some(keys) if !keys.is_empty() => Ok(RequiredSignature::OneOf(keys)),
        Some(_) => Err(Failure::usage(format!("the contact {name} has no ssh-ed25519 key, so cannot sign"))
            .hint("add the key with `sgsend contact add --replace`")),
        None => {
            Err(Failure::usage(format!("there is no contact {name}")).hint("`sgsend contact list` shows the contacts"))
        }
    }
}

/// Secret of the link, read when it is needed.
pub(super) enum Secret {
    /// The arguments, the key in the link, and the private keys of the user.
    Unread(KeyArguments, Option<LinkKey>, IdentityOptions),
    Read(OpenedLink),
}

/// Secret of a link, and the recipient whose private key has opened it.
pub(super) struct OpenedLink {
    pub(super) secret: LinkSecret,
    pub(super) keys: Option<KeysBlob>,
    pub(super) opener: Option<RecipientKey>,
}

impl Secret {
    /// Reads key and passphrase, unless that is done.
    pub(super) async fn read(self, api: &Api, id: TransferId, context: &Context) -> Result<OpenedLink> {
        let (arguments, in_link, identity) = match self {
            Self::Unread(arguments, in_link, identity) => (arguments, in_link, identity),
            Self::Read(opened) => return Ok(opened),
        };
        let options = KeyOptions { key: arguments.key, key_file: arguments.key_file };
        let link_key = options.read(in_link, context).await?;
        if let Some(commitment) = link_key.commitment() {
            if arguments.passphrase || arguments.passphrase_file.is_some() {
                return Err(Failure::usage("this link has no passphrase").hint("omit the passphrase").into());
            }
            let UnwrappedKeys { key, keys, opener } = identity.open(api, id, commitment, context).await?;
            return Ok(OpenedLink { secret: LinkSecret::Own(key), keys: Some(keys), opener: Some(opener) });
        }
        if identity.are_given() {
            let failure =
                Failure::usage("this link contains its key, and is not for recipients with keys of their own");
            return Err(failure.hint("omit --identity").into());
        }
        let secret = link_secret(link_key, arguments.passphrase, arguments.passphrase_file, context).await?;
        Ok(OpenedLink { secret, keys: None, opener: None })
    }
}
