//! Client of a store's bucket, and requests that read, write, list or remove objects.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use url::Url;

use super::error::{PutError, is_missing_bucket, request_error, status};
use super::http_client;
use super::object_format::{CONTENT_LENGTH, StoredObject};
use crate::domain::error::chain;
use crate::domain::store::{StorageKey, StoreError};
use crate::server::fd_limit::{Possible, Uses};
use crate::server::store::S3Location;

/// Region if neither the URL nor the environment names a region: the default of S3-compatible servers.
const DEFAULT_REGION: &str = "us-east-1";
/// Timeout for connecting to the S3 server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Timeout of one attempt of a request with a small body.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of one attempt of a request with a large body.
const LARGE_ATTEMPT_TIMEOUT: Duration = Duration::from_mins(5);
/// Maximum size of a small body in bytes; larger bodies get [`LARGE_ATTEMPT_TIMEOUT`].
const MAX_SMALL_BODY: usize = 1 << 20;
/// Maximum number of requests for an object that fail in a row within the response's body.
pub(super) const MAX_ATTEMPTS: u32 = 3;
/// Maximum number of keys in one delete or list request.
const PAGE_SIZE: usize = 1_000;

/// Maximum number of pages of one list that are empty although more pages follow.
///
/// A bucket with many delete markers has such pages.
const MAX_EMPTY_PAGES: usize = 1_000;

/// Client, bucket and key prefix of a store.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) client: Client,
    /// Client that only signs requests, for the endpoint that clients use.
    pub(super) signer: Client,
    pub(super) name: String,
    /// Key prefix: empty, or with a trailing `/`.
    pub(super) prefix: String,
    /// Whether the last write found no space.
    full: Arc<AtomicBool>,
}

/// Entity tag that matches no object: it has the form of an MD5 hash, but no content has this hash.
pub(super) const UNMATCHED_ETAG: &str = "\"00000000000000000000000000000000\"";

/// Object as read from the bucket, before its content and write log are separated.
pub(super) struct RawObject {
    pub(super) etag: String,
    pub(super) body: Bytes,
    /// Length of the content in bytes, if a write log follows the content in the body.
    pub(super) content_length: Option<usize>,
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

/// Loads credentials and region as the AWS tools do.
///
/// Asks the metadata service for a region only where the service can exist. The metadata service knows the region of a machine at AWS. Elsewhere, requests to it take seconds to fail.
async fn shared_config(location: &S3Location) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let loader = match (&location.region, &location.endpoint) {
        (Some(region), _) => loader.region(Region::new(region.clone())),
        (None, Some(_)) => loader.region(
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else(Region::from_static(DEFAULT_REGION)),
        ),
        (None, None) => loader,
    };
    loader.load().await
}

/// Returns an endpoint as the SDK expects it: with a slash at the end of a path, if there is one.
fn endpoint_of(url: &Url) -> String {
    let bare = url.as_str().trim_end_matches('/');
    if url.path().trim_matches('/').is_empty() { bare.to_owned() } else { format!("{bare}/") }
}

impl Bucket {
    /// Creates a client for the bucket at `location`. Credentials come from the environment, the AWS profile or the
    /// machine's role.
    pub(super) async fn at(location: &S3Location) -> Self {
        let shared = shared_config(location).await;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let mut config = Builder::from(&shared)
            .region(shared.region().cloned().unwrap_or(Region::from_static(DEFAULT_REGION)))
            .force_path_style(location.path_style)
            .retry_config(RetryConfig::standard())
            // By default, the clients of all stores in a process share their retries: one failing store would use them up.
            .retry_partition(RetryPartition::custom("store").build())
            .timeout_config(timeouts)
            .http_client(http_client::limited(Possible::in_this_process(Uses::Bucket).store_connections))
            // Checksums are not needed: payloads are authenticated and records are JSON, so both reveal damage
            // themselves.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        let at = |config: Builder, endpoint: &Url| config.endpoint_url(endpoint_of(endpoint));
        if let Some(endpoint) = &location.endpoint {
            config = at(config, endpoint);
        }
        let client = Client::from_conf(config.clone().build());
        let signer = location.public_endpoint.as_ref().map(|endpoint| Client::from_conf(at(config, endpoint).build()));
        let prefix = if location.prefix.is_empty() { String::new() } else { format!("{}/", location.prefix) };
        let signer = signer.unwrap_or_else(|| client.clone());
        Self { client, signer, name: location.bucket.clone(), prefix, full: Arc::default() }
    }

