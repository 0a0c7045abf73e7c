//! Unfinished uploads: the `--resume` options, and the lookup of saved state.

use anyhow::Result;
use clap::Args;
use tokio::task::spawn_blocking;

use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::client::Api;
use crate::client::upload::{EarlierUpload, StateFileLocation, UnfinishedUpload};
use crate::domain::crypto::digest::Sha256;

/// Options about unfinished uploads.
#[derive(Args, Clone, Copy)]
pub(crate) struct ResumeArguments {
    /// Resume an unfinished upload of the same paths and options, if there is one
    #[arg(long, conflicts_with = "no_resume_state")]
    resume: bool,
    /// Save no state for --resume
    #[arg(long, hide_short_help = true)]
    no_resume_state: bool,
}

impl ResumeArguments {
    /// Returns the location of the upload's saved state, by the digest of its command line.
    pub(crate) fn state_location(self, command_digest: Sha256) -> StateFileLocation {
        match paths::uploads_directory() {
            _ if self.no_resume_state => StateFileLocation::Disabled,
            Some(uploads) => StateFileLocation::Directory { uploads, command: command_digest },
            None => StateFileLocation::NoStateDirectory,
        }
    }

    /// Finds the unfinished upload to resume.
    pub(crate) async fn find(
        self,
        command_digest: Sha256,
        api: &Api,
        context: &Context,
    ) -> Result<Option<Box<UnfinishedUpload>>> {
        let Some(uploads) = paths::uploads_directory().filter(|_| !self.no_resume_state) else { return Ok(None) };
        let server = api.base_url().to_string();
        let find = move || UnfinishedUpload::find(&uploads, command_digest, &server);
        let unfinished = match spawn_blocking(find).await.expect("reading saved uploads does not panic") {
            Ok(unfinished) => unfinished,
            Err(error) if self.resume => {
                let message = format!("cannot read unfinished uploads: {error}");
                return Err(Failure::new(Exit::LocalFile, "state_unreadable", message).into());
            }
            Err(_) => EarlierUpload::None,
        };
        let note = |text: &str| {
            if context.printer.is_interactive() {
                context.printer.note(text);
            }
        };
        match unfinished {
            EarlierUpload::Unfinished(unfinished) if self.resume => {
                note(&format!("resuming transfer {}", unfinished.id()));
                Ok(Some(unfinished))
            }
            EarlierUpload::Unfinished(_) => {
                note("an unfinished upload of these files exists: resume it with --resume");
                Ok(None)
            }
            EarlierUpload::Busy if self.resume => {
                let failure = Failure::new(Exit::LocalFile, "upload_busy", "another process is running this upload");
                Err(failure.hint("wait for that process, or omit --resume to upload the files again").into())
            }
            EarlierUpload::None if self.resume => {
                note("no unfinished upload of these paths and options: starting a new one");
                Ok(None)
            }
            EarlierUpload::Busy | EarlierUpload::None => Ok(None),
        }
    }
}
