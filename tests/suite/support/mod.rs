//! Starts services on free ports and speaks to them.

mod api;
mod eventually;
mod process;
mod service;

pub(crate) use api::Api;
pub(crate) use eventually::eventually;
pub(crate) use process::{Home, Said, Serving};
pub(crate) use service::{ADMIN_KEY, START, Service, Started};
