//! Signatures of senders, which the page verifies: also with a server that changes what it stores.

use serde_json::{Value, json};
use sgsend::domain::crypto::envelope::{self, Metadata};
use sgsend::domain::crypto::key::{LinkSecret, PayloadKey};
use sgsend::domain::crypto::sealed::{Layout, Sealer, header_bytes};
use sgsend::domain::link::Link;
use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};

use super::recipients::new_key;
use crate::support::{Browser, Service, chromium, each};

/// Replaces members of the status, and the payload, of one transfer. `null` removes a member.
const CHEATING: &str = "
    const ask = globalThis.fetch;
    globalThis.fetch = async (target, ...rest) => {
      const response = await ask(target, ...rest);
      const [url, lie] = [`${target}`, JSON.parse(localStorage.getItem('lie') ?? '{}')];
      if (url.includes('/download-bytes') && lie.payload) {
        const bytes = Uint8Array.from(atob(lie.payload), (one) => one.charCodeAt(0));
        return new Response(bytes, { status: 206 });
      }
      if (!url.endsWith('/status') || !lie.status) return response;
      const status = { ...await response.json(), ...lie.status };
      return Response.json(Object.fromEntries(Object.entries(status).filter(([name, value]) =>
        value !== null || !(name in lie.status))));
    };";

/// Returns a key that signs: the option for it, and its fingerprint.
fn signer(service: &Service, seed: u8) -> (String, String) {
    let key = PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap();
    let text = key.to_openssh(ssh_key::LineEnding::LF).unwrap();
    let file = service.home.file(&format!("id-{seed}"), text.as_bytes());
    (format!("--sign={file}"), key.fingerprint(ssh_key::HashAlg::Sha256).to_string())
}

fn key_of(link: &str) -> PayloadKey {
    link.parse::<Link>().unwrap().key.unwrap().unlock(None).unwrap().into_own().unwrap()
}