    /// Creates a bucket over a client of a test.
    #[cfg(test)]
    pub(super) fn of_test(client: Client) -> Self {
        let signer = client.clone();
        Self { client, signer, name: "bucket".to_owned(), prefix: "store/".to_owned(), full: Arc::default() }
    }

    /// Returns whether the last write found no space.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Notes whether a write that ended with `error`, or without one, found space.
    pub(super) fn note_space(&self, error: Option<&StoreError>) {
        match error {
            None => self.full.store(false, Ordering::Relaxed),
            Some(StoreError::Full) => self.full.store(true, Ordering::Relaxed),
            Some(_) => {}
        }
    }

    /// Returns the object's key in the bucket: the prefix and `key`.
    pub(super) fn object_key(&self, key: &StorageKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Reads an object and splits it into content and write log; `None` if the object does not exist.
    pub(super) async fn get(&self, key: &StorageKey) -> Result<Option<StoredObject>, StoreError> {
        let Some(read) = self.read(key).await? else { return Ok(None) };
        StoredObject::parse(key.as_str(), read.etag, &read.body, read.content_length).map(Some)
    }

    /// Reads an object; `None` if it does not exist.
    ///
    /// The SDK retries a request up to the response's headers, and this function reads the object again if the connection
    /// ends within the body.
    pub(super) async fn read(&self, key: &StorageKey) -> Result<Option<RawObject>, StoreError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let request = self.client.get_object().bucket(&self.name).key(self.object_key(key));
            let mut response = match request.send().await {
                Ok(response) => response,
                Err(error) if status(&error) == Some(404) && !is_missing_bucket(&error) => return Ok(None),
                Err(error) => return Err(request_error(error)),
            };
            let etag = response.e_tag.take().unwrap_or_default();
            let content_length = response.metadata().and_then(|metadata| metadata.get(CONTENT_LENGTH));
            // An unparsable length becomes one that exceeds every body, which `StoredObject::parse` rejects.
            let content_length = content_length.map(|length| length.parse().unwrap_or(usize::MAX));
            match response.body.collect().await {
                Ok(body) => return Ok(Some(RawObject { etag, body: body.into_bytes(), content_length })),
                Err(error) if attempts == MAX_ATTEMPTS => return Err(StoreError::unavailable(error)),
                Err(error) => tracing::debug!(error = %chain(&error), key = key.as_str(), "reading an object again"),
            }
        }
    }

    /// Opens a non-empty range of an object; `None` if the object is missing or shorter.
    pub(super) async fn open(
        &self,
        key: &StorageKey,
        range: Range<u64>,
    ) -> Result<Option<GetObjectOutput>, StoreError> {
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        match self.client.get_object().bucket(&self.name).key(self.object_key(key)).range(bytes).send().await {
            Ok(response)
                if response.content_length().and_then(|length| length.try_into().ok())
                    == Some(range.end - range.start) =>
            {
                Ok(Some(response))
            }
            Ok(_) => Ok(None),
            Err(error) if matches!(status(&error), Some(404 | 416)) && !is_missing_bucket(&error) => Ok(None),
            Err(error) => Err(request_error(error)),
        }
    }

    /// Returns the length of an object; `None` if it does not exist.
    pub(super) async fn length(&self, key: &StorageKey) -> Result<Option<u64>, StoreError> {
        match self.client.head_object().bucket(&self.name).key(self.object_key(key)).send().await {
            Ok(response) => Ok(Some(length(response.content_length()))),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(request_error(error)),
        }
    }

    /// Writes an object and returns its entity tag.
    ///
    /// `content_length` is set if a write log follows the content in the body. A conditional write is never retried: if
    /// the response to a successful write were lost, a retry would fail because that write has changed the object.
    pub(super) async fn put(
        &self,
        key: &StorageKey,
        body: Bytes,
        content_length: Option<usize>,
        condition: &WriteCondition,
    ) -> Result<String, PutError> {
        let is_large = body.len() > MAX_SMALL_BODY;
        let mut request = self.client.put_object().bucket(&self.name).key(self.object_key(key));
        if let Some(length) = content_length {
            request = request.metadata(CONTENT_LENGTH, length.to_string());
        }
        let is_json = key.as_str().rsplit_once('.').is_some_and(|(_, extension)| extension == "json");
        request = request
            .content_type(if is_json && content_length.is_none() {
                "application/json"
            } else {
                "application/octet-stream"
            })
            .body(body.into());
        request = match condition {
            WriteCondition::Unconditional => request,
            WriteCondition::IfAbsent => request.if_none_match("*"),
            WriteCondition::IfMatch(etag) => request.if_match(etag),
        };
        let mut overrides = Builder::new();
        if !matches!(condition, WriteCondition::Unconditional) {
            overrides = overrides.retry_config(RetryConfig::disabled());
        }
        if is_large {
            overrides = overrides.timeout_config(large_timeouts());
        }
        match request.customize().config_override(overrides).send().await {
            // A response without an entity tag may not come from the S3 server itself.
            Ok(put) => {
                self.note_space(None);
                put.e_tag.ok_or_else(|| {
                    PutError::UnknownOutcome(StoreError::unavailable("response to a write without an ETag"))
                })
            }
            Err(error) => Err(match status(&error) {
                Some(412) => PutError::ConditionFailed,
                Some(404) if matches!(condition, WriteCondition::IfMatch(_)) && !is_missing_bucket(&error) => {
                    PutError::ConditionFailed
                }
                _ => {
                    let error = request_error(error);
                    self.note_space(Some(&error));
                    PutError::UnknownOutcome(error)
                }
            }),
        }
    }

    /// Lists at most `limit` keys that start with `prefix` and follow `after`, in byte order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server keeps returning empty pages: the number of requests is bounded.
    pub(super) async fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StorageKey>, StoreError> {
        let (mut keys, mut token, mut empty_pages) = (Vec::new(), None, 0);
        while keys.len() < limit {
            let page = i32::try_from((limit - keys.len()).min(PAGE_SIZE)).expect("a page has at most 1 000 keys");
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(format!("{}{prefix}", self.prefix))
                .set_start_after(after.map(|after| format!("{}{after}", self.prefix)))
                .set_continuation_token(token)
                .max_keys(page);
            let listed = request.send().await.map_err(request_error)?;
            empty_pages += usize::from(listed.contents().is_empty());
            let names = listed.contents().iter().filter_map(|object| object.key());
            let own_names = names.filter_map(|name| name.strip_prefix(&self.prefix));
            keys.extend(own_names.map(|name| StorageKey::from_backend(name.to_owned())));
            token = listed.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
            if empty_pages > MAX_EMPTY_PAGES {
                return Err(StoreError::unavailable("the bucket keeps listing pages without keys"));
            }
        }
        Ok(keys)
    }

    /// Removes objects; ignores missing objects.
    pub(super) async fn remove(&self, keys: &[StorageKey]) -> Result<(), StoreError> {
        if let [key] = keys {
            let request = self.client.delete_object().bucket(&self.name).key(self.object_key(key));
            return request.send().await.map(drop).map_err(request_error);
        }
        for page in keys.chunks(PAGE_SIZE) {
            let name = |key| ObjectIdentifier::builder().key(self.object_key(key)).build().expect("the key is set");
            let request = Delete::builder().set_objects(Some(page.iter().map(name).collect())).quiet(true);
            let request = request.build().expect("the objects are set");
            let response =
                self.client.delete_objects().bucket(&self.name).delete(request).send().await.map_err(request_error)?;
            if let Some(error) = response.errors().first() {
                return Err(StoreError::unavailable(format!("cannot remove objects: {error:?}")));
            }
        }
        Ok(())
    }
}

/// Returns the timeouts of requests with a large body.
pub(super) fn large_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(LARGE_ATTEMPT_TIMEOUT).build()
}

/// Converts a length in a response; 0 if it is missing or negative.
pub(super) fn length(length: Option<i64>) -> u64 {
    length.and_then(|length| length.try_into().ok()).unwrap_or(0)
}
