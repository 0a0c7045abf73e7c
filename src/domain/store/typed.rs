//! Reading and changing objects as the types that they are.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Backoff, Change, Commit, Condition, Prefix, StorageKey, Store, StoreError, Versioned};

/// What a read finds.
pub type Read<T> = Result<Option<Versioned<T>>, StoreError>;

/// What to do with an object that was read.
pub enum Swap<T, A> {
    /// Leave it as it is.
    Keep(A),
    /// Write it, with what belongs to it. The commit's own change is filled in.
    Write(Box<(T, Commit)>, A),
}

impl<T, A> Swap<T, A> {
    /// Writes `value` with what belongs to it.
    #[must_use]
    pub fn write(value: T, with: Commit, answer: A) -> Self {
        Self::Write(Box::new((value, with)), answer)
    }
}

/// The stored form of a value.
///
/// # Panics
/// Never for the types of this crate: their maps have text keys.
pub fn to_json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("stored types have text keys and cannot fail").into()
}

/// Reads an object.
///
/// # Errors
/// [`StoreError::Corrupt`] where it is not a `T` of a version that is known here.
pub async fn read<T: DeserializeOwned>(store: &dyn Store, key: &StorageKey) -> Read<T> {
    let found = store.get(key).await?;
    let parse = |found: Versioned<Bytes>| {
        Ok(Versioned { value: from_json(key.as_str(), &found.value)?, version: found.version })
    };
    found.map(parse).transpose()
}

/// Reads at most `limit` objects under `prefix` that come after `after`, in the order of their keys.
///
/// # Errors
/// [`StoreError::Corrupt`] where one is not a `T`.
pub async fn list<T: DeserializeOwned>(
    store: &dyn Store,
    prefix: &Prefix,
    after: Option<&StorageKey>,
    limit: usize,
) -> Result<Vec<T>, StoreError> {
    let found = store.list(prefix, after, limit).await?;
    found.iter().map(|(key, value)| from_json(key.as_str(), value)).collect()
}

/// Reads the value that is stored at `key`.
pub(crate) fn from_json<T: DeserializeOwned>(key: &str, stored: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(stored).map_err(|source| StoreError::Corrupt { key: key.to_owned(), source })
}

/// Writes an object that must not be there yet, with what belongs to it.
///
/// # Errors
/// [`StoreError::Conflict`] where it is there.
pub async fn create<T: Serialize>(
    store: &dyn Store,
    key: StorageKey,
    value: &T,
    with: Commit,
) -> Result<(), StoreError> {
    let change = Change { key, condition: Condition::Absent, value: to_json(value) };
    store.commit(Commit { change: Some(change), ..with }).await.map(drop)
}

/// Changes an object by compare-and-swap: reads it, asks `decide`, writes if nothing changed meanwhile, else starts over.
///
/// `decide` must have no effects of its own, since it may run more than once.
///
/// # Errors
/// What `decide` answers; `missing()` where there is no such object; [`StoreError::Conflict`] where others kept
/// changing it for ten seconds.
pub async fn swap<T, A, E>(
    store: &dyn Store,
    key: &StorageKey,
    missing: impl Fn() -> E + Send,
    mut decide: impl FnMut(T) -> Result<Swap<T, A>, E> + Send,
) -> Result<A, E>
where
    T: Serialize + DeserializeOwned + Send,
    A: Send,
    E: From<StoreError> + Send,
{
    let mut backoff = Backoff::of_changes();
    loop {
        let found = read::<T>(store, key).await?.ok_or_else(&missing)?;
        let (value, commit, answer) = match decide(found.value)? {
            Swap::Keep(answer) => return Ok(answer),
            Swap::Write(write, answer) => (write.0, write.1, answer),
        };
        let change = Change { key: key.clone(), condition: Condition::Is(found.version), value: to_json(&value) };
        match store.commit(Commit { change: Some(change), ..commit }).await {
            Ok(_) => return Ok(answer),
            Err(StoreError::Conflict) if !backoff.is_over() => backoff.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
}
