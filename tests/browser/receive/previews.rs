//! Previews: what they show, that they count one download, and that nothing of a file ever runs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::{Browser, Kind, Service, chromium, content, each};

/// A red picture of 8 by 8 pixels, JPEG 2000 by Pillow 12.
const JPEG_2000: &str = "0000000c6a5020200d0a870a00000014667479706a703220000000006a7032200000002d6a70326800000016696864720000\
    0008000000080003070700000000000f636f6c72010000000000100000009e6a703263ff4fff51002f000000000008000000\
    080000000000000000000000080000000800000000000000000003070101070101070101ff52000c00000001000004040001\
    ff5c00044040ff640025000143726561746564206279204f70656e4a5045472076657273696f6e20322e352e34ff90000a00\
    00000000260001ff93cfb41414005caf87df8028115054a36fdf8028115054a36fffd9";
/// A white picture of 8 by 8 pixels, JBIG2.
///
/// A page, and a generic region whose rows equal the imaginary one above.
const JBIG2: &str = "0000000030000100000013000000080000000800000000000000000000000000000126000100000016000000080000000800\
    000000000000000001ff001001";
/// A white picture of 8 by 8 pixels as a fax of group 4: eight equal rows, and the end.
const FAX: &str = "ff001001";

/// Returns a PDF file of one page, 200 by 100 points, whose left half is red. Its catalogue has `additions`.
pub(crate) fn pdf(additions: &str) -> Vec<u8> {
    pdf_of("1 0 0 rg 0 0 100 100 re f", additions, None)
}

/// Returns a PDF file of one page whose left half is a picture with these members and content.
///
/// The page has 200 by 100 points.
fn pdf_with_picture(members: &str, hex: &str) -> Vec<u8> {
    let picture = format!(
        "<< /Type /XObject /Subtype /Image /Width 8 /Height 8 {members} /Length {} >>\nstream\n{hex}>\nendstream",
        hex.len() + 1
    );
    pdf_of("q 100 0 0 100 0 0 cm /Picture Do Q", "", Some(picture))
}

fn pdf_of(drawing: &str, additions: &str, picture: Option<String>) -> Vec<u8> {
    let resources = if picture.is_some() { "/Resources << /XObject << /Picture 5 0 R >> >>" } else { "" };
    let mut objects = vec![
        format!("<< /Type /Catalog /Pages 2 0 R {additions} >>"),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R {resources} >>"),
        format!("<< /Length {} >>\nstream\n{drawing}\nendstream", drawing.len()),
    ];
    objects.extend(picture);
    let mut file = "%PDF-1.5\n".to_owned();
    let mut offsets = String::new();
    for (index, object) in objects.iter().enumerate() {
        writeln!(offsets, "{:010} 00000 n ", file.len()).unwrap();
        writeln!(file, "{} 0 obj\n{object}\nendobj", index + 1).unwrap();
    }
    let (start, count) = (file.len(), objects.len() + 1);
    writeln!(file, "xref\n0 {count}\n0000000000 65535 f \n{offsets}trailer << /Size {count} /Root 1 0 R >>").unwrap();
    write!(file, "startxref\n{start}\n%%EOF").unwrap();
    file.into_bytes()
}

