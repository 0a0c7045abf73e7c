//! The bucket: requests, and what their answers mean.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier, Part};
use bytes::Bytes;

use super::stored::{CONTENT_LENGTH, Stored};
use crate::domain::store::{StorageKey, StoreError};
use crate::server::store::S3Location;

/// Where neither URL nor environment name a region: what compatible servers take by default.
const DEFAULT_REGION: &str = "us-east-1";
/// For a connection to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// For one try of a request that moves little.
const ATTEMPT: Duration = Duration::from_secs(10);
/// For one try of a request that moves a part.
const LARGE_ATTEMPT: Duration = Duration::from_mins(5);
/// Bodies beyond this get [`LARGE_ATTEMPT`].
const SMALL_BYTES: usize = 1 << 20;
/// The most keys that one request removes or lists.
const PAGE: usize = 1_000;

/// A bucket, and what this store's keys begin with in it.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    /// Empty, or with a `/` at its end.
    prefix: String,
}

/// The entity tag of no object: it has the form of an MD5, and is not that of any content.
pub(super) const NO_ETAG: &str = "\"00000000000000000000000000000000\"";

/// An object as it lies in the bucket.
pub(super) struct Read {
    pub(super) etag: String,
    pub(super) body: Bytes,
    /// How much of it is content, if not all.
    pub(super) content: Option<usize>,
}

/// What an object must be for a write to happen.
#[derive(Clone, Debug)]
pub(super) enum Only {
    /// Nothing: it is written over.
    Always,
    /// Not there.
    IfAbsent,
    /// As it was read.
    IfMatch(String),
}

/// Why a write did not happen, or may not have.
#[derive(Debug)]
pub(super) enum PutError {
    /// The condition does not hold: 412, or 404 for an object that is gone.
    Refused,
    /// It may have happened, or happens yet: a conflict with another write, a lost answer, a fault.
    Unclear(StoreError),
}

/// A part of a payload that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedPart {
    pub(super) number: u32,
    pub(super) etag: String,
    pub(super) size: u64,
}

