//! Accessibility trees, which screen readers read, in the main flows; committed in `trees/`.
//!
//! `SGSEND_BLESS=1` writes the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Browser, Service, chromium};

/// Roles that only group others, or repeat the text of their parent.
const SILENT: [&str; 8] =
    ["none", "generic", "InlineTextBox", "RootWebArea", "LineBreak", "paragraph", "LabelText", "ListMarker"];

/// Returns the tree as text: a line for each element, with role, name and state.
async fn tree(browser: &Browser) -> String {
    // Values that differ from run to run.
    let mask = "for (const [id, text] of Object.entries(args)) {
        const found = document.getElementById(id);
        if (found instanceof HTMLSelectElement) continue;
        if (found?.textContent) found.textContent = text;
        else if (found?.value) found.value = text;
    }";
    let times = json!({ "expires": "Expires TIME", "expires-at": "TIME", "link": "LINK", "sent-text": "TEXT" });
    browser.script(mask, times).await;
    let nodes = browser.tell("Accessibility.getFullAXTree", json!({})).await;
    let nodes = nodes["nodes"].as_array().unwrap();
    let by_id: BTreeMap<&str, &Value> = nodes.iter().map(|node| (node["nodeId"].as_str().unwrap(), node)).collect();
    let mut lines = String::new();
    describe(nodes[0]["nodeId"].as_str().unwrap(), &by_id, 0, &mut lines);
    lines
}

fn describe(id: &str, nodes: &BTreeMap<&str, &Value>, depth: usize, lines: &mut String) {
    let Some(node) = nodes.get(id) else { return };
    let text = |member: &str| node[member]["value"].as_str().unwrap_or_default();
    let (role, name) = (text("role"), text("name"));
    // A form without a name is no landmark. Chromium lists it since version 156 only.
    let says_nothing = ["StaticText", "form"].contains(&role) && name.is_empty();
    let is_silent = node["ignored"] == true || SILENT.contains(&role) || says_nothing;
    let mut inner = depth;
    if !is_silent {
        let states = node["properties"].as_array().into_iter().flatten().filter_map(|property| {
            let (name, value) = (property["name"].as_str()?, &property["value"]["value"]);
            let is_told = ["expanded", "selected", "disabled", "pressed", "checked", "invalid"].contains(&name);
            let is_default = [json!(false), json!("false")].contains(value) && name != "expanded";
            (is_told && !is_default).then(|| format!(" {name}={}", value.to_string().trim_matches('"')))
        });
        let value = Some(text("value")).filter(|value| !value.is_empty()).map(|value| format!(" = {value}"));
        let described = Some(text("description")).filter(|text| !text.is_empty()).map(|text| format!(" ({text})"));
        let line = format!(
            "{}{role} \"{name}\"{}{}{}",
            "  ".repeat(depth),
            value.unwrap_or_default(),
            described.unwrap_or_default(),
            states.collect::<String>()
        );
        lines.push_str(line.trim_end());
        lines.push('\n');
        inner += 1;
    }
    // A text or button has no children but its own text.
    if ["StaticText", "button", "option", "heading", "link"].contains(&role) && !is_silent {
        return;
    }
    for child in node["childIds"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        describe(child, nodes, inner, lines);
    }
}

/// Compares the tree with the committed one.
async fn check(browser: &Browser, name: &str) {
    let found = tree(browser).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/browser/trees/{name}.txt"));
    if std::env::var_os("SGSEND_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &found).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, committed, "{name}: SGSEND_BLESS=1 writes {}", path.display());
}

#[tokio::test]
async fn the_flow_of_a_recipient_reads_well() {
    let service = Service::start();
    let passphrase = service.home.file("passphrase", b"tea");
    let link = service.upload("report.txt", b"hello\n", &["-d", "2", "--message", "Page 3 is the important one."]);
    let locked = service.upload("b.txt", b"hello", &["--passphrase-file", &passphrase]);
    let ended = service.upload("c.txt", b"hello", &[]);
    service.run(&["delete", &ended]).text();
    chromium(async |browser| {
        browser.goto(&locked).await;
        browser.fill("#passphrase", "coffee").await;
        browser.enter("#passphrase").await;
        browser.text("#error").await;
        check(browser, "receive-wrong-passphrase").await;
        browser.goto(&ended).await;
        browser.text("#error").await;
        check(browser, "receive-deleted").await;
        browser.goto(&link).await;
        browser.wait_until_visible("#download").await;
        check(browser, "receive-ready").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        browser.wait_for_text("#downloads-left", "1 download left").await;
        check(browser, "receive-finished").await;
        browser.download().await;
    })
    .await;
}

#[tokio::test]
async fn the_flow_of_a_sender_reads_well() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.wait_until_visible("#token").await;
        check(browser, "send-token").await;
        browser.use_token(&service.token).await;
        browser.choose("#files", &[&service.home.file("report.txt", b"hello\n")]).await;
        browser.wait_for_text("#chosen", "report.txt").await;
        browser.open_details("#options").await;
        check(browser, "send-form").await;
        browser.click("#send").await;
        browser.wait_until_visible("#sent").await;
        check(browser, "send-ready").await;
        browser.click("#copy-link").await;
    })
    .await;
}

#[tokio::test]
async fn the_flow_of_a_guest_reads_well() {
    let service = Service::start();
    let link = service.run(&["request", "create", "--for", "tax papers", "--json"]).json()["link"].clone();
    chromium(async |browser| {
        browser.goto(link.as_str().unwrap()).await;
        browser.wait_for_text("#max-size", "At most").await;
        browser.choose("#files", &[&service.home.file("report.txt", b"hello\n")]).await;
        browser.wait_for_text("#chosen", "report.txt").await;
        check(browser, "request-form").await;
        browser.click("#send").await;
        browser.wait_until_visible("#sent").await;
        check(browser, "request-sent").await;
    })
    .await;
}
