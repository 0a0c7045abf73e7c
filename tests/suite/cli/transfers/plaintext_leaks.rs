//! Plaintext leak test: content, file name and key never appear on the wire, in the store or in a log.

use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sgsend::domain::crypto::key::LinkSecret;
use sgsend::domain::crypto::proof::AccessProof;
use sgsend::domain::link::Link;

use crate::support::{FinishedCommand, Home, RecordingProxy, ReservedAddress, SmallDisk, any_storage, wait_until};

fn names_and_contents(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(path.file_name().unwrap().as_encoded_bytes());
        bytes.extend(if path.is_dir() { names_and_contents(&path) } else { std::fs::read(&path).unwrap() });
    }
    bytes
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[test]
fn content_name_and_key_never_leak() {
    let (sender, recipient, operator) = (Home::new(), Home::new(), Home::new());
    let store = operator.path().join("store");
    let server = operator.server().storage(&format!("file:{}", store.display())).env("SGSEND_LOG", "trace");
    let serving = server.start();
    let proxy = RecordingProxy::to(&serving.public);
    let key_file = operator.path().join(".config/sgsend/admin-key");
    let mut create_token =
        sender.sgsend(&["token", "create", "canary", "--admin-key-file", key_file.to_str().unwrap()]);
    let token = create_token.args(["--admin-server", &serving.admin]).output().unwrap();
    let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
    assert!(token.starts_with("sgs_"));

    let (content, name) = ("a canary sings in the coal mine; ", "yellow-canary-name.txt");
    let file = sender.file(name, content.repeat(300_000).as_bytes());
    let passphrase = sender.file("passphrase", b"the canary's own passphrase");
    let mut links = Vec::new();
    let recipients = ["--link", "Canary Ada", "--link", "Canary Bob"];
    let passphrase = ["--passphrase-file", &passphrase];
    for (limits, recipients, passphrase) in [
        (&["--verbose"][..], &[][..], &[][..]),
        (&["-d", "3"], &[], &passphrase),
        (&["-d", "3", "--keep-key"], &recipients, &[]),
        (&["-e", "2d"], &recipients, &passphrase),
    ] {
        let message = "the canary sends its regards";
        let mut upload = sender.sgsend(&["upload", &file, "--server", &proxy.url, "--message", message]);
        let extra = [limits, recipients, passphrase].concat();
        let finished = upload.args(extra).env("SGSEND_TOKEN", &token).env("SGSEND_LOG", "trace").output().unwrap();
        assert!(finished.status.success(), "{}", String::from_utf8_lossy(&finished.stderr));
        let printed = String::from_utf8(finished.stdout).unwrap();
        for line in printed.lines() {
            let link = line.rsplit('\t').next().unwrap().to_owned();
            let mut download = recipient.sgsend(&["download", &link, "--overwrite", "--verbose"]);
            let finished = download.args(passphrase).output().unwrap();
            assert!(finished.status.success(), "{}", String::from_utf8_lossy(&finished.stderr));
            assert_eq!(std::fs::read(recipient.path().join(name)).unwrap(), std::fs::read(&file).unwrap());
            links.push(link);
        }
        if recipients.is_empty() {
            continue;
        }
        let link = links.last().unwrap().clone();
        let given = if passphrase.is_empty() { &[][..] } else { &["--link-passphrase-file", passphrase[1]] };
        let add = ["link", "add", &link, "--name", "Canary Carol"];
        for arguments in [&[&add[..], given].concat()[..], &["link", "list", &link], &["edit", &link, "-e", "9d"]] {
            let mut command = sender.sgsend(&[&["--server", &proxy.url], arguments].concat());
            let finished = command.env("SGSEND_TOKEN", &token).env("SGSEND_LOG", "trace").output().unwrap();
            assert!(finished.status.success(), "{}", String::from_utf8_lossy(&finished.stderr));
            let printed = String::from_utf8(finished.stdout).unwrap();
            links.extend(printed.lines().filter(|line| line.contains('#')).map(str::to_owned));
        }
    }
    assert_eq!(links.len(), 2 + 2 * 3);
    let log = serving.terminate();
    let wire = proxy.recorded();
    let stored = names_and_contents(&store);
    assert!(wire.len() > 4 * 2 * 9_000_000, "only {} bytes were recorded on the wire", wire.len());
    assert!(
        contains(&stored, b"transfer.create") && contains(&wire, b"/links/create"),
        "the search misses a text that is known to be present"
    );
    assert!(log.contains("/transfers/create"), "the log level is not trace: {log}");

    let mut canaries = vec![content.as_bytes().to_vec(), name.as_bytes().to_vec(), b"yellow-canary".to_vec()];
    canaries.push(b"the canary's own passphrase".to_vec());
    canaries.push(b"the canary sends its regards".to_vec());
    canaries.extend(["Canary Ada", "Canary Bob", "Canary Carol"].map(|name| name.as_bytes().to_vec()));
    let history = sender.run(&["history", "--json"]).json();
    let payload_key = history["items"][2]["key"].as_str().expect("the key of an upload with links");
    canaries.push(payload_key.split_once('.').unwrap().1.as_bytes().to_vec());
    for link in &links {
        let fragment = link.split_once('#').unwrap().1;
        canaries.push(fragment.as_bytes().to_vec());
        canaries.push(fragment.split_once('.').unwrap().1.as_bytes().to_vec());
        let link: Link = link.parse().unwrap();
        let passphrase = sgsend::domain::crypto::passphrase::Passphrase::new("the canary's own passphrase").unwrap();
        let key = link.key.unwrap();
        let secret = key.unlock(key.needs_passphrase().then_some(&passphrase)).unwrap();
        let secret = match &secret {
            LinkSecret::Own(key) => key.as_bytes(),
            LinkSecret::Further(key) => key.as_bytes(),
        };
        canaries.push(secret.to_vec());
        canaries.push(BASE64_STANDARD.encode(secret).into_bytes());
        canaries.push(BASE64_URL_SAFE_NO_PAD.encode(secret).into_bytes());
        canaries.push(hex(secret));
    }
    for canary in &canaries {
        for (location, bytes) in
            [("on the wire", &wire), ("in the store", &stored), ("in the log", &log.clone().into_bytes())]
        {
            assert!(!contains(bytes, canary), "{:?} is {location}", String::from_utf8_lossy(canary));
        }
    }
    // The token goes over the wire, but is neither stored nor logged.
    let secret = &token[token.len() - 64..];
    assert!(contains(&wire, secret.as_bytes()));
    assert!(!contains(&stored, secret.as_bytes()) && !log.contains(secret), "a token's secret was stored or logged");
    // The store holds digests of grants only, and logs contain no query or fragment.
    assert!(!contains(&stored, b"grant=") && !log.contains("grant="));
}

