//! Keys of a further link's objects: state and grants.

use super::{Prefix, StorageKey};
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::LinkId;

/// Folder of all further links, with the separator.
const LINKS: &str = "links/";

impl StorageKey {
    /// Returns the prefix of all objects of all further links.
    #[must_use]
    pub fn all_links() -> Prefix {
        Prefix(LINKS.to_owned())
    }

    /// Returns the key of a further link's state.
    #[must_use]
    pub fn link(id: LinkId) -> Self {
        Self::all_links().object(&id)
    }

    /// Returns the prefix of the grants of a further link, which it has while it is unlimited.
    #[must_use]
    pub fn link_grants(id: LinkId) -> Prefix {
        Prefix(format!("{LINKS}{id}/grants/"))
    }

    /// Returns the key of a grant of an unlimited further link.
    #[must_use]
    pub fn link_grant(id: LinkId, grant: &Sha256) -> Self {
        Self::link_grants(id).object(grant)
    }

    /// Returns the link id in the path of a further link's object; `None` for other keys.
    #[must_use]
    pub fn link_id(&self) -> Option<LinkId> {
        let rest = self.0.strip_prefix(LINKS)?;
        rest.split_once('/').map_or_else(|| rest.strip_suffix(".json"), |(id, _)| Some(id))?.parse().ok()
    }

    /// Returns whether this is the key of a further link's state.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.link_id().is_some_and(|id| *self == Self::link(id))
    }
}
