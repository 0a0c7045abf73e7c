//! Limits concurrent list requests.

use super::shared_limit::SharedLimit;
use crate::domain::limits::LimitName;

/// Maximum list requests of a process at once. Each reads up to 1 000 records into memory, about 1 MiB.
const MAX_LISTS: usize = 32;
/// Maximum list requests of one network at once.
const MAX_PER_NETWORK: usize = 8;

/// Creates the limit of list requests at once.
pub(crate) fn list_limit() -> SharedLimit {
    SharedLimit::new(LimitName::Lists, MAX_LISTS, MAX_PER_NETWORK)
}