/// Returns the request lines in the recorded bytes.
fn request_lines(wire: &[u8]) -> Vec<String> {
    let ends = memchr::memmem::find_iter(wire, b" HTTP/1.1\r\n");
    let line = |end: usize| {
        // A payload without a trailing newline may precede the request line.
        let before = &wire[end.saturating_sub(8_192)..end];
        let starts = ["GET /", "POST /", "HEAD /"].iter();
        let start = starts.filter_map(|method| memchr::memmem::rfind(before, method.as_bytes())).max();
        String::from_utf8_lossy(&before[start.expect("a method")..]).into_owned()
    };
    ends.map(line).collect()
}

/// Returns all grants in the recorded bytes, from headers and from JSON.
fn grants(wire: &[u8]) -> Vec<String> {
    let after = |name: &[u8]| {
        let found = memchr::memmem::find_iter(wire, name).map(|at| at + name.len());
        found.map(|at| String::from_utf8_lossy(&wire[at..at + 43]).into_owned()).collect::<Vec<_>>()
    };
    [after(b"x-sgsend-grant: "), after(b"\"grant\":\"")].concat()
}

#[test]
fn request_lines_contain_no_secret() {
    let home = Home::new();
    // A generated key would not be sent to a proxy.
    let mut serving = home.server().storage(&any_storage()).admin_key().start();
    let (public_proxy, admin_proxy) = (RecordingProxy::to(&serving.public), RecordingProxy::to(&serving.admin));
    (serving.public, serving.admin) = (public_proxy.url.clone(), admin_proxy.url.clone());
    let run = |arguments: &[&str]| home.run_at(&serving, arguments).text();

    let token = run(&["token", "create", "canary", "--login"]);
    let config = std::fs::read_to_string(home.path().join(".config/sgsend/config.toml")).unwrap();
    let token = config.lines().find_map(|line| line.strip_prefix("token = \"")).unwrap_or(&token).trim_end_matches('"');
    let admin_key = serving.admin_key().expect("a configured key").to_owned();

    let file = home.file("canary.txt", &b"a canary sings; ".repeat(200_000));
    let link = run(&["upload", &file, "--downloads", "3", "--flow", "bytes"]);
    run(&["download", &link, "-o", "received.txt", "--flow", "bytes"]);
    run(&["status", &link, "--events"]);
    let parsed: Link = link.parse().unwrap();
    let id = link.split_once('#').unwrap().0.rsplit_once('/').unwrap().1;
    for arguments in [&["audit", "show", id][..], &["token", "list"], &["stats"], &["delete", &link]] {
        run(arguments);
    }
    run(&["token", "revoke", &token[4..20]]);

    let wire = [public_proxy.recorded(), admin_proxy.recorded()].concat();
    let lines = request_lines(&wire);
    for expected in ["POST /transfers/create", "GET /transfers/id/", "POST /tokens/create", "GET /audit/transfers/id/"]
    {
        assert!(lines.iter().any(|line| line.starts_with(expected)), "{expected} was not recorded: {lines:?}");
    }
    let key = parsed.key.unwrap().unlock(None).unwrap().into_own().unwrap();
    let fragment = link.split_once('#').unwrap().1.to_owned();
    let mut header_and_body_secrets = grants(&wire);
    assert!(!header_and_body_secrets.is_empty(), "no grant was recorded");
    header_and_body_secrets.extend([token[21..].to_owned(), admin_key, AccessProof::of(&key).to_text().to_string()]);
    for secret in &header_and_body_secrets {
        assert!(contains(&wire, secret.as_bytes()), "{secret} was not recorded, so the search proves nothing");
    }
    let client_only_secrets =
        [fragment, BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes()), String::from_utf8(hex(key.as_bytes())).unwrap()];
    for secret in header_and_body_secrets.iter().chain(&client_only_secrets) {
        let leaking_line = lines.iter().find(|line| line.contains(secret));
        assert_eq!(leaking_line, None, "a URL contains a secret");
    }
}

