//! Encryption in page scripts, checked against the format's test vectors, this crate, and Tink.

use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sgsend::domain::crypto::digest::Sha256;
use sgsend::domain::crypto::info::SealedInfo;
use sgsend::domain::crypto::key::{LinkKey, PayloadKey};
use sgsend::domain::crypto::label::LinkName;
use sgsend::domain::crypto::link_text::{SealedLabel, WrappedKey};
use sgsend::domain::crypto::passphrase::Passphrase;
use sgsend::domain::crypto::random;
use sgsend::domain::crypto::sealed::{Layout, OpenStream, SEGMENT_SIZE, Sealer};
use sgsend::domain::id::LinkId;

use crate::support::{Browser, Service, content, each, tink_open, tink_seal};

/// Plaintext sizes around the changes of the segment count, in bytes.
const SIZES: [usize; 6] = [0, 1, 1_048_520, 1_048_521, 2_097_080, 2_097_081];

/// Common prelude of all scripts in this file.
const COMMON: &str = r#"
    const load = (name) => import(new URL(`web/format/${name}.js`, args.root));
    const modules = ["sealed", "key", "bytes", "envelope", "padding", "info", "link"];
    const [sealed, keys, bytes, envelopes, padding, infos, links] = await Promise.all(modules.map(load));
    const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const sha256 = async (whole) => bytes.hex(new Uint8Array(await crypto.subtle.digest("SHA-256", whole)));
    const open = async (key, payload) => {
      const layout = sealed.Layout.ofSealed(payload.length);
      const part = (index) => payload.subarray(layout.sealed(index).start, layout.sealed(index).end);
      const cipher = await sealed.Cipher.toOpen(key, part(0));
      const pieces = [];
      for (let index = 0; index < layout.segments; index += 1) {
        pieces.push(await cipher.open(index, layout.isLast(index), part(index)));
      }
      return bytes.joined(...pieces);
    };
"#;

async fn run(browser: &Browser, service: &Service, script: &str, mut arguments: Value) -> Value {
    arguments["root"] = service.page().into();
    browser.script(&format!("{COMMON}{script}"), arguments).await
}

/// Runs a script that reads the bytes of `given` from its array `files`.
///
/// Large script arguments and results would pass several processes as JSON.
async fn run_with(browser: &Browser, service: &Service, script: &str, arguments: Value, given: &[&[u8]]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..given.len()).map(|number| folder.path().join(number.to_string())).collect();
    for (path, bytes) in paths.iter().zip(given) {
        std::fs::write(path, bytes).unwrap();
    }
    let field = "document.querySelector('#given')?.remove();
        const field = Object.assign(document.createElement('input'), { id: 'given', type: 'file', multiple: true });
        document.body.prepend(field);";
    browser.script(field, Value::Null).await;
    browser.choose("#given", &paths.iter().map(|path| path.to_str().unwrap()).collect::<Vec<_>>()).await;
    let read = "const read = async (file) => new Uint8Array(await file.arrayBuffer());
        const files = await Promise.all([...document.querySelector('#given').files].map(read));";
    run(browser, service, &format!("{read}{script}"), arguments).await
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

