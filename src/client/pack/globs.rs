//! Globs that select files of an archive: to exclude them from an upload, or to save them alone.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use glob::{MatchOptions, Pattern};

/// Maximum number of patterns that the braces of one glob expand to.
const MAX_ALTERNATIVES: usize = 1_000;

/// Globs, matched against the path within the archive and against the file name.
///
/// `*` and `?` match characters within one name, `**` matches any number of directories, `[…]` matches one of several
/// characters, `{…,…}` one of several texts.
#[derive(Debug, Default)]
pub struct PathGlobs {
    globs: Vec<Glob>,
    /// Indexes of the globs that have matched a path.
    used: RefCell<BTreeSet<usize>>,
}

/// One glob: its text, and a pattern for each alternative in braces.
#[derive(Debug)]
struct Glob {
    text: OsString,
    patterns: Vec<Pattern>,
}

/// Error for text that is not a valid glob.
#[derive(Debug, thiserror::Error)]
#[error("{} is not a valid glob: {reason}", glob.display())]
pub struct InvalidGlob {
    glob: OsString,
    reason: Cow<'static, str>,
}

impl PathGlobs {
    /// Parses globs.
    pub fn parse(globs: &[OsString]) -> Result<Self, InvalidGlob> {
        let parse = |text: &OsString| Glob::parse(text).map_err(|reason| InvalidGlob { glob: text.clone(), reason });
        Ok(Self { globs: globs.iter().map(parse).collect::<Result<_, _>>()?, used: RefCell::default() })
    }

    /// Returns whether a glob matches the path or the file name of the entry at `path`.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        if self.globs.is_empty() {
            return false;
        }
        let name = path.file_name().map(text_of).unwrap_or_default();
        let names: Vec<_> = path.iter().map(text_of).collect();
        let path = names.join("/");
        let matching = self.globs.iter().enumerate().filter(|(_, glob)| glob.matches(&path) || glob.matches(&name));
        let matching: Vec<_> = matching.map(|(index, _)| index).collect();
        self.used.borrow_mut().extend(&matching);
        !matching.is_empty()
    }

    /// Returns whether there are no globs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.globs.is_empty()
    }

    /// Returns the globs that have not matched any path yet.
    #[must_use]
    pub fn unused(&self) -> Vec<OsString> {
        let used = self.used.borrow();
        let unused = self.globs.iter().enumerate().filter(|(index, _)| !used.contains(index));
        unused.map(|(_, glob)| glob.text.clone()).collect()
    }
}

impl Glob {
    fn parse(text: &OsStr) -> Result<Self, Cow<'static, str>> {
        let glob = text_of(text);
        // Accepts a trailing slash for directories and a leading `./` for relative paths.
        let glob = glob.trim_end_matches('/');
        let glob = glob.strip_prefix("./").unwrap_or(glob);
        let mut patterns = Vec::new();
        for alternative in expand_braces(&without_escapes(glob)?)? {
            let pattern = Pattern::new(&without_partial_recursion(&alternative));
            patterns.push(pattern.map_err(|error| Cow::Borrowed(error.msg))?);
        }
        Ok(Self { text: text.to_owned(), patterns })
    }

    fn matches(&self, path: &str) -> bool {
        const OPTIONS: MatchOptions =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };
        self.patterns.iter().any(|pattern| pattern.matches_with(path, OPTIONS))
    }
}

/// Returns a name as text. Each byte that is not part of valid UTF-8 is one private-use character.
///
/// So `?` matches one character of any encoding, and different names remain different.
fn text_of(name: &OsStr) -> Cow<'_, str> {
    const FIRST: u32 = 0x10_ff00;
    if let Some(text) = name.to_str() {
        return text.into();
    }
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(FIRST + u32::from(*byte))));
    }
    text.into()
}

/// Replaces each character after a backslash by a class with only this character, and `[^` by `[!`.
fn without_escapes(glob: &str) -> Result<String, Cow<'static, str>> {
    let mut text = String::new();
    let mut rest = glob.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // A backslash separates directories on Windows.
            '\\' if !cfg!(windows) => match rest.next() {
                Some(c @ ('*' | '?' | '[' | '{' | '}' | ',')) => text.extend(['[', c, ']']),
                Some(c) => text.push(c),
                None => return Err("a backslash is its last character".into()),
            },
            '[' => {
                text.push('[');
                if let Some('^' | '!') = rest.peek() {
                    rest.next();
                    text.push('!');
                }
                // A closing bracket at the start of a class is one of its characters.
                text.extend(rest.next());
                for c in rest.by_ref() {
                    text.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            c => text.push(c),
        }
    }
    Ok(text)
}

/// Expands `{a,b}` into a glob for each alternative; braces can be nested.
fn expand_braces(glob: &str) -> Result<Vec<String>, Cow<'static, str>> {
    let (mut pending, mut expanded) = (vec![glob.to_owned()], Vec::new());
    while let Some(glob) = pending.pop() {
        if pending.len() + expanded.len() >= MAX_ALTERNATIVES {
            return Err(format!("its braces have more than {MAX_ALTERNATIVES} alternatives").into());
        }
        match first_braces(&glob)? {
            None => expanded.push(glob),
            Some((before, alternatives, after)) => {
                pending.extend(alternatives.iter().map(|alternative| format!("{before}{alternative}{after}")));
            }
        }
    }
    Ok(expanded)
}

