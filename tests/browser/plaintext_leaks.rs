//! Plaintext leak test for pages. Content, file name, key and passphrase never appear on the wire, in the service, or
//! in the browser's files.

use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sgsend::domain::crypto::key::LinkSecret;
use sgsend::domain::crypto::passphrase::Passphrase;
use sgsend::domain::link::Link;

use crate::support::{Browser, Home, LeftoverFiles, RecordingProxy, SentRequest, Service, chromium_with_files};

const CONTENT: &str = "a canary sings in the coal mine; ";
const NAME: &str = "yellow-canary-name.txt";
const PASSPHRASE: &str = "the canary's own passphrase";
const MESSAGE: &str = "the canary sends its regards";
/// Files in which Chromium records the URLs that it opens, sooner or later.
const URL_RECORDS: [&str; 5] = ["/History", "/Favicons", "/Sessions/", "/Top Sites", "/segmentation_platform/"];
const RECIPIENTS: [&str; 2] = ["Canary Ada", "Canary Bob"];

/// Starts a service with trace logging, behind a recording proxy.
fn service() -> (Service, RecordingProxy) {
    let home = Home::new();
    let storage = format!("file:{}", home.path().join("store").display());
    let serving = home.server().storage(&storage).env("SGSEND_LOG", "trace").start();
    let service = Service::of(home, serving);
    let tap = RecordingProxy::to(&service.serving.public);
    (service, tap)
}

/// Returns the fragment of a link, with and without its prefix.
fn fragment(link: &str) -> [Vec<u8>; 2] {
    let (_, fragment) = link.split_once('#').unwrap();
    let (_, key) = fragment.split_once('.').unwrap();
    [fragment, key].map(|text| text.as_bytes().to_vec())
}

