mod decorations;

use std::fmt::Write;

use proptest::prelude::*;

use self::decorations::{DECORATIONS, encoded, wrapped};
use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "v1.B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E";

fn parsed(text: &str) -> Result<String, InvalidLink> {
    text.parse::<Link>().map(|link| (*link.to_text()).clone())
}

#[track_caller]
fn assert_means(pasted: &str, link: &str) {
    assert_eq!(parsed(pasted).as_deref(), Ok(link), "{pasted:?}");
}

#[test]
fn links_round_trip() {
    for base_url in
        ["https://send.example.org", "https://send.example.org/base", "https://h:8443/a/d/b", "http://127.0.0.1:8080"]
    {
        let without_key = format!("{base_url}/d/{ID}");
        let text = format!("{without_key}#{KEY}");
        let link: Link = text.parse().unwrap();
        assert_eq!(link.base_url.to_string(), base_url);
        assert_eq!(link.transfer_id.to_string(), ID);
        assert_eq!(*link.to_text(), text);
        assert_eq!(link.without_key(), without_key);

        let link: Link = without_key.parse().unwrap();
        assert!(link.key.is_none());
        assert_eq!(*link.to_text(), without_key);
    }
}

fn links() -> impl Strategy<Value = String> {
    let servers = prop::sample::select(vec![
        "https://send.example.org",
        "https://a-b.example/base",
        "https://h:8443/a/d/b",
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://[::1]:81",
        "https://xn--bcher-kva.example",
    ]);
    let version = prop::sample::select(vec!["v1.", "v1p.", "v2.", "v2p."]);
    (servers, "[0-9a-f]{32}", version, "[A-Za-z0-9_-]{42}", "[AEIMQUYcgkosw048]")
        .prop_map(|(server, id, version, key, last)| format!("{server}/d/{id}#{version}{key}{last}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_decorated_link_means_the_link(link in links(), decoration in 0..DECORATIONS.len()) {
        let decorated = DECORATIONS[decoration](&link);
        prop_assert_eq!(parsed(&decorated), Ok(link), "{}", decorated);
    }

    #[test]
    fn a_link_broken_anywhere_means_the_link(
        link in links(),
        breaks in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(vec![
            "\n", " ", "\t", "\r\n", "\u{200b}", "\u{a0}", "\n> ", "\u{feff}", "=\n", "\u{2028}", "\u{ad}", "\u{202e}",
        ])), 1..3),
        around in 0..5_usize,
    ) {
        let mut broken = link.clone();
        for (at, text) in breaks {
            let at = at.index(broken.chars().count());
            let at = broken.char_indices().nth(at).map_or(0, |(at, _)| at);
            broken.insert_str(at, text);
        }
        let broken = DECORATIONS[around](&broken);
        prop_assert_eq!(parsed(&broken), Ok(link), "{:?}", broken);
    }

    #[test]
    fn the_parser_never_panics(text in ".{0,200}") {
        let _ = text.parse::<Link>().map(|link| link.to_text());
        let _ = Link::parse_key(&text).map(|key| key.to_text());
        let _ = Link::parse_id(&text);
    }

    #[test]
    fn the_result_is_canonical(text in "(https?://|//)?[a-z./%:@ -]{0,8}/d/[0-9a-fA-F]{32}[/?]?#?(v[12]p?\\.)?[A-Za-z0-9_-]{43}") {
        if let Ok(link) = parsed(&text) {
            prop_assert_eq!(parsed(&link), Ok(link.clone()));
        }
    }

    #[test]
    fn errors_do_not_contain_the_fragment(fragment in "[a-z0-9]{8,60}") {
        if let Err(error) = format!("https://h/d/{ID}#{fragment}").parse::<Link>() {
            let text = format!("{error} {error:?}");
            prop_assert!(!text.contains(&fragment));
        }
    }
}

#[test]
fn links_without_a_scheme_are_https_except_on_this_machine() {
    let rest = format!("/d/{ID}#{KEY}");
    for (pasted, server) in [
        ("send.example.org", "https://send.example.org"),
        ("//send.example.org", "https://send.example.org"),
        ("h:8443/base", "https://h:8443/base"),
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("[::1]:81", "http://[::1]:81"),
        ("SEND.Example.ORG", "https://send.example.org"),
        ("Here it is: send.example.org", "https://send.example.org"),
        ("See https://other.example and then open send.example.org", "https://send.example.org"),
        ("Link:send.example.org", "https://send.example.org"),
        ("**send.example.org", "https://send.example.org"),
        ("_send.example.org", "https://send.example.org"),
        ("HTTPS://Send.example.org", "https://send.example.org"),
        ("https:/send.example.org", "https://send.example.org"),
    ] {
        assert_means(&format!("{pasted}{rest}"), &format!("{server}{rest}"));
    }
    // The address of a shortened or bare display text is that of the complete link.
    for text in [
        format!("<http://h:81{rest}|h{rest}>"),
        format!("[h/d/0123…](http://h:81{rest})"),
        format!("http://h:81{rest}\nhttp://h:81/d/{ID}"),
        format!("[http://h:81/d/{ID}#v1.B4X…](http://h:81{rest})"),
    ] {
        assert_means(&text, &format!("http://h:81{rest}"));
    }
}

