//! Typed calls to a server, and the engines that upload and download.
//!
//! - [`Api`] and [`AdminApi`] are the two services, one method a route; nothing else here knows HTTP.
//! - [`upload`] seals a file segment by segment and sends it, whatever happens to the connection.
//! - [`download`] fetches a payload and opens it through [`decrypt`], which also opens payloads from disk.
//! - [`pack`] makes an archive of several files while it is read, and [`unpack`] makes files of one, trusting nothing.
//!
//! Payloads go through the service, or to and from its payload store by signed URLs, as the service says.
//!
//! Secrets are [`Bound`] to the origin they belong to, so that no call can take them elsewhere.

mod buffers;
pub mod decrypt;
pub mod download;
mod flow;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod http;
mod interrupt;
mod leftovers;
pub mod pack;
mod progress;
mod store;
mod tag_file;
mod unfinished;
pub mod unpack;
pub mod upload;

pub use flow::FlowChoice;
pub use history::{History, Sent};
pub use http::admin::AdminApi;
pub use http::api::{Api, RecordPage};
pub use http::error::{ApiError, ClientError};
pub use http::origin::Origin;
pub use http::retry::RetryPolicy;
pub use http::secret::{AdminKey, AdminSecret, Bound, ForeignOrigin, SenderToken};
pub use http::transport::{Transport, TransportOptions};
pub use interrupt::{Interrupt, Signal};
pub use progress::{Progress, Silent};
pub use store::StoreError;
pub use unfinished::{UnfinishedTransfer, Way};
