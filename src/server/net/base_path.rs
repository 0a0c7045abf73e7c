//! The base path of a service's URL, which a proxy may leave in the paths of requests.

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{Request, Uri};

use crate::domain::base_url::BaseUrl;

/// The path of the URL at which users reach a service, such as `/send`.
///
/// Requests below it are served as if a proxy had removed it. Segments are compared without their percent-encoding, since
/// proxies change it.
#[derive(Clone, Debug)]
pub(crate) struct BasePath(Arc<[Vec<u8>]>);

impl BasePath {
    /// Returns the base path of `url`; `None` for a URL without one.
    pub(crate) fn of(url: &BaseUrl) -> Option<Self> {
        let url = url.join("/");
        let path = url.path().trim_matches('/');
        if path.is_empty() { None } else { Some(Self(path.split('/').map(decode).collect())) }
    }

    /// Returns the base path of one segment; `None` for an empty one.
    #[cfg(feature = "lambda")]
    pub(crate) fn of_segment(segment: &str) -> Option<Self> {
        if segment.is_empty() { None } else { Some(Self(Arc::from([segment.as_bytes().to_vec()]))) }
    }

    /// Returns whether the base path begins with one of these segments.
    pub(crate) fn begins_with_any<'a>(&self, mut segments: impl Iterator<Item = &'a str>) -> bool {
        segments.any(|segment| self.0.first().is_some_and(|first| first == segment.as_bytes()))
    }

    /// Removes the base path from the path of a request that is below it.
    pub(crate) fn strip<B>(&self, request: &mut Request<B>) {
        let Some(rest) = self.rest(request.uri().path()).filter(|rest| !rest.is_empty()) else { return };
        let target = match request.uri().query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        };
        let Ok(target) = PathAndQuery::try_from(target) else { return };
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }

    /// Returns the target of a redirect from the base path to the path with a slash at its end.
    ///
    /// Relative links of pages need the slash. The target is relative, since another proxy may remove a part of the path. `None` for every other path.
    pub(crate) fn with_slash(&self, uri: &Uri) -> Option<String> {
        self.rest(uri.path()).filter(|rest| rest.is_empty())?;
        let last = uri.path().rsplit('/').next()?;
        let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
        Some(format!("./{last}/{query}"))
    }

    /// Returns the path behind the base path: empty, or with a slash in front.
    fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut rest = path;
        for own in &*self.0 {
            let behind = rest.strip_prefix('/')?;
            let end = behind.find('/').unwrap_or(behind.len());
            if decode(&behind[..end]) != *own {
                return None;
            }
            rest = &behind[end..];
        }
        Some(rest)
    }
}

/// Decodes the percent-encoding of a path segment. A `%` without two hex digits stands for itself.
fn decode(segment: &str) -> Vec<u8> {
    let bytes = segment.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let (encoded, length) = match (digit(at + 1), digit(at + 2)) {
            (Some(high), Some(low)) if *byte == b'%' => (u8::try_from(high * 16 + low).ok(), 3),
            _ => (None, 1),
        };
        decoded.push(encoded.unwrap_or(*byte));
        at += length;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Option<BasePath> {
        BasePath::of(&url.parse().unwrap())
    }

    fn stripped(base_path: &BasePath, target: &str) -> String {
        let mut request = Request::builder().uri(target).body(()).unwrap();
        base_path.strip(&mut request);
        request.uri().to_string()
    }

    #[test]
    fn requests_below_the_base_path_lose_it_and_all_others_keep_their_path() {
        let nested = base("https://h.example/a/b//").unwrap();
        for (target, expected) in [
            ("/a/b/", "/"),
            ("/a/b/d/1", "/d/1"),
            ("/a/b/d/1?x=/a/b/", "/d/1?x=/a/b/"),
            ("/a/b/?x", "/?x"),
            ("/%61/b/d/%31", "/d/%31"),
            ("https://h.example/a/b/d/1", "https://h.example/d/1"),
            ("/a/b//d", "//d"),
            // Only once.
            ("/a/b/a/b/d", "/a/b/d"),
            // Not below the base path.
            ("/", "/"),
            ("/d/1", "/d/1"),
            ("/a", "/a"),
            ("/a/b", "/a/b"),
            ("/a/bc/d", "/a/bc/d"),
            ("/a%2Fb/d", "/a%2Fb/d"),
            ("//a/b/d", "//a/b/d"),
            ("/A/b/d", "/A/b/d"),
            ("/a/b%2Fd", "/a/b%2Fd"),
            ("*", "*"),
        ] {
            assert_eq!(stripped(&nested, target), expected, "{target}");
        }
    }

    #[test]
    fn percent_encoding_of_the_base_path_makes_no_difference() {
        for url in ["https://h.example/my files/", "https://h.example/my%20files"] {
            let base_path = base(url).unwrap();
            assert_eq!(stripped(&base_path, "/my%20files/d/1"), "/d/1");
            assert_eq!(stripped(&base_path, "/m%79%20files/d/1"), "/d/1");
        }
        let odd = base("https://h.example/a%zz%f0").unwrap();
        assert_eq!(stripped(&odd, "/a%zz%F0/x"), "/x");
    }

    #[test]
    fn a_url_without_a_path_has_no_base_path() {
        for url in ["https://h.example", "https://h.example/", "https://h.example//", "https://h.example/a/.."] {
            assert!(base(url).is_none(), "{url}");
        }
    }

    #[test]
    fn only_the_base_path_itself_needs_a_slash() {
        let base_path = base("https://h.example/a/b").unwrap();
        for (target, expected) in
            [("/a/b", Some("./b/")), ("/a/%62?x=1", Some("./%62/?x=1")), ("/a/b/", None), ("/a", None), ("/", None)]
        {
            assert_eq!(base_path.with_slash(&target.parse().unwrap()).as_deref(), expected, "{target}");
        }
        assert!(base_path.begins_with_any(["x", "a"].into_iter()));
        assert!(!base_path.begins_with_any(["b", ""].into_iter()));
    }
}
