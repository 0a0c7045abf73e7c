//! A server that changes what it stores, helped by somebody with the key. Nothing is ever saved.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use sgsend::domain::crypto::envelope::{self, Metadata};
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::sealed::{Layout, Sealer, header_bytes};
use sgsend::domain::id::TransferId;
use sgsend::domain::link::Link;
use sgsend::domain::people::recipient_keys::{
    IdentityFile, KeysBlob, KeysPlaintext, RecipientKey, encode_payload_key, unwrap, wrap,
};

use super::{SshKey, new_key};
use crate::support::{Home, ServerProcess, payload_file};

/// Server whose operator changes the stored transfers.
pub(super) struct Cheater {
    pub(super) home: Home,
    pub(super) serving: ServerProcess,
    pub(super) key: SshKey,
}

impl Cheater {
    pub(super) fn start() -> Self {
        let home = Home::new();
        let store = format!("file:{}", home.path().join("store").display());
        let serving = home.serve(&["--storage", &store]);
        home.log_in(&serving);
        let key = SshKey::new(&home, 10);
        Self { home, serving, key }
    }

    /// Uploads a file, and returns its link.
    pub(super) fn upload(&self, content: &[u8], extra: &[&str]) -> String {
        let file = self.home.file("report.txt", content);
        self.home.run_at(&self.serving, &[&["upload", &file], extra].concat()).text()
    }

    pub(super) fn signed(&self, content: &[u8], extra: &[&str]) -> String {
        let sign = format!("--sign={}", self.key.private);
        self.upload(content, &[&[sign.as_str()], extra].concat())
    }

    /// Returns the stored record of a transfer.
    pub(super) fn record(&self, link: &str) -> Value {
        let records = rusqlite::Connection::open(self.home.path().join("store/records.sqlite")).unwrap();
        let value: Vec<u8> =
            records.query_row("SELECT value FROM object WHERE key = ?1", [record_key(link)], |row| row.get(0)).unwrap();
        serde_json::from_slice(&value).unwrap()
    }

    /// Changes the stored record of a transfer.
    pub(super) fn change(&self, link: &str, change: impl FnOnce(&mut Value)) {
        let mut record = self.record(link);
        change(&mut record);
        let records = rusqlite::Connection::open(self.home.path().join("store/records.sqlite")).unwrap();
        records.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        let changed = records.execute(
            "UPDATE object SET value = ?1, version = version + 1 WHERE key = ?2",
            (serde_json::to_vec(&record).unwrap(), record_key(link)),
        );
        assert_eq!(changed, Ok(1));
    }

    /// Returns the path of the stored payload.
    pub(super) fn payload(&self, link: &str) -> PathBuf {
        payload_file(&self.home.path().join("store"), &id_of(link).to_string())
    }

    /// Checks that nothing of the transfer is saved.
    pub(super) fn expect_refusal(recipient: &Home, link: &str, words: &str) {
        let folder = recipient.path().join("received");
        fs::create_dir_all(&folder).unwrap();
        let refused = recipient.run(&["download", link, "-o", folder.to_str().unwrap()]);
        refused.expect_failure(6, words);
        let saved: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(saved, [""; 0], "something was saved: {}", refused.stderr);
    }
}

fn id_of(link: &str) -> TransferId {
    link.parse::<Link>().unwrap().transfer_id
}

fn record_key(link: &str) -> String {
    format!("transfers/{}/meta.json", id_of(link))
}

/// Returns the payload key in a link.
pub(super) fn key_of(link: &str) -> PayloadKey {
    link.parse::<Link>().unwrap().key.unwrap().unlock(None).unwrap().into_own().unwrap()
}

/// Seals other content of the same length with the same key, as somebody with the key can.
fn forged(key: &PayloadKey, size: usize, signed: bool) -> Vec<u8> {
    let metadata = Metadata {
        filename: "report.txt".to_owned(),
        size: size as u64,
        content_type: None,
        modified_ms: None,
        archive: None,
        mode: None,
        signed,
    };
    let mut plaintext = envelope::encode(&metadata).unwrap();
    plaintext.extend(vec![b'F'; size]);
    plaintext.resize(
        usize::try_from(sgsend::domain::crypto::padding::Padding::Padme.padded_size(plaintext.len() as u64)).unwrap(),
        0,
    );
    let layout = Layout::of_plaintext(plaintext.len() as u64).unwrap();
    let sealer = Sealer::new(key);
    let mut payload = Vec::new();
    for index in 0..=layout.last_index() {
        let range = layout.plaintext_range(index);
        let mut segment = vec![0; header_bytes(index)];
        segment
            .extend_from_slice(&plaintext[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]);
        sealer.seal(index, layout.is_last(index), &mut segment);
        payload.extend(segment);
    }
    payload
}

