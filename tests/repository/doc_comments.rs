//! Checks the form of doc comments.

use std::path::Path;

use super::security_table::sources;

/// Number of characters that the first line of a doc comment stays below.
const FIRST_LINE_LIMIT: usize = 100;

/// Returns the line numbers and texts of doc comments whose first line is too long.
///
/// A first line ends at its first full stop, or at the end of the line.
fn long_first_lines(source: &str) -> Vec<(usize, &str)> {
    let comment = |line: &'_ str| -> Option<(&'static str, usize)> {
        let text = line.trim_start();
        let marker = ["///", "//!"].into_iter().find(|marker| text.starts_with(marker))?;
        Some((marker, line.len() - text.len() + marker.len()))
    };
    let mut previous = None;
    let mut long = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let current = comment(line);
        let marker = current.map(|(marker, _)| marker);
        if let Some((_, start)) = current.filter(|_| marker != previous) {
            let text = line[start..].trim();
            let sentence = text.split(". ").next().unwrap_or(text).trim_end_matches('.');
            if sentence.chars().count() >= FIRST_LINE_LIMIT {
                long.push((index + 1, text));
            }
        }
        previous = marker;
    }
    long
}

#[test]
fn first_lines_of_doc_comments_are_short() {
    let mut long = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz/src", "fuzz/fuzz_targets"] {
        let mut files = Vec::new();
        sources(Path::new(folder), &mut files);
        for (path, source) in files {
            long.extend(
                long_first_lines(&source).into_iter().map(|(line, text)| format!("{}:{line}: {text}", path.display())),
            );
        }
    }
    assert!(
        long.is_empty(),
        "first lines of doc comments have {FIRST_LINE_LIMIT} characters or more:\n{}",
        long.join("\n")
    );
}

#[test]
fn only_the_first_sentence_of_a_doc_comment_counts() {
    let long = "x".repeat(FIRST_LINE_LIMIT);
    let lines = |source: &str| long_first_lines(source).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    assert_eq!(lines(&format!("/// Short. {long}\n/// {long}\nfn a() {{}}\n")), [0; 0]);
    assert_eq!(lines(&format!("fn a() {{}}\n    /// {long}\n//! {long}\n// {long}\n")), [2, 3]);
}