#[test]
fn a_server_that_is_killed_or_full_receives_no_plaintext() {
    const CANARY: &str = "a canary sings in the coal mine; ";
    let home = Home::new();
    let Some(disk) = SmallDisk::mount("64m") else { return };
    let (address, storage) = (ReservedAddress::new(), format!("file:{}", disk.path().join("store").display()));
    let start = || home.server().storage(&storage).listen(&address.to_string()).env("SGSEND_LOG", "trace").start();
    let serving = start();
    home.log_in(&serving);
    let proxy = RecordingProxy::to(&serving.public);
    let file = home.file("yellow-canary.txt", CANARY.repeat(400_000).as_bytes());
    let config = std::fs::read_to_string(home.path().join(".config/sgsend/config.toml")).unwrap();
    let token = config.lines().find_map(|line| line.strip_prefix("token = \"")).unwrap().trim_end_matches('"');
    let upload = || {
        let mut command = home.sgsend(&["--server", &proxy.url, "upload", &file]);
        command.env("SGSEND_TOKEN", token).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let uploading = upload();
    wait_until("the upload advances", || proxy.recorded().len() >= 3_000_000);
    let mut log = serving.kill();
    let serving = start();
    let link = FinishedCommand::of(uploading.wait_with_output().unwrap()).text();
    disk.fill();
    FinishedCommand::of(upload().wait_with_output().unwrap()).expect_failure(8, "full");
    log += &serving.terminate();
    let (wire, stored) = (proxy.recorded(), names_and_contents(&disk.path().join("store")));
    assert!(wire.len() > CANARY.len() * 400_000 && contains(&stored, b"transfer.create"));
    let key = link.split_once('#').unwrap().1.split_once('.').unwrap().1;
    for canary in [CANARY, "yellow-canary", key] {
        for (place, bytes) in [("on the wire", &wire), ("in the store", &stored), ("in the log", &log.clone().into())] {
            assert!(!contains(bytes, canary.as_bytes()), "{canary} is {place}");
        }
    }
}
