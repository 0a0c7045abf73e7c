//! Request links: the owner asks, guests send by the command, and the owner downloads.

mod cheating;
mod leaks;
mod signed;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sgsend::domain::crypto::guest_proof::GuestProof;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::link::RequestLink;
use sgsend::domain::people::recipient_keys::{encode_payload_key, wrap};

use crate::support::{Home, ServerProcess, Serving};

/// Owner with a request, and a guest on another machine.
struct Requested {
    owner: Home,
    guest: Home,
    serving: ServerProcess,
    link: String,
    id: String,
}

impl Requested {
    fn new(options: &[&str]) -> Self {
        let (owner, guest) = (Home::new(), Home::new());
        let serving = owner.serve_any(&[]);
        owner.log_in(&serving);
        let create = [&["request", "create", "--for", "tax papers", "--json"], options].concat();
        let created = owner.run_at(&serving, &create).json();
        let text = |member: &str| created[member].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
        let (link, id) = (text("link"), text("token_id"));
        Self { owner, guest, serving, link, id }
    }

    /// Uploads `content` as `name`, as the guest.
    fn send(&self, name: &str, content: &[u8], options: &[&str]) -> crate::support::FinishedCommand {
        let file = self.guest.file(name, content);
        self.guest.run(&[&["upload", &file, "--request", &self.link], options].concat())
    }

    fn owner(&self, arguments: &[&str]) -> crate::support::FinishedCommand {
        self.owner.run_at(&self.serving, arguments)
    }

    /// Downloads what has arrived into a folder of the owner; returns the JSON output and the folder.
    fn download(&self, name: &str, options: &[&str]) -> (Value, PathBuf) {
        let folder = self.owner.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let download = ["request", "download", &self.id, "-o", folder.to_str().unwrap(), "--json"];
        (self.owner(&[&download, options].concat()).json(), folder)
    }
}

/// Returns the paths of all files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn what_guests_send_arrives_once_each_in_its_own_directory() {
    let requested = Requested::new(&["--max", "5"]);
    let first = requested.send("a.txt", b"first", &["-m", "see attached"]).text();
    assert_eq!(first.len(), 32, "not the id of a transfer: {first}");
    let second = requested.send("a.txt", b"second", &["--json"]).json();
    assert!(second["link"].is_null() && second["transfer_id"].is_string(), "{second}");
    let listed = requested.owner(&["request", "list", "--json"]).json();
    let item = &listed["items"][0];
    assert_eq!(
        (&item["for"], &item["transfers_created"], &item["saved"]),
        (&"tax papers".into(), &2.into(), &true.into())
    );
    let (received, folder) = requested.download("inbox", &[]);
    let items = received["items"].as_array().unwrap();
    assert_eq!((items.len(), &received["set_aside"]), (2, &Value::Array(Vec::new())), "{received}");
    assert_eq!((&items[0]["transfer_id"], &items[0]["message"]), (&first.as_str().into(), &"see attached".into()));
    let saved = files(&folder);
    assert_eq!(saved.iter().map(|path| fs::read(path).unwrap()).collect::<std::collections::BTreeSet<_>>().len(), 2);
    assert!(saved.iter().all(|path| path.file_name().unwrap() == "a.txt"), "{saved:?}");
    assert_ne!(saved[0].parent(), saved[1].parent());
    // Only new ones.
    let (nothing, _) = requested.download("inbox", &[]);
    assert_eq!(nothing["items"], Value::Array(Vec::new()));
    requested.send("b.txt", b"third", &[]).text();
    let (new, _) = requested.download("inbox", &[]);
    assert_eq!(new["items"].as_array().unwrap().len(), 1);
    let (all, _) = requested.download("again", &["--all"]);
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
}

