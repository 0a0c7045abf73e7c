//! Parsers for share links and server URLs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::client::Origin;
use sgsend::domain::base_url::BaseUrl;
use sgsend::domain::crypto::key::LinkKey;
use sgsend::domain::link::Link;

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

fuzz_target!(|text: &str| {
    if let Ok(base_url) = text.parse() {
        check_base_url(&base_url);
    }
    let Ok(link) = text.parse::<Link>() else { return };
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