#[tokio::test]
async fn test_vectors_decrypt_and_yield_their_proofs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let file = |name: &Value| std::fs::read(folder.join(name.as_str().unwrap())).unwrap();
    let vectors: Value = serde_json::from_slice(&file(&"vectors.json".into())).unwrap();
    let service = Service::start();
    let open = r"
        const key = keys.LinkKey.parse(args.key);
        const plaintext = await open(await key.secret(), fromBase64(args.sealed));
        return { size: plaintext.length, sha256: await sha256(plaintext) };";
    let follow = r"
        const key = keys.LinkKey.parse(args.link.split('#')[1]);
        const payloadKey = await key.secret(args.passphrase);
        const proof = await keys.AccessProof.of(payloadKey);
        const plaintext = await open(payloadKey, fromBase64(args.sealed));
        const { metadata, contentStart } = envelopes.readEnvelope(plaintext, plaintext.length);
        return {
          needsPassphrase: key.needsPassphrase, key: bytes.base64url(payloadKey), text: key.toString(),
          proof: proof.toString(), digest: await proof.digest(),
          filename: metadata.filename,
          content: new TextDecoder().decode(plaintext.subarray(contentStart, contentStart + metadata.size)),
        };";
    each(async |browser| {
        browser.goto(&service.page()).await;
        for vector in vectors["vectors"].as_array().unwrap() {
            let sealed = base64(&file(&vector["file"]));
            let opened = run(browser, &service, open, json!({ "key": vector["key"], "sealed": sealed })).await;
            let expected = json!({ "size": vector["plaintext_length"], "sha256": vector["plaintext_sha256"] });
            assert_eq!(opened, expected, "{}", vector["file"]);
        }
        for vector in vectors["links"].as_array().unwrap() {
            let link = vector["link"].as_str().unwrap();
            let sealed = base64(&file(&vector["sealed"]));
            let given = json!({ "link": link, "passphrase": vector["passphrase"], "sealed": sealed });
            let found = run(browser, &service, follow, given).await;
            assert_eq!(found["needsPassphrase"], vector["passphrase"].is_string(), "{link}");
            assert_eq!(found["text"], link.split_once('#').unwrap().1);
            let key = if vector["payload_key"].is_string() { &vector["payload_key"] } else { &vector["key"] };
            assert_eq!(found["key"], *key, "{link}");
            assert_eq!(found["proof"], vector["access_proof"], "{link}");
            assert_eq!(found["digest"], vector["access_sha256"], "{link}");
            for member in ["filename", "content"] {
                assert!(vector[member].is_null() || found[member] == vector[member], "{link}: {found}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn sizes_are_padded_as_in_the_test_vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/vectors.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let sizes = vectors["padded_sizes"].as_array().unwrap();
    let given: Vec<_> = sizes.iter().map(|pair| &pair[0]).collect();
    let expected: Vec<_> = sizes.iter().map(|pair| &pair[1]).collect();
    let service = Service::start();
    each(async |browser| {
        browser.goto(&service.page()).await;
        let padded =
            run(browser, &service, "return args.sizes.map(padding.paddedSize);", json!({ "sizes": given })).await;
        assert_eq!(padded, json!(expected));
    })
    .await;
}

#[tokio::test]
async fn info_blocks_of_this_crate_and_of_a_browser_are_the_same() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/vectors.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let open = r"
        const key = await keys.LinkKey.parse(args.key).secret();
        const changed = args.block.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A'));
        return { info: await infos.openInfo(args.block, key), changed: (await infos.openInfo(changed, key)) ?? null };";
    let seal = r"
        const key = await keys.LinkKey.parse(args.key).secret();
        return infos.sealInfo(args.info, key);";
    let service = Service::start();
    each(async |browser| {
        browser.goto(&service.page()).await;
        for vector in vectors["info_blocks"].as_array().unwrap() {
            let opened = run(browser, &service, open, vector.clone()).await;
            assert_eq!(opened, json!({ "info": vector["info"], "changed": null }));
        }
        let key = LinkKey::random();
        let given = |name: String, message: String| {
            json!({ "key": key.to_text().as_str(), "info": { "filename": name, "size": 5, "message": message } })
        };
        for (name, message) in [("a", ""), ("ä😀", "\u{1}"), ("😀", "m")] {
            let given = given(name.repeat(6_000), message.repeat(2_000));
            let block = run(browser, &service, seal, given.clone()).await;
            let block: SealedInfo = block.as_str().unwrap().parse().unwrap();
            let info = block.open(&key.unlock(None).unwrap().into_own().unwrap()).unwrap();
            let start = info.filename.strip_suffix('…').unwrap_or(&info.filename);
            assert!(name.repeat(6_000).starts_with(start) && start.len() > 100, "{}", info.filename);
            assert_eq!(info.message.unwrap_or_default(), message.repeat(2_000));
        }
    })
    .await;
}

#[tokio::test]
async fn further_links_of_the_test_vectors_and_of_this_crate_open_in_a_browser() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/vectors.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let open = r"
        const key = keys.LinkKey.parse(args.key);
        const secret = await key.secret(args.passphrase);
        const proof = await keys.AccessProof.of(secret);
        const payloadKey = await links.unwrapKey(args.wrapped_key, secret, args.link_id);
        const other = '0123456789abcdef0123456789abcdef';
        return {
          text: key.toString(), isFurther: key.isFurther, secret: bytes.base64url(secret),
          proof: proof.toString(), digest: await proof.digest(), payloadKey: bytes.base64url(payloadKey),
          name: await links.openLabel(args.label, payloadKey, args.link_id),
          elsewhere: [
            await links.unwrapKey(args.wrapped_key, secret, other) ?? null,
            await links.openLabel(args.label, payloadKey, other) ?? null,
          ],
        };";
    let seal = r"
        const payloadKey = bytes.fromBase64url(args.payload_key);
        const secret = await keys.LinkKey.parse(args.key).secret(args.passphrase);
        return {
          wrapped: await links.wrapKey(payloadKey, secret, args.link_id),
          label: await links.sealLabel(args.name, payloadKey, args.link_id),
        };";
    let service = Service::start();
    each(async |browser| {
        browser.goto(&service.page()).await;
        for vector in vectors["further_links"].as_array().unwrap() {
            let opened = run(browser, &service, open, vector.clone()).await;
            let expected = json!({
                "text": vector["key"], "isFurther": true, "secret": vector["link_secret"],
                "proof": vector["access_proof"], "digest": vector["access_sha256"],
                "payloadKey": vector["payload_key"], "name": vector["name"], "elsewhere": [null, null],
            });
            assert_eq!(opened, expected);

            let sealed = run(browser, &service, seal, vector.clone()).await;
            let text = |name: &str| sealed[name].as_str().unwrap().to_owned();
            let link_id: LinkId = vector["link_id"].as_str().unwrap().parse().unwrap();
            let key: LinkKey = vector["key"].as_str().unwrap().parse().unwrap();
            let passphrase = vector["passphrase"].as_str().map(|text| Passphrase::new(text).unwrap());
            let wrapped = WrappedKey::try_from(text("wrapped")).unwrap();
            let payload_key = key.unlock(passphrase.as_ref()).unwrap().payload_key(link_id, Some(&wrapped)).unwrap();
            assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(payload_key.as_bytes()), vector["payload_key"].as_str().unwrap());
            let label = SealedLabel::try_from(text("label")).unwrap();
            assert_eq!(label.open(&payload_key, link_id).unwrap().as_str(), vector["name"].as_str().unwrap());
        }
        let names = ["", " ", "a\tb", "a\u{0}", &"x".repeat(65), &"ä".repeat(33), "Ada", &"x".repeat(64), "Zoë & 茜"];
        let fit = run(browser, &service, "return args.names.map(links.isLinkName);", json!({ "names": names })).await;
        let here: Vec<_> = names.iter().map(|name| name.parse::<LinkName>().is_ok()).collect();
        assert_eq!(fit, json!(here));
    })
    .await;
}

/// Returns boundary sizes and some random sizes.
fn sizes() -> Vec<usize> {
    let random = |most: usize| usize::from_le_bytes(random::bytes::<8>()) % most;
    SIZES.into_iter().chain([random(3_000), random(1_048_520), 1_048_000 + random(1_000), random(3_000_000)]).collect()
}

#[tokio::test]
async fn payloads_of_this_crate_and_tink_decrypt_in_a_browser() {
    let service = Service::start();
    let open = r"
        const plaintext = await open(bytes.fromBase64url(args.key), files[0]);
        return { size: plaintext.length, sha256: await sha256(plaintext) };";
    each(async |browser| {
        browser.goto(&service.page()).await;
        for size in sizes() {
            let (key, plaintext) = (PayloadKey::random(), content(size));
            for (by, sealed) in [("this crate", seal(&key, &plaintext)), ("Tink", tink_seal(&key, &plaintext))] {
                let key = json!({ "key": BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes()) });
                let opened = run_with(browser, &service, open, key, &[&sealed]).await;
                let expected = json!({ "size": size, "sha256": Sha256::of(&plaintext).to_string() });
                assert_eq!(opened, expected, "{size} bytes, encrypted by {by}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn payloads_of_a_browser_decrypt_with_this_crate_and_tink() {
    let service = Service::start();
    let seal = r"
        const [plaintext] = files;
        const key = keys.LinkKey.random(false);
        const layout = new sealed.Layout(plaintext.length);
        const cipher = await sealed.Cipher.toSeal(await key.secret());
        const pieces = [];
        for (let index = 0; index < layout.segments; index += 1) {
          const { start, end } = layout.plaintext(index);
          const segment = await cipher.seal(index, layout.isLast(index), plaintext.subarray(start, end));
          const range = layout.sealed(index);
          if (segment.length !== range.end - range.start) throw new Error(`segment ${index} is ${segment.length} long`);
          pieces.push(segment);
        }
        const payload = bytes.joined(...pieces);
        if (payload.length !== layout.sealedBytes) throw new Error(`the payload is ${payload.length} long`);
        const address = URL.createObjectURL(new Blob([payload]));
        Object.assign(document.createElement('a'), { href: address, download: 'sealed' }).click();
        return key.toString();";
    each(async |browser| {
        browser.goto(&service.page()).await;
        let mut keys = std::collections::HashSet::new();
        for size in sizes() {
            let plaintext = content(size);
            let key = run_with(browser, &service, seal, json!({}), &[&plaintext]).await;
            let text = key.as_str().unwrap();
            assert!(keys.insert(text.to_owned()), "a key was generated twice");
            let key =
                text.strip_prefix("v1.").unwrap().parse::<LinkKey>().unwrap().unlock(None).unwrap().into_own().unwrap();
            let (_, sealed) = browser.download().await;
            assert_eq!(sealed.len() as u64, Layout::of_plaintext(size as u64).unwrap().sealed_size());
            assert!(open(&key, &sealed) == plaintext, "this crate can't decrypt {size} bytes");
            assert!(tink_open(&key, sealed) == plaintext, "Tink can't decrypt {size} bytes");
        }
    })
    .await;
}

#[tokio::test]
async fn tampered_payloads_are_rejected_in_a_browser() {
    let service = Service::start();
    let changes = r#"
        const key = bytes.fromBase64url(args.key);
        const [whole, other] = files;
        const size = sealed.SEGMENT_BYTES;
        const [first, second, last] = [0, 1, 2].map((index) => whole.subarray(index * size, (index + 1) * size));
        const flipped = (at) => { const copy = whole.slice(); copy[at] ^= 1; return copy; };
        const outcomes = {};
        const attempt = async (what, payload) => {
          try {
            await open(key, payload);
            outcomes[what] = "opened";
          } catch (error) {
            outcomes[what] = error.name;
          }
        };
        await attempt("whole", whole);
        for (const length of [0, 1, 39, 40, 41, 55, 56, 57, 1000, size - 1, size, size + 1, size + 16, size + 17,
          2 * size - 1, 2 * size, 2 * size + 1, 2 * size + 16, 2 * size + 17, whole.length - 16, whole.length - 1]) {
          await attempt(`cut to ${length}`, whole.subarray(0, length));
        }
        for (const more of [1, 16, 17, 1000]) await attempt(`${more} more`, bytes.joined(whole, new Uint8Array(more)));
        for (const at of [0, 1, 33, 40, 41, size - 1, size, 2 * size - 1, 2 * size, whole.length - 1]) {
          await attempt(`byte ${at} changed`, flipped(at));
        }
        await attempt("first two swapped", bytes.joined(second, first, last));
        await attempt("last two swapped", bytes.joined(first, last, second));
        await attempt("middle left out", bytes.joined(first, last));
        await attempt("first left out", bytes.joined(second, last));
        await attempt("middle repeated", bytes.joined(first, second, second, last));
        await attempt("twice", bytes.joined(whole, whole));
        await attempt("middle of another", bytes.joined(first, other.subarray(size, 2 * size), last));
        await attempt("header of another", bytes.joined(other.subarray(0, 40), whole.subarray(40)));
        await attempt("another altogether", other.map((byte, at) => (at < 40 ? whole[at] : byte)));
        return outcomes;"#;
    each(async |browser| {
        browser.goto(&service.page()).await;
        let plaintext = content(2 * SEGMENT_SIZE + 100 - 40 - 3 * 16);
        let key = PayloadKey::random();
        let (sealed, other) = (seal(&key, &plaintext), seal(&key, &plaintext));
        assert_eq!(sealed.len(), 2 * SEGMENT_SIZE + 100);
        let key = BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes());
        let outcomes = run_with(browser, &service, changes, json!({ "key": key }), &[&sealed, &other]).await;
        let outcomes = outcomes.as_object().unwrap();
        assert_eq!(outcomes.len(), 1 + 21 + 4 + 10 + 9);
        for (what, outcome) in outcomes {
            assert_eq!(outcome, if what == "whole" { "opened" } else { "Damaged" }, "{what}");
        }
    })
    .await;
}

fn seal(key: &PayloadKey, plaintext: &[u8]) -> Vec<u8> {
    let layout = Layout::of_plaintext(plaintext.len() as u64).unwrap();
    let sealer = Sealer::new(key);
    let mut payload = Vec::new();
    for index in 0..=layout.last_index() {
        let range = layout.plaintext_range(index);
        let mut segment = Sealer::buffer(index);
        segment.extend(&plaintext[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]);
        sealer.seal(index, layout.is_last(index), &mut segment);
        payload.extend(segment);
    }
    payload
}

fn open(key: &PayloadKey, mut sealed: &[u8]) -> Vec<u8> {
    let mut stream = OpenStream::new(key.clone());
    let mut plaintext = Vec::new();
    while let Some(piece) = stream.push(&mut sealed).unwrap() {
        plaintext.extend_from_slice(piece);
    }
    plaintext.extend_from_slice(stream.finish().unwrap());
    plaintext
}
