//! Server processes killed between any two requests, and a network that fails during transfers.

use std::io::Write;

use serde_json::Value;

use crate::support::{Home, ReservedAddress, content};

/// A plain HTTP client that sends each request independently.
struct Requests(tokio::runtime::Runtime);

impl Requests {
    fn new() -> Self {
        Self(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap())
    }

    fn send(&self, method: &str, url: &str, token: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.0.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client.request(method.parse().unwrap(), url).body(body.to_vec());
            let response = request.header("authorization", format!("Bearer {token}")).send().await.unwrap();
            (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
        })
    }
}

#[test]
fn acknowledged_changes_survive_a_kill_between_any_two_requests() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let start = |service: &str| home.serve_one(service, &["--storage", &store]);
    let requests = Requests::new();

    let admin = start("admin");
    let made = home.run(&["--admin-server", &admin.admin, "token", "create", "test", "--json"]).json();
    let (token, token_id) = (made["token"].as_str().unwrap(), made["token_id"].as_str().unwrap());
    admin.kill();

    let payload: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let public = start("public");
    let body = format!(r#"{{"size_bytes":{},"max_downloads":2}}"#, payload.len());
    let (status, created) =
        requests.send("POST", &format!("{}/transfers/create", public.public), token, body.as_bytes());
    assert_eq!(status, 201);
    let created: Value = serde_json::from_slice(&created).unwrap();
    let id = created["transfer_id"].as_str().unwrap();
    public.kill();

    let mut sent_bytes = 0;
    while sent_bytes < payload.len() {
        let end = (sent_bytes + 1_300_000).min(payload.len());
        let public = start("public");
        let url = format!("{}/transfers/id/{id}/payload/upload-bytes?offset={sent_bytes}", public.public);
        let (status, body) = requests.send("POST", &url, token, &payload[sent_bytes..end]);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        public.kill();
        sent_bytes = end;
    }
    let public = start("public");
    let (status, _) =
        requests.send("POST", &format!("{}/transfers/id/{id}/upload/complete", public.public), token, b"");
    assert_eq!(status, 200);
    public.kill();

    let public = start("public");
    let url = format!("{}/transfers/id/{id}/download/create-presign-url", public.public);
    let (status, granted) = requests.send("POST", &url, token, b"{}");
    assert_eq!(status, 200);
    let granted: Value = serde_json::from_slice(&granted).unwrap();
    public.kill();
    let public = start("public");
    let url =
        format!("{}{}?grant={}", public.public, granted["url"].as_str().unwrap(), granted["grant"].as_str().unwrap());
    let (status, downloaded) = requests.send("GET", &url, token, b"");
    assert!(status == 200 && downloaded == payload);
    public.kill();

    let public = start("public");
    let (_, status) = requests.send("GET", &format!("{}/transfers/id/{id}/status", public.public), token, b"");
    let status: Value = serde_json::from_slice(&status).unwrap();
    assert_eq!((status["status"].as_str(), status["download_count"].as_u64()), (Some("completed"), Some(1)));
    let (status, _) = requests.send("POST", &format!("{}/transfers/id/{id}/delete", public.public), token, b"");
    assert_eq!(status, 200);
    public.kill();

    let admin = start("admin");
    home.run(&["--admin-server", &admin.admin, "token", "revoke", token_id]).text();
    admin.kill();
    let (public, admin) = (start("public"), start("admin"));
    let (status, _) =
        requests.send("POST", &format!("{}/transfers/create", public.public), token, br#"{"size_bytes":1}"#);
    assert_eq!(status, 403, "the revocation was lost");
    let trail = home.run(&["--admin-server", &admin.admin, "audit", "show", id, "--json"]).json();
    let events = trail["items"].as_array().unwrap().iter().filter(|record| record["type"] == "event");
    let kinds: Vec<_> = events.map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["transfer_created", "transfer_completed", "download_granted", "transfer_deleted", "payload_removed"]
    );
}

#[test]
fn an_upload_and_a_download_resume_after_a_server_restart() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let address = ReservedAddress::new();
    let serve = || home.server().storage(&store).listen(&address.to_string()).start();
    let serving = serve();
    home.log_in(&serving);
    let content = content(60_000_000);
    let file = home.file("long.bin", &content);
    let mut upload =
        home.sgsend(&["upload", "-", "--name", "long.bin", "--progress", "json", "--server", &serving.public]);
    upload
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut upload = upload.spawn().unwrap();
    upload.stdin.take().unwrap().write_all(&content).unwrap();
    let stderr = upload.stderr.take().unwrap();
    // Kills the server once the upload has made progress.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stderr));
    let moving = lines.by_ref().map_while(Result::ok).find(|line| {
        let progress: Value = serde_json::from_str(line).unwrap_or_default();
        progress["phase"] == "upload" && progress["bytes"].as_u64().is_some_and(|bytes| bytes > 4_000_000)
    });
    assert!(moving.is_some(), "the upload printed no progress");
    serving.kill();
    let serving = serve();
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    let output = upload.wait_with_output().unwrap();
    assert!(output.status.success(), "{rest:?}");
    let link = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    home.run(&["download", &link, "-o", "back.bin"]).text();
    assert!(std::fs::read(home.path().join("back.bin")).unwrap() == content);
    drop((serving, file));
}
