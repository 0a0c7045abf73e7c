//! Leak test: no key, recipient or signer appears on the wire, in the store or in a log.

use std::fs;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sgsend::domain::people::recipient_keys::{IdentityFile, KeysBlob, KeysPlaintext, unwrap};

use super::{SshKey, new_key};
use crate::support::{Home, RecordingProxy};

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

fn stored_bytes(folder: &std::path::Path) -> Vec<u8> {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files.filter(|entry| entry.file_type().is_file()).flat_map(|entry| fs::read(entry.path()).unwrap()).collect()
}

#[test]
fn identities_keys_and_signers_never_leak() {
    let (sender, recipient, operator) = (Home::new(), Home::new(), Home::new());
    let store = operator.path().join("store");
    let server = operator.server().storage(&format!("file:{}", store.display())).env("SGSEND_LOG", "trace");
    let serving = server.admin_key().start();
    let proxy = RecordingProxy::to(&serving.public);
    let token = sender.run_at(&serving, &["token", "create", "canary"]).text();
    let (age_key, bob) = (new_key(&recipient), SshKey::new(&recipient, 13));
    let signer = SshKey::new(&sender, 14);
    let file = sender.file("yellow-canary-name.txt", "a canary sings; ".repeat(100_000).as_bytes());
    sender.run(&["contact", "add", "canary-ada", &age_key]).text();
    let sign = format!("--sign={}", signer.private);
    let arguments = ["--server", &proxy.url, "upload", &file, "--to", "canary-ada", "--to", &bob.text, &sign];
    let sent = sender.sgsend(&arguments).env("SGSEND_TOKEN", &token).output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let link = String::from_utf8(sent.stdout).unwrap().trim().to_owned();
    for identity in [&[][..], &["-i", &bob.private]] {
        recipient.run(&[&["download", &link, "--overwrite", "--require-signature"], identity].concat()).text();
    }
    let log = serving.terminate();
    let (wire, stored) = (proxy.recorded(), stored_bytes(&store));
    let start = memchr::memmem::find(&wire, b"\"keys\":\"").expect("keys on the wire") + 8;
    let end = start + wire[start..].iter().position(|byte| *byte == b'"').unwrap();
    let wrapped = KeysBlob::try_from(String::from_utf8(wire[start..end].to_vec()).unwrap()).unwrap();
    let identity = fs::read_to_string(recipient.path().join(".config/sgsend/identity")).unwrap();
    let identities = IdentityFile::parse(identity.as_bytes(), None).unwrap().unlock("").unwrap();
    let key = KeysPlaintext::parse(&unwrap(&wrapped, &identities).unwrap().0).unwrap().key;
    let secret = identity.lines().last().unwrap().to_owned();
    let body = |key: &SshKey| key.text.split(' ').nth(1).unwrap().to_owned();
    let raw = |key: &SshKey| BASE64_STANDARD.decode(body(key)).unwrap()[19..].to_vec();
    let mut canaries = vec![
        b"a canary sings; ".to_vec(),
        b"yellow-canary-name".to_vec(),
        b"canary-ada".to_vec(),
        secret.into_bytes(),
        age_key.into_bytes(),
        link.split_once("#to.").unwrap().1.as_bytes().to_vec(),
        key.as_bytes().to_vec(),
        BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes()).into_bytes(),
        BASE64_STANDARD.encode(key.as_bytes()).into_bytes(),
        b"SSH SIGNATURE".to_vec(),
        b"SSHSIG".to_vec(),
    ];
    for key in [&bob, &signer] {
        canaries.extend([body(key).into_bytes(), raw(key), key.fingerprint.clone().into_bytes()]);
    }
    assert!(wire.len() > 4_000_000 && contains(&stored, b"keys.read") && contains(&wire, b"/keys HTTP"));
    for canary in &canaries {
        for (place, bytes) in [("on the wire", &wire), ("in the store", &stored), ("in the log", &log.clone().into())] {
            assert!(!contains(bytes, canary), "{:?} is {place}", String::from_utf8_lossy(canary));
        }
    }
}
