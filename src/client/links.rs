//! Further links of a transfer: their keys, and what the server stores of them.

use std::collections::HashMap;
use std::time::Duration;

use crate::client::{Api, ClientError, Progress, RetryPolicy};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::key::{LinkKey, LinkSecret, PayloadKey};
use crate::domain::crypto::label::LinkName;
use crate::domain::crypto::passphrase::Passphrase;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::link::Link;
use crate::domain::wire::{CreateLink, LinkItem};

/// Maximum number of further links of a transfer.
pub const MAX_LINKS: usize = 1_000;

/// Limits of a new link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkTerms {
    /// Lifetime; `None` for the server's default.
    pub expires: Option<Duration>,
    /// Download limit; `None` if unlimited.
    pub max_downloads: Option<u32>,
}

/// Further link before its creation. Has no `Debug` output, since it contains the link key.
#[derive(Clone)]
pub struct NewLink {
    /// Name that the sender gives to the link.
    pub name: LinkName,
    /// Key of the link.
    pub key: LinkKey,
    /// Request that creates the link: each time the same, so that a repetition creates no second link.
    pub request: CreateLink,
}

/// Further link that the server has.
pub struct NamedLink {
    /// Name that the sender gave to the link.
    pub name: LinkName,
    /// The link, with its key.
    pub link: Link,
    /// The link as the server describes it.
    pub item: LinkItem,
}

impl NewLink {
    /// Draws id and key of a link, and seals what the server stores. Blocks, because a passphrase goes through a slow key
    /// derivation.
    #[must_use]
    pub fn new(payload_key: &PayloadKey, name: LinkName, passphrase: Option<&Passphrase>, terms: LinkTerms) -> Self {
        let key = LinkKey::random_further(passphrase.is_some());
        let secret = key.unlock(passphrase).expect("the key's kind matches the passphrase");
        let LinkSecret::Further(wrapping_key) = &secret else { unreachable!("the key is that of a further link") };
        let link_id = LinkId::random();
        let request = CreateLink {
            link_id,
            wrapped_key: wrapping_key.wrap(payload_key, link_id),
            access_sha256: secret.access_proof().digest(),
            access_from_passphrase: passphrase.is_some(),
            label: Some(name.seal(payload_key, link_id)),
            expires_in_s: terms.expires.map(|expires| expires.as_secs()),
            max_downloads: terms.max_downloads,
        };
        Self { name, key, request }
    }

    /// Returns the link as the server has it, with its key. `base_url` is that of the link to share.
    #[must_use]
    pub fn with_item(self, item: LinkItem, base_url: &BaseUrl) -> NamedLink {
        let transfer_id = self.request.link_id.as_transfer();
        NamedLink { name: self.name, link: Link { base_url: base_url.clone(), transfer_id, key: Some(self.key) }, item }
    }

    /// Creates the link at the server, with retries. `base_url` is that of the link to share.
    pub async fn create(
        self,
        api: &Api,
        id: TransferId,
        base_url: &BaseUrl,
        (retry, progress): (&mut RetryPolicy, &dyn Progress),
    ) -> Result<NamedLink, ClientError> {
        let created = retry.call(progress, || api.create_link(id, &self.request)).await?;
        Ok(self.with_item(created.link, base_url))
    }
}

/// Reads the links of a transfer from the server, by their ids.
pub(super) async fn existing(
    api: &Api,
    id: TransferId,
    (retry, progress): (&mut RetryPolicy, &dyn Progress),
) -> Result<HashMap<LinkId, LinkItem>, ClientError> {
    let (mut found, mut after) = (HashMap::new(), None::<String>);
    // At most a page for each link: a server cannot keep the client busy forever.
    for _ in 0..MAX_LINKS {
        let page = retry.call(progress, || api.links(id, after.as_deref())).await?;
        found.extend(page.items.into_iter().map(|item| (item.link_id, item)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_link_opens_with_its_own_key_and_shows_the_server_no_secret() {
        let payload_key = PayloadKey::random();
        let passphrase = Passphrase::new("secret words").unwrap();
        let terms = LinkTerms { expires: Some(Duration::from_hours(1)), max_downloads: Some(3) };
        for passphrase in [None, Some(&passphrase)] {
            let link = NewLink::new(&payload_key, "Ada".parse().unwrap(), passphrase, terms);
            assert!(link.key.is_further() && link.key.needs_passphrase() == passphrase.is_some());
            let request = &link.request;
            assert_eq!((request.expires_in_s, request.max_downloads), (Some(3_600), Some(3)));
            assert_eq!(request.access_from_passphrase, passphrase.is_some());
            let secret = link.key.unlock(passphrase).unwrap();
            assert!(secret.access_proof().matches(&request.access_sha256));
            let opened = secret.payload_key(request.link_id, Some(&request.wrapped_key)).unwrap();
            assert_eq!(opened.as_bytes(), payload_key.as_bytes());
            let label = request.label.as_ref().unwrap();
            assert_eq!(label.open(&payload_key, request.link_id).unwrap().as_str(), "Ada");

            let sent = serde_json::to_string(request).unwrap();
            let key = link.key.to_text();
            let (_, secret) = key.split_once('.').unwrap();
            assert!(!sent.contains(secret) && !sent.contains("Ada"), "{sent}");
        }
        let new = || NewLink::new(&payload_key, "Ada".parse().unwrap(), None, terms);
        assert_ne!(new().request.link_id, new().request.link_id);
    }
}
