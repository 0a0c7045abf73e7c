//! Text from strangers, made harmless to a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes what could move the cursor, colour, hide or reverse text. Line feeds stay.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_harmful(c))
}

/// Escapes the same, and line feeds too: for names and other text that must stay within a line.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    escape(text, is_harmful)
}

fn escape(text: &str, harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) {
            write!(escaped, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidi_characters_are_shown_and_not_obeyed() {
        assert_eq!(one_line("résumé 日本.txt"), "résumé 日本.txt");
        assert_eq!(one_line("\u{1b}[2Jx\u{9b}31m\r\n"), "\\u{1b}[2Jx\\u{9b}31m\\u{d}\\u{a}");
        assert_eq!(one_line("invoice\u{202e}fdp.exe"), "invoice\\u{202e}fdp.exe");
        assert_eq!(lines("a\nb\tc"), "a\nb\\u{9}c");
    }
}
