//! Archives by their index: the tree, one file, several as .zip, a tar.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::Command;

use serde_json::json;
use sgsend::domain::archive::{ArchiveIndex, IndexPosition};

use crate::support::{Browser, Service, Theme, axe, chromium, content, each};

/// Files of the archive.
fn files() -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("photos/2026/große.jpg", b"a picture".to_vec()),
        ("photos/b.jpg", content(1_500_000)),
        ("readme.txt", b"read me\n".to_vec()),
        ("zero", Vec::new()),
    ])
}

/// Uploads the files as the directory `holiday`.
fn upload(service: &Service, arguments: &[&str]) -> String {
    let folder = service.home.path().join("holiday");
    for (path, content) in files() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_hours(492_324);
    fs::File::options().write(true).open(folder.join("readme.txt")).unwrap().set_modified(time).unwrap();
    service.run(&[&["upload", folder.to_str().unwrap()], arguments].concat()).text()
}

/// Opens the link and shows the tree.
async fn show(browser: &Browser, link: &str) {
    browser.goto(link).await;
    browser.click("#choose").await;
    browser.wait_until_visible("#tree li").await;
}

/// Ticks the box with this label.
async fn tick(browser: &Browser, label: &str) {
    browser.click(&format!("#tree input[aria-label='{label}']")).await;
}

