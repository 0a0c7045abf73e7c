//! Failing disks: starts, deletions, and what errors of the disk reveal.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::faulty_disk::FaultyDisk;
use crate::home::{ADMIN_KEY, Home, ServerProcess, contents};
use crate::http_client::{Client, text};
use crate::server_process::ServerBuilder;

/// Errors of a failing, a full and a read-only disk: EIO, ENOSPC, EROFS.
const ERRORS: [u32; 3] = [5, 28, 30];

/// Address of a client, which the server must not reveal.
const ADDRESS: &str = "203.0.113.77";

/// Content of an upload, which repeats this text.
const CANARY: &str = "a canary sings in the coal mine; ";

async fn token(server: &ServerProcess) -> String {
    let response = Client::of(server, "").admin_post("/tokens/create", r#"{"name":"test"}"#).await.unwrap();
    text(&response.json().unwrap(), "token")
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

#[test]
fn a_new_store_on_a_failing_disk_is_not_served() {
    for error in ERRORS {
        let Some(disk) = FaultyDisk::new(Home::new()) else { return };
        disk.fail(error);
        assert!(disk.home.try_to_serve().is_none(), "the server started despite error {error}");
        disk.home.output();
        disk.heal();
        disk.home.serve().terminate();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_on_a_failing_disk_is_acknowledged_once_the_payload_is_gone() {
    let Some(disk) = FaultyDisk::new(Home::new()) else { return };
    let server = disk.home.serve();
    let client = Client::of(&server, &token(&server).await);
    let payloads = disk.home.store().join("payloads");
    let stored = || contents(&payloads).len();
    let mut ids = Vec::new();
    for error in ERRORS {
        let created = client.post("/transfers/create", r#"{"size_bytes":3}"#).await.unwrap().json().unwrap();
        let id = text(&created, "transfer_id");
        let path = |rest: &str| format!("/transfers/id/{id}/{rest}");
        assert_eq!(client.post(&path("payload/upload-bytes"), "abc").await.unwrap().status, 200);
        assert_eq!(client.post(&path("upload/complete"), "{}").await.unwrap().status, 200);
        assert_eq!(stored(), 3);
        disk.fail(error);
        for _ in 0..2 {
            let deleted = client.post(&path("delete"), "{}").await.unwrap();
            assert!([503, 507].contains(&deleted.status), "error {error}: {deleted:?}, {} bytes", stored());
        }
        disk.heal();
        assert_eq!(client.post(&path("delete"), "{}").await.unwrap().status, 200);
        assert_eq!(stored(), 0, "the payload of a deleted transfer is still there");
        ids.push(id);
    }
    server.kill();
    let server = disk.home.serve();
    for id in ids {
        let status = Client::of(&server, "").get(&format!("/transfers/id/{id}/status")).await.unwrap();
        assert_eq!(status.json().unwrap()["status"], "deleted");
    }
    disk.home.output();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_a_failing_disk_name_no_address_and_no_secret() {
    let mut home = Home::new().with_argument(&["--trusted-proxy", "127.0.0.1"]);
    home.set("SGSEND_LOG", Path::new("trace"));
    let Some(disk) = FaultyDisk::new(home) else { return };
    let server = disk.home.serve();
    let token = token(&server).await;
    let (grant, proof) = (URL_SAFE_NO_PAD.encode([71; 32]), URL_SAFE_NO_PAD.encode([83; 32]));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |path: &str, body: String| {
        let is_admin = path.starts_with("/tokens");
        let request = http.post(format!("{}{path}", if is_admin { &server.admin } else { &server.public })).body(body);
        let request = request.header("x-forwarded-for", ADDRESS).header("x-sgsend-access", &proof);
        let request = if is_admin { request.header("x-api-key", ADMIN_KEY) } else { request.bearer_auth(&token) };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let mut responses = String::new();
    for error in ERRORS {
        let (_, created) = send("/transfers/create", r#"{"size_bytes":3}"#.to_owned()).await;
        let created: serde_json::Value = serde_json::from_str(&created).unwrap();
        let path = |rest: &str| format!("/transfers/id/{}/{rest}", text(&created, "transfer_id"));
        assert_eq!(send(&path("payload/upload-bytes"), "ab".to_owned()).await.0, 200);
        disk.fail(error);
        for (path, body) in [
            ("/transfers/create".to_owned(), r#"{"size_bytes":1,"max_downloads":1}"#.to_owned()),
            (path("payload/upload-bytes?offset=2"), "c".to_owned()),
            (path("upload/complete"), "{}".to_owned()),
            (path("download/create-presign-url"), format!(r#"{{"grant":"{grant}"}}"#)),
            (path("delete"), "{}".to_owned()),
            ("/tokens/create".to_owned(), r#"{"name":"second"}"#.to_owned()),
        ] {
            let (status, response) = send(&path, body).await;
            assert!(status >= 400, "{path} succeeded despite error {error}: {response}");
            responses += &response;
        }
        disk.heal();
    }
    server.terminate();
    let (log, stored) = (disk.home.output(), contents(&disk.home.store()));
    assert!(log.contains("request failed") && log.contains("/transfers/create"), "the log lacks the errors: {log}");
    assert!(contains(&stored, "transfer.create"), "the search misses a text that is known to be stored");
    for secret in [ADDRESS, "203.0.113", &token[21..], &grant, &proof, ADMIN_KEY] {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!contains(&stored, secret), "{secret} is in the store");
        assert!(!responses.contains(secret), "{secret} is in a response");
    }
    for path in [disk.home.path().display().to_string(), "os error".to_owned()] {
        assert!(!responses.contains(&path), "{path} is in a response: {responses}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_home_keeps_the_configuration_and_reveals_no_secret() {
    let home = Home::new();
    let server = home.serve();
    let tokens = (token(&server).await, token(&server).await);
    let Some(disk) = FaultyDisk::of_hidden_files(home) else { return };
    let home = &disk.home;
    fs::write(home.path().join("file.bin"), CANARY.repeat(270_000)).unwrap();
    let run = |token: &str, arguments: &[&str]| {
        let mut command: Command = home.sgsend(arguments);
        let output = command.env("SGSEND_SERVER", &server.public).env("SGSEND_TOKEN", token);
        let output = output.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        (output.status.success(), [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()))
    };
    let login = |token: &str| run(token, &["login", &server.public, "--no-input"]);
    assert!(login(&tokens.0).0);
    let config = home.path().join(".config/sgsend/config.toml");
    let before = fs::read_to_string(&config).unwrap();
    for error in &ERRORS[..2] {
        disk.fail(*error);
        let (is_success, [_, stderr]) = run(&tokens.1, &["login", &server.public, "--no-input", "--replace"]);
        assert!(!is_success, "the configuration was written despite error {error}");
        assert!(stderr.contains("error: ") && !stderr.contains(&tokens.1[21..]), "{stderr}");
        let (is_success, [link, stderr]) = run(&tokens.1, &["upload", "file.bin"]);
        assert!(is_success, "{stderr}");
        let key = link.trim().split_once('#').expect("a link").1;
        assert!(!stderr.contains(key) && !stderr.contains(&tokens.1[21..]), "{stderr}");
        disk.heal();
        let names = [".config", ".local"].map(|name| home.path().join(name));
        assert!(names.iter().all(|folder| !contains(&contents(folder), key)), "a key of a finished upload is stored");
        assert_eq!(fs::read_to_string(&config).unwrap(), before);
        let stored = contents(&home.store());
        assert!(stored.len() > 8_900_000 && !contains(&stored, CANARY) && !contains(&stored, "file.bin"));
    }
}

#[test]
fn an_admin_key_that_cannot_be_stored_prevents_the_start() {
    for error in ERRORS {
        let Some(disk) = FaultyDisk::of_hidden_files(Home::new()) else { return };
        disk.fail(error);
        let serve = || {
            let mut command = disk.home.sgsend(&[]);
            command.env_remove("SGSEND_ADMIN_KEY");
            ServerBuilder::new(command).storage("memory:").try_start()
        };
        let log = serve().err().unwrap_or_else(|| panic!("the service started despite error {error}"));
        assert!(log.contains("admin_key_unwritable"), "{log}");
        disk.heal();
        // Nothing of the failed start is taken for a key.
        serve().unwrap_or_else(|log| panic!("the service does not start: {log}")).terminate();
        let key = fs::read_to_string(disk.home.path().join(".config/sgsend/admin-key")).unwrap();
        assert_eq!(key.trim().len(), 64);
    }
}
