//! What an earlier run of the same upload has left, and what the command line says about it.

use anyhow::Result;
use clap::Args;
use tokio::task::spawn_blocking;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::paths;
use crate::client::Api;
use crate::client::upload::{Earlier, StatePlace, Unfinished};
use crate::domain::digest::Sha256;

/// What uploads take about it.
#[derive(Args, Clone, Copy)]
pub(super) struct ResumeArguments {
    /// Go on with an unfinished upload of the same paths and options, if there is one
    #[arg(long, conflicts_with = "no_resume_state")]
    resume: bool,
    /// Keep nothing that an unfinished upload could be gone on with
    #[arg(long, hide_short_help = true)]
    no_resume_state: bool,
}

impl ResumeArguments {
    /// Where what is kept of the upload by `command` belongs.
    pub(super) fn place(self, command: Sha256) -> StatePlace {
        match paths::uploads_directory() {
            _ if self.no_resume_state => StatePlace::Nowhere,
            Some(uploads) => StatePlace::Directory { uploads, command },
            None => StatePlace::Missing,
        }
    }

    /// What is to be gone on with.
    pub(super) async fn find(self, command: Sha256, api: &Api, context: &Context) -> Result<Option<Box<Unfinished>>> {
        let Some(uploads) = paths::uploads_directory().filter(|_| !self.no_resume_state) else { return Ok(None) };
        let server = api.root().to_string();
        let find = move || Unfinished::find(&uploads, command, &server);
        let found = match spawn_blocking(find).await.expect("looking for files does not panic") {
            Ok(found) => found,
            Err(error) if self.resume => {
                let message = format!("unfinished uploads cannot be read: {error}");
                return Err(Failure::new(Exit::LocalFile, "state_unreadable", message).into());
            }
            Err(_) => Earlier::None,
        };
        let tell = |text: &str| {
            if context.printer.has_reader() {
                context.printer.note(text);
            }
        };
        match found {
            Earlier::Unfinished(unfinished) if self.resume => {
                tell(&format!("going on with transfer {}", unfinished.id()));
                Ok(Some(unfinished))
            }
            Earlier::Unfinished(_) => {
                tell("an earlier upload of this is unfinished: --resume goes on with it");
                Ok(None)
            }
            Earlier::Busy if self.resume => {
                let failure = Failure::new(Exit::LocalFile, "upload_busy", "another process is at this upload");
                Err(failure.hint("wait for it, or leave --resume out to send it twice").into())
            }
            Earlier::None if self.resume => {
                tell("there is no unfinished upload of these paths and options: it is begun anew");
                Ok(None)
            }
            Earlier::Busy | Earlier::None => Ok(None),
        }
    }
}