/// Returns names, contents and times of a .zip file, read by Python.
fn unzip(bytes: &[u8]) -> Option<BTreeMap<String, (Vec<u8>, String)>> {
    const SCRIPT: &str = "
import json, sys, zipfile
zip = zipfile.ZipFile(sys.argv[1])
assert zip.testzip() is None
print(json.dumps([[i.filename, zip.read(i).hex(), '%d-%02d-%02d' % i.date_time[:3], i.compress_type] for i in zip.infolist()]))";
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let output = Command::new("python3").arg("-c").arg(SCRIPT).arg(file.path()).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let entries: Vec<(String, String, String, u16)> = serde_json::from_slice(&output.stdout).unwrap();
    let bytes =
        |hex: &str| (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    assert!(entries.iter().all(|(.., method)| *method == 0), "an entry is compressed");
    Some(entries.into_iter().map(|(name, hex, day, _)| (name, (bytes(&hex), day))).collect())
}

#[tokio::test]
async fn one_file_of_an_archive_is_saved_as_itself() {
    let service = Service::start();
    each(async |browser| {
        let link = upload(&service, &["-d", "1"]);
        show(browser, &link).await;
        assert!(!browser.is_visible("#tree input[aria-label='b.jpg, file']").await, "folders begin closed");
        assert_eq!(browser.script("return document.querySelector('#save-chosen').disabled", json!(null)).await, true);
        tick(browser, "readme.txt, file").await;
        browser.wait_for_text("#chosen", "1 file selected, 8 bytes").await;
        browser.click("#save-chosen").await;
        browser.wait_for_text("#outcome", "Download finished: readme.txt").await;
        assert_eq!(browser.download().await, ("readme.txt".to_owned(), b"read me\n".to_vec()));
        assert_eq!(service.downloads(&link).await, 1);
        // Further files of this visit are the same download.
        tick(browser, "readme.txt, file").await;
        browser.click("#tree summary").await;
        browser.wait_until_visible("#tree input[aria-label='b.jpg, file']").await;
        tick(browser, "b.jpg, file").await;
        browser.click("#save-chosen").await;
        browser.wait_for_text("#outcome", "Download finished: b.jpg").await;
        assert!(browser.download().await.1 == files()["photos/b.jpg"]);
        assert_eq!(service.downloads(&link).await, 1);
        fs::remove_dir_all(service.home.path().join("holiday")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn several_files_and_all_are_saved_as_a_zip() {
    let service = Service::start();
    chromium(async |browser| {
        let link = upload(&service, &["-d", "1"]);
        show(browser, &link).await;
        tick(browser, "photos, folder").await;
        tick(browser, "readme.txt, file").await;
        browser.wait_for_text("#chosen", "3 files selected").await;
        browser.click("#save-chosen").await;
        browser.wait_for_text("#outcome", "Download finished: holiday.zip").await;
        let (name, zip) = browser.download().await;
        assert_eq!(name, "holiday.zip");
        let Some(entries) = unzip(&zip) else { return };
        let names: Vec<_> = entries.keys().map(String::as_str).collect();
        let expected = ["photos/", "photos/2026/", "photos/2026/große.jpg", "photos/b.jpg", "readme.txt"];
        assert_eq!(names, expected);
        for (path, content) in files().iter().filter(|(path, _)| **path != "zero") {
            assert!(entries[*path].0 == *content, "{path} differs");
        }
        assert_eq!(entries["readme.txt"].1, "2026-03-01");
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished: holiday.zip").await;
        let entries = unzip(&browser.download().await.1).unwrap();
        assert!(entries.len() == 6 && entries["zero"].0.is_empty(), "{:?}", entries.keys());
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn chosen_files_are_saved_as_a_tar() {
    let service = Service::start();
    chromium(async |browser| {
        let link = upload(&service, &[]);
        show(browser, &link).await;
        tick(browser, "photos, folder").await;
        browser.click("#save-tar").await;
        browser.wait_for_text("#outcome", "Download finished: holiday.tar").await;
        let (_, bytes) = browser.download().await;
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.insert(entry.path().unwrap().display().to_string(), content);
        }
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            ["photos/", "photos/2026/", "photos/2026/große.jpg", "photos/b.jpg"]
        );
        assert!(found["photos/b.jpg"] == files()["photos/b.jpg"]);
    })
    .await;
}

#[tokio::test]
async fn a_page_sends_an_archive_that_others_read_by_its_index() {
    let service = Service::start();
    chromium(async |browser| {
        let body = "
            const { tarOf } = await import(new URL('web/format/tar.js', location.href));
            const { findIndex, parseIndex, headAgrees } = await import(new URL('web/format/archive-index.js', location.href));
            const long = 'ü'.repeat(80) + '.txt';
            const entries = [{ path: 'd' }, { path: `d/${long}`, file: new File(['x'.repeat(600)], long) },
              { path: 'e', file: new File(['e'], 'e') }];
            const bytes = new Uint8Array(await tarOf(entries).arrayBuffer());
            const position = findIndex(bytes.length, bytes.slice(-8));
            const index = parseIndex(bytes.slice(position.start), position);
            return { agree: index.map((entry) => headAgrees(bytes.slice(entry.offset, entry.data), entry)),
              index, bytes: [...bytes] };";
        browser.goto(&service.page()).await;
        let made = browser.script(body, json!(null)).await;
        assert_eq!(made["agree"], json!([true, true, true]));
        let bytes: Vec<u8> = serde_json::from_value(made["bytes"].clone()).unwrap();
        let last = bytes[bytes.len() - 8..].try_into().unwrap();
        let position = IndexPosition::find(bytes.len() as u64, last).unwrap();
        let start = usize::try_from(position.start).unwrap();
        let index = ArchiveIndex::parse(&bytes[start..], position).unwrap().unwrap();
        let file = &index.entries[1];
        let data = usize::try_from(file.data).unwrap();
        assert_eq!((file.size, &bytes[data..data + 600]), (600, &[b'x'; 600][..]));
    })
    .await;
}

#[tokio::test]
async fn only_the_needed_segments_are_requested() {
    let service = Service::on_disk();
    let folder = service.home.path().join("big");
    fs::create_dir(&folder).unwrap();
    for number in 0..12 {
        fs::write(folder.join(format!("{number:02}.bin")), content(1 << 20)).unwrap();
    }
    let link = service.run(&["upload", folder.to_str().unwrap(), "-d", "1"]).text();
    chromium(async |browser| {
        show(browser, &link).await;
        let before = browser.requests().await.len();
        tick(browser, "05.bin, file").await;
        browser.click("#save-chosen").await;
        browser.wait_for_text("#outcome", "Download finished: 05.bin").await;
        assert!(browser.download().await.1 == content(1 << 20));
        let requests = browser.requests().await;
        let payload: Vec<_> =
            requests[before..].iter().filter(|request| request.holds(b"payload/download-bytes")).collect();
        assert!(!payload.is_empty() && payload.len() <= 2, "{} requests", payload.len());
        assert!(payload.iter().all(|request| !request.holds(b"bytes=0-")));
    })
    .await;
}

/// Gives the file `readme.txt` another place or name in the index that the page reads.
const LIE: &str = "
    const parse = JSON.parse;
    JSON.parse = (text, ...rest) => {
      const value = parse(text, ...rest);
      if (Array.isArray(value) && value[0]?.offset !== undefined) {
        Object.assign(value.find((entry) => entry.path === 'readme.txt'), LIE);
      }
      return value;
    };";

#[tokio::test]
async fn an_index_that_lies_saves_nothing() {
    let service = Service::start();
    // The first two contradict the headers of the files, and the others contradict themselves.
    for (lie, name) in [
        ("{ path: 'invoice.pdf' }", Some("invoice.pdf")),
        ("{ size: 7 }", Some("readme.txt")),
        ("{ path: '../escaped' }", None),
        ("{ path: 'zero' }", None),
        ("{ offset: 0, data: 512 }", None),
    ] {
        chromium(async |browser| {
            let link = upload(&service, &[]);
            browser.before_scripts(&LIE.replace("LIE", lie)).await;
            browser.goto(&link).await;
            browser.click("#choose").await;
            if let Some(name) = name {
                browser.wait_until_visible("#tree li").await;
                tick(browser, &format!("{name}, file")).await;
                browser.click("#save-chosen").await;
            }
            browser.wait_for_text("#error", "list of files is wrong").await;
            browser.until("all files to be removed", async || (browser.download_count() == 0).then_some(())).await;
        })
        .await;
    }
}

#[tokio::test]
async fn the_tree_is_used_by_keyboard_and_without_violations() {
    let service = Service::start();
    let link = upload(&service, &[]);
    chromium(async |browser| {
        show(browser, &link).await;
        assert_eq!(browser.focused().await, "files-title");
        browser.tab().await;
        let press = "const { activeElement: box } = document; box.click(); return box.getAttribute('aria-label')";
        assert_eq!(browser.script(press, json!(null)).await, "photos, folder");
        browser.wait_for_text("#chosen", "2 files selected").await;
        browser.tab().await;
        browser.script("document.activeElement.parentElement.open = true", json!(null)).await;
        browser.wait_until_visible("#tree input[aria-label='b.jpg, file']").await;
        tick(browser, "b.jpg, file").await;
        let state = "return document.querySelector('#tree input').indeterminate";
        assert_eq!(browser.script(state, json!(null)).await, true);
        let Some(axe) = axe() else { return };
        for variant in [(Theme::Light, 320), (Theme::Dark, 1_280)] {
            browser.check_accessible(&axe, "the tree", &[variant]).await;
        }
    })
    .await;
}
