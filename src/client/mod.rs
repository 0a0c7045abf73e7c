//! Typed calls to a server, and the engines that upload and download.
//!
//! - [`Api`] and [`AdminApi`] are the two services, one method a route; nothing else here knows HTTP.
//! - [`upload`] seals a file segment by segment and sends it, whatever happens to the connection.
//! - [`download`] fetches a payload and opens it through [`unseal`], which also opens payloads from disk.
//! - [`pack`] makes an archive of several files while it is read, and [`unpack`] makes files of one, trusting nothing.
//!
//! Payloads go through the service, or to and from its payload store by signed URLs, as the service says.
//!
//! Secrets are [`Bound`] to the origin they belong to, so that no call can take them elsewhere.

mod admin;
mod answer;
mod api;
mod buffers;
mod content_range;
pub mod download;
mod error;
mod flow;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod interrupt;
mod leftovers;
mod origin;
pub mod pack;
mod patience;
mod progress;
mod secret;
mod store;
mod tag_file;
mod transport;
mod unfinished;
pub mod unpack;
pub mod unseal;
pub mod upload;

pub use admin::AdminApi;
pub use api::{Api, RecordPage};
pub use error::{ApiError, ClientError};
pub use flow::FlowChoice;
pub use history::{History, Sent};
pub use interrupt::{Interrupt, Signal};
pub use origin::Origin;
pub use patience::Patience;
pub use progress::{Progress, Silent};
pub use secret::{AdminKey, AdminSecret, Bound, ForeignOrigin, SenderToken};
pub use store::StoreError;
pub use transport::{Transport, TransportOptions};
pub use unfinished::{UnfinishedTransfer, Way};
