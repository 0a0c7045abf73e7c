//! Sanitisation of file names received from untrusted senders.

/// Replacement for a name with no characters left.
const FALLBACK: &str = "file";

/// Longest file name in bytes that common file systems support.
pub const MAX_NAME_BYTES: usize = 255;

/// Longest extension in bytes, dot included, that shortening keeps.
const MAX_EXTENSION_BYTES: usize = 32;

/// Sanitises a sender's file name to a name without a path, of at most 255 bytes.
///
/// - Keeps only the last component of a path; both `/` and `\` separate components.
/// - Removes control characters, invisible format characters (including bidirectional controls), surrounding spaces and
///   trailing dots. Keeps letters of every script.
/// - Replaces a leading dot or hyphen with an underscore, so that the file is neither hidden, nor a shell's start-up
///   file, nor taken for an option.
/// - Prefixes Windows device names with an underscore on every system, since files move between systems.
/// - Replaces characters that only Windows forbids with underscores, on Windows only.
/// - Returns `file` if no characters are left.
#[must_use]
pub fn safe_file_name(name: &str) -> String {
    reduce(name, cfg!(windows))
}

fn reduce(name: &str, for_windows: bool) -> String {
    let last_component = name.rsplit(['/', '\\']).find(|component| !component.is_empty()).unwrap_or_default();
    let visible: String = last_component
        .chars()
        .filter(|c| !c.is_control() && !is_format(*c))
        .map(|c| if for_windows && "<>:\"|?*".contains(c) { '_' } else { c })
        .collect();
    let mut safe = shorten(visible.trim_start());
    if safe.starts_with(['.', '-']) {
        safe.replace_range(..1, "_");
    }
    if is_device(&safe) {
        safe = shorten(&format!("_{safe}"));
    }
    if safe.is_empty() { FALLBACK.to_owned() } else { safe }
}

/// Shortens `name` to [`MAX_NAME_BYTES`] at a character boundary.
///
/// Keeps an extension of up to [`MAX_EXTENSION_BYTES`], and removes trailing dots and spaces.
fn shorten(name: &str) -> String {
    let trimmed_len = |text: &str| text.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).len();
    let name = &name[..trimmed_len(name)];
    if name.len() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    let extension = if extension.len() <= MAX_EXTENSION_BYTES { extension } else { "" };
    let mut cut = MAX_NAME_BYTES - extension.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    let short = format!("{}{extension}", &name[..cut]);
    short[..trimmed_len(&short)].to_owned()
}

/// Returns whether the name is a Windows device name; Windows ignores the extension.
pub(super) fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$" => true,
        stem => stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).is_some_and(|digit| {
            matches!(digit, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "\u{b9}" | "\u{b2}" | "\u{b3}")
        }),
    }
}

