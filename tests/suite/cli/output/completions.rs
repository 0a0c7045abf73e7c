//! Shell completions, run through the generated scripts.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::{FinishedCommand, Home, not_run};

/// The transfer ID in the prepared history.
const ID: &str = "0197c2f0a4d37e118b52c9d06f3a7e54";

/// The id of a further link in the prepared history.
const LINK_ID: &str = "89abcdef0123456789abcdef01234567";

/// Creates a home whose history contains one upload, with a further link.
fn home() -> Home {
    let home = Home::new();
    let state = home.path().join(".local/state/sgsend");
    std::fs::create_dir_all(&state).unwrap();
    let entry = serde_json::json!({"v": 1, "transfer_id": ID, "sent_at": 1_772_323_199_999_u64, "name": "report.pdf",
        "size": 2048, "link": format!("https://send.example/d/{ID}"), "expires_at": 1_772_923_199_999_u64, "max_downloads": 1,
        "links": [{"link_id": LINK_ID, "name": "Ada", "link": format!("https://send.example/d/{LINK_ID}"),
            "expires_at": 1_772_923_199_999_u64, "max_downloads": null}]});
    std::fs::write(state.join("history.jsonl"), format!("{entry}\n")).unwrap();
    home
}

/// Requests completions like the generated script.
fn ask(home: &Home, shell: &str, words: &[&str]) -> FinishedCommand {
    let mut command = home.sgsend(&[&["--", "sgsend"], words].concat());
    command.env("SGSEND_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    FinishedCommand::of(command.output().unwrap())
}

/// Runs `script` in `shell` and returns its output; `None` if the shell is not installed.
fn shell(home: &Home, shell: &str, arguments: &[&str], script: &str) -> Option<String> {
    let binary = Path::new(env!("CARGO_BIN_EXE_sgsend")).parent().unwrap();
    let mut command = Command::new(shell);
    command.args(arguments).arg(script).env_clear().env("HOME", home.path()).current_dir(home.path());
    command.env("PATH", format!("{}:/usr/bin:/bin", binary.display())).env("LC_ALL", "C.UTF-8");
    let Ok(output) = command.output() else {
        not_run(&format!("{shell} is not installed"));
        return None;
    };
    let finished = FinishedCommand::of(output);
    Some(format!("{}{}", String::from_utf8_lossy(&finished.stdout), finished.stderr))
}

fn script(file: &str) -> String {
    format!("{}/completions/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn bash_completes() {
    let home = home();
    let ask = |words: &str, last: &str| {
        let run = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9; \
             _clap_complete_sgsend sgsend '{last}' x; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script("sgsend.bash")
        );
        shell(&home, "bash", &["--norc", "-c"], &run)
    };
    for (words, last, expected) in [
        ("sgsend sta", "sta", "status"),
        ("sgsend upload --exp", "--exp", "--expires"),
        ("sgsend status 0197", "0197", ID),
        ("sgsend history --remove ''", "", ID),
    ] {
        let Some(finished) = ask(words, last) else { return };
        assert!(finished.lines().any(|line| line.trim() == expected), "{words}: {finished}");
    }
}

#[test]
fn zsh_completes() {
    let home = home();
    // Calls the completion function with a stub of zsh's `_describe` that prints the candidates.
    let ask = |words: &str| {
        let run = format!(
            "compdef() {{ }}; _describe() {{ print -rl -- ${{(P)3}}; }}; source {}; words=({words}); CURRENT=${{#words}}; \
             _clap_dynamic_completer_sgsend",
            script("_sgsend")
        );
        shell(&home, "zsh", &["-f", "-c"], &run)
    };
    for (words, expected) in [
        ("sgsend sta", "status:Show the state of a transfer".to_owned()),
        ("sgsend upload --exp", "--expires:".to_owned()),
        ("sgsend delete 0197", format!("{ID}:report.pdf, 2.0 KiB, ")),
    ] {
        let Some(finished) = ask(words) else { return };
        assert!(finished.lines().any(|line| line.starts_with(&expected)), "{words}: {finished}");
    }
    // Loads the script from `$fpath` with zsh's real completion system, as at its first use.
    let folder = script("");
    let loaded = format!("fpath=({folder} $fpath); autoload -Uz compinit; compinit -D; print ${{_comps[sgsend]}}");
    assert_eq!(shell(&home, "zsh", &["-f", "-c"], &loaded).unwrap().trim(), "_sgsend");
    let first = format!(
        "compdef() {{ }}; _describe() {{ print -rl -- ${{(P)3}}; }}; fpath=({folder} $fpath); autoload -Uz _sgsend; \
         words=(sgsend sta); CURRENT=2; _sgsend"
    );
    let finished = shell(&home, "zsh", &["-f", "-c"], &first).unwrap();
    assert!(finished.contains("status:"), "{finished}");
}

#[test]
fn fish_completes() {
    let home = home();
    let ask = |line: &str| {
        shell(&home, "fish", &["--no-config", "-c"], &format!("source {}; complete -C '{line}'", script("sgsend.fish")))
    };
    for (line, expected) in [
        ("sgsend sta", "status\tShow the state of a transfer".to_owned()),
        ("sgsend upload --exp", "--expires\t".to_owned()),
        ("sgsend audit show 0197", format!("{ID}\treport.pdf, 2.0 KiB, ")),
    ] {
        let Some(finished) = ask(line) else { return };
        assert!(finished.lines().any(|finished| finished.starts_with(&expected)), "{line}: {finished}");
    }
}

#[test]
fn links_paths_and_profiles_complete() {
    let home = home();
    home.file("photo.jpg", b"x");
    let config = home.file("profiles.toml", b"[profiles.work]\nserver = \"https://work.example\"\n");
    for (words, expected) in [
        (&["status", "https://s"] as &[&str], format!("https://send.example/d/{ID}\treport.pdf")),
        (&["download", ""], format!("{ID}\treport.pdf")),
        (&["link", "revoke", "89ab"], format!("{LINK_ID}\treport.pdf for Ada, 2.0 KiB")),
        (&["edit", "https://s"], format!("https://send.example/d/{LINK_ID}\treport.pdf for Ada")),
        (&["upload", "pho"], "photo.jpg".to_owned()),
        (&["upload", "--passphrase-file", "pho"], "photo.jpg".to_owned()),
        (&["--config", &config, "upload", "--profile", ""], "work\thttps://work.example".to_owned()),
        (&["upload", "--config", &config, "-P", "w"], "work\t".to_owned()),
    ] {
        let finished = ask(&home, "fish", words).text();
        assert!(finished.lines().any(|line| line.starts_with(&expected)), "{words:?}: {finished}");
    }
    // A command that takes the id of a transfer only.
    let finished = ask(&home, "fish", &["history", "--remove", ""]).text();
    assert!(finished.starts_with(ID) && !finished.contains(LINK_ID), "{finished}");
}

#[test]
fn completions_contact_no_server() {
    let home = home();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = home.path().join(".config/sgsend");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("admin-key"), "0".repeat(64)).unwrap();
    std::fs::write(config.join("admin-key-origins"), format!("{url}\n")).unwrap();
    for words in [
        &["token", "revoke", ""][..],
        &["token", ""],
        &["audit", "show", ""],
        &["status", ""],
        &["delete", "http"],
        &["download", ""],
        &["upload", "--profile", ""],
    ] {
        let servers = ["--server", &url, "--admin-server", &url];
        let mut command = home.sgsend(&[&["--", "sgsend"], &servers[..], words].concat());
        command.env("SGSEND_COMPLETE", "fish").env("SGSEND_ADMIN_KEY", "k".repeat(40)).env("SGSEND_TOKEN", "sgs_x");
        let finished = FinishedCommand::of(command.output().unwrap());
        assert_eq!((finished.exit, finished.stderr.as_str()), (0, ""), "{words:?}");
        let accepted = listener.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(accepted, Err(ErrorKind::WouldBlock), "{words:?} made a connection");
    }
}

#[test]
fn the_completion_variable_alone_changes_nothing() {
    let home = Home::new();
    for value in ["", "0", "bash", "tcsh", "/bin/zsh"] {
        let version = home.sgsend(&["--version"]).env("SGSEND_COMPLETE", value).output().unwrap();
        let finished = FinishedCommand::of(version).text();
        assert!(finished.starts_with("sgsend "), "{value:?}: {finished}");
    }
    let unknown = home.sgsend(&["--", "sgsend", "sta"]).env("SGSEND_COMPLETE", "tcsh").output().unwrap();
    assert_eq!(FinishedCommand::of(unknown).exit, 2);
}
