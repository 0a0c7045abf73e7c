//! Where transfers, tokens and records are kept: paths and bytes, whatever lies beneath.
//!
//! A [`Store`] is [`Records`] (small objects that change by compare-and-swap), [`Payloads`] (large ones that are
//! written once) and, where the backend has it, a [`Presigner`]. Every backend passes the suite in `tests/store/`.

mod backoff;
mod commit;
mod error;
mod key;
mod memory;
mod opening;
mod payloads;
mod presigner;
mod records;
mod typed;
mod unfinished_copy;

use std::fmt;

use async_trait::async_trait;

pub(crate) use backoff::Backoff;
pub use commit::{Change, Commit, Condition, Version, Versioned};
pub use error::StoreError;
pub use key::{DueHint, Prefix, StorageKey};
pub use memory::MemoryStore;
pub use opening::{StoreHeader, open_header};
pub use payloads::{Held, PayloadStream, PayloadWriter, Payloads};
pub use presigner::{Presigner, SignedRequest};
pub use records::Records;
pub(crate) use typed::from_json;
pub use typed::{Read, Swap, create, list, read, swap, to_json};
pub(crate) use unfinished_copy::UnfinishedCopy;

use super::room::Room;

/// Everything that a service keeps.
#[async_trait]
pub trait Store: Records + Payloads + fmt::Debug {
    /// Checks, on the object at `key`, that the backend keeps what [`Records`] promises. What is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] for one that does not: it must not be used.
    async fn prove(&self, _key: &StorageKey) -> Result<(), StoreError> {
        Ok(())
    }

    /// Writes counters that a backend without transactions has gathered from commits.
    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How much room there is for payloads, where the backend knows of a limit.
    async fn room(&self) -> Result<Option<Room>, StoreError> {
        Ok(None)
    }

    /// The capability to let clients move payloads without this service, where the backend has it.
    ///
    /// Whether it is there decides the `mode` of transfers; nothing else does.
    fn presigner(&self) -> Option<&dyn Presigner> {
        None
    }
}