/// Returns a sound of this duration: 8-bit samples, 8000 a second.
fn wav(seconds: u32) -> Vec<u8> {
    let samples = content(seconds as usize * 8_000);
    let length = u32::try_from(samples.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend([8_000_u32.to_le_bytes(), 8_000_u32.to_le_bytes()].concat());
    file.extend(b"\x01\0\x08\0data");
    file.extend(length.to_le_bytes());
    file.extend(samples);
    file
}

/// Returns the colours in the middle of the left and right half of the drawn page.
async fn drawn(browser: &Browser) -> Value {
    let read = "const canvas = document.querySelector('canvas');
        const pixel = (x) => [...canvas.getContext('2d').getImageData(canvas.width * x, canvas.height / 2, 1, 1).data];
        return [pixel(0.25), pixel(0.75)]";
    browser.script_in_frame("#shown iframe", read).await
}

#[tokio::test]
async fn a_pdf_is_drawn_in_a_frame_without_rights() {
    let service = Service::start();
    each(async |browser| {
        let link = service.upload("red.pdf", &pdf(""), &["-d", "1"]);
        browser.goto(&link).await;
        browser.click("#preview").await;
        browser.wait_for_text("#pdf-page", "Page 1 of 1").await;
        assert_eq!(drawn(browser).await, json!([[255, 0, 0, 255], [255, 255, 255, 255]]));
        let rights = "return [origin, document.querySelector('meta[http-equiv]') === null]";
        assert_eq!(browser.script_in_frame("#shown iframe", rights).await, json!(["null", true]));
        let request = "return fetch(new URL('/health', location.href)).then(() => 'sent', () => 'refused')";
        if browser.kind == Kind::Chromium {
            browser.expect_page_error("/health");
            assert_eq!(browser.script_in_frame("#shown iframe", request).await, "refused");
        }
        assert_eq!(service.downloads(&link).await, 1);
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert!(browser.download().await.1 == pdf(""));
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn pictures_in_a_pdf_are_drawn_with_decoders_that_are_loaded_for_them() {
    let service = Service::start();
    let grey = |filter: &str| {
        format!("/ColorSpace /DeviceGray /BitsPerComponent 1 /Decode [1 0] /Filter [/ASCIIHexDecode {filter}]")
    };
    let (jbig2, fax) = (grey("/JBIG2Decode"), grey("/CCITTFaxDecode"));
    let fax = format!("{fax} /DecodeParms [null << /K -1 /Columns 8 /Rows 8 >>]");
    let (red, black) = (json!([255, 0, 0, 255]), json!([0, 0, 0, 255]));
    each(async |browser| {
        for (members, content, colour, decoder) in [
            ("/Filter [/ASCIIHexDecode /JPXDecode]", JPEG_2000, &red, "openjpeg"),
            (&jbig2, JBIG2, &black, "jbig2"),
            (&fax, FAX, &black, "jbig2"),
        ] {
            let link = service.upload("scan.pdf", &pdf_with_picture(members, content), &[]);
            browser.goto(&link).await;
            browser.click("#preview").await;
            browser.wait_for_text("#pdf-page", "Page 1 of 1").await;
            assert_eq!(drawn(browser).await, json!([colour, [255, 255, 255, 255]]), "{members}");
            let decoders = "const names = performance.getEntriesByType('resource').map(({ name }) => name);
                return names.filter((name) => name.includes('nowasm')).map((name) => name.split('/').at(-1))";
            let decoders = browser.script_in_frame("#shown iframe", decoders).await;
            assert_eq!(decoders, json!([format!("{decoder}_nowasm_fallback.js")]), "{members}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_library_for_pdf_is_loaded_for_pdf_only() {
    let service = Service::start();
    chromium(async |browser| {
        let link = service.upload("note.txt", b"hello", &[]);
        browser.goto(&link).await;
        browser.click("#preview").await;
        browser.wait_for_text("#shown pre", "hello").await;
        assert!(browser.requests().await.iter().all(|request| !request.url.contains("pdfjs")));
        let link = service.upload("red.pdf", &pdf(""), &[]);
        browser.goto(&link).await;
        browser.wait_until_visible("#download").await;
        assert!(browser.requests().await.iter().all(|request| !request.url.contains("pdfjs")));
    })
    .await;
}

#[tokio::test]
async fn a_sound_is_played_by_ranges_of_one_download() {
    let service = Service::start();
    let sound = wav(600);
    each(async |browser| {
        let link = service.upload("tone.wav", &sound, &["-d", "1"]);
        browser.goto(&link).await;
        browser.click("#preview").await;
        let state = "const player = document.querySelector('video');
            return [player?.duration, player?.readyState > 0]";
        browser
            .until("the sound to be ready", async || {
                let state = browser.script_in_frame("#shown iframe", state).await;
                (state == json!([600, true])).then_some(())
            })
            .await;
        let seek = "const player = document.querySelector('video');
            const sought = new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }));
            player.currentTime = 590;
            await sought;
            return Math.round(player.currentTime)";
        assert_eq!(browser.script_in_frame("#shown iframe", seek).await, 590);
        assert_eq!(service.downloads(&link).await, 1);
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert!(browser.download().await.1 == sound, "the content differs");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

/// Script that marks the page if it ever runs.
const MARK: &str = "<script>top.document.title = 'run'; top.run = true</script>";

/// Requires that nothing of a file has run: neither in the page nor by a dialog.
async fn assert_nothing_ran(browser: &Browser, name: &str) {
    let ran = "return [globalThis.run ?? false, document.title, document.querySelector('object, embed') !== null]";
    assert_eq!(browser.script(ran, json!(null)).await, json!([false, "A file for you – sgsend", false]), "{name}");
}

#[tokio::test]
async fn html_is_shown_as_text_only() {
    let service = Service::start();
    let page = format!("<!doctype html><h1>hello</h1>{MARK}");
    chromium(async |browser| {
        for name in ["page.html", "note.txt"] {
            browser.goto(&service.upload(name, page.as_bytes(), &[])).await;
            browser.click("#preview").await;
            browser.wait_for_text("#shown pre", &page).await;
            assert!(!browser.is_visible("#shown h1, #shown iframe").await, "{name}");
            assert_nothing_ran(browser, name).await;
        }
    })
    .await;
}

#[tokio::test]
async fn svg_and_archives_have_no_preview() {
    let service = Service::start();
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg'>{MARK}</svg>");
    chromium(async |browser| {
        for name in ["picture.svg", "page.xhtml", "program.bin", "archive.zip"] {
            browser.goto(&service.upload(name, svg.as_bytes(), &[])).await;
            browser.wait_until_visible("#download").await;
            assert!(!browser.is_visible("#preview").await, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn files_that_lie_about_their_kind_show_nothing() {
    let service = Service::start();
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/>{MARK}</svg>");
    let html = format!("<!doctype html><h1>hello</h1>{MARK}");
    chromium(async |browser| {
        for (name, file) in [("svg.png", &svg), ("html.png", &html), ("html.jpg", &html), ("html.pdf", &html)] {
            browser.goto(&service.upload(name, file.as_bytes(), &[])).await;
            browser.click("#preview").await;
            browser.wait_for_text("#outcome", "This browser cannot show the file").await;
            assert!(!browser.is_visible("#shown img, #shown iframe").await, "{name}");
            assert_nothing_ran(browser, name).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_player_of_a_file_that_is_no_sound_plays_nothing() {
    let service = Service::start();
    let html = format!("<!doctype html><h1>hello</h1>{MARK}");
    chromium(async |browser| {
        for name in ["html.mp4", "html.wav"] {
            browser.goto(&service.upload(name, html.as_bytes(), &[])).await;
            browser.click("#preview").await;
            let state = "return [document.querySelector('video')?.error?.code ?? 0, document.body.children.length,
                document.scripts.length]";
            browser
                .until("the player to fail", async || {
                    let state = browser.script_in_frame("#shown iframe", state).await;
                    (state == json!([4, 1, 0])).then_some(())
                })
                .await;
            assert_nothing_ran(browser, name).await;
        }
    })
    .await;
}

#[tokio::test]
async fn scripts_of_a_pdf_do_not_run() {
    let service = Service::start();
    let script = "app.alert('run'); this.submitForm('http://127.0.0.1:9/'); top.run = true";
    let action = format!("/OpenAction << /S /JavaScript /JS ({}) >>", script.replace('(', "\\(").replace(')', "\\)"));
    let launch = "/OpenAction << /S /URI /URI (http://127.0.0.1:9/) >>";
    chromium(async |browser| {
        for (name, additions) in [("script.pdf", action.as_str()), ("link.pdf", launch)] {
            browser.goto(&service.upload(name, &pdf(additions), &[])).await;
            browser.click("#preview").await;
            browser.wait_for_text("#pdf-page", "Page 1 of 1").await;
            assert_eq!(drawn(browser).await[0], json!([255, 0, 0, 255]));
            assert_nothing_ran(browser, name).await;
            let requests = browser.requests().await;
            assert!(requests.iter().all(|request| !request.url.contains("127.0.0.1:9/")), "{name}: {requests:?}");
        }
    })
    .await;
}
