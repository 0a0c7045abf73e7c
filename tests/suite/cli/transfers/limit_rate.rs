//! Limits on the rate of payload bytes, of the command and of a service.

use std::time::{Duration, Instant};

use crate::support::{Home, Service, content};

/// Content size in bytes.
const SIZE: u32 = 1 << 20;
/// Least time of the content at 2 MiB per second, less the last piece.
const LEAST: Duration = Duration::from_millis(400);

/// Returns the time that `work` takes. A unit test with a paused clock checks the longest time.
fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

#[test]
fn uploads_and_downloads_keep_the_rate_by_each_flow() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("file.bin", &content(SIZE));
    let flows: &[&str] = if Service::is_presigned() { &["presigned", "bytes"] } else { &["bytes"] };
    for flow in flows {
        let (mut link, limited) = (String::new(), ["--limit-rate", "2MiB", "--flow", flow]);
        let upload = timed(|| link = home.run_at(&serving, &[&["upload", &file], &limited[..]].concat()).text());
        assert!(upload >= LEAST, "{flow} upload in {upload:?}");
        let arguments = [&["download", &link, "-o", "got", "--overwrite"], &limited[..]].concat();
        let download = timed(|| drop(home.run(&arguments).text()));
        assert!(download >= LEAST, "{flow} download in {download:?}");
        assert!(std::fs::read(home.path().join("got")).unwrap() == content(SIZE));
    }
}

#[test]
fn the_environment_and_the_profile_limit_the_rate() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("file.bin", &content(SIZE));
    let mut upload = home.sgsend(&["--server", &serving.public, "upload", &file]);
    let took = timed(|| assert!(upload.env("SGSEND_LIMIT_RATE", "2MiB").output().unwrap().status.success()));
    assert!(took >= LEAST, "{took:?}");
    let path = home.path().join(".config/sgsend/config.toml");
    let profile = std::fs::read_to_string(&path).unwrap().replace("server =", "limit_rate = \"2MiB\"\nserver =");
    std::fs::write(&path, profile).unwrap();
    let took = timed(|| drop(home.run_at(&serving, &["upload", &file]).text()));
    assert!(took >= LEAST, "{took:?}");
}

#[test]
fn a_unit_of_one_letter_is_refused() {
    let home = Home::new();
    let file = home.file("file.bin", b"content");
    home.run(&["upload", &file, "--limit-rate", "2M"]).expect_failure(2, "write 2mib or 2mb");
    home.run(&["download", "https://send.example/d/x", "--limit-rate", "1KiB"]).expect_failure(2, "at least 4");
}

#[test]
fn downloads_of_one_network_share_the_limit_of_a_service() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let serving = home.serve(&["--storage", &store, "--egress-limit", "2MiB"]);
    home.log_in(&serving);
    let file = home.file("file.bin", &content(SIZE));
    let names = ["first", "second"];
    let links = names.map(|_| home.run_at(&serving, &["upload", &file]).text());
    let took = timed(|| {
        let downloads = [0, 1].map(|at| home.sgsend(&["download", &links[at], "-o", names[at]]));
        let mut downloads: Vec<_> = downloads.into_iter().map(|mut command| command.spawn().unwrap()).collect();
        assert!(downloads.iter_mut().all(|download| download.wait().unwrap().success()));
    });
    assert!(took >= 2 * LEAST, "{took:?}");
    for name in names {
        assert!(std::fs::read(home.path().join(name)).unwrap() == content(SIZE), "{name}");
    }
}
