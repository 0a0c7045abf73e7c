//! Round trips: a file is uploaded and downloaded unchanged.

use std::path::Path;

use sgsend::domain::crypto::envelope::decode;
use sgsend::domain::link::Link;
use tink_streaming_aead::subtle::AesGcmHkdf;

use crate::support::Home;

/// Returns pseudo-random bytes that compress badly and never repeat.
fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn every_size_comes_back_byte_for_byte_from_each_store() {
    let home = Home::new();
    for storage in home.each_storage() {
        let serving = home.serve(&["--storage", &storage]);
        home.log_in(&serving);
        for size in [0, 1, 1_000, 1_048_400, 1_048_520, 1_048_521, 2_097_080, 2_097_081, 9_500_000] {
            let original = home.file("sent.bin", &content(size));
            let link = home.run_at(&serving, &["upload", &original]).text();
            assert_eq!(link.lines().count(), 1, "stdout has more than the link: {link}");
            let downloaded = home.run(&["download", &link, "-o", "got.bin", "--overwrite"]);
            assert_eq!(downloaded.exit, 0, "{}", downloaded.stderr);
            assert_eq!(std::fs::read(home.path().join("got.bin")).unwrap(), content(size), "{size} bytes");
        }
        assert!(!home.path().join("sent (1).bin").exists());
    }
}

#[test]
fn the_senders_name_is_kept_and_no_file_is_overwritten_by_default() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let original = home.file("Grüße an alle.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &original]).text();
    std::fs::remove_file(&original).unwrap();
    home.run(&["download", &link]).text();
    assert_eq!(std::fs::read(&original).unwrap(), b"hello");
    std::fs::write(&original, b"mine").unwrap();
    home.run(&["download", &link]).expect_failure(9, "exists");
    assert_eq!(std::fs::read(&original).unwrap(), b"mine");
    home.run(&["download", &link, "--rename"]).text();
    assert_eq!(std::fs::read(home.path().join("Grüße an alle (1).txt")).unwrap(), b"hello");
    let folder = home.path().join("inbox");
    std::fs::create_dir(&folder).unwrap();
    home.run(&["download", &link, "-o", "inbox"]).text();
    assert_eq!(std::fs::read(folder.join("Grüße an alle.txt")).unwrap(), b"hello");
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn a_name_conflict_keeps_the_counted_download() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let original = home.file("once.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &original, "-d", "1"]).text();
    // The name is inside the encrypted payload, so a name conflict shows only after the download is counted.
    home.run(&["download", &link]).expect_failure(9, "exists");
    home.run(&["download", &link]).expect_failure(9, "exists");
    assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
    home.run(&["download", &link, "-o", "-"]).expect_failure(4, "limit");
    let grants = home.path().join(".local/state/sgsend/downloads");
    assert_eq!(std::fs::read_dir(grants).unwrap().count(), 0, "a grant is still stored");
}

#[test]
fn malicious_names_stay_in_the_target_folder() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let inbox = home.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    for name in [
        "../escaped",
        "/etc/escaped",
        "..",
        "a/../../escaped",
        "..\\escaped",
        "C:\\escaped",
        "\u{202e}txt.exe\u{1b}[2J",
    ] {
        let link = home.pipe_at(&serving, &["upload", "-", "--name", name], b"x");
        if link.exit != 0 {
            // A refusal by the sender is equally safe.
            assert_eq!(link.exit, 2, "{}", link.stderr);
            continue;
        }
        let downloaded = home.run(&["download", &link.text(), "-o", "inbox", "--rename"]);
        assert_eq!(downloaded.exit, 0, "{}", downloaded.stderr);
        assert!(
            !downloaded.stderr.contains('\u{1b}') && !downloaded.stderr.contains('\u{202e}'),
            "{:?}",
            downloaded.stderr
        );
    }
    let escaped = |folder: &Path| folder.join("escaped").exists();
    assert!(!escaped(home.path()) && !escaped(home.path().parent().unwrap()) && !escaped(Path::new("/etc")));
}