/// A key file of the page has the link in a comment. It opens the request on any machine that has the token.
#[test]
fn a_key_file_opens_what_arrives_for_its_request_only() {
    let requested = Requested::new(&[]);
    requested.send("a.txt", b"first", &[]).text();
    let identity = fs::read_to_string(requested.owner.path().join(".config/sgsend/identity")).unwrap();
    let laptop = Home::new();
    let config = requested.owner.path().join(".config/sgsend/config.toml");
    fs::create_dir_all(laptop.path().join(".config/sgsend")).unwrap();
    fs::copy(config, laptop.path().join(".config/sgsend/config.toml")).unwrap();
    let inbox = laptop.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let download = |options: &[&str]| {
        let command = ["request", "download", &requested.id, "-o", inbox.to_str().unwrap()];
        laptop.run_at(&requested.serving, &[&command[..], options].concat())
    };
    let key_file = |name: &str, link: &str| laptop.file(name, format!("# link: {link}\n{identity}").as_bytes());
    download(&[]).expect_failure(9, "not on this machine");
    let other = requested.link.replace(&requested.id, "0123456789abcdef");
    for file in [key_file("other.key", &other), key_file("damaged.key", &requested.link[..requested.link.len() - 70])] {
        download(&["-i", &file]).expect_failure(9, "pass its key file with --identity");
    }
    let own = key_file("own.key", &requested.link);
    let received = download(&["-i", &own, "--json"]).json();
    assert_eq!(fs::read(received["items"][0]["path"].as_str().unwrap()).unwrap(), b"first");
    // The request is kept from then on, without the private key.
    assert_eq!(download(&["-i", &own, "--json"]).json()["items"], Value::Array(Vec::new()));
    download(&[]).expect_failure(6, "the identity of this user is missing");
}

#[test]
fn an_archive_is_unpacked_and_a_large_file_goes_through() {
    let requested = Requested::new(&[]);
    let folder = requested.guest.path().join("papers");
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("one.txt"), "one").unwrap();
    fs::write(folder.join("sub/two.txt"), "two").unwrap();
    let sent = requested.guest.run(&["upload", folder.to_str().unwrap(), "--request", &requested.link]);
    assert_eq!(sent.exit, 0, "{}", sent.stderr);
    let large: Vec<u8> = (0..20_000_000_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
    requested.send("large.bin", &large, &[]).text();
    let (_, inbox) = requested.download("inbox", &[]);
    let found = files(&inbox);
    let ends: Vec<_> = ["papers/one.txt", "papers/sub/two.txt", "large.bin"].into();
    for end in ends {
        assert!(found.iter().any(|path| path.ends_with(end)), "{end} is not in {found:?}");
    }
    let saved = found.iter().find(|path| path.ends_with("large.bin")).unwrap();
    assert!(fs::read(saved).unwrap() == large, "the large file differs");
}

#[test]
fn hostile_names_stay_in_the_directory_of_their_transfer() {
    let requested = Requested::new(&[]);
    for name in ["../../evil.txt", "/etc/evil", "..", "a\u{202e}txt.exe", "CON"] {
        requested.send("plain", b"x", &["--name", name]);
    }
    let (received, inbox) = requested.download("inbox", &[]);
    for item in received["items"].as_array().unwrap() {
        let path = fs::canonicalize(item["path"].as_str().unwrap()).unwrap();
        let directory = path.parent().unwrap();
        assert_eq!(directory.parent().unwrap(), fs::canonicalize(&inbox).unwrap(), "{path:?}");
    }
    assert!(!requested.owner.path().join("evil.txt").exists());
}