#[test]
fn ids_are_read_in_capitals() {
    let link = format!("https://h/d/{ID}#{KEY}");
    assert_means(&format!("https://h/d/{}#{KEY}", ID.to_uppercase()), &link);
    assert_means(&format!("HTTPS://H/D/{}#{KEY}", ID.to_uppercase()), &link);
    for text in [ID.to_owned(), format!(" <{}>.\n", ID.to_uppercase()), format!("“{ID}”")] {
        assert_eq!(Link::parse_id(&text).unwrap().to_string(), ID, "{text}");
    }
    for text in [&ID[1..], &format!("{ID}0"), &format!("{ID}#{KEY}"), &format!("id {ID}"), &format!("/d/{ID}"), ""] {
        assert!(Link::parse_id(text).is_none(), "{text}");
    }
}

#[test]
fn long_dashes_are_two_hyphens_where_the_key_needs_them() {
    let link = format!("https://h/d/{ID}#v1.B4Xq--dbnHcQ94xTBjdx-ERFYAjScTcNgdALwg4MY_E");
    assert_means(&link.replace("--", "—"), &link);
    let link = format!("https://h/d/{ID}#v1.B4Xq-YdbnHcQ94xTBjdx-ERFYAjScTcNgdALwg4MY_E");
    assert_means(&link.replace('-', "—"), &link);
}

#[test]
fn links_without_a_key_are_links() {
    let link = format!("https://h/d/{ID}");
    for text in [
        link.clone(),
        format!("{link}#"),
        format!("<{link}#>."),
        format!("{link}/"),
        format!("{link}?utm=1"),
        format!("{link} #general"),
        format!("{link}请打开"),
        format!("Open {link} and ask me for the key"),
    ] {
        assert_means(&text, &link);
    }
    // The key beside the link is used.
    assert_means(&format!("link: {link}\nkey: {KEY}\n"), &format!("{link}#{KEY}"));
}

#[test]
fn two_different_links_are_an_error() {
    let other = format!("v1.{}E", "A".repeat(42));
    let link = format!("https://h/d/{ID}#{KEY}");
    for second in [
        format!("https://h/d/{}#{KEY}", ID.replace('0', "1")),
        format!("https://h/d/{ID}#{other}"),
        format!("https://other.example/d/{ID}#{KEY}"),
        format!("other.example/d/{ID}#{KEY}"),
        format!("https://h/d/{}", ID.replace('0', "1")),
        encoded(&format!("https://h/d/{}#{KEY}", ID.replace('0', "1"))),
    ] {
        for text in [format!("{link} {second}"), format!("{second}\n{link}"), format!("[{link}]({second})")] {
            assert_eq!(parsed(&text), Err(InvalidLink::SeveralLinks), "{text}");
        }
    }
}