#[test]
fn pipes_work_on_both_ends() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let original = content(3_000_000);
    let link = home.pipe_at(&serving, &["upload", "-", "--name", "piped.bin"], &original).text();
    let downloaded = home.run(&["download", &link, "-o", "-"]);
    assert_eq!((downloaded.exit, downloaded.stdout == original), (0, true), "{}", downloaded.stderr);
    let by_stdin = home.pipe_at(&serving, &["download", "-", "-o", "-"], link.as_bytes());
    assert!(by_stdin.stdout == original, "{}", by_stdin.stderr);
}

#[test]
fn link_and_key_can_be_sent_separately() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let original = home.file("apart.txt", b"hello");
    let printed = home.run_at(&serving, &["upload", &original, "--separate-key"]).text();
    let (link, key) = printed.split_once('\n').unwrap();
    assert!(!link.contains('#') && key.starts_with("v1."), "{printed}");
    home.run(&["download", link, "-o", "-", "--no-input"]).expect_failure(2, "key");
    let key_file = home.file("key", key.as_bytes());
    assert_eq!(home.run(&["download", link, "--key-file", &key_file, "-o", "-"]).text(), "hello");
    assert_eq!(home.run(&["download", link, "--key", key, "-o", "-"]).text(), "hello");
}

#[test]
fn a_protected_transfer_needs_its_passphrase() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let original = home.file("secret.txt", b"hello");
    let right = home.file("right", "cafe\u{301} \u{2603}\n".as_bytes());
    let same = home.file("same", "café ☃".as_bytes());
    let wrong = home.file("wrong", b"tea");
    let link = home.run_at(&serving, &["upload", &original, "--passphrase-file", &right, "-d", "1"]).text();
    assert!(link.contains("#v1p."), "{link}");
    home.run(&["download", &link, "-o", "-", "--no-input"]).expect_failure(2, "passphrase");
    home.run(&["download", &link, "-o", "-", "--passphrase-file", &wrong]).expect_failure(6, "passphrase");
    assert_eq!(home.run(&["download", &link, "-o", "-", "--passphrase-file", &same]).text(), "hello");
}

#[test]
fn tink_alone_decrypts_a_payload_downloaded_over_plain_http() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let original = content(2_500_000);
    let path = home.file("for-tink.bin", &original);
    let link: Link = home.run_at(&serving, &["upload", &path, "--notify", "never"]).text().parse().unwrap();
    let url = format!("{}/transfers/id/{}/payload/download-bytes", serving.public, link.transfer_id);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sealed = runtime.block_on(async { reqwest::get(url).await.unwrap().bytes().await.unwrap() });

    let link_key = link.key.unwrap();
    let key = link_key.unlock(None).unwrap().into_own().unwrap();
    let tink = AesGcmHkdf::new(key.as_bytes(), tink_proto::HashType::Sha256, 32, 1_048_576, 0).unwrap();
    let tink: &dyn tink_core::StreamingAead = &tink;
    let mut plaintext = Vec::new();
    let reader = Box::new(std::io::Cursor::new(sealed.to_vec()));
    std::io::Read::read_to_end(&mut tink.new_decrypting_reader(reader, b"sgsend/v1").unwrap(), &mut plaintext).unwrap();
    let envelope = decode(&plaintext).unwrap().unwrap();
    assert_eq!(envelope.metadata.filename, "for-tink.bin");
    let (sent, padding) = plaintext[envelope.length..].split_at(original.len());
    assert!(sent == original && !padding.is_empty() && padding.iter().all(|byte| *byte == 0));

    let sealed = home.file("payload.enc", &sealed);
    let key = home.file("key", link_key.to_text().as_bytes());
    let opened = home.run(&["open", &sealed, "--key-file", &key, "-o", "opened.bin"]);
    assert_eq!(opened.exit, 0, "{}", opened.stderr);
    assert!(std::fs::read(home.path().join("opened.bin")).unwrap() == original);
    let raw = home.run(&["open", &sealed, "--key-file", &key, "--raw", "-o", "-"]);
    assert!(raw.stdout == plaintext);
}
