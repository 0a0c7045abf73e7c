//! Pieces of uploads. The successful upload requests of a transfer share one request record and one action record.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::{Action, ClientSummary, Record, RequestRecord};
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;

/// Time without a further piece after which the records of an unfinished upload are written.
const QUIET_TIME: Duration = Duration::from_mins(1);
/// Maximum number of uploads with unwritten records; pieces of further uploads get their own records.
const CAPACITY: usize = 4_096;

/// Records of uploads that are waiting for their next piece.
#[derive(Debug, Default)]
pub(super) struct Pieces(BTreeMap<TransferId, UploadRecords>);

/// Request record and action record of the pieces of one upload.
#[derive(Clone, Debug)]
pub(crate) struct UploadRecords {
    pub(super) request: RequestRecord,
    pub(super) action: Action,
}

impl UploadRecords {
    /// Adds later records of the same client to these records.
    fn merge(&mut self, later: &Self) {
        let pieces = Some(self.request.pieces.unwrap_or(1).saturating_add(later.request.pieces.unwrap_or(1)));
        (self.request.pieces, self.action.pieces) = (pieces, pieces);
        if self.request.client_request_id != later.request.client_request_id {
            self.request.client_request_id = None;
        }
        self.request.bytes_in += later.request.bytes_in;
        self.request.bytes_out += later.request.bytes_out;
        self.request.duration_ms = self.request.duration_ms.saturating_add(later.request.duration_ms);
        self.action.at = later.action.at;
    }

    /// Returns these records, merged with the `earlier` records of the same upload.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        let Some(mut merged) = earlier else { return self };
        merged.merge(&self);
        merged
    }

    /// Returns the records as they are stored.
    pub(super) fn into_records(self) -> [Record; 2] {
        [Record::Request(self.request), Record::Action(self.action)]
    }
}

impl Pieces {
    /// Adds the records of a piece to those of its upload. Returns `false` if the piece needs records of its own.
    pub(super) fn add(&mut self, id: TransferId, piece: UploadRecords) -> bool {
        let is_full = self.0.len() >= CAPACITY;
        match self.0.entry(id) {
            Entry::Occupied(mut upload) if upload.get().request.client == piece.request.client => {
                upload.get_mut().merge(&piece);
            }
            Entry::Vacant(vacant) if !is_full => drop(vacant.insert(piece)),
            _ => return false,
        }
        true
    }

    /// Takes the records of the earlier pieces that `client` has sent of an upload.
    pub(super) fn take(&mut self, id: TransferId, client: &ClientSummary) -> Option<UploadRecords> {
        self.0.get(&id).is_some_and(|earlier| earlier.request.client == *client).then(|| self.0.remove(&id)).flatten()
    }

    /// Takes the records of uploads without a piece for a minute; with `all`, of every upload.
    pub(super) fn take_quiet(&mut self, now: Timestamp, all: bool) -> Vec<(TransferId, UploadRecords)> {
        self.0.extract_if(.., |_, upload| all || now.since(upload.action.at) >= QUIET_TIME).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{ActionName, IpMode, Outcome, ServiceName};
    use crate::domain::id::RecordIds;
    use crate::domain::version::V1;

    fn piece(agent: &str, at: u64) -> UploadRecords {
        let (ids, at) = (RecordIds::default(), Timestamp::from_millis(at));
        let client = ClientSummary { ip_mode: IpMode::None, address: None, epoch: None, agent: Some(agent.to_owned()) };
        let request_id = ids.next(at);
        UploadRecords {
            request: RequestRecord {
                link_id: None,
                v: V1,
                id: ids.next(at),
                request_id,
                client_request_id: None,
                at,
                service: ServiceName::Public,
                method: "POST".to_owned(),
                route: String::new(),
                status: 200,
                code: None,
                bytes_in: 5,
                bytes_out: 1,
                duration_ms: 2,
                pieces: None,
                token_id: None,
                client,
            },
            action: Action::new(ids.next(at), request_id, at, ActionName::PayloadUpload, Outcome::Done, None),
        }
    }

    #[test]
    fn pieces_of_one_client_are_summed() {
        let (mut pieces, id) = (Pieces::default(), TransferId::random());
        for at in [1_000, 2_000, 3_000] {
            assert!(pieces.add(id, piece("curl", at)));
        }
        assert!(!pieces.add(id, piece("firefox", 4_000)), "two clients share a record");
        let client = piece("curl", 0).request.client;
        assert!(pieces.take(id, &piece("firefox", 0).request.client).is_none());
        let all = piece("curl", 9_000).after(pieces.take(id, &client));
        assert_eq!((all.request.pieces, all.action.pieces), (Some(4), Some(4)));
        assert_eq!((all.request.bytes_in, all.request.bytes_out, all.request.duration_ms), (20, 4, 8));
        assert_eq!((all.request.at.as_millis(), all.action.at.as_millis()), (1_000, 9_000));
        assert!(pieces.take(id, &client).is_none());
    }

    #[test]
    fn quiet_uploads_are_taken_and_their_number_is_limited() {
        let mut pieces = Pieces::default();
        for _ in 0..CAPACITY {
            assert!(pieces.add(TransferId::random(), piece("curl", 1_000)));
        }
        let late = TransferId::random();
        assert!(!pieces.add(late, piece("curl", 2_000)));
        assert!(pieces.take_quiet(Timestamp::from_millis(60_999), false).is_empty());
        assert_eq!(pieces.take_quiet(Timestamp::from_millis(61_000), false).len(), CAPACITY);
        assert!(pieces.add(late, piece("curl", 61_000)));
        assert_eq!(pieces.take_quiet(Timestamp::from_millis(61_001), true).len(), 1);
    }
}
