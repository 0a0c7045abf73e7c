//! Transfer of a sender, found by any of its links.

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::commands::download::link_secret;
use crate::cli::commands::history;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::link_arg::LinkArgument;
use crate::cli::input::secret::SecretText;
use crate::cli::output::records;
use crate::client::{Api, HistoryEntry};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::key::{LinkKey, LinkSecret, PayloadKey};
use crate::domain::error::ErrorCode;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::transfer::Status;
use crate::domain::wire::LinkItem;

/// Transfer of a sender, with all its links.
pub(crate) struct SentTransfer {
    /// Client of the server, with the token of the sender.
    pub api: Api,
    /// Base URL of the link that was given.
    pub base_url: BaseUrl,
    /// Id of the transfer.
    pub id: TransferId,
    /// Id that was given: that of the transfer, or of one of its further links.
    pub link_id: LinkId,
    /// The transfer's own link, and its further links in the order of their creation.
    pub links: Vec<LinkItem>,
    /// Key that was given with the link.
    key: Option<LinkKey>,
    /// History entry of the upload, if this user has uploaded the transfer.
    upload: Option<HistoryEntry>,
}

impl SentTransfer {
    /// Reads a link or id, and asks the server for the links of its transfer.
    pub(crate) async fn read(link: Option<&SecretText>, context: &Context) -> Result<Self> {
        let target = LinkArgument::read(link, context).await?;
        let api = context.sender_api(target.base_url.clone()).await?;
        Self::find(api, target, context).await
    }

    /// Asks the server for the links of the transfer that `target` belongs to.
    pub(crate) async fn find(api: Api, target: LinkArgument, context: &Context) -> Result<Self> {
        let LinkArgument { base_url, id, key } = target;
        let first = context.first_call(|| api.links(id, None)).await;
        // Only the sender learns which transfer a further link belongs to.
        let transfer = match first {
            Ok(_) => id,
            Err(error) => error.transfer_of_link().ok_or(error)?,
        };
        let page = |after: Option<String>| {
            let api = &api;
            async move { context.first_call(|| api.links(transfer, after.as_deref())).await }
        };
        let links = records::all(page).await?;
        let upload = history::find_upload(transfer, &base_url);
        Ok(Self { api, base_url, id: transfer, link_id: id.into(), links, key, upload })
    }

    /// Returns the link that was given.
    ///
    /// # Errors
    /// Fails if the server does not list the link.
    pub(crate) fn given(&self) -> Result<&LinkItem, Failure> {
        self.links.iter().find(|item| item.link_id == self.link_id).ok_or_else(|| {
            let message = "the server does not list this link of the transfer";
            Failure::new(Exit::NotFound, "link_not_found", message)
                .hint("`sgsend link list` shows the links of a transfer")
        })
    }

    /// Returns whether recipients can still use the transfer's own link.
    pub(crate) fn has_open_own_link(&self) -> bool {
        self.links.iter().any(|item| item.own && matches!(item.status, Status::Pending | Status::Completed))
    }

    /// Returns the key of the given link, or the own key from the history.
    fn known_key(&self) -> Option<LinkKey> {
        let stored = || self.upload.as_ref()?.key.as_ref()?.parse().ok();
        self.key.clone().or_else(stored)
    }

    /// Returns the payload key, if it is known without asking for a passphrase and without a failure.
    pub(crate) async fn payload_key_at_hand(&self, context: &Context) -> Option<PayloadKey> {
        let secret = self.known_key().filter(|key| !key.needs_passphrase())?.unlock(None).ok()?;
        self.unwrap(secret, context).await.ok()
    }

    /// Returns the payload key, from the given link or the history; asks for its passphrase if it has one.
    ///
    /// # Errors
    /// Fails if no key is known, or if the key is that of another transfer.
    pub(crate) async fn payload_key(&self, passphrase_file: Option<PathBuf>, context: &Context) -> Result<PayloadKey> {
        let Some(key) = self.known_key() else {
            let failure = Failure::usage("the key of the transfer is missing, which a new link needs");
            let hint = "pass a complete link of the transfer; uploads with --keep-key store the key in the history";
            return Err(Failure { code: "key_missing".into(), ..failure }.hint(hint).into());
        };
        let secret = link_secret(key, false, passphrase_file, context).await?;
        let key = self.unwrap(secret, context).await?;
        // A wrong key would make a link that opens for nobody.
        let labelled = self.links.iter().find_map(|item| Some((item.link_id, item.label.as_ref()?)));
        match labelled {
            Some((link_id, label)) if label.open(&key, link_id).is_err() => Err(wrong_key().into()),
            _ => Ok(key),
        }
    }

    /// Returns the payload key of a secret, checked by the server where it can.
    async fn unwrap(&self, secret: LinkSecret, context: &Context) -> Result<PayloadKey> {
        let (id, proof) = match &secret {
            LinkSecret::Own(key) => {
                let own = self.links.iter().find(|item| item.own);
                // A closed link gives no status with which the key could be compared.
                if own.is_none_or(|own| !own.access_proof || own.status != Status::Completed) {
                    return Ok(key.clone());
                }
                (self.id, secret.access_proof())
            }
            LinkSecret::Further(_) => (self.link_id.as_transfer(), secret.access_proof()),
        };
        let status = context.first_call(|| self.api.status_with_info(id, &proof)).await;
        let status = status.map_err(|error| match error.code() {
            Some(ErrorCode::AccessInvalid) => wrong_key().into(),
            _ => anyhow::Error::from(error),
        })?;
        if matches!(secret, LinkSecret::Further(_)) && status.wrapped_key.is_none() {
            let failure = Failure::new(Exit::Gone, "link_ended", "the given link has ended, so its key opens nothing");
            return Err(failure.hint("pass another link of the transfer").into());
        }
        let key = secret.payload_key(id.into(), status.wrapped_key.as_ref()).map_err(|_| wrong_key())?;
        match status.info {
            Some(info) if info.open(&key).is_err() => Err(wrong_key().into()),
            _ => Ok(key),
        }
    }

    /// Returns the name of a link: decrypted, or from the history.
    pub(crate) fn name_of(&self, item: &LinkItem, key: Option<&PayloadKey>) -> Option<String> {
        let opened = key.and_then(|key| item.label.as_ref()?.open(key, item.link_id).ok());
        let stored = || {
            let links = &self.upload.as_ref()?.links;
            Some(links.iter().find(|link| link.link_id == item.link_id)?.name.clone())
        };
        opened.map(String::from).or_else(stored)
    }
}

fn wrong_key() -> Failure {
    Failure::new(Exit::WrongKey, "wrong_key", "the key or the passphrase is not that of the transfer")
        .hint("check that the link is complete and that any passphrase is correct")
}
