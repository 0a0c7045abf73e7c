//! Escapes untrusted text for the terminal.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write;

/// Escapes control, invisible and bidirectional formatting characters, except line feeds.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && needs_escape(c))
}

/// Escapes the characters that [`lines`] escapes, and line feeds. For names and other text within a line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escape(text, needs_escape)
}

/// Quotes a path for a POSIX shell.
pub(crate) fn for_shell(path: &std::path::Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

/// Returns an argument as one word for a shell: quoted only where a POSIX shell needs it.
///
/// Bytes that are not UTF-8 and control characters are written as bash and zsh read them: `$'caf\xe9'`.
pub(crate) fn shell_word(argument: &OsStr) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    match argument.to_str() {
        Some(text) if !text.is_empty() && text.bytes().all(is_plain) => text.to_owned(),
        Some(text) if !text.contains(needs_escape) => for_shell(std::path::Path::new(text)),
        _ => {
            let escape = |byte: &u8| match byte {
                b'\\' | b'\'' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                byte => format!("\\x{byte:02x}"),
            };
            format!("$'{}'", argument.as_encoded_bytes().iter().map(escape).collect::<String>())
        }
    }
}

/// Escapes the same characters in serialised JSON as `\uXXXX`. In valid JSON these characters occur in strings only.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if needs_escape(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").expect("writing to a String cannot fail");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

fn escape(text: &str, needs_escape: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if needs_escape(c) {
            write!(escaped, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidi_characters_are_escaped() {
        assert_eq!(one_line("résumé 日本.txt"), "résumé 日本.txt");
        assert_eq!(one_line("\u{1b}[2Jx\u{9b}31m\r\n"), "\\u{1b}[2Jx\\u{9b}31m\\u{d}\\u{a}");
        assert_eq!(one_line("invoice\u{202e}fdp.exe"), "invoice\\u{202e}fdp.exe");
        assert_eq!(lines("a\nb\tc"), "a\nb\\u{9}c");
    }

    #[test]
    fn escaped_json_parses_to_the_same_value() {
        let value = serde_json::json!({"name": "\u{1b}[2J\u{9b}invoice\u{202e}fdp.exe é\u{7f}"});
        let text = value.to_string();
        let escaped = json(&text);
        assert!(!escaped.contains(needs_escape) && escaped.contains("\\u202e") && escaped.contains("é"), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }

    #[test]
    fn a_quoted_path_is_one_shell_word() {
        assert_eq!(for_shell(std::path::Path::new("it's $here")), r"'it'\''s $here'");
        for (word, quoted) in [
            ("report-1.pdf", "report-1.pdf"),
            ("", "''"),
            ("my file.pdf", "'my file.pdf'"),
            ("~x", "'~x'"),
            ("it's", r"'it'\''s'"),
            ("日本.txt", "'日本.txt'"),
            ("a\nb'", r"$'a\x0ab\''"),
        ] {
            assert_eq!(shell_word(OsStr::new(word)), quoted);
        }
    }
}
