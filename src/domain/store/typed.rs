//! Typed reads and compare-and-swap changes of stored JSON objects.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Backoff, Change, Condition, Listed, Prefix, StorageKey, Store, StoreError, Version, Versioned};
use crate::domain::audit::RecordedCommit;

/// Result of a read: the value with its version; `None` if the object does not exist.
pub type Read<T> = Result<Option<Versioned<T>>, StoreError>;

/// Decision about an object that was read, with the result of the operation.
pub enum Swap<'scope, T, A> {
    /// Leave the object unchanged.
    Keep(A),
    /// Write the object, with the other writes of the commit. [`swap`] adds the change of the object.
    Write(Box<(T, RecordedCommit<'scope>)>, A),
}

impl<'scope, T, A> Swap<'scope, T, A> {
    /// Writes `value` together with the other writes of `commit`.
    #[must_use]
    pub fn write(value: T, commit: impl Into<RecordedCommit<'scope>>, output: A) -> Self {
        Self::Write(Box::new((value, commit.into())), output)
    }
}

/// Serialises a value to its stored JSON.
///
/// # Panics
/// Never for the stored types of this crate, since their maps have string keys.
pub fn to_json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("maps in stored types have string keys").into()
}

/// Reads an object; `None` if the object does not exist.
///
/// # Errors
/// [`StoreError::Corrupt`] if the object is not a `T` of a known version.
pub async fn read<T: DeserializeOwned>(store: &dyn Store, key: &StorageKey) -> Read<T> {
    let found = store.get(key).await?;
    let parse = |found: Versioned<Bytes>| {
        Ok(Versioned { value: from_json(key.as_str(), &found.value)?, version: found.version })
    };
    found.map(parse).transpose()
}

/// Lists up to `limit` objects under `prefix` with keys after `after`, in key order.
///
/// # Errors
/// [`StoreError::Corrupt`] if an object is not a `T`.
pub async fn list<T: DeserializeOwned>(
    store: &dyn Store,
    prefix: &Prefix,
    after: Option<&StorageKey>,
    limit: usize,
) -> Result<Listed<T>, StoreError> {
    store.list(prefix, after, limit).await?.try_map(|(key, value)| from_json(key.as_str(), &value))
}

/// Parses the value stored at `key`.
pub(crate) fn from_json<T: DeserializeOwned>(key: &str, stored: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(stored).map_err(|source| StoreError::Corrupt { key: key.to_owned(), source })
}

/// Creates an object, together with the other writes of `commit`.
///
/// # Errors
/// [`StoreError::Conflict`] if the object already exists.
pub async fn create<'scope, T: Serialize>(
    store: &dyn Store,
    key: StorageKey,
    value: &T,
    commit: impl Into<RecordedCommit<'scope>>,
) -> Result<(), StoreError> {
    let change = Change { key, condition: Condition::Absent, value: to_json(value) };
    commit.into().apply(store, Some(change)).await.map(drop)
}

/// Changes an object by compare-and-swap, with retries on conflicts.
///
/// Each try reads the object, calls `decide` and writes the result. `decide` may run more than once, so it must have no
/// side effects.
///
/// # Errors
/// Errors of `decide`; `missing()` if the object does not exist; [`StoreError::Conflict`] if other writers keep
/// changing the object for 10 seconds.
pub async fn swap<'scope, T, A, E>(
    store: &dyn Store,
    key: &StorageKey,
    missing: impl Fn() -> E + Send,
    decide: impl FnMut(T) -> Result<Swap<'scope, T, A>, E> + Send,
) -> Result<A, E>
where
    T: Serialize + DeserializeOwned + Send,
    A: Send,
    E: From<StoreError> + Send,
{
    Ok(swap_known(store, key, None, missing, decide).await?.0)
}

/// As [`swap`], but the first try uses the `known` object instead of a read.
///
/// Also returns the version that was written, if any.
/// A decision about the known object is used only if its write succeeds, which proves that the object is unchanged.
pub async fn swap_known<'scope, T, A, E>(
    store: &dyn Store,
    key: &StorageKey,
    mut known: Option<Versioned<T>>,
    missing: impl Fn() -> E + Send,
    mut decide: impl FnMut(T) -> Result<Swap<'scope, T, A>, E> + Send,
) -> Result<(A, Option<Version>), E>
where
    T: Serialize + DeserializeOwned + Send,
    A: Send,
    E: From<StoreError> + Send,
{
    let mut backoff = Backoff::of_changes();
    loop {
        let is_known = known.is_some();
        let found = match known.take() {
            Some(known) => known,
            None => read::<T>(store, key).await?.ok_or_else(&missing)?,
        };
        let (value, commit, output) = match decide(found.value) {
            Ok(Swap::Write(write, output)) => (write.0, write.1, output),
            Ok(Swap::Keep(_)) | Err(_) if is_known => continue,
            Ok(Swap::Keep(output)) => return Ok((output, None)),
            Err(error) => return Err(error),
        };
        let change = Change { key: key.clone(), condition: Condition::Is(found.version), value: to_json(&value) };
        match commit.apply(store, Some(change)).await {
            Ok(version) => return Ok((output, version)),
            Err(StoreError::Conflict) if is_known => {}
            Err(StoreError::Conflict) if !backoff.is_over() => backoff.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
}