#[test]
fn incomplete_links_name_what_is_missing() {
    let link = format!("https://h/d/{ID}#{KEY}");
    let cut = |length: usize| link[..link.len() - length].to_owned();
    for (text, error) in [
        (String::new(), InvalidLink::Empty),
        ("\u{200b} \n".to_owned(), InvalidLink::Empty),
        ("nonsense".to_owned(), InvalidLink::Path),
        (format!("ftp://h/d/{ID}#{KEY}"), InvalidLink::BaseUrl(InvalidBaseUrl::Scheme)),
        (format!("https://u:p@h/d/{ID}#{KEY}"), InvalidLink::BaseUrl(InvalidBaseUrl::Credentials)),
        (format!("/d/{ID}#{KEY}"), InvalidLink::NoServer),
        (format!("https:///d/{ID}#{KEY}"), InvalidLink::NoServer),
        (format!("https://a$b/d/{ID}#{KEY}"), InvalidLink::NoServer),
        (format!("https://⑴.example/d/{ID}#{KEY}"), InvalidLink::NoServer),
        (format!("mailto:{ID}#{KEY}"), InvalidLink::Path),
        (format!("https://h/#{KEY}"), InvalidLink::Path),
        (format!("https://h/{ID}#{KEY}"), InvalidLink::Path),
        (format!("https://h/e/{ID}#{KEY}"), InvalidLink::Path),
        (format!("https://h/d/{ID}/x#{KEY}"), InvalidLink::Path),
        (format!("https://h/d/#{KEY}"), InvalidLink::Path),
        (format!("https://h/d/{}#{KEY}", &ID[1..]), InvalidLink::IdTooShort { missing: 1 }),
        (format!("https://h/d/{}", &ID[..10]), InvalidLink::IdTooShort { missing: 22 }),
        (format!("https://h/d/{} and more", &ID[..10]), InvalidLink::IdTooShort { missing: 22 }),
        (format!("https://h/d/{ID}ab#{KEY}"), InvalidLink::IdTooLong { extra: 2 }),
        (format!("https://h/d/{}x{}#{KEY}", &ID[..9], &ID[10..]), InvalidLink::IdCharacter { position: 10 }),
        (format!("https://h/d/O{}#{KEY}", &ID[1..]), InvalidLink::IdCharacter { position: 1 }),
        (link.replace("v1.B", "v1.В"), InvalidLink::KeyCharacter { position: 1 }),
        (cut(1), InvalidLink::KeyTooShort { missing: 1 }),
        (cut(30), InvalidLink::KeyTooShort { missing: 30 }),
        (cut(43), InvalidLink::KeyTooShort { missing: 43 }),
        (cut(44), InvalidLink::KeyTooShort { missing: 43 }),
        (cut(45), InvalidLink::KeyTooShort { missing: 43 }),
        (format!("{}.", cut(10)), InvalidLink::KeyTooShort { missing: 10 }),
        (format!("{}… see you", cut(10)), InvalidLink::KeyTooShort { missing: 10 }),
        (format!("{} Best regards from Bob", cut(20)), InvalidLink::KeyTooShort { missing: 20 }),
        (format!("{} see you tomorrow good", cut(18)), InvalidLink::KeyTooShort { missing: 18 }),
        (format!("{}\nBest regards\nBob", cut(20)), InvalidLink::KeyTooShort { missing: 20 }),
        (wrapped(&cut(5), 60, "\n"), InvalidLink::KeyTooShort { missing: 5 }),
        (format!("{link}A"), InvalidLink::KeyTooLong { extra: 1 }),
        (format!("{link}{}", "A".repeat(500)), InvalidLink::KeyTooLong { extra: 500 }),
        (link.replace("nHc", "n!c"), InvalidLink::KeyCharacter { position: 10 }),
        (link.replace("nHc", "néc"), InvalidLink::KeyCharacter { position: 10 }),
        (link.replace("MY_E", "MY_F"), InvalidLink::KeyDamaged),
        (link.replace("v1.", "v3."), InvalidLink::KeyVersion),
        (link.replace("v1.", "v2q."), InvalidLink::KeyVersion),
        (format!("https://h/d/{ID}#v2"), InvalidLink::KeyTooShort { missing: 43 }),
        (format!("https://h/d/{ID}#v2p."), InvalidLink::KeyTooShort { missing: 43 }),
        (cut(9).replace("v1.", "v2p."), InvalidLink::KeyTooShort { missing: 9 }),
        (encoded(&cut(7)), InvalidLink::KeyTooShort { missing: 7 }),
    ] {
        assert_eq!(parsed(&text), Err(error), "{text:?}");
    }
    assert_eq!(InvalidLink::KeyTooShort { missing: 43 }.to_string(), "the link ends before its key");
    let text = InvalidLink::KeyTooShort { missing: 5 }.to_string();
    assert_eq!(text, "the key is incomplete: 5 of its 43 characters are missing");
}

#[test]
fn keys_are_read_as_pasted() {
    for text in [
        KEY.to_owned(),
        KEY[3..].to_owned(),
        format!("#{KEY}\n"),
        format!("%23{KEY}"),
        format!("**{KEY}**"),
        format!("\"{KEY}\"."),
        format!("the key is {KEY}, keep it"),
        format!("#{}", &KEY[3..]),
        wrapped(KEY, 20, "\n> "),
        format!("https://h/d/{ID}#{KEY}"),
    ] {
        assert_eq!(*Link::parse_key(&text).unwrap().to_text(), KEY, "{text:?}");
        for prefix in ["v1p.", "v2.", "v2p."] {
            let (text, key) = (text.replace("v1.", prefix), KEY.replace("v1.", prefix));
            let is_bare = !text.contains(prefix);
            assert!(is_bare || *Link::parse_key(&text).unwrap().to_text() == key, "{text:?}");
        }
    }
    for (text, error) in [
        (String::new(), InvalidLink::Empty),
        ("v1.".to_owned(), InvalidLink::KeyTooShort { missing: 43 }),
        (KEY[..40].to_owned(), InvalidLink::KeyTooShort { missing: 6 }),
        (format!("{KEY}x"), InvalidLink::KeyTooLong { extra: 1 }),
        (format!("{KEY} {}", KEY.replace('B', "C")), InvalidLink::SeveralLinks),
    ] {
        assert_eq!(Link::parse_key(&text).err(), Some(error), "{text:?}");
    }
}

#[test]
fn large_texts_are_read_in_time() {
    let mut text = String::new();
    for at in 0..2_000 {
        write!(text, "/d//d/{at:032x}#v1.%2541=3D&amp; ").unwrap();
    }
    assert!(parsed(&text).is_err());
    assert!(parsed(&"/d/".repeat(20_000)).is_err());
    assert!(parsed(&format!("https://h/d/{ID}#{}", "B ".repeat(30_000))).is_err());
}

#[test]
fn plain_http_to_other_hosts_is_detected() {
    for (base_url, insecure) in
        [("http://example.org", true), ("http://localhost:1", false), ("https://example.org", false)]
    {
        let link: Link = format!("{base_url}/d/{ID}").parse().unwrap();
        assert_eq!(link.is_plain_http_beyond_loopback(), insecure);
    }
}
