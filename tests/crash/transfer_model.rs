//! A sender's knowledge of a transfer when some requests never get a response.

use bytes::Bytes;

use crate::random::Random;

/// Certainty of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// Never requested, or refused.
    No,
    /// Requested, but the response was lost.
    Perhaps,
    /// Acknowledged or observed.
    Yes,
}

/// A transfer as known to its sender.
#[derive(Clone, Debug)]
pub(crate) struct TransferModel {
    /// Idempotency key of the create request.
    pub(crate) key: String,
    pub(crate) created: Fact,
    /// ID, known after creation.
    pub(crate) id: String,
    pub(crate) content: Bytes,
    pub(crate) limit: Option<usize>,
    /// Expires after one minute, so that the sweeper removes the transfer.
    pub(crate) brief: bool,
    /// Upper bound of the stored bytes; `acknowledged` is the lower bound.
    pub(crate) sent: usize,
    pub(crate) acknowledged: usize,
    pub(crate) completed: Fact,
    pub(crate) deleted: Fact,
    pub(crate) expired: Fact,
    /// Downloads by grant.
    pub(crate) grants: Vec<(String, Fact)>,
    /// Downloads counted for certain under grants whose response was lost. `perhaps_unacknowledged` are uncertain ones.
    pub(crate) unacknowledged: usize,
    pub(crate) perhaps_unacknowledged: usize,
}

/// Failure of a request: a lost connection, or a broken guarantee.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The connection to the server was lost.
    Lost,
    /// The server broke a guarantee.
    Wrong(String),
}

impl From<crate::http_client::Lost> for Trouble {
    fn from(_: crate::http_client::Lost) -> Self {
        Self::Lost
    }
}

impl TransferModel {
    /// Creates a transfer that is not yet requested, with at most `largest` bytes.
    pub(crate) fn new(random: &mut Random, largest: usize) -> Self {
        // Mostly small payloads: faults are as likely between requests as within them.
        let size = if random.percent(30) { random.within(1..largest) } else { random.within(1..largest / 10 + 2) };
        Self {
            key: format!("{:032x}{:032x}", random.next(), random.next()),
            created: Fact::No,
            id: String::new(),
            content: random.bytes(size).into(),
            limit: random.percent(60).then(|| random.within(1..5)),
            brief: random.percent(25),
            sent: 0,
            acknowledged: 0,
            completed: Fact::No,
            deleted: Fact::No,
            expired: Fact::No,
            grants: Vec::new(),
            unacknowledged: 0,
            perhaps_unacknowledged: 0,
        }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/transfers/id/{}/{rest}", self.id)
    }

    /// Returns the number of certainly counted downloads.
    pub(crate) fn used(&self) -> usize {
        self.unacknowledged + self.grants.iter().filter(|(_, fact)| *fact == Fact::Yes).count()
    }

    /// Returns whether a further download must be refused.
    pub(crate) fn exhausted(&self) -> bool {
        self.limit.is_some_and(|limit| self.used() >= limit)
    }

    /// Returns a random grant that permits a download.
    pub(crate) fn grant(&self, random: &mut Random) -> Option<String> {
        let model: Vec<_> = self.grants.iter().filter(|(_, fact)| *fact == Fact::Yes).collect();
        if model.is_empty() { None } else { Some(model[random.within(0..model.len())].0.clone()) }
    }

    /// Returns whether the transfer has ended for certain.
    pub(crate) fn ended(&self) -> bool {
        self.deleted == Fact::Yes || self.expired == Fact::Yes
    }

    /// Returns whether this error code means that a one-minute transfer or its grants have expired.
    pub(crate) fn is_over(&self, code: &str) -> bool {
        let used = self.exhausted() && code == "transfer_exhausted";
        self.brief && (used || code == "transfer_expired" || code == "grant_expired")
    }

    /// Describes a broken guarantee.
    pub(crate) fn wrong(&self, what: &str, found: &impl std::fmt::Debug) -> Trouble {
        let mut model = self.clone();
        model.content = Bytes::new();
        Trouble::Wrong(format!("{what}: {found:?}; {} bytes, model: {model:?}", self.content.len()))
    }
}
