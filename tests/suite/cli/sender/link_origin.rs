//! The server in a link: the one that was reached, unless the sender chooses another.

use crate::support::Home;

/// The URL that the service names for links.
const SUGGESTED: &str = "https://links.example.org:8443/send";

#[test]
fn a_link_has_the_origin_that_the_upload_went_to() {
    let home = Home::new();
    let serving = home.serve_any(&["--public-url", SUGGESTED]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let own = format!("{}/d/", serving.public);

    let finished = home.run_at(&serving, &["upload", &file]);
    assert!(finished.text().starts_with(&own), "{}", finished.text());
    for words in ["the server suggests links to", SUGGESTED, &serving.public, "--link-server"] {
        assert!(finished.stderr.contains(words), "{words} is not in {}", finished.stderr);
    }
    let finished = home.run_at(&serving, &["--quiet", "upload", &file]);
    assert!(finished.text().starts_with(&own) && finished.stderr.is_empty(), "{}", finished.stderr);
    let json = home.run_at(&serving, &["upload", &file, "--json"]).json();
    assert!(json["link"].as_str().unwrap().starts_with(&own), "{json}");
    assert_eq!(json["suggested_server"], SUGGESTED);
    let separate = home.run_at(&serving, &["--quiet", "upload", &file, "--separate-key"]).text();
    assert!(separate.starts_with(&own), "{separate}");
    let history = home.run(&["history", "--json"]).json();
    for entry in history["items"].as_array().unwrap() {
        assert!(entry["link"].as_str().unwrap().starts_with(&own), "{entry}");
    }
}

#[test]
fn a_sender_can_choose_the_server_of_links() {
    let home = Home::new();
    let serving = home.serve_any(&["--public-url", SUGGESTED]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let chosen = "https://send.example.net/base";
    let check = |command: &mut std::process::Command, link: &str| {
        let finished = crate::support::FinishedCommand::of(command.output().unwrap());
        assert!(finished.text().starts_with(&format!("{link}/d/")), "{} is not at {link}", finished.text());
        assert_eq!(finished.stderr.contains("suggests"), link == serving.public, "{}", finished.stderr);
    };
    let upload = ["--server", serving.public.as_str(), "upload", file.as_str()];
    check(&mut home.sgsend(&[&upload[..], &["--link-server", chosen]].concat()), chosen);
    check(home.sgsend(&upload).env("SGSEND_LINK_SERVER", chosen), chosen);
    let invalid = home.run(&[&upload[..], &["--link-server", "send.example.net"]].concat());
    invalid.expect_failure(2, "did you mean https://send.example.net?");

    // A profile's choice is for the profile's server only.
    let config = home.path().join(".config/sgsend/config.toml");
    let saved = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{saved}link_server = \"{chosen}\"\n")).unwrap();
    check(&mut home.sgsend(&["upload", &file]), chosen);
    let foreign = saved.replace(&serving.public, "https://other.example") + &format!("link_server = \"{chosen}\"\n");
    std::fs::write(&config, foreign).unwrap();
    let token = saved.split("token = \"").nth(1).unwrap().split('"').next().unwrap();
    check(home.sgsend(&upload).env("SGSEND_TOKEN", token), &serving.public);
}
