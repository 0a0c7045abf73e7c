//! Lists of the links of a transfer.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::LinkId;
use crate::domain::limits::page_size;
use crate::domain::transfer::{FurtherLink, ResolvedLink, Transfer};
use crate::domain::wire::{LinkItem, LinkPage, LinkPageQuery};

/// Number of links read concurrently.
const CONCURRENCY: usize = 16;

impl Transfers {
    /// Lists a page of the links of a transfer. The own link comes first, then further links in the order of creation.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a page size outside 1 to 1 000; [`Error::LinkNotFound`] for an unknown `after`.
    pub async fn list_links(&self, transfer: &Transfer, query: LinkPageQuery) -> Result<LinkPage, Error> {
        let size = page_size(query.limit)?;
        let own = LinkId::from(transfer.transfer_id);
        let ids: Vec<LinkId> = std::iter::once(own).chain(transfer.links.iter().copied()).collect();
        let start = match query.after {
            Some(after) => 1 + ids.iter().position(|id| *id == after).ok_or(Error::LinkNotFound)?,
            None => 0,
        };
        let page = &ids[start..ids.len().min(start + size)];
        let read = async |id: LinkId| match id {
            id if id == own => Ok(Some(ResolvedLink::from(transfer.clone()))),
            id => Ok::<_, Error>(self.read_own_link(transfer.transfer_id, id).await?.map(|link| of(transfer, link))),
        };
        let found = stream::iter(page.to_vec()).map(read).buffered(CONCURRENCY);
        let found: Vec<Option<ResolvedLink>> = Box::pin(found.try_collect()).await?;
        let items = found.iter().flatten().map(|link| self.link_item(link)).collect();
        Ok(LinkPage { items, next: page.last().copied().filter(|_| start + size < ids.len()) })
    }

    /// Returns a link as its sender sees it.
    #[must_use]
    pub fn link_item(&self, link: &ResolvedLink) -> LinkItem {
        let record = link.record();
        LinkItem {
            link_id: link.id(),
            own: link.further.is_none(),
            status: link.at(self.now()).status(),
            created_at: link.created_at(),
            expires_at: record.expires_at,
            download_count: record.download_count(),
            max_downloads: record.max_downloads,
            downloads_remaining: record.downloads_remaining(),
            last_download_at: record.last_download_at,
            access_proof: record.access_sha256.is_some(),
            label: link.further.as_ref().and_then(|link| link.label.clone()),
        }
    }
}

fn of(transfer: &Transfer, link: FurtherLink) -> ResolvedLink {
    ResolvedLink { transfer: transfer.clone(), further: Some(link) }
}
