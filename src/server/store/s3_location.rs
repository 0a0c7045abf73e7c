//! Storage URLs of S3 buckets: `s3://BUCKET/PREFIX`, with options in the query.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Location of a store on AWS S3 or an S3-compatible server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    /// Bucket name.
    pub bucket: String,
    /// Key prefix of the store, without `/` at either end; empty for the whole bucket.
    pub prefix: String,
    /// Endpoint of an S3-compatible server; `None` for AWS.
    pub endpoint: Option<Url>,
    /// Endpoint that clients use, if they reach the server at another address than this service.
    pub public_endpoint: Option<Url>,
    /// Whether all payloads pass through the service, because clients cannot reach the server.
    pub bytes_only: bool,
    /// Whether URLs have the bucket name in their path (path-style addressing) instead of their host.
    pub path_style: bool,
    /// Region; `None` for the region of the environment or the AWS profile.
    pub region: Option<String>,
}

/// Reason why a text is not a valid storage URL of an S3 store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidS3Location {
    /// The URL does not have the form `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    #[error("the URL of an S3 store has the form s3://BUCKET or s3://BUCKET/PREFIX")]
    Form,
    /// The query has an unknown option.
    #[error(
        "unknown option {0} in the URL of an S3 store: the options are endpoint, public_endpoint, path_style, region and flow"
    )]
    Option(String),
    /// An endpoint is not an HTTP or HTTPS URL.
    #[error("an endpoint must be an http or https URL")]
    Endpoint,
    /// `flow` has another value than `bytes`.
    #[error("flow must be bytes: without this option, clients use presigned URLs")]
    Flow,
    /// `path_style` is not a boolean.
    #[error("path_style must be 1, true, yes or on; or 0, false, no or off")]
    PathStyle,
    /// The region is not a valid host label.
    #[error("invalid region: use a name like eu-central-1")]
    Region,
}

impl FromStr for S3Location {
    type Err = InvalidS3Location;

    fn from_str(text: &str) -> Result<Self, InvalidS3Location> {
        let url = Url::parse(text).map_err(|_| InvalidS3Location::Form)?;
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty()).ok_or(InvalidS3Location::Form)?;
        let bare = url.username().is_empty() && url.password().is_none() && url.port().is_none();
        if url.scheme() != "s3" || !bare || url.fragment().is_some() {
            return Err(InvalidS3Location::Form);
        }
        let prefix = url.path().trim_matches('/').to_owned();
        // Rejects `%` in the prefix: the URL parser encodes the characters that a key must not contain.
        if prefix.contains('%') || prefix.split('/').any(|part| part.is_empty() && !prefix.is_empty()) {
            return Err(InvalidS3Location::Form);
        }
        let mut location = Self {
            bucket: bucket.to_owned(),
            prefix,
            endpoint: None,
            public_endpoint: None,
            bytes_only: false,
            path_style: false,
            region: None,
        };
        for (name, value) in url.query_pairs() {
            match &*name {
                "endpoint" => location.endpoint = Some(parse_endpoint(&value)?),
                "public_endpoint" => location.public_endpoint = Some(parse_endpoint(&value)?),
                "flow" if value == "bytes" => location.bytes_only = true,
                "flow" => return Err(InvalidS3Location::Flow),
                "path_style" => location.path_style = parse_bool(&value)?,
                "region" if is_region(&value) => location.region = Some(value.into_owned()),
                "region" => return Err(InvalidS3Location::Region),
                _ => return Err(InvalidS3Location::Option(name.into_owned())),
            }
        }
        Ok(location)
    }
}

impl S3Location {
    /// Returns the URL that identifies the storage.
    ///
    /// Omits the options that only say how to reach the bucket: URLs that differ only in them belong to the same storage.
    pub(super) fn name(&self) -> String {
        let bare = Self { public_endpoint: None, bytes_only: false, path_style: false, region: None, ..self.clone() };
        bare.to_string()
    }
}

