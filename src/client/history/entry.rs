//! Lines of the history: uploads, and what became of them and of their links.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::id::{LinkId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;
use crate::domain::version::V1;

/// History entry of one upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Version of this format.
    pub v: V1,
    /// Id of the upload's transfer.
    pub transfer_id: TransferId,
    /// Time of the upload (UTC).
    pub sent_at: Timestamp,
    /// File name shown to recipients.
    pub name: String,
    /// Content size, in bytes.
    pub size: u64,
    /// The transfer's own link, without its key.
    pub link: String,
    /// Key of the own link, if the sender chose to store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Expiry time of the own link (UTC).
    pub expires_at: Timestamp,
    /// Download limit; `None` if unlimited.
    pub max_downloads: Option<u32>,
    /// Further links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<HistoryLink>,
    /// End of the transfer, if this user's commands have seen its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Status>,
}

/// Further link in a history entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLink {
    /// Id of the link.
    pub link_id: LinkId,
    /// Name that the sender gave to the link.
    pub name: String,
    /// The link without its key.
    pub link: String,
    /// Key of the link, if the sender chose to store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Expiry time (UTC).
    pub expires_at: Timestamp,
    /// Download limit; `None` if unlimited.
    pub max_downloads: Option<u32>,
    /// End of the link, if this user's commands have seen its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Status>,
}

/// Line that records the end of a transfer, or of the further link with this id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndMark {
    pub(super) v: V1,
    pub(super) transfer_id: TransferId,
    pub(super) ended: Status,
}

/// Line that records a further link created after the upload.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkMark {
    pub(super) v: V1,
    pub(super) transfer_id: TransferId,
    pub(super) added: HistoryLink,
}

/// Line that records changed limits of a link.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TermsMark {
    pub(super) v: V1,
    pub(super) link_id: LinkId,
    pub(super) expires_at: Timestamp,
    pub(super) max_downloads: Option<u32>,
}

impl HistoryEntry {
    /// Returns whether the entry has the transfer or link `id` with another end than `ended`, or with none.
    ///
    /// With `link`, its URL without the key must be that of the entry.
    pub(super) fn lacks_end(&self, id: TransferId, ended: Status, link: Option<&str>) -> bool {
        let differs = |known: Option<Status>, url: &str| known != Some(ended) && link.is_none_or(|link| link == url);
        if self.transfer_id == id {
            return differs(self.ended, &self.link);
        }
        let further = self.links.iter().find(|further| further.link_id.as_transfer() == id);
        further.is_some_and(|further| differs(further.ended, &further.link))
    }

    /// Returns whether the transfer or one of its links has this id.
    #[must_use]
    pub fn has(&self, id: TransferId) -> bool {
        self.transfer_id == id || self.links.iter().any(|link| link.link_id.as_transfer() == id)
    }
}

/// Parses the lines with a value of this type, and yields each line with its value.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> impl Iterator<Item = (&str, T)> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok().map(|value| (line, value)))
}

/// Returns all entries, each with what was recorded about it later.
pub(super) fn entries(text: &str) -> Vec<HistoryEntry> {
    let ends: HashMap<_, _> = parse::<EndMark>(text).map(|(_, mark)| (mark.transfer_id, mark.ended)).collect();
    let terms: HashMap<_, _> = parse::<TermsMark>(text).map(|(_, mark)| (mark.link_id, mark)).collect();
    let mut added: HashMap<_, Vec<_>> = HashMap::new();
    for (_, mark) in parse::<LinkMark>(text) {
        added.entry(mark.transfer_id).or_default().push(mark.added);
    }
    let complete = |(_, mut entry): (&str, HistoryEntry)| {
        entry.links.extend(added.get(&entry.transfer_id).into_iter().flatten().cloned());
        entry.ended = ends.get(&entry.transfer_id).copied().or(entry.ended);
        if let Some(mark) = terms.get(&entry.transfer_id.into()) {
            (entry.expires_at, entry.max_downloads) = (mark.expires_at, mark.max_downloads);
        }
        for link in &mut entry.links {
            link.ended = ends.get(&link.link_id.as_transfer()).copied().or(link.ended);
            if let Some(mark) = terms.get(&link.link_id) {
                (link.expires_at, link.max_downloads) = (mark.expires_at, mark.max_downloads);
            }
        }
        entry
    };
    parse(text).map(complete).collect()
}
