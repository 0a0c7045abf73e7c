//! Links as mail programs, chats and phones deliver them. Given as arguments, on stdin, and at the prompt.

use std::fs;

use crate::support::{Home, ServerProcess, Terminal};

fn started() -> (Home, ServerProcess, String) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    (home, serving, link)
}

/// Returns the link with line breaks after 30 characters each.
fn wrapped(link: &str, line_break: &str) -> String {
    let chars: Vec<_> = link.chars().collect();
    chars.chunks(30).map(String::from_iter).collect::<Vec<_>>().join(line_break)
}

#[test]
fn decorated_links_open() {
    let (home, _serving, link) = started();
    let (server, rest) = link.split_once("/d/").unwrap();
    let (id, key) = rest.split_once('#').unwrap();
    for pasted in [
        link.replace('#', "%23"),
        wrapped(&link, "\n"),
        wrapped(&link, "\r\n> "),
        wrapped(&link, "=\n"),
        wrapped(&link, "\u{200b}"),
        format!("**{link}**"),
        format!("_{link}_"),
        format!("[{link}]"),
        format!("<{link}|{link}>"),
        format!("<a href=\"{link}\">{link}</a>"),
        format!("{link}/"),
        format!("{link}…"),
        format!("{link}。"),
        format!("{link}?utm=1"),
        link.replace('#', "?utm=1#"),
        format!("Voici le fichier : « {link} », bonne journée"),
        link.trim_start_matches("http://").to_owned(),
        format!("HTTP://{}/d/{}#{key}", server.trim_start_matches("http://"), id.to_uppercase()),
    ] {
        assert_eq!(home.run(&["download", &pasted, "-o", "-"]).text(), "hello", "{pasted}");
    }
}

#[test]
fn texts_from_stdin_are_searched_for_the_link() {
    let (home, serving, link) = started();
    let mail = format!("Subject: file\n\nHello,\nhere it is:\n\n> {}\n\nRegards\nBob\n", wrapped(&link, "\n> "));
    for arguments in [&["download", "-", "-o", "-"][..], &["status", "-"], &["delete", "-"]] {
        let finished = home.pipe_at(&serving, arguments, mail.as_bytes());
        assert_eq!(finished.exit, 0, "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
fn keys_are_accepted_as_pasted() {
    let (home, serving, link) = started();
    let (bare, key) = link.split_once('#').unwrap();
    for text in
        [format!("#{key}\n"), format!("%23{key}"), format!("key: **{key}**"), wrapped(key, "\n> "), link.clone()]
    {
        let file = home.file("key", text.as_bytes());
        assert_eq!(home.run(&["download", bare, "-o", "-", "--key-file", &file]).text(), "hello", "{text}");
    }
    let finished = home.pipe_at(&serving, &["download", bare, "-o", "-", "--key", "-"], format!("`{key}`").as_bytes());
    assert_eq!(finished.text(), "hello");
}

#[test]
fn incomplete_links_say_what_is_missing_without_the_key() {
    let (home, _serving, link) = started();
    let (bare, key) = link.split_once('#').unwrap();
    let id = bare.rsplit_once('/').unwrap().1;
    for (text, words) in [
        (bare.to_owned(), "ends before its key"),
        (format!("{bare}#v1."), "ends before its key"),
        (link[..link.len() - 9].to_owned(), "9 of its 43 characters are missing"),
        (format!("{link}ab"), "2 more than its 43 characters"),
        (format!("{}!{}", &link[..link.len() - 20], &link[link.len() - 19..]), "character number 24"),
        (link.replace(id, &id[..30]), "2 of the 32 hex digits"),
        (link.replace(id, &format!("{}x", &id[..31])), "character number 32 is not a hex digit"),
        (link.replace(id, ""), "32 hex digits"),
        (format!("/d/{id}#{key}"), "no server address"),
        (format!("#{key}"), "only the key of a link"),
        (format!("{link} {}", link.replace(id, &"0".repeat(32))), "two different links"),
    ] {
        for verbose in [&[][..], &["--verbose"], &["--json"]] {
            let finished = home.run(&[&["download", &text], verbose].concat());
            let printed = format!("{}{}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
            assert_eq!(finished.exit, 2, "{printed}");
            assert!(printed.contains(words), "{words:?} is not in {printed}");
            let secret: Vec<_> = key.trim_start_matches("v1.").chars().collect();
            let leaked = secret.windows(8).map(String::from_iter).find(|part: &String| printed.contains(part.as_str()));
            assert_eq!(leaked, None, "{printed}");
        }
    }
}

#[test]
fn a_wrapped_link_at_the_question_leaves_nothing_to_the_shell() {
    let (home, _serving, link) = started();
    // With and without the marks of a terminal that supports bracketed paste.
    for (begin, end) in [("", ""), ("\u{1b}[200~", "\u{1b}[201~")] {
        for line_break in ["\r", "\n", "\r> "] {
            fs::write(home.path().join("b.txt"), "old").unwrap();
            let mut terminal = Terminal::start(&home, &["download", "-o", "b.txt"], &[]);
            terminal.wait_for("Link:");
            terminal.type_secret(&format!("{begin}{}{end}\r", wrapped(&link, line_break)));
            // A rest of the paste would answer this question.
            terminal.wait_for("already exists");
            terminal.type_in("o\r");
            let (exit, shown) = terminal.end();
            assert_eq!((exit, fs::read(home.path().join("b.txt")).unwrap()), (0, b"hello".to_vec()), "{shown}");
            let part = &link[link.len() - 10..];
            assert!(!shown.contains(part), "a part of the key was printed: {shown}");
        }
    }
}

#[test]
fn a_wrapped_key_or_token_at_the_question_is_read_whole() {
    let (home, serving, link) = started();
    let (bare, key) = link.split_once('#').unwrap();
    let mut terminal = Terminal::start(&home, &["download", bare, "-o", "c.txt"], &[]);
    terminal.wait_for("Key:");
    terminal.type_secret(&format!("{}\r", wrapped(key, "\r")));
    assert_eq!(terminal.end().0, 0);
    let token = home.run_at(&serving, &["token", "create", "test"]).text();
    let mut terminal = Terminal::start(&home, &["login", &serving.public, "--replace"], &[]);
    terminal.wait_for("Sender token:");
    terminal.type_secret(&format!("{}\r", wrapped(token.trim(), "\r")));
    let (exit, shown) = terminal.end();
    assert_eq!(exit, 0, "{shown}");
}

#[test]
fn ctrl_c_at_the_link_question_is_an_interruption() {
    let home = Home::new();
    for command in ["download", "status", "delete"] {
        let mut terminal = Terminal::start(&home, &[command], &[]);
        terminal.wait_for("Link:");
        terminal.type_secret("\u{3}");
        let (exit, shown) = terminal.end();
        assert_eq!(exit, 130, "{shown}");
    }
}