/// Returns whether a character overrides, embeds or isolates the direction of text.
///
/// The direction marks `U+200E`, `U+200F` and `U+061C` do not reorder letters, and some scripts require them.
pub(super) fn reverses_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a character is an invisible format character: Unicode categories Cf, Zl and Zp.
fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn harmless_names_are_kept() {
        for name in [
            "report.pdf",
            "no extension",
            "日本語の資料.txt",
            "résumé.doc",
            "re\u{301}sume\u{301}.doc",
            "Привет, мир.tar.gz",
            "🦀.rs",
            "a~b'c&d;e$(f).txt",
            "what? 10:30 <now> | \"quoted\" *.txt",
            "console.log",
            "com10.txt",
            "lpt.txt",
            "common",
            "nullable",
        ] {
            assert_eq!(reduce(name, false), name);
        }
    }

    #[test]
    fn no_name_is_hidden_or_an_option() {
        for (name, safe) in [
            (".bash_profile", "_bash_profile"),
            ("..hidden", "_.hidden"),
            ("-rf", "_rf"),
            ("--help", "_-help"),
            ("x/.ssh", "_ssh"),
            ("\u{200b}.netrc", "_netrc"),
            (".con", "_con"),
        ] {
            assert_eq!(reduce(name, false), safe, "{name:?}");
        }
    }

    #[test]
    fn only_the_last_path_component_is_kept() {
        for (name, safe) in [
            ("../../etc/passwd", "passwd"),
            ("/etc/shadow", "shadow"),
            ("a/b/", "b"),
            ("C:\\Windows\\System32\\x.dll", "x.dll"),
            ("..\\..\\x", "x"),
            ("a\\b/c", "c"),
            ("\\\\server\\share", "share"),
            ("a/..", "file"),
            ("a/.", "file"),
            ("x/con", "_con"),
        ] {
            assert_eq!(reduce(name, false), safe, "{name:?}");
        }
    }

    #[test]
    fn invisible_characters_are_removed() {
        for (name, safe) in [
            ("a\0b\nc\td\u{7f}e\u{85}.txt", "abcde.txt"),
            ("\u{1b}[2Jx", "[2Jx"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("\u{2066}a\u{2069}\u{200f}\u{61c}.txt", "a.txt"),
            ("a\u{200b}\u{feff}\u{ad}b\u{2028}\u{e0041}", "ab"),
            (".\u{200b}.", "file"),
            ("con\u{200b}", "_con"),
        ] {
            assert_eq!(reduce(name, false), safe, "{name:?}");
        }
    }

    #[test]
    fn surrounding_spaces_and_trailing_dots_are_removed() {
        for (name, safe) in [
            ("  a b  ", "a b"),
            ("a.txt. . ", "a.txt"),
            ("a...", "a"),
            ("\u{3000}a\u{a0}", "a"),
            ("", "file"),
            (".", "file"),
            ("..", "file"),
            ("....", "file"),
            (" . . ", "file"),
            ("/", "file"),
            ("\n", "file"),
        ] {
            assert_eq!(reduce(name, false), safe, "{name:?}");
        }
    }

    #[test]
    fn devices_get_an_underscore() {
        for name in [
            "con",
            "CON",
            "nul.txt",
            "Aux.tar.gz",
            "prn .txt",
            "COM1",
            "lpt9.log",
            "com\u{b9}",
            "COM0",
            "conin$",
            "CONOUT$.x",
        ] {
            assert_eq!(reduce(name, false), format!("_{name}"));
        }
        assert_eq!(reduce("con. .", false), "_con");
    }

    #[test]
    fn windows_gets_valid_names() {
        assert_eq!(reduce("a:b<c>d\"e|f?g*.txt", true), "a_b_c_d_e_f_g_.txt");
        assert_eq!(reduce("file.txt:stream", true), "file.txt_stream");
        assert_eq!(reduce("C:x", true), "C_x");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(reduce(&"a".repeat(255), false).len(), 255);
        assert_eq!(reduce(&"a".repeat(256), false), "a".repeat(255));
        assert_eq!(reduce(&format!("{}.tar", "a".repeat(300)), false), format!("{}.tar", "a".repeat(251)));
        assert_eq!(reduce(&"ü".repeat(200), false), "ü".repeat(127));
        assert_eq!(reduce(&format!("{}.jpg", "日".repeat(100)), false), format!("{}.jpg", "日".repeat(83)));
        assert_eq!(reduce(&format!("a.{}", "b".repeat(300)), false), format!("a.{}", "b".repeat(253)));
        assert_eq!(reduce(&format!("{}b", ".".repeat(300)), false), format!("_{}.b", ".".repeat(252)));
        assert_eq!(reduce(&format!("con{}x", " ".repeat(300)), false), "_con");
        assert_eq!(reduce(&format!("con.{}", "x".repeat(251)), false).len(), 255);
    }

    proptest! {
        #[test]
        fn every_name_is_safe(name in "(\\PC|[./\\\\ :\u{202e}\0\n]|con){0,300}", for_windows: bool) {
            let safe = reduce(&name, for_windows);
            prop_assert!(!safe.is_empty() && safe.len() <= MAX_NAME_BYTES);
            let unsafe_characters = ['/', '\\', '\0', '\n', '\u{202e}'];
            prop_assert!(!safe.contains(unsafe_characters));
            prop_assert!(!safe.ends_with(['.', ' ']) && !safe.starts_with([' ', '.', '-']));
            prop_assert!(!is_device(&safe));
            prop_assert!(std::path::Path::new(&safe).components().eq([std::path::Component::Normal(safe.as_ref())]));
            prop_assert_eq!(&reduce(&safe, for_windows), &safe);
        }
    }
}
