//! Page scripts that implement the same rules as this crate: names, paths, links, QR codes.

use qrcode::bits::Bits;
use qrcode::canvas::{Canvas, MaskPattern};
use qrcode::{EcLevel, Version};
use serde_json::{Value, json};
use sgsend::domain::archive::ArchivePath;
use sgsend::domain::file_name::safe_file_name;
use sgsend::domain::link::Link;

use crate::support::{Browser, Service, chromium, each};

/// Returns the results of a script function for each text, with `null` for no result.
async fn each_of(browser: &Browser, script: &str, function: &str, texts: &[String]) -> Vec<Value> {
    let body = format!(
        "const script = await import(new URL('web/{script}.js', location.href));
        return args.map((text) => {function}(text) ?? null)"
    );
    browser.script(&body, json!(texts)).await.as_array().unwrap().clone()
}

/// Collects the characters for which a function returns true, before and after a letter.
const EVERY_CHARACTER: &str = "
    const { FUNCTION: judge } = await import(new URL('web/SCRIPT.js', location.href));
    const found = [];
    for (let point = 0; point <= 0x10ffff; point += 1) {
      if (0xd800 <= point && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      for (const text of [`${character}a`, `a${character}`]) if (CONDITION) found.push(text);
    }
    return found";

fn of_every_character(script: &str, function: &str, condition: &str) -> String {
    EVERY_CHARACTER.replace("FUNCTION", function).replace("SCRIPT", script).replace("CONDITION", condition)
}

/// Returns the same list, computed by this crate.
fn every_character(condition: impl Fn(&str) -> bool) -> Vec<String> {
    let texts = |c: char| [format!("{c}a"), format!("a{c}")];
    ('\0'..=char::MAX).flat_map(texts).filter(|text| condition(text)).collect()
}

/// Returns the items that are in only one of the lists.
fn differences(found: &Value, expected: &[String]) -> Vec<String> {
    let found: std::collections::BTreeSet<_> = found.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let expected: std::collections::BTreeSet<_> = expected.iter().map(String::as_str).collect();
    found.symmetric_difference(&expected).map(ToString::to_string).collect()
}

fn attacking_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        ".",
        "..",
        "...",
        "/",
        "\\",
        "a/",
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "C:\\x.txt",
        "a/..",
        "/.bashrc",
        ".bashrc",
        "-rf",
        "--help",
        "- ",
        " .a",
        ".-",
        "con",
        "CON.txt",
        "con .txt",
        "Nul",
        "nul.tar.gz",
        "aux.c",
        "COM1",
        "com0.x",
        "com10",
        "lpt¹",
        "LPT9.",
        "conin$",
        "CONOUT$.a",
        "clock$",
        "a\0b",
        "a\r\nb",
        "\u{1b}[2Ja",
        "a\u{9b}b",
        "invoice\u{202e}fdp.exe",
        "\u{feff}a",
        "a\u{200b}b",
        "می\u{200c}خواهم",
        "👨\u{200d}👩\u{200d}👧",
        "\u{e0041}a",
        "a. . .",
        "a\u{a0}",
        "\u{3000}a",
        "\u{2028}",
        "con\u{200b}.txt",
        "\u{200b}.bashrc",
        "\u{200b} -rf",
        "日本語.txt",
        "re\u{301}sume\u{301}",
        "<img src=x onerror=alert(1)>.txt",
        "a'b\"c;d",
        "%2e%2e%2f",
        "a\u{85}",
        "\u{85}a",
        "a\u{1680}",
        "a\u{2003}.txt",
        "a.txt\u{2003}.",
        "ＣＯＮ",
        "com²",
        "com³.txt",
        "..a",
        "-.-",
        "\u{ad}",
    ]
    .map(str::to_owned)
    .into();
    for unit in ["a", "ü", "報", "🦀", ".", " ", "..a", "/", "e\u{301}"] {
        for count in [50, 63, 64, 84, 85, 86, 127, 128, 250, 255, 256, 1_000] {
            for ending in
                ["", ".txt", ".tar.gz", ".", ". .", &format!(".{}", "x".repeat(31)), &format!(".{}", "x".repeat(32))]
            {
                names.push(format!("{}{ending}", unit.repeat(count)));
            }
        }
    }
    names.push(format!("con{}", " ".repeat(300)));
    names.push(format!("con.{}", "x".repeat(300)));
    names
}

