//! Starts services on free ports and speaks to them.

mod api;
mod eventually;
mod half_upload;
mod process;
mod service;
pub(crate) mod stub;

pub(crate) use api::Api;
pub(crate) use eventually::eventually;
pub(crate) use half_upload::{half_sent, writer_is_there};
pub(crate) use process::{Home, Said, Serving};
pub(crate) use service::{ADMIN_KEY, START, Service, Started};
