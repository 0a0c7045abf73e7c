//! Full, failing and read-only disks: acknowledged changes survive every fault.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;

use crate::faulty_disk::FaultyDisk;
use crate::home::{ChildProcess, Home, ServerProcess};
use crate::http_client::{Client, HttpResponse, text};
use crate::not_run::not_run;
use crate::random::Random;
use crate::reconcile::{Survived, reconcile};
use crate::sender::{compare, create};
use crate::transfer_model::{Fact, TransferModel, Trouble};

/// Errors of a failing disk: EIO, ENOSPC, EROFS.
const ERRORS: [u32; 3] = [5, 28, 30];

/// Payload size in bytes.
const SIZE: usize = 300_000;

/// More space than an upload needs, in bytes.
const PLENTY: u64 = 8 << 20;

/// A small tmpfs for the store of a home, unmounted on drop.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(home: &Home) -> Option<Self> {
        let path = home.path().join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = mount(&path, &["-t", "tmpfs", "-o", "size=16m", "tmpfs"]);
        if !mounted {
            not_run("cannot mount tmpfs");
        }
        mounted.then_some(Self(path))
    }

    /// Fills the disk except for `but` bytes.
    fn fill(&self, but: u64) {
        let ballast = self.0.join("ballast");
        fs::write(&ballast, "").unwrap();
        // Writes until not a single byte fits.
        let filled = std::io::copy(&mut std::io::repeat(1), &mut fs::File::create(&ballast).unwrap());
        assert!(filled.is_err(), "the disk did not become full");
        let size = fs::metadata(&ballast).unwrap().len();
        fs::File::options().write(true).open(ballast).unwrap().set_len(size.saturating_sub(but)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        mount(&self.0, &["-o", "remount,rw"]);
        // The file system disappears when the last process has exited.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn mount(path: &Path, arguments: &[&str]) -> bool {
    Command::new("mount").args(arguments).arg(path).output().is_ok_and(|output| output.status.success())
}

async fn token(server: &ServerProcess) -> String {
    let response = Client::of(server, "").admin_post("/tokens/create", r#"{"name":"test"}"#).await.unwrap();
    text(&response.json().unwrap(), "token")
}

fn model(random: &mut Random) -> TransferModel {
    let mut model = TransferModel::new(random, SIZE);
    model.content = Bytes::from(random.bytes(SIZE));
    (model.brief, model.limit) = (false, Some(2));
    model
}

/// Runs the transfer as far as the disk permits; returns whether it was completed. Each response must be a success or
/// describe the storage error; a failed request may still have taken effect, because its response may be the part that
/// failed.
async fn send(client: &Client, model: &mut TransferModel) -> Result<bool, Trouble> {
    let is_rejected = |response: &HttpResponse| match response.status {
        200 | 201 => Ok(false),
        503 | 507 => Ok(true),
        _ => Err(Trouble::Wrong(format!("unexpected response to a full disk: {response:?}"))),
    };
    if let Err(Trouble::Wrong(_)) = create(client, model).await {
        let second = client.post("/transfers/create", r#"{"size_bytes":1}"#).await?;
        return is_rejected(&second).map(|_| false);
    }
    for start in (0..SIZE).step_by(SIZE / 3) {
        let end = SIZE.min(start + SIZE / 3);
        model.sent = end;
        let path = model.path(&format!("payload/upload-bytes?offset={start}"));
        if is_rejected(&client.post(&path, model.content.slice(start..end)).await?)? {
            return Ok(false);
        }
        model.acknowledged = end;
    }
    model.completed = Fact::Perhaps;
    if is_rejected(&client.post(&model.path("upload/complete"), "{}").await?)? {
        return Ok(false);
    }
    model.completed = Fact::Yes;
    model.perhaps_unacknowledged += 1;
    let response = client.get(&model.path("payload/download-bytes")).await?;
    if is_rejected(&response)? {
        return Ok(false);
    }
    model.perhaps_unacknowledged -= 1;
    model.grants.extend(response.grant().map(|grant| (grant, Fact::Yes)));
    compare(model, &response)?;
    Ok(true)
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_are_correct_with_any_amount_of_free_space() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home) else { return };
    let mut random = Random::of_this_run("full disks");
    let mut server = home.serve();
    let token = token(&server).await;
    let (mut all, mut ends) = (Vec::<TransferModel>::new(), Vec::new());
    for room in (0..24).map(|step| step * 32_768).chain([PLENTY]) {
        let client = Client::of(&server, &token);
        disk.fill(room);
        let mut model = model(&mut random);
        ends.push(send(&client, &mut model).await.unwrap());
        // Restarts with the remaining free space.
        server.kill();
        server = home.serve();
        let client = Client::of(&server, &token);
        fs::remove_file(disk.0.join("ballast")).unwrap();
        reconcile(&client, &mut model, Survived::Kill).await.unwrap();
        disk.fill(room);
        if model.created == Fact::Yes {
            model.deleted = Fact::Perhaps;
            let deleted = client.post(&model.path("delete"), "{}").await.unwrap();
            assert_eq!(deleted.status, 200, "{room} bytes free: {deleted:?}");
            model.deleted = Fact::Yes;
        }
        all.push(model);
        fs::remove_file(disk.0.join("ballast")).unwrap();
    }
    assert_eq!((ends.first(), ends.last()), (Some(&false), Some(&true)), "completed, by free space: {ends:?}");
    let client = Client::of(&server, &token);
    for model in &mut all {
        reconcile(&client, model, Survived::Kill).await.unwrap();
    }
    home.output();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_store_is_not_served() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home) else { return };
    home.serve().terminate();
    assert!(mount(&disk.0, &["-o", "remount,ro"]), "the disk is still writable");
    let storage = format!("file:{}", home.store().display());
    let mut serve = home.sgsend(&["serve", "public", "--listen", "127.0.0.1:0", "--storage", &storage]);
    assert!(!ChildProcess::start(&mut serve).ends_well(), "the server started on a read-only store");
    let output = home.output().to_lowercase();
    assert!(output.contains("error: ") && output.contains("read-only") && output.contains("hint: "), "{output}");
    assert!(mount(&disk.0, &["-o", "remount,rw"]));
    home.serve().terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_disk_failure_loses_no_acknowledged_change() {
    let Some(FaultyDisk { home, fault }) = FaultyDisk::new(Home::new()) else { return };
    let mut random = Random::of_this_run("failing disks");
    let server = home.serve();
    let token = token(&server).await;
    let client = Client::of(&server, &token);
    let mut all = Vec::new();
    for round in 0..30 {
        let mut model = model(&mut random);
        let failing = async {
            tokio::time::sleep(random.millis_below(40)).await;
            fs::write(&fault, ERRORS[round % ERRORS.len()].to_string()).unwrap();
        };
        let (sent, ()) = tokio::join!(send(&client, &mut model), failing);
        sent.unwrap();
        let response = client.post("/transfers/create", r#"{"size_bytes":1}"#).await.unwrap();
        assert!(
            [503, 507].contains(&response.status),
            "the server accepted a request that it can't store: {response:?}"
        );
        // Requests that write no counter still succeed.
        let status = client.get("/health").await.unwrap();
        assert_eq!(status.status, 200);
        fs::remove_file(&fault).unwrap();
        reconcile(&client, &mut model, Survived::Kill).await.unwrap();
        all.push(model);
    }
    server.kill();
    let server = home.serve();
    let client = Client::of(&server, &token);
    for model in &mut all {
        reconcile(&client, model, Survived::Kill).await.unwrap();
    }
    home.output();
}