#[tokio::test]
async fn names_become_safe_in_the_same_way() {
    let service = Service::start();
    each(async |browser| {
        browser.goto(&service.page()).await;
        let names = attacking_names();
        let safe = each_of(browser, "format/file-name", "script.safeName", &names).await;
        for (name, safe) in names.iter().zip(safe) {
            assert_eq!(safe, safe_file_name(name), "{name:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_characters_are_removed_from_names() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        let script = of_every_character("format/file-name", "safeName", "judge(text) !== text");
        let changed = browser.script(&script, json!(null)).await;
        let apart = differences(&changed, &every_character(|text| safe_file_name(text) != text));
        assert!(apart.is_empty(), "{}: {apart:?}", apart.len());
    })
    .await;
}

#[tokio::test]
async fn halves_of_characters_and_long_names_become_safe_at_once() {
    let service = Service::start();
    let script = "
        const { safeName } = await import(new URL('web/format/file-name.js', location.href));
        const lone = ['\\ud800', 'a\\udc00b', '\\ud83e\\udd80\\ud83e.txt', '\\udc00.bashrc', '\\ud800con'];
        const halves = lone.map(safeName);
        const many = 65_536;
        const dots = '.'.repeat(many), spaces = ' '.repeat(many);
        const long = [dots, `${dots}a`, `a${dots}`, `a${dots}b`, spaces, `a${spaces}b`, `${spaces}.`, '. '.repeat(many),
          `a${'. '.repeat(many)}b`, `con${spaces}x`, `con${spaces}.`, '/'.repeat(many), '\\\\/'.repeat(many)];
        const began = performance.now();
        const safe = long.map(safeName);
        return { halves, safe, took: performance.now() - began };";
    each(async |browser| {
        browser.goto(&service.page()).await;
        let found = browser.script(script, json!(null)).await;
        assert_eq!(found["halves"], json!(["file", "ab", "🦀.txt", "_bashrc", "_con"]));
        let (dots, spaces) = (".".repeat(65_536), " ".repeat(65_536));
        let long = [
            dots.clone(),
            format!("{dots}a"),
            format!("a{dots}"),
            format!("a{dots}b"),
            spaces.clone(),
            format!("a{spaces}b"),
            format!("{spaces}."),
            ". ".repeat(65_536),
            format!("a{}b", ". ".repeat(65_536)),
            format!("con{spaces}x"),
            format!("con{spaces}."),
            "/".repeat(65_536),
            "\\/".repeat(65_536),
        ];
        assert_eq!(found["safe"], json!(long.each_ref().map(|name| safe_file_name(name))));
        let took = found["took"].as_f64().unwrap();
        assert!(took < 1_000.0, "{took} ms");
    })
    .await;
}

#[tokio::test]
async fn archives_accept_the_same_paths() {
    let service = Service::start();
    let mut paths = attacking_names();
    paths.extend(
        ["a/b/c.txt", ".git/config", "...", "a:b", "C:/x", "c:", "a/C:/b", "./a", "a//b", "a/b/../c", "a/.", "//a"]
            .map(str::to_owned),
    );
    paths.extend([256, 257].map(|depth| vec!["d"; depth].join("/")));
    paths.extend([20, 21].map(|depth| vec!["d".repeat(200); depth].join("/")));
    paths.extend([63, 64].map(|count| format!("{}/{}", "ü".repeat(127), "🦀".repeat(count))));
    each(async |browser| {
        browser.goto(&service.page()).await;
        let reasons = each_of(browser, "format/archive-path", "script.rejectionReason", &paths).await;
        for (path, reason) in paths.iter().zip(reasons) {
            assert_eq!(ArchivePath::parse(path).is_ok(), reason.is_null(), "{path:?}: {reason}");
        }
    })
    .await;
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        let unfit = of_every_character("format/archive-path", "rejectionReason", "judge(text) !== undefined");
        let found = browser.script(&unfit, json!(null)).await;
        let apart = differences(&found, &every_character(|text| ArchivePath::parse(text).is_err()));
        assert!(apart.is_empty(), "{}: {apart:?}", apart.len());
    })
    .await;
}

