//! `kill -9` of `sgsend upload` and `sgsend download`, at random times.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::{ChildProcess, Home, ServerProcess};
use crate::http_client::{Client, text};
use crate::random::{Random, rounds};

/// Default number of kills per kind of client, to keep `cargo test` short.
const USUALLY: usize = 8;

/// A sender and a recipient with one home, and a server.
struct Place {
    home: Home,
    server: ServerProcess,
    client: Client,
    token: String,
    random: Random,
    /// Duration of an uninterrupted command.
    usual: Duration,
}

impl Place {
    async fn new(what: &str) -> Self {
        let home = Home::new();
        let server = home.serve();
        let client = Client::of(&server, "");
        let response = client.admin_post("/tokens/create", r#"{"name":"test"}"#).await.unwrap();
        let token = text(&response.json().unwrap(), "token");
        let usual = Duration::from_millis(300);
        Self { client: client.with_token(&token), home, server, token, random: Random::of_this_run(what), usual }
    }

    /// Writes a new file of random size and content.
    fn file(&mut self) -> Vec<u8> {
        // Uploads of more than 8 MiB can resume.
        let size = self.random.within(1..16_000_000);
        let content = self.random.bytes(size);
        fs::write(self.home.path().join("file.bin"), &content).unwrap();
        content
    }

    fn sgsend(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.sgsend(&[&["--server", &self.server.public], arguments].concat());
        command.env("SGSEND_TOKEN", &self.token);
        command
    }

    /// Runs a command without interruption, and returns its stdout.
    fn run(&mut self, arguments: &[&str]) -> String {
        let started = Instant::now();
        let output = self.sgsend(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        self.usual = started.elapsed();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command, kills it at a random time, and returns its stdout.
    async fn run_until_killed(&mut self, arguments: &[&str]) -> String {
        let output = self.home.path().join("output");
        let mut command = self.sgsend(arguments);
        let process = ChildProcess::start(command.stdout(fs::File::create(&output).unwrap()));
        let most = u64::try_from(self.usual.as_millis()).unwrap().max(1) * 5 / 4;
        tokio::time::sleep(self.random.millis_below(most)).await;
        process.kill();
        fs::read_to_string(output).unwrap()
    }

    /// Downloads the content of `link`.
    fn content_of(&mut self, link: &str) -> Vec<u8> {
        self.run(&["download", link, "-o", "got.bin", "--overwrite"]);
        fs::read(self.home.path().join("got.bin")).unwrap()
    }

    /// Removes the state of unfinished uploads.
    fn forget_uploads(&self) {
        let uploads = self.home.path().join(".local/state/sgsend/uploads");
        for file in fs::read_dir(uploads).into_iter().flatten() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }

    /// Returns the IDs of the completed transfers in the store.
    fn complete(&self) -> Vec<String> {
        let records = rusqlite::Connection::open(self.home.store().join("records.sqlite")).unwrap();
        let mut query = records.prepare("SELECT value FROM object WHERE key LIKE 'transfers/%/meta.json'").unwrap();
        let transfers = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        let transfers = transfers.map(|transfer| serde_json::from_slice::<Value>(&transfer.unwrap()).unwrap());
        let complete = transfers.filter(|transfer| transfer["state"]["status"] == "completed");
        complete.map(|transfer| text(&transfer, "transfer_id")).collect()
    }
}

/// Returns the links of uploads that ended without printing a link, from their saved state.
fn kept_links(place: &Place) -> Vec<String> {
    let uploads = place.home.path().join(".local/state/sgsend/uploads");
    let files = fs::read_dir(uploads).map(|files| files.map(|file| file.unwrap().path()).collect::<Vec<_>>());
    let link = |file: std::path::PathBuf| {
        let bytes = fs::read(&file).unwrap();
        // An upload killed while writing its state file has sent nothing.
        let state: Value = serde_json::from_slice(bytes.split(|byte| *byte == b'\n').next().unwrap()).ok()?;
        Some(format!("{}/d/{}#{}", place.server.public, text(&state, "transfer_id"), text(&state, "link_key")))
    };
    files.unwrap_or_default().into_iter().filter_map(link).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upload_leaves_a_complete_transfer_or_none() {
    let mut place = Place::new("killed uploads").await;
    let (kills, started) = (rounds("SGSEND_CLIENT_KILLS", USUALLY), Instant::now());
    let (mut whole, mut resumed) = (0, 0);
    for _ in 0..kills {
        let content = place.file();
        let before = place.complete();
        let output = place.run_until_killed(&["upload", "file.bin"]).await;
        let mut new = place.complete();
        new.retain(|id| !before.contains(id));
        let link = output.strip_suffix('\n');
        assert!(new.len() <= 1 && (link.is_some() || output.is_empty()), "{output:?} and {new:?}");
        assert!(link.is_none() || new.len() == 1, "the printed link has no completed transfer");
        let links = kept_links(&place);
        if let Some(id) = new.pop() {
            whole += 1;
            let trail = place.client.admin_get(&format!("/audit/transfers/id/{id}/all")).await.unwrap().json().unwrap();
            let is_completion = |record: &Value| record["route"] == "/transfers/id/{transfer_id}/upload/complete";
            assert!(
                trail["items"].as_array().unwrap().iter().any(is_completion),
                "no request completed the transfer: {trail}"
            );
            // The link of an upload killed before printing is known from its saved state only.
            for link in links.iter().map(String::as_str).filter(|link| link.contains(&id)).chain(link) {
                assert!(place.content_of(link) == content, "the downloaded content differs");
            }
        }
        let resume = place.random.percent(60);
        let link = place.run(if resume { &["upload", "file.bin", "--resume"] } else { &["upload", "file.bin"] });
        assert!(place.content_of(link.trim_end()) == content, "a second attempt sent different content");
        if resume && let [saved] = links.as_slice() {
            assert_eq!(link.trim_end(), saved, "the saved upload was not resumed");
            resumed += 1;
        }
        place.forget_uploads();
    }
    println!(
        "{kills} killed uploads, {whole} of them complete, {resumed} resumed, in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    place.home.output();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_leaves_the_file_or_none_and_counts_once() {
    let mut place = Place::new("killed downloads").await;
    let (kills, started) = (rounds("SGSEND_CLIENT_KILLS", USUALLY), Instant::now());
    let (mut killed, mut whole) = (0, 0);
    while killed < kills {
        let content = place.file();
        let link = place.run(&["upload", "file.bin", "--downloads", "1"]).trim_end().to_owned();
        let folder = place.home.path().join("received");
        fs::create_dir(&folder).unwrap();
        for _ in 0..place.random.within(1..4) {
            place.run_until_killed(&["download", &link, "-o", "received"]).await;
            killed += 1;
            if has_complete_file(&folder, &content, false) {
                whole += 1;
                break;
            }
        }
        if !has_complete_file(&folder, &content, false) {
            let resume = place.random.percent(60);
            let arguments = ["download", &link, "-o", "received", "--resume"];
            place.run(if resume { &arguments } else { &arguments[..4] });
        }
        assert!(has_complete_file(&folder, &content, true), "the file is missing");
        let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap();
        let status = place.client.get(&format!("/transfers/id/{id}/status")).await.unwrap().json().unwrap();
        assert_eq!(status["download_count"], 1, "{status}");
        fs::remove_dir_all(folder).unwrap();
    }
    println!("{killed} killed downloads, {whole} of them complete, in {:.1} s", started.elapsed().as_secs_f64());
    place.home.output();
}

/// Returns whether the complete file exists.
///
/// Part and probe files may be beside it; once downloads have ended, no part file.
fn has_complete_file(folder: &Path, content: &[u8], has_ended: bool) -> bool {
    let mut there = false;
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "file.bin" {
            assert!(fs::read(&file).unwrap() == content, "a file with the final name is incomplete");
            there = true;
        } else {
            let kind = name.strip_prefix(".sgsend-").and_then(|mark| mark.rsplit('.').next());
            assert!(matches!(kind, Some("part" | "probe")), "{name} still exists");
            assert!(!(has_ended && kind == Some("part")), "{name} stays");
        }
    }
    there
}
