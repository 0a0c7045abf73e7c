//! Further links of a transfer: uploads for several recipients, and changes of links afterwards.

mod add;
mod change;
mod recipients;
mod show;

use serde_json::Value;

use crate::support::{Home, ServerProcess};

fn started() -> (Home, ServerProcess) {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    (home, serving)
}

/// Uploads `hello` as `a.txt` with these options; returns the JSON output.
fn upload(home: &Home, serving: &ServerProcess, options: &[&str]) -> Value {
    let file = home.file("a.txt", b"hello");
    home.run_at(serving, &[&["upload", &file, "--json"], options].concat()).json()
}

/// Returns the link for a recipient in the JSON output of an upload.
fn link_for(uploaded: &Value, name: &str) -> String {
    let links = uploaded["links"].as_array().unwrap();
    let found = links.iter().find(|link| link["name"] == name).unwrap_or_else(|| panic!("no link for {name}"));
    found["link"].as_str().unwrap().to_owned()
}

/// Returns the id in a link.
fn id_of(link: &str) -> &str {
    link.split_once('#').map_or(link, |(bare, _)| bare).rsplit_once('/').unwrap().1
}

/// Returns the links of a transfer, as its sender sees them.
fn links_of(home: &Home, serving: &ServerProcess, link: &str) -> Vec<Value> {
    home.run_at(serving, &["link", "list", link, "--json"]).json()["items"].as_array().unwrap().clone()
}

/// Returns the link with this name as its sender sees it.
fn named<'a>(links: &'a [Value], name: &str) -> &'a Value {
    links.iter().find(|link| link["name"] == name).unwrap_or_else(|| panic!("no link for {name} in {links:?}"))
}
