//! Plaintext leak test for requests: the server reads nothing of what guests send and owners keep.

use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sgsend::domain::link::RequestLink;

use crate::cli::people::SshKey;
use crate::support::{FinishedCommand, Home, RecordingProxy};

fn names_and_contents(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(path.file_name().unwrap().as_encoded_bytes());
        bytes.extend(if path.is_dir() { names_and_contents(&path) } else { std::fs::read(&path).unwrap() });
    }
    bytes
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[test]
fn what_guests_send_never_leaks() {
    let (owner, guest) = (Home::new(), Home::new());
    let store = owner.path().join("store");
    let server = owner.server().storage(&format!("file:{}", store.display())).env("SGSEND_LOG", "trace");
    let mut serving = server.start();
    owner.log_in(&serving);
    let proxy = RecordingProxy::to(&serving.public);
    let direct = std::mem::replace(&mut serving.public, proxy.url.clone());
    // The saved token belongs to the address of the server.
    let token = std::fs::read_to_string(owner.path().join(".config/sgsend/config.toml")).unwrap();
    let token =
        token.lines().find_map(|line| line.strip_prefix("token = \"")).unwrap().trim_end_matches('"').to_owned();
    assert_ne!(direct, serving.public);
    let run = |arguments: &[&str]| {
        let mut command = owner.sgsend(&[&["--server", &proxy.url], arguments].concat());
        FinishedCommand::of(command.env("SGSEND_TOKEN", &token).output().unwrap())
    };
    let purpose = "papers of the purposeful canary";
    let created = run(&["request", "create", "--for", purpose, "--json"]).json();
    let (link, id) = (created["link"].as_str().unwrap().to_owned(), created["token_id"].as_str().unwrap().to_owned());
    let (content, name, note) =
        ("a canary sings for its guest; ", "guest-canary-name.txt", "the guest sends its regards");
    let file = guest.file(name, content.repeat(300_000).as_bytes());
    let signer = SshKey::new(&guest, 61);
    let sign = format!("--sign={}", signer.private);
    let sent = guest.run(&["upload", &file, "--request", &link, "-m", note, "--verbose", &sign]);
    assert_eq!(sent.exit, 0, "{}", sent.stderr);
    let inbox = owner.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let received = run(&["request", "download", &id, "-o", inbox.to_str().unwrap(), "--json"]).json();
    assert_eq!(received["items"][0]["message"], note, "{received}");
    assert_eq!(received["items"][0]["signed_by"]["fingerprint"], signer.fingerprint, "{received}");
    run(&["request", "list"]).text();
    run(&["request", "show", &id, "--link"]).text();

    let log = serving.terminate().into_bytes();
    let (wire, stored) = (proxy.recorded(), names_and_contents(&store));
    assert!(wire.len() > 2 * 9_000_000, "only {} bytes were recorded on the wire", wire.len());
    assert!(contains(&wire, b"/requests/create") && contains(&stored, b"transfer.create"), "the search misses a text");
    let parsed: RequestLink = link.parse().unwrap();
    let fragment = link.split_once('#').unwrap().1;
    let identity = std::fs::read_to_string(owner.path().join(".config/sgsend/identity")).unwrap();
    let identity = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let mut canaries: Vec<Vec<u8>> = [
        content,
        name,
        "guest-canary",
        note,
        purpose,
        "purposeful%20canary",
        fragment,
        identity,
        parsed.recipient.as_str(),
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    let signer_key = signer.text.split(' ').nth(1).unwrap();
    for text in [signer_key, &signer.fingerprint, "SSHSIG", "SSH SIGNATURE"] {
        canaries.push(text.as_bytes().to_vec());
    }
    canaries.extend(fragment.split(['.', '&']).filter(|part| part.len() == 43).map(|part| part.as_bytes().to_vec()));
    let secret = BASE64_URL_SAFE_NO_PAD.decode(&*parsed.secret.to_text()).unwrap();
    for bytes in [secret, parsed.recipient.x25519_bytes().unwrap().to_vec()] {
        canaries.push(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
        canaries.push(BASE64_STANDARD.encode(&bytes).into_bytes());
        canaries.push(bytes);
    }
    for canary in &canaries {
        for (location, bytes) in [("on the wire", &wire), ("in the store", &stored), ("in the log", &log)] {
            assert!(!contains(bytes, canary), "{:?} is {location}", String::from_utf8_lossy(canary));
        }
    }
    // The secret of the request's token goes over the wire, but is neither stored nor logged.
    let token = parsed.token().to_text();
    let secret = &token.as_bytes()[token.len() - 64..];
    assert!(contains(&wire, secret) && !contains(&stored, secret) && !contains(&log, secret));
    let guest_header = memchr::memmem::find_iter(&wire, b"x-sgsend-guest: ").map(|at| &wire[at + 16..at + 80]);
    let proofs: std::collections::BTreeSet<_> = guest_header.collect();
    assert_eq!(proofs.len(), 2, "the proof and its digest");
    assert_eq!(proofs.iter().filter(|proof| contains(&stored, proof)).count(), 1, "the store has more than the digest");
    assert!(proofs.iter().all(|proof| !contains(&log, proof)), "a guest proof was logged");
}