/// Returns the complete status of a link, as a recipient with its key gets it.
async fn status(service: &Service, link: &str) -> Value {
    let id = link.parse::<Link>().unwrap().transfer_id;
    let proof = LinkSecret::Own(key_of(link)).access_proof();
    let url = format!("{}/transfers/id/{id}/status", service.serving.public);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(url).header("x-sgsend-access", &*proof.to_text()).send().await.unwrap();
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Returns the element's text now, which may be empty.
async fn text_now(browser: &Browser, selector: &str) -> String {
    let text = browser.script("return document.querySelector(args).textContent", json!(selector)).await;
    text.as_str().unwrap().to_owned()
}

/// Opens `link` with a server that tells `lie`, and downloads if possible; returns the error.
async fn refused(browser: &Browser, link: &str, lie: &Value) -> String {
    browser.script("localStorage.setItem('lie', JSON.stringify(args))", lie.clone()).await;
    browser.goto("about:blank").await;
    browser.goto(link).await;
    browser
        .until("an error or the button", async || {
            (browser.is_visible("#download").await || !text_now(browser, "#error").await.is_empty()).then_some(())
        })
        .await;
    if text_now(browser, "#error").await.is_empty() {
        browser.click("#download").await;
    }
    let error = browser.wait_for_text("#error", "signature").await;
    assert_eq!(text_now(browser, "#outcome").await, "", "something was saved");
    error
}

#[tokio::test]
async fn a_signature_is_verified_before_the_file_is_complete() {
    let service = Service::start();
    let (sign, fingerprint) = signer(&service, 9);
    let (public, secret) = new_key();
    each(async |browser| {
        let large: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        for content in [b"hello\n".to_vec(), large] {
            let link = service.upload("report.txt", &content, &[&sign]);
            browser.goto(&link).await;
            browser.wait_for_text("#sender", "Claims to be signed by the key").await;
            assert!(browser.text("#sender").await.contains(&fingerprint));
            browser.click("#download").await;
            browser.wait_for_text("#outcome", "Download finished").await;
            let signed = browser.wait_for_text("#sender", "Signed by the key").await;
            assert!(signed.contains(&fingerprint) && signed.contains("for anyone"), "{signed}");
            assert!(browser.download().await.1 == content);
        }
        let link = service.upload("report.txt", b"for you\n", &[&sign, "--to", &public]);
        browser.goto(&link).await;
        browser.fill("#identity", &secret).await;
        browser.enter("#identity").await;
        browser.wait_for_text("#sender", "Claims to be signed").await;
        browser.click("#download").await;
        browser.wait_for_text("#sender", "for you").await;
        assert_eq!(browser.download().await.1, b"for you\n");
    })
    .await;
}

#[tokio::test]
async fn parts_of_a_signed_archive_say_that_nothing_was_checked() {
    let service = Service::start();
    let (sign, _) = signer(&service, 10);
    let folder = service.home.path().join("papers");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.txt"), "a").unwrap();
    chromium(async |browser| {
        let link = service.run(&["upload", folder.to_str().unwrap(), &sign]).text();
        browser.goto(&link).await;
        browser.wait_for_text("#sender", "Claims to be signed").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        browser.wait_for_text("#sender", "Signature not checked").await;
    })
    .await;
}

#[tokio::test]
async fn what_a_cheating_server_changes_is_refused() {
    let service = Service::start();
    let ((sign, _), (other_sign, _)) = (signer(&service, 11), signer(&service, 12));
    let (ada, ada_secret) = new_key();
    let link = service.upload("report.txt", b"the report\n", &[&sign, "--no-padding"]);
    let other = service.upload("report.txt", b"the report\n", &[&other_sign, "--message", "other"]);
    let unsigned = service.upload("report.txt", b"the report\n", &["--message", "none"]);
    let for_ada = service.upload("report.txt", b"for ada\n", &[&sign, "--to", &ada]);
    let (own, foreign) = (status(&service, &link).await, status(&service, &other).await);
    let size = usize::try_from(own["size_bytes"].as_u64().unwrap()).unwrap();
    let payload = |signed| {
        use base64::prelude::{BASE64_STANDARD, Engine};
        BASE64_STANDARD.encode(forged(&key_of(&link), size, signed))
    };
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.before_scripts(CHEATING).await;
        let signature = |value: &Value| json!({ "status": { "signature": value } });
        for (link, lie, words) in [
            (&link, signature(&Value::Null), "signature is missing"),
            (&link, signature(&foreign["signature"]), "it is damaged"),
            (&unsigned, signature(&own["signature"]), "it is damaged"),
            (&link, json!({ "payload": payload(true) }), "does not belong to this content"),
            (&link, json!({ "payload": payload(false) }), "signature is missing"),
            // The link of the forwarded key, for a transfer that was signed for Ada.
            (&link.replace("127.0.0.1", "localhost"), json!({}), "does not belong to this content"),
        ] {
            if link.contains("localhost") {
                browser.goto(&service.page().replace("127.0.0.1", "localhost")).await;
            }
            let error = refused(browser, link, &lie).await;
            assert!(error.contains(words), "{words} is not in {error} for {lie}");
        }
        browser.goto(&service.page()).await;
        browser.script("localStorage.clear()", json!(null)).await;
        browser.goto(&link).await;
        browser.click("#download").await;
        browser.wait_for_text("#sender", "Signed by the key").await;

        // Ada forwards what was signed for her, with the key itself in the link.
        let id = for_ada.parse::<Link>().unwrap().transfer_id;
        let url = format!("{}/transfers/id/{id}/keys", service.serving.public);
        let keys = reqwest::get(url).await.unwrap().bytes().await.unwrap();
        let forwarded = forwarded(&for_ada, &keys, &ada_secret);
        let error = refused(browser, &forwarded, &json!({})).await;
        assert!(error.contains("does not belong"), "{error}");
    })
    .await;
}

/// Returns the link with the payload key that the recipient with this private key has unwrapped.
fn forwarded(link: &str, keys: &[u8], secret: &str) -> String {
    use sgsend::domain::people::recipient_keys::{IdentityFile, KeysBlob, KeysPlaintext, encode_payload_key, unwrap};
    let identities = IdentityFile::parse(secret.as_bytes(), None).unwrap().unlock("").unwrap();
    let (plaintext, _) = unwrap(&KeysBlob::from_bytes(keys).unwrap(), &identities).unwrap();
    let key = KeysPlaintext::parse(&plaintext).unwrap().key;
    format!("{}#{}", link.split_once('#').unwrap().0, *encode_payload_key(&key))
}

/// Seals other content with the same key into `size` bytes, as somebody with the key can.
fn forged(key: &PayloadKey, size: usize, signed: bool) -> Vec<u8> {
    let layout = Layout::of_sealed(size as u64).unwrap();
    let plaintext_bytes = usize::try_from(layout.plaintext_size()).unwrap();
    let encoded = |content: usize| {
        let metadata = Metadata {
            filename: "report.txt".to_owned(),
            size: content as u64,
            content_type: None,
            modified_ms: None,
            archive: None,
            mode: None,
            signed,
        };
        envelope::encode(&metadata).unwrap()
    };
    let content = (0..plaintext_bytes).rev().find(|content| encoded(*content).len() + content == plaintext_bytes);
    let mut plaintext = encoded(content.unwrap());
    plaintext.resize(plaintext_bytes, b'F');
    let mut segment = vec![0; header_bytes(0)];
    segment.extend_from_slice(&plaintext);
    Sealer::new(key).seal(0, true, &mut segment);
    segment
}