#[test]
fn an_arrival_that_was_not_sent_through_the_link_is_set_aside() {
    let requested = Requested::new(&[]);
    requested.send("real.txt", b"real", &[]).text();
    // A server knows the token's digest and the owner's key at most: it can wrap, but not mark.
    let link: RequestLink = requested.link.parse().unwrap();
    let key = PayloadKey::random();
    let forged = wrap(encode_payload_key(&key).as_bytes(), std::slice::from_ref(&link.recipient)).unwrap();
    let other = sgsend::domain::crypto::request_secret::RequestSecret::random();
    let marked = format!("{}\n{}", *encode_payload_key(&key), other.mark(&key).to_text());
    let forged_mark = wrap(marked.as_bytes(), std::slice::from_ref(&link.recipient)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for keys in [Some(forged), Some(forged_mark), None] {
        runtime.block_on(upload_forged(&requested.serving, &link, keys.map(String::from)));
    }
    let (received, inbox) = requested.download("inbox", &[]);
    assert_eq!(received["items"].as_array().unwrap().len(), 1, "{received}");
    assert_eq!(received["set_aside"].as_array().unwrap().len(), 3, "{received}");
    assert_eq!(files(&inbox).len(), 1);
    let shown = requested.owner(&["request", "show", &requested.id]);
    assert_eq!(shown.text().matches("not sent through the link").count(), 3, "{}", shown.text());
}

/// Uploads a transfer that no key opens with these keys, as a holder of the token could.
async fn upload_forged(serving: &ServerProcess, link: &RequestLink, keys: Option<String>) {
    upload_sealed(serving, link, (&[7; 56], None), keys).await;
}

/// Uploads an encrypted payload, with the digest of its access proof and with these keys.
async fn upload_sealed(
    serving: &ServerProcess,
    link: &RequestLink,
    (payload, access_sha256): (&[u8], Option<&str>),
    keys: Option<String>,
) {
    let (client, proof) = (reqwest::Client::builder().no_proxy().build().unwrap(), GuestProof::random());
    let bearer = format!("Bearer {}", *link.token().to_text());
    let post = |path: String, guest: String| {
        let request = client.post(format!("{}{path}", serving.public())).header("authorization", &bearer);
        request.header("x-sgsend-guest", guest)
    };
    let json = |response: reqwest::Response| async {
        assert!(response.status().is_success(), "{}", response.status());
        serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap()
    };
    let mut body = serde_json::json!({ "size_bytes": payload.len() });
    if let Some(digest) = access_sha256 {
        body["access_sha256"] = digest.into();
    }
    let created = post("/transfers/create".into(), proof.digest().to_string()).body(body.to_string());
    let created = json(created.send().await.unwrap()).await;
    let id = created["transfer_id"].as_str().unwrap();
    let raw = || proof.to_text().to_string();
    let upload = post(format!("/transfers/id/{id}/payload/upload-bytes"), raw()).body(payload.to_vec());
    json(upload.send().await.unwrap()).await;
    let body = keys.map_or_else(|| "{}".to_owned(), |keys| format!(r#"{{"keys":"{keys}"}}"#));
    let complete = post(format!("/transfers/id/{id}/upload/complete"), raw()).body(body);
    json(complete.send().await.unwrap()).await;
}

#[test]
fn a_request_that_has_ended_says_what_to_do() {
    let requested = Requested::new(&["--max-transfers", "1"]);
    requested.send("a.txt", b"first", &[]).text();
    requested.send("a.txt", b"second", &[]).expect_failure(7, "takes no more files");
    requested.owner(&["request", "revoke", &requested.id]);
    requested.send("a.txt", b"third", &[]).expect_failure(5, "ended this request");
    let damaged = &requested.link[..requested.link.find("&for").unwrap() - 3];
    let file = requested.guest.file("a.txt", b"x");
    requested.guest.run(&["upload", &file, "--request", damaged]).expect_failure(2, "incomplete");
    let expired = Requested::new(&["-e", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    expired.send("a.txt", b"late", &[]).expect_failure(5, "has expired");
    let small = Requested::new(&["--max-bytes", "1KiB"]);
    small.send("a.txt", &[7; 5_000], &[]).expect_failure(7, "not as large");
}

#[test]
fn the_secret_and_the_identity_are_needed_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let requested = Requested::new(&[]);
    requested.send("a.txt", b"hello", &[]).text();
    let config = requested.owner.path().join(".config/sgsend");
    let identity = config.join("identity");
    let saved = config.join("requests").join(format!("{}.json", requested.id));
    for file in [&identity, &saved] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    let download = ["request", "download", &requested.id];
    let kept = fs::read(&identity).unwrap();
    fs::remove_file(&identity).unwrap();
    requested.owner(&download).expect_failure(6, "identity of this user is missing");
    // The identity of somebody else opens nothing, and sets nothing aside.
    requested.owner(&["request", "create"]).text();
    requested.owner(&download).expect_failure(6, "none of the identities");
    fs::write(&identity, &kept).unwrap();
    let moved = requested.owner.path().join("moved.json");
    fs::rename(&saved, &moved).unwrap();
    requested.owner(&download).expect_failure(9, "is not on this machine");
    fs::rename(&moved, &saved).unwrap();
    let (received, _) = requested.download("inbox", &[]);
    assert_eq!(received["items"].as_array().unwrap().len(), 1);
    let shown = requested.owner(&["request", "show", &requested.id, "--link"]).text();
    assert!(shown.starts_with(&requested.link), "{shown}");
}

#[test]
fn a_request_upload_takes_no_options_of_a_link() {
    let requested = Requested::new(&[]);
    for options in
        [&["-d", "1"][..], &["--link", "Ada"], &["-p"], &["--separate-key"], &["--notify", "every"], &["--qr"]]
    {
        let sent = requested.send("a.txt", b"x", options);
        assert_eq!(sent.exit, 2, "{options:?}: {}", sent.stderr);
    }
}
