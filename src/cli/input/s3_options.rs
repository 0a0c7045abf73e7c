//! Flags that set parameters of an `s3://` URL.

use clap::Args;
use url::Url;

use crate::cli::failure::Failure;
use crate::server::StorageLocation;

/// Options of an S3 storage.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
#[expect(clippy::struct_field_names, reason = "the fields have the names of the flags")]
pub(crate) struct S3Options {
    /// S3 endpoint, if not AWS; short for s3://…?endpoint=URL
    #[arg(long, env = "SGSEND_S3_ENDPOINT", value_name = "URL")]
    s3_endpoint: Option<Url>,
    /// S3 endpoint for clients, in presigned URLs; short for s3://…?public_endpoint=URL
    #[arg(long, env = "SGSEND_S3_PUBLIC_ENDPOINT", value_name = "URL")]
    s3_public_endpoint: Option<Url>,
    /// Put the bucket name into the URL path instead of the host name; short for s3://…?path_style=1
    #[arg(long, env = "SGSEND_S3_PATH_STYLE")]
    s3_path_style: bool,
}

impl S3Options {
    /// Applies the options to an S3 storage.
    pub(crate) fn apply(&self, storage: StorageLocation) -> Result<StorageLocation, Failure> {
        match storage {
            storage if !storage.is_supported() => {
                let failure = Failure::usage("this sgsend was built without S3");
                Err(failure.hint("use a folder: --storage file:FOLDER"))
            }
            StorageLocation::S3(mut location) => {
                location.endpoint = self.s3_endpoint.clone().or(location.endpoint);
                location.public_endpoint = self.s3_public_endpoint.clone().or(location.public_endpoint);
                location.path_style |= self.s3_path_style;
                Ok(StorageLocation::S3(location))
            }
            other => self.check_unused().map(|()| other),
        }
    }

    /// Rejects these options for a storage that is not S3.
    pub(crate) fn check_unused(&self) -> Result<(), Failure> {
        if self.s3_endpoint.is_none() && self.s3_public_endpoint.is_none() && !self.s3_path_style {
            return Ok(());
        }
        let failure = Failure::usage("--s3-endpoint, --s3-public-endpoint and --s3-path-style require an S3 storage");
        Err(failure.hint("use --storage s3://BUCKET/PREFIX, or omit these flags"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_without_s3_reject_s3_storages() {
        let applied = |storage: &str| {
            S3Options { s3_endpoint: None, s3_public_endpoint: None, s3_path_style: false }
                .apply(storage.parse().unwrap())
        };
        assert!(applied("file:/srv/sgsend").is_ok());
        let message = applied("s3://bucket").err().map(|failure| failure.message);
        assert_eq!(message.is_none(), cfg!(feature = "s3"));
        assert!(message.is_none_or(|message| message == "this sgsend was built without S3"));
    }
}