#[tokio::test]
async fn keys_are_found_in_mangled_links() {
    const ID: &str = "0123456789abcdef0123456789abcdef";
    const KEY: &str = "v1.B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E";
    let text = format!("https://send.example.org/base/d/{ID}#{KEY}");
    let mangled = [
        text.clone(),
        format!("<{text}>"),
        format!("  {text}\r\n"),
        format!("{text}."),
        format!("{text}..."),
        format!("<{text}>."),
        format!("\"{text}\""),
        format!("'{text}'."),
        format!("\u{201c}{text}\u{201d}"),
        format!("({text})."),
        format!("\u{feff}{text}"),
        text.replace('#', "?utm=1#"),
        text.replace('#', "?utm_source=mail&utm_medium=a/b#"),
        text.replace('#', "/#"),
        text.replace("https://send", "HTTPS://SEND"),
        text.replace("#v1.", "#"),
        format!("{text}#"),
    ];
    let broken = [
        format!("<https://send.example.org/d/{ID}#>."),
        format!("https://h/d/{ID}"),
        format!("https://h/d/{ID}#{}", &KEY[..45]),
        format!("https://h/d/{ID}#v3.{}", &KEY[3..]),
        format!("https://h/d/{ID}#{KEY}A"),
        format!("https://h/d/{ID}#v1.v1.{}", &KEY[3..]),
        String::new(),
    ];
    // The key alone, and in the form of `location.hash`.
    let alone = [
        KEY.to_owned(),
        format!("#{KEY}"),
        format!("#{KEY}%22"),
        format!("#{KEY}%E2%80%9D."),
        format!("#{KEY}%"),
        format!(" {}\n", &KEY[3..]),
    ];
    let service = Service::start();
    each(async |browser| {
        browser.goto(&service.page()).await;
        let find = "((text) => script.LinkKey.find(text)?.toString())";
        for (texts, expected) in [(&mangled[..], json!(KEY)), (&alone[..], json!(KEY)), (&broken[..], json!(null))] {
            for (text, found) in texts.iter().zip(each_of(browser, "format/key", find, texts).await) {
                assert_eq!(found, expected, "{text:?}");
            }
        }
        // This crate gives the same results.
        for text in mangled.iter().chain(&broken) {
            let read = text.parse::<Link>().ok().and_then(|link| link.key);
            assert_eq!(read.is_some(), mangled.contains(text), "{text:?}");
        }
        for prefix in ["v1p.", "v2.", "v2p."] {
            let found = each_of(browser, "format/key", find, &[text.replace("v1.", prefix)]).await;
            assert_eq!(found, [json!(KEY.replace("v1.", prefix))]);
        }
    })
    .await;
}

/// Returns the QR code modules of a text in byte mode, with each mask.
fn qr_codes(text: &str, version: Version) -> Vec<Vec<bool>> {
    let mut bits = Bits::new(version);
    bits.push_byte_data(text.as_bytes()).unwrap();
    bits.push_terminator(EcLevel::M).unwrap();
    let (data, correction) = qrcode::ec::construct_codewords(&bits.into_bytes(), version, EcLevel::M).unwrap();
    let mut canvas = Canvas::new(version, EcLevel::M);
    canvas.draw_all_functional_patterns();
    canvas.draw_data(&data, &correction);
    let masks = [
        MaskPattern::Checkerboard,
        MaskPattern::HorizontalLines,
        MaskPattern::VerticalLines,
        MaskPattern::DiagonalLines,
        MaskPattern::LargeCheckerboard,
        MaskPattern::Fields,
        MaskPattern::Diamonds,
        MaskPattern::Meadow,
    ];
    let masked = |mask| {
        let mut masked = canvas.clone();
        masked.apply_mask(mask);
        masked.into_colors().into_iter().map(|color| color == qrcode::Color::Dark).collect()
    };
    masks.into_iter().map(masked).collect()
}

#[tokio::test]
async fn qr_codes_match_another_encoder() {
    let service = Service::start();
    let link =
        "https://send.example.org/d/0123456789abcdef0123456789abcdef#v1.B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E";
    let lengths = [
        0, 1, 14, 15, 26, 27, 42, 43, 62, 63, 84, 85, 106, 107, 122, 123, 152, 153, 180, 181, 213, 214, 250, 300, 400,
        500, 600,
    ];
    let mut texts: Vec<String> = lengths.map(|length| link.chars().cycle().take(length).collect()).into();
    texts.extend([link.to_owned(), "Grüße 報告書 🦀".to_owned()]);
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        for (text, code) in texts.iter().zip(each_of(browser, "ui/qr", "script.qrCode", &texts).await) {
            let rows = code.as_array().unwrap();
            let modules: Vec<bool> =
                rows.iter().flat_map(|row| row.as_array().unwrap()).map(|module| module.as_bool().unwrap()).collect();
            let version = Version::Normal(i16::try_from((rows.len() - 17) / 4).unwrap());
            assert!(qr_codes(text, version).contains(&modules), "{} bytes, {version:?}", text.len());
            // No smaller version fits.
            if let Version::Normal(number @ 2..) = version {
                let mut bits = Bits::new(Version::Normal(number - 1));
                let fits = bits.push_byte_data(text.as_bytes()).and_then(|()| bits.push_terminator(EcLevel::M));
                assert!(fits.is_err(), "{} bytes fit into version {}", text.len(), number - 1);
            }
        }
    })
    .await;
}
