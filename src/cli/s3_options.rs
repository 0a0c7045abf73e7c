//! What is short for a part of an `s3://` URL.

use clap::Args;
use url::Url;

use super::failure::Failure;
use crate::server::StorageLocation;

/// Options of a store in a bucket.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct S3Options {
    /// Where S3 is spoken, if not at AWS; short for s3://…?endpoint=URL
    #[arg(long, env = "SGSEND_S3_ENDPOINT", value_name = "URL")]
    s3_endpoint: Option<Url>,
    /// Put the bucket into the path of URLs, and not into their host; short for s3://…?path_style=1
    #[arg(long, env = "SGSEND_S3_PATH_STYLE")]
    s3_path_style: bool,
}

impl S3Options {
    /// The storage with these options.
    pub(super) fn apply(&self, storage: StorageLocation) -> Result<StorageLocation, Failure> {
        match storage {
            StorageLocation::S3(_) if !cfg!(feature = "s3") => {
                let failure = Failure::usage("this sgsend was built without S3");
                Err(failure.hint("keep things in a folder: --storage file:FOLDER"))
            }
            StorageLocation::S3(mut location) => {
                location.endpoint = self.s3_endpoint.clone().or(location.endpoint);
                location.path_style |= self.s3_path_style;
                Ok(StorageLocation::S3(location))
            }
            other => self.check_unused().map(|()| other),
        }
    }

    /// Refuses these options where there is no store in a bucket.
    pub(super) fn check_unused(&self) -> Result<(), Failure> {
        if self.s3_endpoint.is_none() && !self.s3_path_style {
            return Ok(());
        }
        let failure = Failure::usage("--s3-endpoint and --s3-path-style belong to a store in a bucket");
        Err(failure.hint("name it with --storage s3://BUCKET/PREFIX, or leave them out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_s3_says_so() {
        let applied =
            |storage: &str| S3Options { s3_endpoint: None, s3_path_style: false }.apply(storage.parse().unwrap());
        assert!(applied("file:/srv/sgsend").is_ok());
        let refusal = applied("s3://bucket").err().map(|failure| failure.message);
        assert_eq!(refusal.is_none(), cfg!(feature = "s3"));
        assert!(refusal.is_none_or(|message| message == "this sgsend was built without S3"));
    }
}