fn parse_endpoint(text: &str) -> Result<Url, InvalidS3Location> {
    let url = Url::parse(text).map_err(|_| InvalidS3Location::Endpoint)?;
    let bare = url.username().is_empty() && url.password().is_none();
    let bare = bare && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && bare {
        Ok(url)
    } else {
        Err(InvalidS3Location::Endpoint)
    }
}

/// Returns whether a region can be a label of the endpoint's host name.
fn is_region(text: &str) -> bool {
    let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(label)
}

fn parse_bool(text: &str) -> Result<bool, InvalidS3Location> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(InvalidS3Location::PathStyle),
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        let mut options = url::form_urlencoded::Serializer::new(String::new());
        options.extend_pairs(self.endpoint.iter().map(|url| ("endpoint", url.as_str())));
        options.extend_pairs(self.public_endpoint.iter().map(|url| ("public_endpoint", url.as_str())));
        options.extend_pairs(self.bytes_only.then_some(("flow", "bytes")));
        options.extend_pairs(self.path_style.then_some(("path_style", "1")));
        options.extend_pairs(self.region.iter().map(|region| ("region", region)));
        let options = options.finish();
        if options.is_empty() { Ok(()) } else { write!(f, "?{options}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_survives_parsing_and_formatting() {
        let plain: S3Location = "s3://bucket".parse().unwrap();
        assert_eq!((plain.bucket.as_str(), plain.prefix.as_str(), plain.path_style), ("bucket", "", false));
        let text = "s3://my.bucket/a/b/?endpoint=http://127.0.0.1:4566&path_style=1&region=eu-west-1\
                    &public_endpoint=https://files.example.org/s3&flow=bytes";
        let location: S3Location = text.parse().unwrap();
        assert_eq!((location.bucket.as_str(), location.prefix.as_str()), ("my.bucket", "a/b"));
        assert_eq!(location.endpoint.as_ref().unwrap().as_str(), "http://127.0.0.1:4566/");
        assert_eq!((location.path_style, location.region.as_deref()), (true, Some("eu-west-1")));
        assert_eq!(location.public_endpoint.as_ref().unwrap().as_str(), "https://files.example.org/s3");
        assert!(location.bytes_only && !plain.bytes_only);
        assert_eq!(location.name(), "s3://my.bucket/a/b?endpoint=http%3A%2F%2F127.0.0.1%3A4566%2F");
        assert_eq!(location.to_string().parse(), Ok(location));
        assert_eq!(plain.to_string(), "s3://bucket");
    }

    #[test]
    fn invalid_urls_are_rejected() {
        let error = |text: &str| text.parse::<S3Location>().unwrap_err();
        for text in [
            "",
            "s3:",
            "s3://",
            "s3:///prefix",
            "http://bucket",
            "s3://u:p@bucket",
            "s3://bucket:1",
            "s3://b/a//b",
            "s3://b/a#x",
            "s3://b/a%20b",
        ] {
            assert_eq!(error(text), InvalidS3Location::Form, "{text}");
        }
        assert_eq!(error("s3://b?pathstyle=1"), InvalidS3Location::Option("pathstyle".to_owned()));
        assert_eq!(error("s3://b?path_style=2"), InvalidS3Location::PathStyle);
        for (word, is_set) in [("1", true), ("Yes", true), ("ON", true), ("0", false), ("no", false), ("Off", false)] {
            let location: S3Location = format!("s3://b?path_style={word}").parse().unwrap();
            assert_eq!(location.path_style, is_set, "{word}");
        }
        assert_eq!(error("s3://b?flow=presigned"), InvalidS3Location::Flow);
        for region in ["", "eu west", "eu.west", "EU"] {
            assert_eq!(error(&format!("s3://b?region={region}")), InvalidS3Location::Region, "{region}");
        }
        for endpoint in ["x", "file:///etc", "http://u:p@host", "http://host/?a=b", "http://host/%23a"] {
            for option in ["endpoint", "public_endpoint"] {
                let text = format!("s3://b?{option}={endpoint}");
                assert_eq!(error(&text), InvalidS3Location::Endpoint, "{text}");
            }
        }
    }
}
