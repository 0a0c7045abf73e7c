//! Parsers for share links, keys, ids and server URLs.

#![no_main]

use std::fmt::{Debug, Display};

use libfuzzer_sys::fuzz_target;
use sgsend::client::Origin;
use sgsend::domain::base_url::BaseUrl;
use sgsend::domain::crypto::key::LinkKey;
use sgsend::domain::link::{Link, RequestLink};

fn check_base_url(base_url: &BaseUrl) {
    let written = base_url.to_string();
    assert_eq!(written.parse().as_ref(), Ok(base_url), "{written}");
    let joined = base_url.join("/d/1");
    assert_eq!(joined.as_str(), format!("{written}/d/1"));
    assert_eq!(Origin::of(&joined), Origin::from(base_url), "a route has another origin");
    assert!(matches!(joined.scheme(), "http" | "https") && joined.has_host());
    assert!(joined.username().is_empty() && joined.password().is_none());
    assert!(joined.query().is_none() && joined.fragment().is_none());
    assert!(!(joined.scheme() == "https" && base_url.is_plain_http_beyond_loopback()));
}

/// Checks that an error contains no 8 consecutive characters of the text behind the first `#`.
///
/// Only parts with a digit and both cases count: those that look like a key, and that no error text has.
fn check_error(error: &(impl Display + Debug), text: &str) {
    let told = format!("{error} {error:?}");
    let fragment: Vec<_> = text.split_once('#').map_or(text, |(_, fragment)| fragment).chars().collect();
    for part in fragment.windows(8) {
        let has = |is_kind: fn(&char) -> bool| part.iter().any(is_kind);
        if has(char::is_ascii_digit) && has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) {
            let part: String = part.iter().collect();
            assert!(!told.contains(&part), "{told:?} contains {part:?}");
        }
    }
}

/// Checks that the link of a request keeps its meaning when it is written and read again.
fn check_request_link(text: &str) {
    let link = match text.parse::<RequestLink>() {
        Ok(link) => link,
        Err(error) => return check_error(&error, text),
    };
    check_base_url(&link.base_url);
    let written = link.to_text();
    let Ok(reparsed) = written.parse::<RequestLink>() else { panic!("{} cannot be parsed", *written) };
    assert_eq!(reparsed.to_text(), written);
    assert_eq!(reparsed.token().to_text(), link.token().to_text());
}

fuzz_target!(|text: &str| {
    check_request_link(text);
    if let Ok(base_url) = text.parse() {
        check_base_url(&base_url);
    }
    match Link::parse_key(text) {
        Ok(key) => {
            let Ok(reparsed) = Link::parse_key(&key.to_text()) else { panic!("{} cannot be parsed", *key.to_text()) };
            assert_eq!(reparsed.to_text(), key.to_text());
        }
        Err(error) => check_error(&error, text),
    }
    if let Some(id) = Link::parse_id(text) {
        assert_eq!(Link::parse_id(&id.to_string()), Some(id));
    }
    let link = match text.parse::<Link>() {
        Ok(link) => link,
        Err(error) => return check_error(&error, text),
    };
    check_base_url(&link.base_url);
    let key = |link: &Link| link.key.as_ref().map(LinkKey::to_text);
    let written = link.to_text();
    let Ok(reparsed) = written.parse::<Link>() else { panic!("{} cannot be parsed", *written) };
    assert_eq!(
        (&reparsed.base_url, reparsed.transfer_id, key(&reparsed)),
        (&link.base_url, link.transfer_id, key(&link))
    );
    let without_fragment = link.without_key();
    assert!(!without_fragment.contains(['#', '?']), "{without_fragment}");
    let Ok(without_key) = without_fragment.parse::<Link>() else { panic!("{without_fragment} cannot be parsed") };
    assert_eq!(
        (&without_key.base_url, without_key.transfer_id, key(&without_key)),
        (&link.base_url, link.transfer_id, None)
    );
});