#[test]
fn changed_signatures_and_descriptions_are_refused() {
    let cheater = Cheater::start();
    let (link, other) = (cheater.signed(b"the report", &[]), cheater.signed(b"the report", &["--message", "other"]));
    let (own, foreign) = (cheater.record(&link), cheater.record(&other));
    for (member, value, words) in [
        ("signature", Value::Null, "gave no signature"),
        ("signature", foreign["signature"].clone(), "damaged"),
        ("info", Value::Null, "does not belong"),
        ("info", foreign["info"].clone(), "does not belong"),
    ] {
        cheater.change(&link, |record| record[member] = value);
        Cheater::expect_refusal(&Home::new(), &link, words);
        cheater.change(&link, |record| *record = own.clone());
    }
    // The signature of another transfer, on one that its sender has not signed.
    let unsigned = cheater.upload(b"the report", &[]);
    cheater.change(&unsigned, |record| record["signature"] = own["signature"].clone());
    Cheater::expect_refusal(&Home::new(), &unsigned, "damaged");
    // The same transfer under the address of another server.
    let moved = link.replace("127.0.0.1", "localhost");
    Cheater::expect_refusal(&Home::new(), &moved, "does not belong");
    Home::new().run(&["download", &link, "--require-signature"]).text();
}

#[test]
fn changed_content_is_refused_though_its_key_is_right() {
    let (cheater, recipient) = (Cheater::start(), Home::new());
    let link = cheater.signed(&vec![b'R'; 1_500_000], &[]);
    let path = cheater.payload(&link);
    let genuine = fs::read(&path).unwrap();
    // The envelope of the command also has a time, so the lengths differ a little.
    let shorter = (1_000_000..1_500_001).rev().find(|size| forged_length(*size) == genuine.len()).unwrap();
    for (signed, words) in [(true, "does not belong"), (false, "not signed")] {
        let forged = forged(&key_of(&link), shorter, signed);
        assert_eq!(forged.len(), genuine.len());
        fs::write(&path, forged).unwrap();
        Cheater::expect_refusal(&recipient, &link, words);
    }
    fs::write(&path, genuine).unwrap();
    recipient.run(&["download", &link, "--require-signature"]).text();
}

/// Returns the encrypted size of a forged payload.
fn forged_length(size: usize) -> usize {
    let plaintext = envelope::encode(&Metadata {
        filename: "report.txt".to_owned(),
        size: size as u64,
        content_type: None,
        modified_ms: None,
        archive: None,
        mode: None,
        signed: true,
    })
    .unwrap()
    .len()
        + size;
    let padded = sgsend::domain::crypto::padding::Padding::Padme.padded_size(plaintext as u64);
    usize::try_from(Layout::of_plaintext(padded).unwrap().sealed_size()).unwrap()
}

#[test]
fn swapped_and_rewrapped_keys_are_refused() {
    let (cheater, ada, bob) = (Cheater::start(), Home::new(), Home::new());
    let (ada_key, bob_key) = (new_key(&ada), new_key(&bob));
    let plain = cheater.upload(b"for ada", &["--to", &ada_key]);
    let other = cheater.upload(b"other", &["--to", &ada_key]);
    let (own, foreign) = (cheater.record(&plain), cheater.record(&other));
    cheater.change(&plain, |record| record["keys"] = foreign["keys"].clone());
    Cheater::expect_refusal(&ada, &plain, "another transfer");
    assert_eq!(cheater.record(&plain)["downloads"], 0, "a download was counted");
    cheater.change(&plain, |record| record["keys"] = Value::Null);
    let refused = ada.run(&["download", &plain]);
    assert_eq!(refused.exit, 3, "{}", refused.stderr);
    let mut damaged = BASE64_URL_SAFE_NO_PAD.decode(own["keys"].as_str().unwrap()).unwrap();
    let end = damaged.len() - 1;
    damaged[end] ^= 1;
    cheater.change(&plain, |record| record["keys"] = BASE64_URL_SAFE_NO_PAD.encode(&damaged).into());
    Cheater::expect_refusal(&ada, &plain, "damaged");

    // Ada adds Bob to a transfer that was signed for her: he sees that it was for someone else.
    let signed = cheater.signed(b"for ada only", &["--to", &ada_key]);
    let wrapped: KeysBlob = serde_json::from_value(cheater.record(&signed)["keys"].clone()).unwrap();
    let identity = fs::read(ada.path().join(".config/sgsend/identity")).unwrap();
    let identities = IdentityFile::parse(&identity, None).unwrap().unlock("").unwrap();
    let key = KeysPlaintext::parse(&unwrap(&wrapped, &identities).unwrap().0).unwrap().key;
    let both: Vec<RecipientKey> = [&ada_key, &bob_key].map(|key| key.parse().unwrap()).to_vec();
    let widened = wrap(encode_payload_key(&key).as_bytes(), &both).unwrap();
    cheater.change(&signed, |record| record["keys"] = serde_json::to_value(&widened).unwrap());
    Cheater::expect_refusal(&bob, &signed, "does not belong");
    Cheater::expect_refusal(&ada, &signed, "does not belong");
    // With the key itself instead of the wrapped one, the signature is for someone else, too.
    let forwarded = format!("{}#{}", signed.split_once('#').unwrap().0, *encode_payload_key(&key));
    Cheater::expect_refusal(&bob, &forwarded, "does not belong");
    cheater.change(&signed, |record| record["keys"] = serde_json::to_value(&wrapped).unwrap());
    ada.run(&["download", &signed, "--require-signature"]).text();
}
