//! Client library: typed API calls, and the upload and download engines.
//!
//! - [`Api`] and [`AdminApi`] call the two services, with one method per route; only `http` and `store` use HTTP.
//! - [`upload`] seals a file segment by segment and sends the segments, resuming after lost connections.
//! - [`download`] receives a payload and decrypts it through [`decrypt`], which also decrypts payload files on disk.
//! - [`pack`] builds an archive of several files while it is read; [`unpack`] extracts an untrusted archive.
//!
//! The service decides whether payloads pass through it, or go directly to and from its payload store by presigned
//! URLs.
//!
//! Secrets are [`OriginBound`] to their origin, so no call can send them to another origin.

mod buffers;
pub mod decrypt;
pub mod download;
mod flow;
pub mod free_space;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod http;
mod interrupt;
mod links;
pub mod pack;
mod progress;
pub mod save_warning;
mod ssh_agent;
mod state_files;
mod store;
mod tag_file;
mod throttle;
mod unfinished;
pub mod unpack;
pub mod upload;

pub use flow::FlowChoice;
pub use history::{History, HistoryEntry, HistoryLink};
pub use http::admin::AdminApi;
pub use http::api::{Api, RawRecordPage};
pub use http::api_error::ResponseError;
pub use http::certificate::CertificateFault;
pub use http::destination::Destination;
pub use http::error::ClientError;
pub use http::event_stream::{EventStream, StreamedEvent};
pub use http::fault::{ConnectFault, ProxyFault};
pub use http::keys::fetch_key_list;
pub use http::origin::Origin;
pub use http::proxy::{InvalidProxy, Proxy, ProxyChoice, ProxySettings};
pub use http::retry::RetryPolicy;
pub use http::secret::{AdminSecret, BoundAdminKey, ForeignOrigin, OriginBound, SenderToken};
pub use http::transport::{Transport, TransportOptions};
pub use interrupt::{Interrupt, Signal};
pub use links::{LinkTerms, MAX_LINKS, NamedLink, NewLink};
pub use progress::{NoProgress, Progress};
pub use ssh_agent::{AgentSigner, SshAgent};
pub use store::BucketError;
pub use unfinished::{Direction, UnfinishedTransfer};

pub use crate::domain::address::Reach;
