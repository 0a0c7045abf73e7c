use std::ffi::OsString;

use super::aliases::{COMMANDS, OPTIONS, SUBCOMMANDS};
use super::*;
use crate::cli::command_line;

const LINK: &str = "https://h/d/0123456789abcdef0123456789abcdef#v1.B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E";

fn guessed(arguments: &[&str]) -> Option<String> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let program = std::iter::once(OsString::from("sgsend"));
    let command = command_line();
    let error = command.clone().try_get_matches_from(program.chain(arguments.iter().cloned())).err()?;
    guess(&command, &arguments, &error).map(|guess| shown(&guess.arguments))
}

#[test]
fn mistakes_with_an_obvious_command() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, "").unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (plain, spaced) = (file("a.txt"), file("it's b.txt"));
    let quoted = format!("'{}'", spaced.replace('\'', r"'\''"));
    let apart: Vec<_> = LINK.split_inclusive("B4Xq").collect();
    for (arguments, command) in [
        (&[LINK][..], "sgsend download LINK".to_owned()),
        (&["https://send.example/d/0#v1.secret"], "sgsend download LINK".into()),
        (&[LINK, "out.txt"], "sgsend download LINK -o out.txt".into()),
        (&["--json", LINK, "-o", "x y"], "sgsend --json download LINK -o 'x y'".into()),
        (&[&plain], format!("sgsend upload {plain}")),
        (&[&plain, &spaced], format!("sgsend upload {plain} {quoted}")),
        (&["-s", "https://h", &plain, "-e", "7d"], format!("sgsend -s https://h upload {plain} -e 7d")),
        (&[&plain, "--expire", "7d"], format!("sgsend upload {plain} --expires 7d")),
        (&["-"], "sgsend upload -".into()),
        (&["download", LINK, "out.txt"], "sgsend download LINK -o out.txt".into()),
        (&["download", "out.txt", LINK], "sgsend download LINK -o out.txt".into()),
        (&["download", apart[0], apart[1]], "sgsend download LINK".into()),
        (&["download", "--- see https://h/d/0#v1.x", "-q"], "sgsend download -q -- LINK".into()),
        (&["open", "a.enc", "out.txt"], "sgsend open a.enc -o out.txt".into()),
        (&["dowload", "x"], "sgsend download x".into()),
        (&["tokens", "list"], "sgsend token list".into()),
        (&["send", "x"], "sgsend upload x".into()),
        (&["get", LINK, "-f"], "sgsend download LINK --overwrite".into()),
        (&["receive", "x"], "sgsend download x".into()),
        (&["version"], "sgsend --version".into()),
        (&["token", "rm", "x"], "sgsend token revoke x".into()),
        (&["token", "delete", "x"], "sgsend token revoke x".into()),
        (&["token", "crate", "x"], "sgsend token create x".into()),
        (&["token", "create", "my", "laptop"], "sgsend token create 'my laptop'".into()),
        (&["audit", LINK], "sgsend audit show LINK".into()),
        (&["serve", "--storage", "memory:"], "sgsend serve all --storage memory:".into()),
        (&["serve", "file:/srv/x"], "sgsend serve all --storage file:/srv/x".into()),
        (&["upload", "--expire", "7d", "x"], "sgsend upload --expires 7d x".into()),
        (&["upload", "--ttl=7d", "x"], "sgsend upload --expires=7d x".into()),
        (&["upload", "-r", "x"], "sgsend upload x".into()),
        (&["--expires", "7d", "upload", "x"], "sgsend upload --expires 7d x".into()),
        (&["--expires=7d", "upload", "x"], "sgsend upload --expires=7d x".into()),
        (&["upload", "x", "--color", "neve"], "sgsend upload x --color never".into()),
        (&["download", "x", "--progress=jsn"], "sgsend download x --progress=json".into()),
        (&["login", "https://h", "sgs_0123_45"], "sgsend login https://h --token-file FILE".into()),
        (&["dowload", LINK, "--key", "secret"], "sgsend download LINK --key KEY".into()),
        (&["dowload", "x", "--key=secret"], "sgsend download x --key=KEY".into()),
        (&["uplod", "x", "--token", "sgs_1_2"], "sgsend upload x --token TOKEN".into()),
    ] {
        assert_eq!(guessed(arguments), Some(command), "{arguments:?}");
    }
}

#[test]
fn mistakes_without_an_obvious_command() {
    for arguments in [
        &["audit", "rm", "x"][..],
        &["store", "rm", "x"],
        &["store", "ls", "x"],
        &["no-such-file-and-no-command"],
        &["download", "x", "-p", "hunter2"],
        &["upload", "x", "--wherever"],
        &["status", "x", "y"],
        &["download", LINK, LINK],
        &["download", LINK, "-o", "a", "b"],
        &["upload"],
    ] {
        assert_eq!(guessed(arguments), None, "{arguments:?}");
    }
}

#[test]
fn guesses_show_no_secrets() {
    for secret in [
        LINK,
        "https://h/d/0#v1.secret",
        "v1.secret",
        "v1p.secret",
        "v2.secret",
        "v2p.secret",
        "#v1.secret",
        "sgs_0123_secret",
        "B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E",
    ] {
        for arguments in [vec!["get", secret], vec!["dowload", "x", "-k", secret], vec!["send", "x", secret]] {
            let command = guessed(&arguments).unwrap();
            assert!(!command.contains("secret") && !command.contains("B4Xq"), "{command}");
        }
    }
}

#[test]
fn every_alias_maps_to_a_command_or_option() {
    let command = command_line();
    for (alias, own_command) in COMMANDS.iter().filter(|(_, own_command)| !own_command.starts_with('-')) {
        assert!(command.find_subcommand(own_command).is_some() && command.find_subcommand(alias).is_none(), "{alias}");
    }
    for (parent, alias, own_command) in SUBCOMMANDS {
        let command = command.find_subcommand(parent).unwrap();
        assert!(command.find_subcommand(own_command).is_some() && command.find_subcommand(alias).is_none(), "{alias}");
    }
    for (alias, own_option) in OPTIONS.iter().filter(|(_, own_option)| !own_option.is_empty()) {
        let commands = || command.get_subcommands().chain([&command]);
        let has = |long: &str| {
            commands().any(|command| command.get_arguments().any(|argument| argument.get_long() == Some(long)))
        };
        assert!(has(&own_option[2..]), "{alias}");
    }
}
