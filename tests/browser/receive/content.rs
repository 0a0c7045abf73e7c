//! Content and file names arrive unchanged, and only authentic content is saved.

use serde_json::json;

use super::download;
use crate::support::{Service, chromium, content};

/// Returns content sizes whose payload ends around a segment boundary, for a file of this name. The payload ends just
/// before, at or just after the boundary.
fn boundaries(name: &str) -> Vec<usize> {
    let metadata = sgsend::domain::crypto::envelope::Metadata {
        filename: name.to_owned(),
        size: 1_048_000,
        content_type: Some("application/octet-stream".to_owned()),
        modified_ms: Some(1_767_268_800_000),
        archive: None,
        mode: None,
        signed: false,
    };
    let envelope = sgsend::domain::crypto::envelope::encode(&metadata).unwrap().len();
    // The envelope's length may differ by a few bytes; these sizes hit the boundary in any case.
    [1_048_520, 2_097_080].into_iter().flat_map(|end| (0..3).map(move |near| end - envelope + near * 20 - 20)).collect()
}

#[tokio::test]
async fn files_of_boundary_sizes_arrive_unchanged() {
    let service = Service::start();
    chromium(async |browser| {
        let sizes = [0, 1, 1_000, 5 * 1024 * 1024].into_iter().chain(boundaries("sent.bin"));
        for size in sizes {
            let original = content(size);
            let link = service.upload("sent.bin", &original, &["-d", "1"]);
            let (name, got) = download(browser, &link).await;
            assert_eq!((name.as_str(), got.len()), ("sent.bin", size));
            assert!(got == original, "the content of {size} bytes differs");
            assert_eq!(service.downloads(&link).await, 1, "{size} bytes");
        }
    })
    .await;
}

#[tokio::test]
async fn names_in_many_scripts_arrive_as_they_are() {
    let service = Service::start();
    chromium(async |browser| {
        for name in [
            "Grüße an alle.txt",
            "отчёт за год.pdf",
            "報告書 (最終版).docx",
            "تقرير.csv",
            "דוח.txt",
            "🦀 & 50% 'quoted'; x=1.txt",
            "no extension",
            "two.tar.gz",
        ] {
            let link = service.upload(name, name.as_bytes(), &[]);
            browser.goto(&link).await;
            browser.click("#download").await;
            browser.wait_for_text("#file-name", name).await;
            browser.wait_for_text("#outcome", "Download finished").await;
            let (got, content) = browser.download().await;
            assert_eq!(got, name);
            assert_eq!(content, name.as_bytes());
        }
    })
    .await;
}

#[tokio::test]
async fn malicious_names_are_sanitised() {
    let service = Service::start();
    chromium(async |browser| {
        for name in ["../escaped.txt", "/etc/escaped.txt", "..\\escaped.txt", "<img src=x onerror=alert(1)>.txt"] {
            let finished = service.home.pipe_at(&service.serving, &["upload", "-", "--name", name], b"x");
            if finished.exit != 0 {
                // A refusal by the sender is equally safe.
                continue;
            }
            let (got, _) = download(browser, &finished.text()).await;
            assert!(got.contains("txt") && !got.contains(['/', '\\']), "{name:?} became {got:?}");
            assert!(!browser.downloads().parent().unwrap().join("escaped.txt").exists());
        }
    })
    .await;
}

#[tokio::test]
async fn files_are_saved_without_service_workers() {
    let service = Service::start();
    let original = content(3_000_000);
    let link = service.upload("sent.bin", &original, &["-d", "1"]);
    chromium(async |browser| {
        browser.before_scripts("delete Navigator.prototype.serviceWorker").await;
        let (name, got) = download(browser, &link).await;
        assert_eq!(browser.script("return 'serviceWorker' in navigator", json!(null)).await, false);
        assert_eq!(name, "sent.bin");
        assert!(got == original, "the content differs");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_tampered_payload_is_not_saved() {
    let service = Service::on_disk();
    let link = service.upload("large.bin", &content(3_000_000), &["-d", "1"]);
    let payloads = walkdir::WalkDir::new(service.store().join("payloads")).into_iter().filter_map(Result::ok);
    let payload = payloads.filter(|entry| entry.metadata().is_ok_and(|data| data.is_file() && data.len() > 3_000_000));
    let payload = payload.last().unwrap().into_path();
    let mut sealed = std::fs::read(&payload).unwrap();
    sealed[2_500_000] ^= 1;
    std::fs::write(&payload, sealed).unwrap();
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.click("#download").await;
        browser.wait_for_text("#error", "damaged").await;
        browser.until("all files to be removed", async || (browser.download_count() == 0).then_some(())).await;
    })
    .await;
}

#[tokio::test]
async fn a_previewed_text_is_copied_or_selected() {
    let service = Service::start();
    let link = service.upload("a.txt", b"two\nlines", &[]);
    chromium(async |browser| {
        browser
            .tell("Browser.grantPermissions", json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}))
            .await;
        browser.goto(&link).await;
        browser.click("#preview").await;
        browser.click("#copy-text").await;
        browser.wait_for_text("#outcome", "copied").await;
        assert_eq!(browser.script("return navigator.clipboard.readText()", json!([])).await, "two\nlines");
        browser.script("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))", json!([])).await;
        browser.script("getSelection().removeAllRanges()", json!([])).await;
        browser.click("#copy-text").await;
        browser.wait_for_text("#error", "copy it by hand").await;
        assert_eq!(browser.script("return `${getSelection()}`", json!([])).await, "two\nlines");
    })
    .await;
}
