//! Bucket of a store: its client, and the requests for whole objects.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;

use super::error::{PutError, is_missing_bucket, request_error, status};
use super::object_format::{CONTENT_LENGTH, StoredObject};
use crate::domain::store::{StorageKey, StoreError};
use crate::server::store::S3Location;

/// Region if neither the URL nor the environment names one: the default of S3-compatible servers.
const DEFAULT_REGION: &str = "us-east-1";
/// Connect timeout.
const CONNECT: Duration = Duration::from_secs(3);
/// Timeout of one attempt of a request with a small body.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Timeout of one attempt of a request with a large body.
const LARGE_ATTEMPT: Duration = Duration::from_mins(5);
/// Largest body in bytes with the shorter timeout; larger bodies get [`LARGE_ATTEMPT`].
const SMALL_BYTES: usize = 1 << 20;
/// Maximum number of keys in one delete or list request.
const PAGE: usize = 1_000;

/// Bucket and key prefix of a store.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    /// Key prefix: empty, or with a trailing `/`.
    pub(super) prefix: String,
}

/// Entity tag that matches no object: it has the form of an MD5 hash, but no content has this hash.
pub(super) const NO_ETAG: &str = "\"00000000000000000000000000000000\"";

/// Object as stored in the bucket.
pub(super) struct ReadObject {
    pub(super) etag: String,
    pub(super) body: Bytes,
    /// Length of the content in bytes, if the body has a write log after it.
    pub(super) content: Option<usize>,
}

/// Condition of a write.
#[derive(Clone, Debug)]
pub(super) enum WriteCondition {
    /// No condition: an existing object is overwritten.
    Unconditional,
    /// The object does not exist.
    IfAbsent,
    /// The object still has this entity tag.
    IfMatch(String),
}

impl Bucket {
    /// Creates a client for the bucket at `location`, with the credentials of the environment, the AWS profile or the
    /// machine's role.
    pub(super) async fn at(location: &S3Location) -> Self {
        let shared = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let region = location.region.clone().map(Region::new).or_else(|| shared.region().cloned());
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
        let mut config = Builder::from(&shared)
            .region(region.unwrap_or(Region::from_static(DEFAULT_REGION)))
            .force_path_style(location.path_style)
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts)
            // Checksums are not needed: payloads are authenticated and records are JSON, so both reveal damage
            // themselves.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &location.endpoint {
            config = config.endpoint_url(endpoint.as_str().trim_end_matches('/'));
        }
        let prefix = if location.prefix.is_empty() { String::new() } else { format!("{}/", location.prefix) };
        Self { client: Client::from_conf(config.build()), name: location.bucket.clone(), prefix }
    }

    /// Returns the name of an object in the bucket: the prefix and `key`.
    pub(super) fn object(&self, key: &StorageKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Reads an object and splits it into content and write log; `None` if the object does not exist.
    pub(super) async fn get(&self, key: &StorageKey) -> Result<Option<StoredObject>, StoreError> {
        let Some(read) = self.read(key).await? else { return Ok(None) };
        StoredObject::parse(key.as_str(), read.etag, &read.body, read.content).map(Some)
    }

    /// Reads an object; `None` if it does not exist.
    pub(super) async fn read(&self, key: &StorageKey) -> Result<Option<ReadObject>, StoreError> {
        let request = self.client.get_object().bucket(&self.name).key(self.object(key));
        let mut found = match request.send().await {
            Ok(found) => found,
            Err(error) if status(&error) == Some(404) && !is_missing_bucket(&error) => return Ok(None),
            Err(error) => return Err(request_error(error)),
        };
        let etag = found.e_tag.take().unwrap_or_default();
        let content = found.metadata().and_then(|metadata| metadata.get(CONTENT_LENGTH));
        // An unparsable length is as wrong as one that is too large.
        let content = content.map(|content| content.parse().unwrap_or(usize::MAX));
        let body = found.body.collect().await.map_err(StoreError::unavailable)?.into_bytes();
        Ok(Some(ReadObject { etag, body, content }))
    }

    /// Opens a non-empty range of an object; `None` if the object is missing or shorter.
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
            Err(error) => Err(request_error(error)),
        }
    }

    /// Returns the length of an object; `None` if it does not exist.
    pub(super) async fn length(&self, key: &StorageKey) -> Result<Option<u64>, StoreError> {
        match self.client.head_object().bucket(&self.name).key(self.object(key)).send().await {
            Ok(found) => Ok(Some(length(found.content_length()))),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(request_error(error)),
        }
    }

    /// Writes an object and returns its entity tag.
    ///
    /// `content` is the length of the content in the body, if a write log follows it. A conditional write is sent only
    /// once: a retry after a lost response would fail on its own first attempt.
    pub(super) async fn put(
        &self,
        key: &StorageKey,
        body: Bytes,
        content: Option<usize>,
        condition: &WriteCondition,
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
        request = match condition {
            WriteCondition::Unconditional => request,
            WriteCondition::IfAbsent => request.if_none_match("*"),
            WriteCondition::IfMatch(etag) => request.if_match(etag),
        };
        let mut once = Builder::new();
        if !matches!(condition, WriteCondition::Unconditional) {
            once = once.retry_config(RetryConfig::disabled());
        }
        if large {
            once = once.timeout_config(large_timeouts());
        }
        match request.customize().config_override(once).send().await {
            // A response without an entity tag may not come from the S3 server itself.
            Ok(put) => put.e_tag.ok_or_else(|| {
                PutError::UnknownOutcome(StoreError::unavailable("response to a write without an ETag"))
            }),
            Err(error) => Err(match status(&error) {
                Some(412) => PutError::ConditionFailed,
                Some(404) if matches!(condition, WriteCondition::IfMatch(_)) && !is_missing_bucket(&error) => {
                    PutError::ConditionFailed
                }
                _ => PutError::UnknownOutcome(request_error(error)),
            }),
        }
    }

    /// Lists at most `limit` keys with the prefix `prefix` after `after`, in byte order.
    pub(super) async fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        let (mut found, mut token) = (Vec::new(), None);
        while found.len() < limit {
            let page = i32::try_from((limit - found.len()).min(PAGE)).expect("a page has at most 1 000 keys");
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(format!("{}{prefix}", self.prefix))
                .set_start_after(after.map(|after| format!("{}{after}", self.prefix)))
                .set_continuation_token(token)
                .max_keys(page);
            let listed = request.send().await.map_err(request_error)?;
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

    /// Removes objects; missing objects are no error.
    pub(super) async fn remove(&self, keys: &[StorageKey]) -> Result<(), StoreError> {
        if let [key] = keys {
            let request = self.client.delete_object().bucket(&self.name).key(self.object(key));
            return request.send().await.map(drop).map_err(request_error);
        }
        for some in keys.chunks(PAGE) {
            let name = |key| ObjectIdentifier::builder().key(self.object(key)).build().expect("the key is set");
            let all = Delete::builder().set_objects(Some(some.iter().map(name).collect())).quiet(true);
            let all = all.build().expect("the objects are set");
            let done =
                self.client.delete_objects().bucket(&self.name).delete(all).send().await.map_err(request_error)?;
            if let Some(error) = done.errors().first() {
                return Err(StoreError::unavailable(format!("cannot remove objects: {error:?}")));
            }
        }
        Ok(())
    }
}

/// Returns the timeouts of requests with a large body.
pub(super) fn large_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(LARGE_ATTEMPT).build()
}

/// Converts a length in a response; 0 if it is missing or negative.
pub(super) fn length(length: Option<i64>) -> u64 {
    length.and_then(|length| length.try_into().ok()).unwrap_or(0)
}
