//! The mark by which a store is known as a copy that is being made, and by which run.

use bytes::Bytes;

use super::CopyError;
use crate::domain::store::{
    Change, Commit, Condition, StorageKey, Store, StoreError, UnfinishedCopy, Version, to_json,
};

/// The place of a copy, as this run has marked it.
pub(super) struct Claim {
    version: Version,
    /// Whether an earlier run has begun it.
    pub(super) resumed: bool,
}

impl Claim {
    /// Marks a place that is empty, or that an earlier run for the same source has marked.
    pub(super) async fn of(to: &dyn Store, of: &str) -> Result<Self, CopyError> {
        let found = to.get(&StorageKey::header()).await.map_err(CopyError::To)?;
        let (condition, resumed) = match found {
            None if is_empty(to).await.map_err(CopyError::To)? => (Condition::Absent, false),
            None => return Err(CopyError::NotEmpty),
            Some(found) => match UnfinishedCopy::read(&found.value) {
                Some(mark) if mark.source() == of => (Condition::Is(found.version), true),
                Some(mark) => return Err(CopyError::OtherCopy { of: mark.source().to_owned() }),
                None => return Err(CopyError::NotEmpty),
            },
        };
        let version = set(to, condition, to_json(&UnfinishedCopy::of(of))).await?;
        Ok(Self { version, resumed })
    }

    /// Puts the header in place of the mark: from then on it is a store.
    pub(super) async fn release(self, to: &dyn Store, header: Bytes) -> Result<(), CopyError> {
        set(to, Condition::Is(self.version), header).await.map(drop)
    }
}

async fn set(to: &dyn Store, condition: Condition, value: Bytes) -> Result<Version, CopyError> {
    let change = Change { key: StorageKey::header(), condition, value };
    match to.commit(Commit::of(change)).await {
        Ok(version) => Ok(version.expect("a commit with a change answers its version")),
        Err(StoreError::Conflict) => Err(CopyError::Overtaken),
        Err(error) => Err(CopyError::To(error)),
    }
}

async fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    let nothing = store.keys(&StorageKey::everything(), None, 1).await?.is_empty();
    Ok(nothing && store.held(None, 1).await?.is_empty())
}