/// The text before the first braces of a glob, their alternatives, and the text after them.
type Braces<'a> = (&'a str, Vec<&'a str>, &'a str);

/// Finds the first braces outside character classes.
fn first_braces(glob: &str) -> Result<Option<Braces<'_>>, Cow<'static, str>> {
    let (mut depth, mut opened, mut start) = (0_usize, 0, 0);
    let mut alternatives = Vec::new();
    let mut chars = glob.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '[' => {
                chars.next_if(|(_, c)| *c == '!');
                chars.next();
                chars.by_ref().find(|(_, c)| *c == ']');
            }
            '{' => {
                if depth == 0 {
                    (opened, start) = (at, at + 1);
                }
                depth += 1;
            }
            ',' if depth == 1 => {
                alternatives.push(&glob[start..at]);
                start = at + 1;
            }
            '}' => {
                depth = depth.checked_sub(1).ok_or("a closing brace has no opening one")?;
                if depth == 0 {
                    alternatives.push(&glob[start..at]);
                    return Ok(Some((&glob[..opened], alternatives, &glob[at + 1..])));
                }
            }
            _ => {}
        }
    }
    if depth == 0 { Ok(None) } else { Err("an opening brace has no closing one".into()) }
}

/// Replaces `**` by `*` in path components that contain other characters, as `.gitignore` does.
fn without_partial_recursion(glob: &str) -> String {
    let component = |component: &str| {
        let is_recursive = component.len() > 1 && component.bytes().all(|byte| byte == b'*');
        if is_recursive {
            return "**".to_owned();
        }
        let mut single = component.to_owned();
        while single.contains("**") {
            single = single.replace("**", "*");
        }
        single
    };
    glob.split('/').map(component).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exclude(globs: &[&str]) -> PathGlobs {
        PathGlobs::parse(&globs.iter().map(OsString::from).collect::<Vec<_>>()).unwrap()
    }

    fn matches(glob: &str, path: &str) -> bool {
        exclude(&[glob]).matches(Path::new(path))
    }

    #[test]
    fn globs_match_paths_and_file_names() {
        let log = exclude(&["*.log", "./build/*", "**/cache/", "docs/**/x"]);
        for path in ["a.log", "d/e.log", "build/x", "cache", "a/b/cache", "docs/x", "docs/1/2/x"] {
            assert!(log.matches(Path::new(path)), "{path}");
        }
        for path in ["a.logs", "build", "build/x/y", "d/build/x", "caches", "x"] {
            assert!(!log.matches(Path::new(path)), "{path}");
        }
        assert!(log.unused().is_empty());
        let never = exclude(&["*.log", "*.lgo"]);
        assert!(never.matches(Path::new("a.log")));
        assert_eq!(never.unused(), ["*.lgo"]);
        assert!(!exclude(&[]).matches(Path::new("")));
        for bad in ["a[", "a{", "a}", "a{b,c", "a\\"] {
            assert!(PathGlobs::parse(&[bad.into()]).unwrap_err().to_string().contains(bad), "{bad}");
        }
    }

    #[test]
    fn wildcards_match_characters_of_every_script() {
        for (glob, path) in [
            ("?.txt", "é.txt"),
            ("??", "日本"),
            ("[é].txt", "é.txt"),
            ("[а-я]*", "жук"),
            ("[!a].txt", "ü.txt"),
            ("[^a].txt", "🎉.txt"),
            ("{é,ü}?", "üx"),
            ("d/?/x", "d/é/x"),
        ] {
            assert!(matches(glob, path), "{glob} does not match {path}");
        }
        for (glob, path) in [("?.txt", "éé.txt"), ("[é].txt", "è.txt"), ("[!é]", "é"), ("??", "é"), ("?", "/")] {
            assert!(!matches(glob, path), "{glob} matches {path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_match_byte_for_byte() {
        use std::os::unix::ffi::OsStrExt;
        let name = |bytes| OsStr::from_bytes(bytes);
        for glob in [&b"caf?.txt"[..], b"caf\xe9.txt", b"caf[\xe9].txt", b"*.txt", b"caf{\xe8,\xe9}.txt"] {
            let exclude = PathGlobs::parse(&[name(glob).to_owned()]).unwrap();
            assert!(exclude.matches(Path::new(name(b"caf\xe9.txt"))), "{}", name(glob).display());
            assert!(exclude.unused().is_empty());
        }
        let exclude = PathGlobs::parse(&[name(b"caf\xe8.txt").to_owned()]).unwrap();
        assert!(!exclude.matches(Path::new(name(b"caf\xe9.txt"))));
    }

    #[test]
    fn braces_and_escapes_work_as_in_a_shell() {
        for (glob, path) in [
            ("*.{jpg,png}", "a.png"),
            ("{a,b{c,d}}x", "bdx"),
            ("a{,b}", "a"),
            ("[{]x", "{x"),
            ("[]]x", "]x"),
            ("a**b", "axxb"),
            ("***", "d/x"),
        ] {
            assert!(matches(glob, path), "{glob} does not match {path}");
        }
        if !cfg!(windows) {
            assert!(matches(r"\*.\{x\}", "*.{x}") && !matches(r"\*", "a"));
        }
        assert!(!matches("*.{jpg,png}", "a.gif") && !matches("a**b", "ax/xb"));
        let many = "{a,b}".repeat(20);
        assert!(PathGlobs::parse(&[many.into()]).unwrap_err().to_string().contains("alternatives"));
    }
}
