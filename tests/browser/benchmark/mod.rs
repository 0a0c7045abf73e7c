//! Benchmarks of the pages: a large file, and how soon a link is shown.
//!
//! The file is also sent by the command, and by pages that do one part of the work only. `benches/browser.sh` runs them.

mod bounds;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Browser, Service, chromium_with_files, content};

/// Returns the size of the large file, in MiB.
fn mebibytes() -> u32 {
    std::env::var("SGSEND_BENCH_MIB").map_or(100, |size| size.parse().expect("SGSEND_BENCH_MIB is a number"))
}

/// Number of measurements per figure.
const ROUNDS: usize = 3;

#[tokio::test]
#[ignore = "a benchmark that prints figures"]
async fn measure_pages_beside_the_command() {
    let service = Service::on_disk_with(&["--max-size", "16GiB"]);
    let file = service.home.file("large.bin", &content(mebibytes() as usize * 1024 * 1024));
    for round in 1..=ROUNDS {
        let started = Instant::now();
        let link = service.run(&["upload", &file]).text();
        let upload = started.elapsed();
        let started = Instant::now();
        service.home.run(&["download", &link, "-o", "back.bin", "--overwrite"]).text();
        println!("round {round}, the command: {}", summary(upload, started.elapsed()));
        let measured = chromium_with_files(async |browser| {
            let before = most_memory(browser);
            let upload = send(browser, &service, &file).await;
            let link = browser.value("#link").await;
            let after_upload = most_memory(browser);
            let download = receive(browser, &link).await;
            let memory = format!("at most {after_upload} MiB sending, {} MiB in all", most_memory(browser));
            println!("round {round}, the page: {}; {memory} ({before} MiB when empty)", summary(upload, download));
        });
        assert!(measured.await.is_some(), "no browser is installed");
        let measured = chromium_with_files(async |browser| bounds::measure(browser, mebibytes()).await).await;
        for (what, rate) in measured.into_iter().flat_map(|(rates, _)| rates) {
            println!("round {round}, a page that {what}: {rate:.0} MiB/s");
        }
    }
}

/// Number of visits for the median.
const VISITS: usize = 10;
/// Records when the button is first shown, in milliseconds since the start of the navigation.
const WATCH: &str = "new MutationObserver((changes, observer) => {
      const button = document.getElementById('download');
      if (!button?.checkVisibility()) return;
      performance.mark('interactive');
      observer.disconnect();
    }).observe(document, { subtree: true, childList: true, attributes: true })";

#[tokio::test]
#[ignore = "a benchmark that prints figures"]
async fn measure_when_the_page_of_a_link_is_shown() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1", "--message", "see below"]);
    chromium_with_files(async |browser| {
        browser.before_scripts(WATCH).await;
        let mut visits = Vec::new();
        for _ in 0..VISITS {
            // Nothing of an earlier visit is used.
            browser.tell("Network.clearBrowserCache", json!({})).await;
            browser.goto(&link).await;
            browser.wait_until_visible("#download").await;
            let marks = "const [paint] = performance.getEntriesByName('first-contentful-paint');
                const [mark] = performance.getEntriesByName('interactive');
                const [{ responseEnd, domInteractive }] = performance.getEntriesByType('navigation');
                return [responseEnd, paint?.startTime, domInteractive, mark?.startTime]";
            let marks = browser.until("the marks", async || {
                let marks = browser.script(marks, json!(null)).await;
                marks.as_array()?.iter().map(serde_json::Value::as_f64).collect::<Option<Vec<_>>>()
            });
            visits.push(marks.await);
        }
        let names = ["HTML received", "first contentful paint", "DOM interactive", "download button shown"];
        for (at, name) in names.into_iter().enumerate() {
            let mut times: Vec<f64> = visits.iter().map(|marks| marks[at]).collect();
            times.sort_by(f64::total_cmp);
            let median = f64::midpoint(times[VISITS / 2 - 1], times[VISITS / 2]);
            println!("{name}: {median:.0} ms (median of {VISITS}; {:.0} to {:.0})", times[0], times[VISITS - 1]);
        }
    })
    .await;
}

async fn send(browser: &Browser, service: &Service, file: &str) -> Duration {
    browser.goto(&service.page()).await;
    browser.use_token(&service.token).await;
    browser.choose("#files", &[file]).await;
    let started = Instant::now();
    browser.click("#send").await;
    browser.patiently("the upload to finish", async || browser.is_visible("#sent").await.then_some(())).await;
    started.elapsed()
}

async fn receive(browser: &Browser, link: &str) -> Duration {
    browser.goto(link).await;
    browser.wait_until_visible("#download").await;
    let started = Instant::now();
    browser.click("#download").await;
    let is_finished = async || browser.text("#outcome").await.contains("Download finished").then_some(());
    browser.patiently("the download to finish", is_finished).await;
    let duration = started.elapsed();
    assert_eq!(browser.download().await.1.len(), mebibytes() as usize * 1024 * 1024);
    duration
}

fn summary(upload: Duration, download: Duration) -> String {
    let rate = |duration: Duration| f64::from(mebibytes()) / duration.as_secs_f64();
    let figures = [("up", upload), ("down", download)];
    figures
        .map(|(way, duration)| format!("{way} {:.2} s ({:.0} MiB/s)", duration.as_secs_f64(), rate(duration)))
        .join(", ")
}

/// Returns the peak memory in MiB of the largest renderer process of a browser.
fn most_memory(browser: &Browser) -> u64 {
    let profile = browser.profile().display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let runs_pages = |process: &Path| {
        let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        command.contains("--type=renderer") && command.contains(&profile)
    };
    let most = |process: &Path| {
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    processes.filter(|process| runs_pages(process)).filter_map(|process| most(&process)).max().unwrap_or(0) / 1024
}
