//! Payloads that nobody is served, and what uploads have left.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{AT_ONCE, Check, PAGE};
use crate::domain::store::{Held, StorageKey, StoreError};
use crate::domain::transfer::{PayloadFate, State, Transfer};

impl Check<'_> {
    pub(super) async fn payloads(&mut self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.store.held(after, PAGE).await?;
            after = match page.last() {
                Some(last) => Some(last.id),
                None => return Ok(()),
            };
            let look = async |held: Held| Ok::<_, StoreError>((held, self.owner(&held).await?));
            let looked: Vec<_> = Box::pin(stream::iter(page).map(look).buffered(AT_ONCE).try_collect()).await?;
            for (held, owner) in looked {
                self.payload_of(&held, owner);
            }
        }
    }

    async fn owner(&self, held: &Held) -> Result<Owner, StoreError> {
        match self.read_transfer(held.id).await? {
            Some(transfer) => Ok(Owner::Transfer(Box::new(transfer))),
            // One that cannot be read is another finding.
            None if self.store.get(&StorageKey::transfer(held.id)).await?.is_some() => Ok(Owner::Unreadable),
            None => Ok(Owner::None),
        }
    }

    fn payload_of(&mut self, held: &Held, owner: Owner) {
        const REMOVE: &str = "remove it: nobody is served it, and nothing else removes it";
        let key = StorageKey::payload(held.id);
        let what = if held.whole { "a payload" } else { "what has arrived of a payload" };
        let transfer = match owner {
            Owner::Transfer(transfer) => transfer,
            Owner::Unreadable => return,
            Owner::None => {
                return self.find(
                    "stray_payload",
                    &key,
                    format!("{what} is there, and no transfer of this id"),
                    REMOVE,
                );
            }
        };
        match transfer.payload {
            // As long as upload URLs are remembered, the sweeper is still to look.
            PayloadFate::Removed if transfer.upload_urls_until.is_none() => {
                self.find("payload_left", &key, format!("{what} is there that should be gone"), REMOVE);
            }
            PayloadFate::Kept if transfer.state != State::Pending && held.whole && held.unfinished => {
                let advice = "leave it, if there is room: it goes when the payload does";
                self.find("upload_left", &key, "parts of an upload are there beside the whole payload", advice);
            }
            // The sweeper removes what is released, and time ends what is pending.
            _ => {}
        }
    }
}

/// Whose a payload is.
enum Owner {
    Transfer(Box<Transfer>),
    Unreadable,
    None,
}