impl Bucket {
    /// The bucket at `location`, with the credentials of the environment, the profile or the machine's role.
    pub(super) async fn at(location: &S3Location) -> Self {
        let shared = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let region = location.region.clone().map(Region::new).or_else(|| shared.region().cloned());
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
        let mut config = Builder::from(&shared)
            .region(region.unwrap_or(Region::from_static(DEFAULT_REGION)))
            .force_path_style(location.path_style)
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts)
            // Payloads are sealed, and records are JSON: both show by themselves that they are damaged.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &location.endpoint {
            config = config.endpoint_url(endpoint.as_str().trim_end_matches('/'));
        }
        let prefix = if location.prefix.is_empty() { String::new() } else { format!("{}/", location.prefix) };
        Self { client: Client::from_conf(config.build()), name: location.bucket.clone(), prefix }
    }

    /// The name of an object in the bucket.
    pub(super) fn object(&self, key: &StorageKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Reads an object whole, and takes it apart.
    pub(super) async fn get(&self, key: &StorageKey) -> Result<Option<Stored>, StoreError> {
        let Some(read) = self.read(key).await? else { return Ok(None) };
        Stored::parse(key.as_str(), read.etag, &read.body, read.content).map(Some)
    }

    /// Reads an object whole.
    pub(super) async fn read(&self, key: &StorageKey) -> Result<Option<Read>, StoreError> {
        let request = self.client.get_object().bucket(&self.name).key(self.object(key));
        let mut found = match request.send().await {
            Ok(found) => found,
            Err(error) if status(&error) == Some(404) && !is_missing_bucket(&error) => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        let etag = found.e_tag.take().unwrap_or_default();
        let content = found.metadata().and_then(|metadata| metadata.get(CONTENT_LENGTH));
        // Not a number is as wrong as too large a one.
        let content = content.map(|content| content.parse().unwrap_or(usize::MAX));
        let body = found.body.collect().await.map_err(StoreError::unavailable)?.into_bytes();
        Ok(Some(Read { etag, body, content }))
    }

    /// Opens a range of an object, which is not empty; `None` where there is no such object or it is shorter.
    pub(super) async fn open(
        &self,
        key: &StorageKey,
        range: Range<u64>,
    ) -> Result<Option<GetObjectOutput>, StoreError> {
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        match self.client.get_object().bucket(&self.name).key(self.object(key)).range(bytes).send().await {
            Ok(found)
                if found.content_length().and_then(|length| length.try_into().ok())
                    == Some(range.end - range.start) =>
            {
                Ok(Some(found))
            }
            Ok(_) => Ok(None),
            Err(error) if matches!(status(&error), Some(404 | 416)) && !is_missing_bucket(&error) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// The length of an object; `None` where there is none.
    pub(super) async fn length(&self, key: &StorageKey) -> Result<Option<u64>, StoreError> {
        match self.client.head_object().bucket(&self.name).key(self.object(key)).send().await {
            Ok(found) => Ok(Some(length(found.content_length()))),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// Puts an object, once: a conditional write must not be repeated by who does not know what became of it.
    ///
    /// Answers its entity tag. `content` tells how much of the body is content, if not all of it.
    pub(super) async fn put(
        &self,
        key: &StorageKey,
        body: Bytes,
        content: Option<usize>,
        only: &Only,
    ) -> Result<String, PutError> {
        let large = body.len() > SMALL_BYTES;
        let mut request = self.client.put_object().bucket(&self.name).key(self.object(key));
        if let Some(content) = content {
            request = request.metadata(CONTENT_LENGTH, content.to_string());
        }
        let json = key.as_str().rsplit_once('.').is_some_and(|(_, extension)| extension == "json");
        request = request
            .content_type(if json && content.is_none() { "application/json" } else { "application/octet-stream" })
            .body(body.into());
        request = match only {
            Only::Always => request,
            Only::IfAbsent => request.if_none_match("*"),
            Only::IfMatch(etag) => request.if_match(etag),
        };
        let mut once = Builder::new();
        if !matches!(only, Only::Always) {
            once = once.retry_config(RetryConfig::disabled());
        }
        if large {
            once = once.timeout_config(patient());
        }
        match request.customize().config_override(once).send().await {
            // Whether that was the server's own answer is not sure.
            Ok(put) => put.e_tag.ok_or_else(|| PutError::Unclear(StoreError::unavailable("a write without an ETag"))),
            Err(error) => Err(match status(&error) {
                Some(412) => PutError::Refused,
                Some(404) if matches!(only, Only::IfMatch(_)) && !is_missing_bucket(&error) => PutError::Refused,
                _ => PutError::Unclear(fault(error)),
            }),
        }
    }

    /// Lists at most `limit` keys that begin with `prefix` and come after `after`, in the order of their bytes.
    pub(super) async fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        let (mut found, mut token) = (Vec::new(), None);
        while found.len() < limit {
            let page = i32::try_from((limit - found.len()).min(PAGE)).expect("a page is small");
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(format!("{}{prefix}", self.prefix))
                .set_start_after(after.map(|after| format!("{}{after}", self.prefix)))
                .set_continuation_token(token)
                .max_keys(page);
            let listed = request.send().await.map_err(fault)?;
            let names = listed.contents().iter().filter_map(|object| object.key());
            let own = names.filter_map(|name| name.strip_prefix(&self.prefix));
            found.extend(own.map(|name| StorageKey::from_backend(name.to_owned())));
            token = listed.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// The keys that begin with `prefix` and come after `after`, of uploads that were begun and not ended: a page of them,
    /// and whether there are more.
    pub(super) async fn keys_of_uploads(
        &self,
        prefix: &str,
        after: Option<&StorageKey>,
    ) -> Result<(Vec<StorageKey>, bool), StoreError> {
        let request = self.client.list_multipart_uploads().bucket(&self.name);
        let request = request.prefix(format!("{}{prefix}", self.prefix));
        let listed = request.set_key_marker(after.map(|after| self.object(after))).send().await.map_err(fault)?;
        let names = listed.uploads().iter().filter_map(|upload| upload.key());
        let own = names.filter_map(|name| name.strip_prefix(&self.prefix));
        let mut keys: Vec<_> = own.map(|name| StorageKey::from_backend(name.to_owned())).collect();
        // Not every server keeps the order, or heeds the marker.
        keys.retain(|key| after.is_none_or(|after| key > after));
        keys.sort();
        let more = listed.is_truncated() == Some(true) && !keys.is_empty();
        Ok((keys, more))
    }

    /// Removes objects, whether they are there or not.
    pub(super) async fn remove(&self, keys: &[StorageKey]) -> Result<(), StoreError> {
        if let [key] = keys {
            let request = self.client.delete_object().bucket(&self.name).key(self.object(key));
            return request.send().await.map(drop).map_err(fault);
        }
        for some in keys.chunks(PAGE) {
            let name = |key| ObjectIdentifier::builder().key(self.object(key)).build().expect("it has a key");
            let all = Delete::builder().set_objects(Some(some.iter().map(name).collect())).quiet(true);
            let all = all.build().expect("it has objects");
            let done = self.client.delete_objects().bucket(&self.name).delete(all).send().await.map_err(fault)?;
            if let Some(error) = done.errors().first() {
                return Err(StoreError::unavailable(format!("objects could not be removed: {error:?}")));
            }
        }
        Ok(())
    }

    /// Begins a multipart upload and answers its id.
    pub(super) async fn begin_parts(&self, key: &StorageKey) -> Result<String, StoreError> {
        let request = self.client.create_multipart_upload().bucket(&self.name).key(self.object(key));
        let begun = request.content_type("application/octet-stream").send().await.map_err(fault)?;
        begun.upload_id.ok_or_else(|| StoreError::unavailable("a multipart upload without an id"))
    }

    /// Stores a part and answers its entity tag.
    pub(super) async fn put_part(
        &self,
        key: &StorageKey,
        upload: &str,
        number: u32,
        body: Bytes,
    ) -> Result<String, StoreError> {
        let request = self.client.upload_part().bucket(&self.name).key(self.object(key)).upload_id(upload);
        let request = request.part_number(part_number(number)).body(body.into());
        let put = request.customize().config_override(Builder::new().timeout_config(patient())).send().await;
        match put {
            Ok(put) => Ok(put.e_tag.unwrap_or_default()),
            // The upload was taken back, together with its transfer's payload.
            Err(error) if status(&error) == Some(404) => Err(StoreError::NoPayload),
            Err(error) => Err(fault(error)),
        }
    }

    /// Lists the parts of an upload that have arrived, in order; none of an upload that is over.
    pub(super) async fn parts(&self, key: &StorageKey, upload: &str) -> Result<Vec<ListedPart>, StoreError> {
        let (mut found, mut marker) = (Vec::new(), None);
        loop {
            let request = self.client.list_parts().bucket(&self.name).key(self.object(key)).upload_id(upload);
            let listed = match request.set_part_number_marker(marker).send().await {
                Ok(listed) => listed,
                Err(error) if status(&error) == Some(404) => return Ok(Vec::new()),
                Err(error) => return Err(fault(error)),
            };
            found.extend(listed.parts().iter().cloned());
            marker =
                listed.next_part_number_marker().map(str::to_owned).filter(|_| listed.is_truncated() == Some(true));
            if marker.is_none() {
                return Ok(latest(found));
            }
        }
    }

    /// Whether an upload still takes parts.
    pub(super) async fn is_open(&self, key: &StorageKey, upload: &str) -> Result<bool, StoreError> {
        let request = self.client.list_parts().bucket(&self.name).key(self.object(key)).upload_id(upload);
        match request.max_parts(1).send().await {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(fault(error)),
        }
    }

    /// Puts parts together, if the object is not there yet. Whether it is there now is for the caller to see.
    pub(super) async fn join_parts(
        &self,
        key: &StorageKey,
        upload: &str,
        parts: impl Iterator<Item = (u32, String)>,
    ) -> Result<(), StoreError> {
        let part = |(number, etag)| CompletedPart::builder().part_number(part_number(number)).e_tag(etag).build();
        let all = CompletedMultipartUpload::builder().set_parts(Some(parts.map(part).collect())).build();
        let request = self.client.complete_multipart_upload().bucket(&self.name).key(self.object(key));
        let request = request.upload_id(upload).multipart_upload(all).if_none_match("*");
        let patient = Builder::new().timeout_config(patient());
        match request.customize().config_override(patient).send().await {
            Ok(_) => Ok(()),
            // It was done before, or taken back.
            Err(error) if matches!(status(&error), Some(404 | 412)) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    /// Takes an upload back, with all its parts.
    pub(super) async fn abort_parts(&self, key: &StorageKey, upload: &str) -> Result<(), StoreError> {
        let request = self.client.abort_multipart_upload().bucket(&self.name).key(self.object(key)).upload_id(upload);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    /// The uploads of an object that were begun and not ended.
    pub(super) async fn open_uploads(&self, key: &StorageKey) -> Result<Vec<String>, StoreError> {
        let name = self.object(key);
        let listed =
            self.client.list_multipart_uploads().bucket(&self.name).prefix(&name).send().await.map_err(fault)?;
        let of_key = listed.uploads().iter().filter(|upload| upload.key() == Some(&name));
        Ok(of_key.filter_map(|upload| upload.upload_id().map(str::to_owned)).collect())
    }
}

/// The parts that count, in order: of one that was sent again, which some servers list twice, the latest.
fn latest(listed: Vec<Part>) -> Vec<ListedPart> {
    let mut parts = BTreeMap::new();
    for part in listed {
        let number = part.part_number().and_then(|number| number.try_into().ok()).unwrap_or(0);
        let kept = parts.entry(number).or_insert_with(|| part.clone());
        if part.last_modified() > kept.last_modified() {
            *kept = part;
        }
    }
    let describe = |(number, part): (u32, Part)| ListedPart {
        number,
        etag: part.e_tag().unwrap_or_default().to_owned(),
        size: length(part.size()),
    };
    parts.into_iter().map(describe).collect()
}

/// The timeouts of requests that move much.
fn patient() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(LARGE_ATTEMPT).build()
}

fn part_number(number: u32) -> i32 {
    i32::try_from(number).expect("there are at most 10 000 parts")
}

fn length(length: Option<i64>) -> u64 {
    length.and_then(|length| length.try_into().ok()).unwrap_or(0)
}

/// The HTTP status that an error came with.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Whether it is the bucket that is not there: never an answer about an object.
fn is_missing_bucket<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("NoSuchBucket")
}

/// What a bucket answers that is no answer about an object.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It refuses.
    #[error("S3 answers {status} {code}{}{message}", if message.is_empty() { "" } else { ": " })]
    Answer {
        /// The HTTP status.
        status: u16,
        /// The code, such as `AccessDenied`.
        code: String,
        /// What the server says to people.
        message: String,
    },
    /// It does not answer, or the request could not be made.
    #[error("S3 does not answer")]
    Silence(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An error that says nothing about an object.
pub(super) fn fault<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match status(&error) {
        Some(507) => StoreError::Full,
        Some(status) => {
            let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
            StoreError::unavailable(Fault::Answer { status, code: text(error.code()), message: text(error.message()) })
        }
        None => StoreError::unavailable(Fault::Silence(error.into_source().unwrap_or_else(Into::into))),
    }
}
