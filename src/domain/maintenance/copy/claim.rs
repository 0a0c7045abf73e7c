//! Claim of a run on the destination of a copy. An incomplete-copy marker in place of the store header holds the claim.

use bytes::Bytes;

use super::CopyError;
use crate::domain::store::{
    Change, Commit, Condition, IncompleteCopyMarker, LayoutVersion, StorageKey, Store, StoreError, Version, to_json,
};

/// Claim of this run on the destination.
pub(super) struct Claim {
    version: Version,
    /// Whether an earlier run started this copy.
    pub(super) resumed: bool,
}

impl Claim {
    /// Claims a destination that is empty, or contains an incomplete copy of the same source.
    ///
    /// # Errors
    /// [`CopyError::NotEmpty`], [`CopyError::OtherCopy`]; [`CopyError::Overtaken`] if another run claims the
    /// destination at the same time.
    pub(super) async fn of(to: &dyn Store, of: &str) -> Result<Self, CopyError> {
        let found = to.get(&StorageKey::header()).await.map_err(CopyError::To)?;
        if let Some(found) = &found {
            LayoutVersion::check_stored(&found.value).map_err(CopyError::To)?;
        }
        let (condition, resumed) = match found {
            None if is_empty(to).await.map_err(CopyError::To)? => (Condition::Absent, false),
            None => return Err(CopyError::NotEmpty),
            Some(found) => match IncompleteCopyMarker::read(&found.value) {
                Some(marker) if marker.source() == of => (Condition::Is(found.version), true),
                Some(marker) => return Err(CopyError::OtherCopy { of: marker.source().to_owned() }),
                None => return Err(CopyError::NotEmpty),
            },
        };
        let version = write_header(to, condition, to_json(&IncompleteCopyMarker::of(of))).await?;
        Ok(Self { version, resumed })
    }

    /// Replaces the marker by the store header, which turns the copy into a store.
    ///
    /// # Errors
    /// [`CopyError::Overtaken`] if another run has claimed the destination since.
    pub(super) async fn release(self, to: &dyn Store, header: Bytes) -> Result<(), CopyError> {
        write_header(to, Condition::Is(self.version), header).await.map(drop)
    }
}

async fn write_header(to: &dyn Store, condition: Condition, value: Bytes) -> Result<Version, CopyError> {
    let change = Change { key: StorageKey::header(), condition, value };
    match to.commit(Commit::of(change)).await {
        Ok(version) => Ok(version.expect("a commit with a change returns a version")),
        Err(StoreError::Conflict) => Err(CopyError::Overtaken),
        Err(error) => Err(CopyError::To(error)),
    }
}

async fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    let no_records = store.keys(&StorageKey::all_objects(), None, 1).await?.is_empty();
    Ok(no_records && store.list_stored(None, 1).await?.is_empty())
}
