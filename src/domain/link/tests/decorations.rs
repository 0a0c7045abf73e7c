//! Damage that mail programs, chats, phones and people do to a link.

/// Changes that programs make to a whole link; each is applied to random links.
pub(super) const DECORATIONS: &[fn(&str) -> String] = &[
    // Around it.
    |link| format!("<{link}>"),
    |link| format!("<{link}>."),
    |link| format!("  {link}\r\n"),
    |link| format!("{link}."),
    |link| format!("{link}…"),
    |link| format!("{link}。"),
    |link| format!("{link}、"),
    |link| format!("{link}!?"),
    |link| format!("{link};"),
    |link| format!("({link})."),
    |link| format!("[{link}]"),
    |link| format!("{{{link}}}"),
    |link| format!("\"{link}\""),
    |link| format!("'{link}',"),
    |link| format!("„{link}“"),
    |link| format!("«\u{a0}{link}\u{a0}»"),
    |link| format!("「{link}」"),
    |link| format!("（{link}）"),
    |link| format!("『{link}』！"),
    |link| format!("\u{feff}{link}\u{200b}"),
    |link| format!("\u{2068}{link}\u{2069}"),
    |link| format!("{link}/"),
    |link| format!("{link} - {link}"),
    |link| format!("{link}\n{link}\n"),
    |link| format!("{link}—see you"),
    |link| format!("{link}-"),
    // In a text.
    |link| format!("Here is the file: {link}, please fetch it today"),
    |link| format!("Hier ist die Datei:\n{link}\nViele Grüße\nBob"),
    |link| format!("文件在这里：{link}。请在今天下载"),
    |link| format!("ファイル「{link}」です"),
    |link| format!("Вот файл: {link} — скачай сегодня"),
    |link| format!("الملف: {link}؟"),
    |link| format!("URL={link}\n"),
    |link| format!("Link:{link}"),
    // Markup.
    |link| format!("**{link}**"),
    |link| format!("*{link}*"),
    |link| format!("_{link}_"),
    |link| format!("__{link}__."),
    |link| format!("~~{link}~~"),
    |link| format!("`{link}`"),
    |link| format!("```\n{link}\n```"),
    |link| format!("[the file]({link})"),
    |link| format!("[{link}]({link} \"title\")"),
    |link| format!("<{link}|{link}>"),
    |link| format!("<{link}|file.pdf>"),
    |link| format!("<a href=\"{link}\">{link}</a>"),
    |link| format!("<a class=x href='{link}'>the file</a>"),
    |link| format!("[url={link}]file[/url]"),
    |link| format!("{{\"url\":\"{}\"}}", link.replace('/', "\\/")),
    |link| link.replace('#', "\\#").replace('_', "\\_").replace('-', "\\-"),
    |link| format!("sgsend download '{link}'"),
    |link| format!("<p>{}</p>", link.replace('#', "<span class=\"x\">#</span>")),
    |link| format!("{{\"url\":\"{}\"}}", link.replace('#', "\\u0023")),
    // Mail.
    |link| format!("> {link}\n> \n> Bob"),
    |link| link.replace('#', "%23"),
    |link| link.replace('#', "%2523"),
    |link| link.replace('#', "%252523").replace('.', "%2e"),
    |link| link.replace('#', "&#35;").replace("//", "&#x2F;/"),
    |link| link.replace('#', "&num;"),
    |link| link.replace('#', "<wbr>#"),
    |link| link.replace('#', "=23"),
    |link| link.replace('#', "?utm=3D1#"),
    |link| link.replace('#', "=\n#"),
    |link| link.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}")),
    |link| format!("{}=", wrapped(link, 20, "=\r\n")),
    // Queries.
    |link| link.replace('#', "?utm=1#"),
    |link| link.replace('#', "/?utm_source=mail&utm_medium=a/b#"),
    |link| link.replace('#', "/#"),
    |link| format!("{link}?utm=1"),
    |link| format!("{link}&fbclid=IwAR0123456789"),
    |link| format!("{link}#"),
    |link| format!("{link}#:~:text=x"),
    // Characters.
    |link| link.replacen("http", "HTTP", 1),
    |link| link.replacen("http", "hxxp", 1),
    |link| link.replace('-', "\u{2011}"),
    |link| link.replace('-', "–"),
    |link| link.replace('-', "\u{2212}"),
    |link| link.replace('#', "＃").replace(':', "："),
    |link| link.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect(),
    |link| link.replace("#v", "#V"),
    |link| link.replace("#v1.", "#"),
    |link| link.replace("#v", " #v"),
    |link| link.replace("#v", "\n\n#v"),
    |link| link.replace("#v", "v"),
    |link| link.replace('#', "\nkey: "),
    // Every character, lines, and link protection.
    |link| link.chars().fold(String::new(), |text, c| format!("{text}{c}\u{200b}")),
    |link| link.chars().fold(String::new(), |text, c| format!("{text}{c}\u{ad}")),
    |link| wrapped(link, 20, "\n"),
    |link| wrapped(link, 25, "\r\n> > "),
    |link| wrapped(link, 30, "\n    "),
    |link| wrapped(link, 7, "\n\t"),
    |link| format!("https://eur01.safelinks.protection.outlook.com/?url={}&data=05%7C02%7C", encoded(link)),
    |link| format!("https://www.google.com/url?q={}&sa=D&source=editors", encoded(link)),
    |link| format!("https://www.google.com/url?q={}&sa=D", encoded(&encoded(link))),
    |link| format!("https://slack-redir.net/link?url={}", encoded(link)),
    |link| {
        let hidden = link.replace('-', "-2D").replace('_', "-5F").replace('#', "-23").replace(':', "-3A");
        let hidden = hidden.replace("https-3A//", "https-3A__").replace("http-3A//", "http-3A__").replace('/', "_");
        format!("https://urldefense.proofpoint.com/v2/url?u={hidden}&d=DwMF&c=x")
    },
    |link| format!("https://urldefense.com/v3/__{}__;Iw!!AbCd!x$", link.replace('#', "*")),
];

/// Percent-encodes a link for a query.
pub(super) fn encoded(link: &str) -> String {
    link.replace('%', "%25").replace(':', "%3A").replace('/', "%2F").replace('#', "%23")
}

/// Breaks a link after each `width` characters.
pub(super) fn wrapped(link: &str, width: usize, line_break: &str) -> String {
    let chars: Vec<_> = link.chars().collect();
    chars.chunks(width).map(String::from_iter).collect::<Vec<_>>().join(line_break)
}
