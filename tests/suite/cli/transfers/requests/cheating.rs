//! Guests and servers that cheat: altered archives, and attempts to make guests use another key.

use std::fs;

use sgsend::domain::crypto::envelope::{Archive, Metadata, encode};
use sgsend::domain::crypto::key::{LinkSecret, PayloadKey};
use sgsend::domain::crypto::sealed::Sealer;
use sgsend::domain::link::RequestLink;
use sgsend::domain::people::recipient_keys::{IdentityFile, KeysBlob, encode_payload_key, unwrap, wrap};
use tar::{EntryType, Header};

use super::{Requested, files, upload_sealed};
use crate::support::{RecordingProxy, Serving};

/// Builds a tar with one entry, without validating it.
fn tar_of(name: &[u8], kind: EntryType, target: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let fields = header.as_old_mut();
    fields.name[..name.len()].copy_from_slice(name);
    fields.linkname[..target.len()].copy_from_slice(target);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(0);
    header.set_cksum();
    [&header.as_bytes()[..], &[0; 1024]].concat()
}

/// Encrypts a tar as an archive with this name.
fn sealed(key: &PayloadKey, name: &str, tar: &[u8]) -> Vec<u8> {
    let metadata = Metadata {
        filename: name.into(),
        size: tar.len() as u64,
        content_type: None,
        modified_ms: None,
        archive: Some(Archive::Tar),
        mode: None,
        signed: false,
    };
    let mut segment = Sealer::buffer(0);
    segment.extend_from_slice(&encode(&metadata).unwrap());
    segment.extend_from_slice(tar);
    Sealer::new(key).seal(0, true, &mut segment);
    segment
}

#[test]
fn hostile_archives_of_guests_write_nothing_outside_their_directory() {
    let requested = Requested::new(&[]);
    let link: RequestLink = requested.link.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outside = requested.owner.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let absolute = format!("{}/x", outside.display());
    for (name, tar) in [
        ("photos", tar_of(b"../../outside/x", EntryType::Regular, b"")),
        ("photos", tar_of(absolute.as_bytes(), EntryType::Regular, b"")),
        ("photos", tar_of(b"l", EntryType::Symlink, b"../../outside")),
        ("photos", tar_of(b"h", EntryType::Link, b"../../outside/x")),
        ("photos", tar_of(b"null", EntryType::Char, b"")),
        ("../../outside", tar_of(b"x", EntryType::Fifo, b"")),
    ] {
        let key = PayloadKey::random();
        let marked = format!("{}\n{}", *encode_payload_key(&key), link.secret.mark(&key).to_text());
        let keys = wrap(marked.as_bytes(), std::slice::from_ref(&link.recipient)).unwrap();
        let proof = LinkSecret::Own(key.clone()).access_proof().digest().to_string();
        let sealed = sealed(&key, name, &tar);
        runtime.block_on(upload_sealed(&requested.serving, &link, (&sealed, Some(&proof)), Some(keys.into())));
    }
    requested.send("good.txt", b"good", &[]).text();
    let inbox = requested.owner.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let received = requested.owner(&["request", "download", &requested.id, "-o", inbox.to_str().unwrap()]);
    assert_eq!(received.exit, 9, "{}", received.stderr);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "an archive was unpacked outside");
    // The rest arrives; each refused archive is kept as it is, in its own directory.
    let found = files(&inbox);
    assert!(found.iter().any(|path| path.ends_with("good.txt")), "{found:?}");
    assert!(found.iter().all(|path| path.ends_with("good.txt") || path.extension().is_some_and(|end| end == "tar")));
    assert!(found.iter().all(|path| path.parent().unwrap().parent() == Some(&inbox)), "{found:?}");
}

#[test]
fn guests_ask_for_no_key_and_use_that_of_the_link() {
    let mut requested = Requested::new(&[]);
    let proxy = RecordingProxy::to(&requested.serving.public);
    requested.link = requested.link.replace(requested.serving.public(), &proxy.url);
    let id = requested.send("a.txt", b"hello", &[]).text();
    let wire = String::from_utf8_lossy(&proxy.recorded()).into_owned();
    // The end of a body has no line end.
    let requests = wire.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1"));
    let start = |line: &str| line.rfind("GET /").max(line.rfind("POST /"));
    let mut routes: Vec<_> = requests.filter_map(|line| Some(&line[start(line)?..])).collect();
    let expected = [
        "GET /health".to_owned(),
        "POST /transfers/create".to_owned(),
        format!("POST /transfers/id/{id}/payload/upload-bytes"),
        format!("POST /transfers/id/{id}/upload/complete"),
    ];
    assert!(routes.len() >= expected.len(), "{routes:?}");
    routes.retain(|route| !expected.iter().any(|expected| route.split('?').next() == Some(expected)));
    assert_eq!(routes, [""; 0], "a guest asks for more than is needed");
    let start = wire.find("\"keys\":\"").unwrap() + 8;
    let keys = wire[start..].split('"').next().unwrap().to_owned();
    let identity = fs::read(requested.owner.path().join(".config/sgsend/identity")).unwrap();
    let identities = IdentityFile::parse(&identity, None).unwrap().unlock("").unwrap();
    let (_, opener) = unwrap(&KeysBlob::try_from(keys).unwrap(), &identities).unwrap();
    assert_eq!(opener, requested.link.parse::<RequestLink>().unwrap().recipient);
}

#[test]
fn swapped_arrivals_are_refused_or_set_aside() {
    let requested = Requested::new(&[]);
    let other = requested.owner(&["request", "create", "--json"]).json();
    requested.send("a.txt", b"for the first request", &[]).text();
    // The keys of a transfer of another request are marked with another secret.
    let elsewhere: RequestLink = other["link"].as_str().unwrap().parse().unwrap();
    let link: RequestLink = requested.link.parse().unwrap();
    let key = PayloadKey::random();
    let marked = format!("{}\n{}", *encode_payload_key(&key), elsewhere.secret.mark(&key).to_text());
    let keys = wrap(marked.as_bytes(), std::slice::from_ref(&link.recipient)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let payload = sealed(&key, "photos", &tar_of(b"x", EntryType::Regular, b""));
    let proof = LinkSecret::Own(key).access_proof().digest().to_string();
    runtime.block_on(upload_sealed(&requested.serving, &link, (&payload, Some(&proof)), Some(keys.into())));
    // The right mark for a key, and the payload of another one.
    let (key, wrong) = (PayloadKey::random(), PayloadKey::random());
    let marked = format!("{}\n{}", *encode_payload_key(&key), link.secret.mark(&key).to_text());
    let keys = wrap(marked.as_bytes(), std::slice::from_ref(&link.recipient)).unwrap();
    let payload = sealed(&wrong, "photos", &tar_of(b"x", EntryType::Regular, b""));
    let proof = LinkSecret::Own(key).access_proof().digest().to_string();
    runtime.block_on(upload_sealed(&requested.serving, &link, (&payload, Some(&proof)), Some(keys.into())));
    let inbox = requested.owner.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let received = requested.owner(&["request", "download", &requested.id, "-o", inbox.to_str().unwrap()]);
    assert_eq!(received.exit, 6, "{}", received.stderr);
    assert!(received.stderr.contains("was not sent through the link"), "{}", received.stderr);
    assert_eq!(files(&inbox).len(), 1);
}
