//! What is known of a transfer by somebody who sends requests, some of which are never answered.

use bytes::Bytes;

use crate::dice::Dice;

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// It was never asked for, or was refused.
    No,
    /// It was asked for, and the answer was lost.
    Perhaps,
    /// It was acknowledged, or seen.
    Yes,
}

/// A transfer as its sender knows it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The key that makes asking for it twice harmless.
    pub(crate) key: String,
    pub(crate) created: Fact,
    /// Its id, once it is created.
    pub(crate) id: String,
    pub(crate) content: Bytes,
    pub(crate) limit: Option<usize>,
    /// It lives for a minute only, so that sweeping finds it.
    pub(crate) brief: bool,
    /// How many bytes may be there, and how many must.
    pub(crate) sent: usize,
    pub(crate) acknowledged: usize,
    pub(crate) completed: Fact,
    pub(crate) deleted: Fact,
    pub(crate) expired: Fact,
    /// Downloads by the grants that they are counted under.
    pub(crate) grants: Vec<(String, Fact)>,
    /// Downloads that are counted, and those that may be, under grants that nobody was told.
    pub(crate) untold: usize,
    pub(crate) untold_perhaps: usize,
}

/// What can be wrong after a request: nothing is known, or too much.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server went away.
    Lost,
    /// The server breaks a promise.
    Wrong(String),
}

impl From<crate::wire::Lost> for Trouble {
    fn from(_: crate::wire::Lost) -> Self {
        Self::Lost
    }
}

impl Known {
    /// One that nobody has asked for yet, of at most this size.
    pub(crate) fn new(dice: &mut Dice, largest: usize) -> Self {
        // Mostly small: what is looked for happens between requests as much as within them.
        let size = if dice.percent(30) { dice.within(1..largest) } else { dice.within(1..largest / 10 + 2) };
        Self {
            key: format!("{:032x}{:032x}", dice.next(), dice.next()),
            created: Fact::No,
            id: String::new(),
            content: dice.bytes(size).into(),
            limit: dice.percent(60).then(|| dice.within(1..5)),
            brief: dice.percent(25),
            sent: 0,
            acknowledged: 0,
            completed: Fact::No,
            deleted: Fact::No,
            expired: Fact::No,
            grants: Vec::new(),
            untold: 0,
            untold_perhaps: 0,
        }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/transfers/id/{}/{rest}", self.id)
    }

    /// Downloads that are counted for sure.
    pub(crate) fn used(&self) -> usize {
        self.untold + self.grants.iter().filter(|(_, fact)| *fact == Fact::Yes).count()
    }

    /// Whether another download must be refused.
    pub(crate) fn exhausted(&self) -> bool {
        self.limit.is_some_and(|limit| self.used() >= limit)
    }

    /// A grant that it may be fetched under.
    pub(crate) fn grant(&self, dice: &mut Dice) -> Option<String> {
        let known: Vec<_> = self.grants.iter().filter(|(_, fact)| *fact == Fact::Yes).collect();
        if known.is_empty() { None } else { Some(known[dice.within(0..known.len())].0.clone()) }
    }

    /// Whether nothing more will come of it.
    pub(crate) fn ended(&self) -> bool {
        self.deleted == Fact::Yes || self.expired == Fact::Yes
    }

    /// Whether its minute may be over, as this code says: for it and for its grants.
    pub(crate) fn is_over(&self, code: &str) -> bool {
        let used = self.exhausted() && code == "transfer_exhausted";
        self.brief && (used || code == "transfer_expired" || code == "grant_expired")
    }

    /// A promise that was broken.
    pub(crate) fn wrong(&self, what: &str, found: &impl std::fmt::Debug) -> Trouble {
        let mut known = self.clone();
        known.content = Bytes::new();
        Trouble::Wrong(format!("{what}: {found:?}; {} bytes, known: {known:?}", self.content.len()))
    }
}
