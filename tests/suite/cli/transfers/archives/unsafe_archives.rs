//! Malicious and foreign archives, which `sgsend upload` never produces.

use std::fs;
use std::path::Path;

use sgsend::domain::crypto::envelope::{Archive, Metadata, encode};
use sgsend::domain::crypto::key::LinkKey;
use sgsend::domain::crypto::sealed::{Layout, Sealer};
use tar::{EntryType, Header};

use crate::support::Home;

/// Builds a tar header from the given fields without validating them.
fn header(name: &[u8], kind: EntryType, target: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let fields = header.as_old_mut();
    fields.name[..name.len()].copy_from_slice(name);
    fields.linkname[..target.len()].copy_from_slice(target);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Encrypts `tar` as an archive named `photos`; returns the paths of the payload file and the key file.
fn sealed(home: &Home, tar: &[u8]) -> (String, String) {
    let metadata = Metadata {
        filename: "photos".into(),
        size: tar.len() as u64,
        content_type: None,
        modified_ms: None,
        archive: Some(Archive::Tar),
        mode: None,
        signed: false,
    };
    let plaintext = [encode(&metadata).unwrap().as_slice(), tar].concat();
    let link_key = LinkKey::random();
    let layout = Layout::of_plaintext(plaintext.len() as u64).unwrap();
    assert_eq!(layout.last_index(), 0, "the test archive fits one segment");
    let sealer = Sealer::new(&link_key.unlock(None).unwrap().into_own().unwrap());
    let mut segment = Sealer::buffer(0);
    segment.extend_from_slice(&plaintext);
    sealer.seal(0, true, &mut segment);
    (home.file("payload", &segment), home.file("key", link_key.to_text().as_bytes()))
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn malicious_entries_are_rejected_and_the_archive_is_kept() {
    let home = Home::new();
    let inbox = home.path().join("inbox");
    let file = |name: &[u8]| header(name, EntryType::Regular, b"");
    let link = |name: &[u8], target: &[u8]| header(name, EntryType::Symlink, target);
    let outside = home.path().join("outside");
    for (what, attack) in [
        ("absolute", file(format!("{}/x", outside.display()).as_bytes())),
        ("path component", file(b"../../outside/x")),
        ("path component", file(b"a/../../../outside/x")),
        ("backslash", file(b"..\\..\\outside\\x")),
        ("backslash", file(b"C:\\outside\\x")),
        ("points outside", link(b"l", b"../../outside")),
        ("points outside", [link(b"l", outside.to_str().unwrap().as_bytes()), file(b"l/x")].concat()),
        ("duplicate", [link(b"l", b"d"), file(b"l/x")].concat()),
        ("hard link", header(b"h", EntryType::Link, b"../../outside/x")),
        ("device", header(b"null", EntryType::Char, b"")),
        ("fifo", header(b"fifo", EntryType::Fifo, b"")),
        ("duplicate", [file(b"f"), file(b"f")].concat()),
        ("control", file(b"\x1b[2J")),
        ("utf-8", file(b"\xff\xfe")),
        ("checksum", vec![7; 512]),
    ] {
        fs::create_dir_all(&inbox).unwrap();
        fs::create_dir_all(&outside).unwrap();
        let tar = [&attack[..], &[0; 1024]].concat();
        let (payload, key) = sealed(&home, &tar);
        let finished = home.run(&["open", &payload, "--key-file", &key, "-o", "inbox"]);
        finished.expect_failure(9, what);
        assert!(!finished.stderr.contains('\u{1b}'), "{:?}", finished.stderr);
        assert!(finished.stderr.contains("photos.tar"), "the error doesn't name the archive: {}", finished.stderr);
        assert_eq!(entries(&inbox), ["photos.tar"]);
        assert_eq!(fs::read(inbox.join("photos.tar")).unwrap(), tar);
        assert_eq!(entries(&outside), Vec::<String>::new());
        let json = home.run(&["open", &payload, "--key-file", &key, "-o", "inbox", "--json"]).json();
        assert_eq!(json["error"]["code"], "unsafe_archive");
        assert_eq!(entries(&inbox), ["photos (1).tar", "photos.tar"], "an existing file was replaced");
        assert_eq!(home.run(&["open", &payload, "--key-file", &key, "-o", "-"]).stdout, tar);
        fs::remove_dir_all(&inbox).unwrap();
    }
}

#[test]
fn an_archive_from_tar_itself_is_unpacked() {
    if !super::has("tar") {
        return;
    }
    let home = Home::new();
    let folder = home.path().join("sent");
    fs::create_dir_all(folder.join("d")).unwrap();
    fs::write(folder.join("d").join("ü".repeat(120)), "long").unwrap();
    fs::write(folder.join("f"), "f").unwrap();
    std::os::unix::fs::symlink("d", folder.join("l")).unwrap();
    for format in ["gnu", "pax", "ustar"] {
        // The ustar format can't store the long name.
        let what: &[&str] = if format == "ustar" { &["f", "l"] } else { &["."] };
        let mut tar = std::process::Command::new("tar");
        tar.args(["--format", format, "-cf", "made.tar", "-C", "sent"]).args(what);
        let output = tar.current_dir(home.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (payload, key) = sealed(&home, &fs::read(home.path().join("made.tar")).unwrap());
        home.run(&["open", &payload, "--key-file", &key, "-o", format]).text();
        let came = super::tree(&home.path().join(format));
        assert!(came.iter().all(|(path, found)| super::tree(&folder)[path] == *found), "{format}");
        assert_eq!(came.len(), if format == "ustar" { 2 } else { 4 });
    }
}
