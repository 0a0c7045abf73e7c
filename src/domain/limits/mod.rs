//! Limits of a service: sizes, lifetimes and download counts, and the limiters of a process.
//!
//! Two limiters are generic: `Window` counts events per key and time window, `Concurrency` limits simultaneous uses per
//! key. The file of each limit has its numbers; `network_table` has the eviction policy of all full tables.
//!
//! `ByteRate` is the schedule of payload bytes, shared by the connections of a client or of a network.
//!
//! Other limits don't fit these: client events and audit budgets keep several counts per transfer or network;
//! requests per connection and the bytes of buffered responses have no key and use a semaphore; the rate limit of
//! requests keeps a time per key instead of a count, and its entries expire independently of windows.

mod byte_rate;
pub(crate) mod concurrency;
mod content_size;
pub(crate) mod download_limit;
pub(super) mod event_limit;
pub(crate) mod failed_attempts;
pub mod free_space;
pub(super) mod keyed_mutex;
mod lifetime;
mod name;
pub(crate) mod network_table;
mod page_size;
pub(crate) mod table;
pub(crate) mod window;

pub(crate) use byte_rate::ByteTurn;
pub use byte_rate::{ByteRate, MIN_BYTE_RATE};
pub use content_size::{DEFAULT_MAX_CONTENT_BYTES, LARGEST_MAX_CONTENT_BYTES, Limits};
pub use download_limit::MAX_DOWNLOADS;
pub use lifetime::{DEFAULT_LIFETIME, MAX_LIFETIME, MIN_LIFETIME};
pub use name::LimitName;
pub(super) use page_size::page_size;