/// Returns all encodings of a link's key other than the link's own. Includes those of the key derived with the
/// passphrase.
fn keys(link: &str) -> Vec<Vec<u8>> {
    let link_key = BASE64_URL_SAFE_NO_PAD.decode(&fragment(link)[1]).unwrap();
    let link: Link = link.parse().unwrap();
    let key = link.key.unwrap();
    let passphrase = Passphrase::new(PASSPHRASE).unwrap();
    let secret = key.unlock(key.needs_passphrase().then_some(&passphrase)).unwrap();
    let secret = match &secret {
        LinkSecret::Own(key) => key.as_bytes(),
        LinkSecret::Further(key) => key.as_bytes(),
    };
    let mut all = Vec::new();
    for bytes in [link_key.as_slice(), secret] {
        all.push(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
        all.push(BASE64_STANDARD.encode(bytes).into_bytes());
        all.push(bytes.to_vec());
    }
    if key.needs_passphrase() {
        all.push(BASE64_URL_SAFE_NO_PAD.encode(secret).into_bytes());
    }
    all
}

/// Returns content, file name, message and passphrase in the forms to search for.
fn texts() -> [Vec<u8>; 7] {
    let texts = [CONTENT, NAME, "yellow-canary", MESSAGE, PASSPHRASE, RECIPIENTS[0], RECIPIENTS[1]];
    texts.map(|text| text.as_bytes().to_vec())
}

/// Sends a file from the page; returns the last link, and all requests. Names `recipients` in the form.
async fn send(
    browser: &Browser,
    service: &Service,
    tap: &RecordingProxy,
    recipients: &[&str],
) -> (String, Vec<SentRequest>) {
    browser.goto(&format!("{}/", tap.url)).await;
    browser.use_token(&service.token).await;
    browser.choose("#files", &[&service.home.file(NAME, CONTENT.repeat(80_000).as_bytes())]).await;
    browser.fill_option("#message", MESSAGE).await;
    browser.fill_option("#recipients", &recipients.join(", ")).await;
    browser.fill_option("#passphrase", PASSPHRASE).await;
    browser.fill_option("#downloads", "3").await;
    browser.click("#send").await;
    browser.wait_until_visible("#sent").await;
    let link = match recipients.len() {
        0 => browser.value("#link").await,
        count => browser.value(&format!("#link-{}", count - 1)).await,
    };
    let stored = browser.stored_data().await.to_string();
    for canary in
        texts().iter().chain(&keys(&link)).chain(&fragment(&link)).chain([&service.token.clone().into_bytes()])
    {
        assert!(!contains(stored.as_bytes(), canary), "{:?} is stored: {stored}", String::from_utf8_lossy(canary));
    }
    (link, browser.requests().await)
}

async fn receive(browser: &Browser, link: &str) -> Vec<SentRequest> {
    browser.goto(link).await;
    browser.fill_option("#passphrase", PASSPHRASE).await;
    browser.enter("#passphrase").await;
    browser.wait_for_text("#file-message", MESSAGE).await;
    browser.click("#download").await;
    browser.wait_for_text("#outcome", "Download finished").await;
    let (name, content) = browser.download().await;
    assert_eq!(name, NAME);
    assert!(content == CONTENT.repeat(80_000).into_bytes());
    let stored = browser.stored_data().await.to_string();
    for canary in texts().iter().chain(&keys(link)).chain(&fragment(link)) {
        assert!(!contains(stored.as_bytes(), canary), "{:?} is stored: {stored}", String::from_utf8_lossy(canary));
    }
    browser.requests().await
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

fn names_and_contents(folder: &Path) -> Vec<u8> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let named = |entry: walkdir::DirEntry| {
        let content = if entry.path().is_file() { std::fs::read(entry.path()).unwrap() } else { Vec::new() };
        [entry.file_name().as_encoded_bytes(), b"\n", &content].concat()
    };
    entries.flat_map(named).collect()
}

/// Returns the grants in the headers of the requests.
fn grants(requests: &[SentRequest]) -> Vec<Vec<u8>> {
    let all = requests.iter().flat_map(|request| &request.headers);
    all.filter(|(name, _)| name == "x-sgsend-grant").map(|(_, value)| value.clone().into_bytes()).collect()
}

/// Checks that a browser's files contain no canary. Skips files in which the browser itself records visited URLs.
fn assert_no_canary((whose, files): (&str, &LeftoverFiles), canaries: &[Vec<u8>], but_for: &[&str]) {
    for canary in canaries {
        let holding = files.holding(canary);
        let unexpected: Vec<_> =
            holding.iter().filter(|path| !but_for.iter().any(|name| path.to_string_lossy().contains(name))).collect();
        assert!(unexpected.is_empty(), "{whose} has {:?} in {unexpected:?}", String::from_utf8_lossy(canary));
    }
}

#[tokio::test]
async fn content_name_key_and_passphrase_never_leak() {
    check_leaks(&[]).await;
}

#[tokio::test]
async fn an_upload_for_several_recipients_leaks_neither_keys_nor_names() {
    check_leaks(&RECIPIENTS).await;
}

async fn check_leaks(recipients: &[&str]) {
    let (service, tap) = service();
    let sent = chromium_with_files(async |browser| send(browser, &service, &tap, recipients).await).await;
    let Some(((link, mut requests), of_sender)) = sent else { return };
    assert_eq!(link.contains("#v2p."), !recipients.is_empty(), "{link}");
    let (more, of_recipient) = chromium_with_files(async |browser| receive(browser, &link).await).await.unwrap();
    requests.extend(more);

    let Service { home, serving, token } = service;
    let (log, wire, stored) = (serving.terminate(), tap.recorded(), names_and_contents(&home.path().join("store")));
    let grants = grants(&requests);
    assert!(!grants.is_empty() && wire.len() > 2 * 80_000 * CONTENT.len(), "the recording is incomplete");
    assert!(
        contains(&stored, b"transfer.create") && contains(&wire, b"/transfers/create"),
        "the search can't find a text that is stored"
    );
    assert!(log.contains("/transfers/create"), "the log level is not trace: {log}");

    let (texts, keys, fragment) = (texts(), keys(&link), fragment(&link));
    for canary in texts.iter().chain(&keys).chain(&fragment) {
        let what = String::from_utf8_lossy(canary);
        for (place, bytes) in [("on the wire", &wire), ("in the store", &stored)] {
            assert!(!contains(bytes, canary), "{what:?} is {place}");
        }
        assert!(!contains(log.as_bytes(), canary), "{what:?} is in the log");
        let telling: Vec<_> = requests.iter().filter(|request| request.holds(canary)).collect();
        assert!(telling.is_empty(), "{what:?} is in {telling:?}");
    }
    let secret = token.rsplit('_').next().unwrap().as_bytes().to_vec();
    for canary in grants.iter().chain([&secret]) {
        assert!(contains(&wire, canary), "the secret was not sent");
        assert!(!contains(&stored, canary) && !contains(log.as_bytes(), canary), "a secret was stored or logged");
    }

    let content = [CONTENT.as_bytes().to_vec(), PASSPHRASE.as_bytes().to_vec()];
    let (of_sender, of_recipient) = (("the sender", &of_sender), ("the recipient", &of_recipient));
    for left in [of_sender, of_recipient] {
        assert_no_canary(left, &content, &[]);
        assert_no_canary(left, &[grants.clone(), vec![secret.clone()]].concat(), &[]);
    }
    for left in [of_sender, of_recipient] {
        assert_no_canary(left, &keys, &[]);
    }
    assert_no_canary(of_sender, &fragment, &[]);
    // A browser records the URL that it opens before a page can prevent that: in its history, in storage indexed by
    // URL, and in session restore files. The browser lists downloads, too.
    assert_no_canary(of_recipient, &fragment, &URL_RECORDS);
    assert_no_canary(of_recipient, &[NAME.as_bytes().to_vec()], &["/History", "/shared_proto_db/"]);
    assert_no_canary(of_sender, &[NAME.as_bytes().to_vec()], &[]);
}

#[tokio::test]
async fn a_text_does_not_outlive_its_tab() {
    let (service, _) = service();
    let run = chromium_with_files(async |browser| {
        browser.goto(&service.page()).await;
        browser.use_token(&service.token).await;
        browser.write_text(CONTENT).await;
        browser.click("#send").await;
        browser.wait_until_visible("#sent").await;
        let link = browser.value("#link").await;
        // Leaving a page is the time at which a browser records the content of form fields.
        browser.goto(&format!("{}/docs", service.serving.public)).await;
        link
    });
    let Some((link, files)) = run.await else { return };
    assert_no_canary(("the sender", &files), &[CONTENT.as_bytes().to_vec()], &[]);
    assert_no_canary(("the sender", &files), &keys(&link), &[]);
    assert_no_canary(("the sender", &files), &fragment(&link), &[]);
    assert_no_canary(("the sender", &files), &[service.token.into_bytes()], &[]);
}

#[tokio::test]
async fn an_upload_of_a_guest_leaks_neither_content_nor_secret() {
    const GUEST: &str = "Canary Grace";
    const PURPOSE: &str = "papers-about-canaries";
    let (service, tap) = service();
    let request = service.run(&["request", "create", "--for", PURPOSE, "--json"]).json();
    let (id, link) = (request["token_id"].as_str().unwrap(), request["link"].as_str().unwrap());
    let (_, secret) = link.split_once("#r1.").unwrap();
    let secret = BASE64_URL_SAFE_NO_PAD.decode(&secret[..43]).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect::<Vec<_>>();
    let secrets = [
        BASE64_URL_SAFE_NO_PAD.encode(&secret).into_bytes(),
        BASE64_STANDARD.encode(&secret).into_bytes(),
        hex(&secret),
        secret.clone(),
    ];
    let texts = [CONTENT, NAME, "yellow-canary", MESSAGE, GUEST, PURPOSE].map(|text| text.as_bytes().to_vec());
    let run = chromium_with_files(async |browser| {
        browser.goto(&link.replace(&service.serving.public, &tap.url)).await;
        browser.wait_for_text("#purpose-text", PURPOSE).await;
        browser.choose("#files", &[&service.home.file(NAME, CONTENT.repeat(80_000).as_bytes())]).await;
        browser.wait_until_visible("#chosen li").await;
        browser.fill("#sender", GUEST).await;
        browser.fill("#note", MESSAGE).await;
        browser.click("#send").await;
        browser.wait_until_visible("#sent").await;
        let stored = browser.stored_data().await.to_string();
        // Leaving a page is the time at which a browser records the content of form fields.
        browser.goto(&format!("{}/docs", service.serving.public)).await;
        (stored, browser.requests().await)
    });
    let Some(((stored_by_browser, requests), files)) = run.await else { return };
    let inbox = service.home.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let received = service.run(&["request", "download", id, "-o", inbox.to_str().unwrap(), "--json"]).json();
    let path = received["items"][0]["path"].as_str().unwrap_or_else(|| panic!("{received}"));
    assert!(std::fs::read(path).unwrap() == CONTENT.repeat(80_000).into_bytes());

    let proofs: Vec<Vec<u8>> = requests
        .iter()
        .flat_map(|request| &request.headers)
        .filter(|(name, _)| name == "x-sgsend-guest")
        .map(|(_, value)| value.clone().into_bytes())
        .collect();
    let Service { home, serving, .. } = service;
    let (log, wire, stored) = (serving.terminate(), tap.recorded(), names_and_contents(&home.path().join("store")));
    assert!(wire.len() > 80_000 * CONTENT.len() && contains(&wire, b"x-sgsend-guest"), "the recording is incomplete");
    for canary in texts.iter().chain(&secrets) {
        let what = String::from_utf8_lossy(canary);
        for (place, bytes) in [("on the wire", &wire[..]), ("in the store", &stored), ("in the log", log.as_bytes())] {
            assert!(!contains(bytes, canary), "{what:?} is {place}");
        }
        assert!(!contains(stored_by_browser.as_bytes(), canary), "{what:?} is stored: {stored_by_browser}");
        let telling: Vec<_> = requests.iter().filter(|request| request.holds(canary)).collect();
        assert!(telling.is_empty(), "{what:?} is in {telling:?}");
    }
    assert!(!proofs.is_empty(), "no request had a proof");
    for proof in &proofs {
        assert!(!contains(stored_by_browser.as_bytes(), proof) && !contains(log.as_bytes(), proof));
    }
    let guest = ("the guest", &files);
    let written = [CONTENT, MESSAGE, GUEST, NAME].map(|text| text.as_bytes().to_vec());
    assert_no_canary(guest, &written, &[]);
    assert_no_canary(guest, &proofs, &[]);
    // A browser records the URL that it opens before a page can prevent that.
    assert_no_canary(guest, &[&secrets[..], &[PURPOSE.as_bytes().to_vec()]].concat(), &URL_RECORDS);
}
