//! Starts services on free ports and speaks to them.

mod api;
mod eventually;
mod service;

pub(crate) use api::Api;
pub(crate) use eventually::eventually;
pub(crate) use service::{ADMIN_KEY, START, Service, Started};
