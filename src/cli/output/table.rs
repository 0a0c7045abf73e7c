//! Tables with aligned columns, without borders and colours.
//!
//! Headings appear on a terminal only, so that in a pipe every line is a row. At least two spaces separate columns, and
//! an empty cell is a hyphen, so `awk -F'  +'` can split the rows.

use std::io::{self, IsTerminal};

use comfy_table::{Table, presets};

use super::escape;

/// Number of spaces between columns.
const GAP: u16 = 2;
/// Maximum length of a name on a terminal, in characters.
const MAX_NAME_LENGTH: usize = 40;

/// Formats the rows as lines, on a terminal below `headings`.
pub(crate) fn lines(headings: &[&str], rows: &[Vec<String>]) -> String {
    lay_out(io::stdout().is_terminal().then_some(headings), rows)
}

/// Shortens a text on a terminal; returns it unchanged in a pipe.
pub(crate) fn shortened(text: &str) -> String {
    if io::stdout().is_terminal() { cut(text) } else { text.to_owned() }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_NAME_LENGTH {
        return text.to_owned();
    }
    text.chars().take(MAX_NAME_LENGTH - 1).chain(['…']).collect()
}

fn lay_out(headings: Option<&[&str]>, rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(headings) = headings {
        table.set_header(headings.to_vec());
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| cell_text(cell)).collect::<Vec<_>>());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Escapes a cell, so that untrusted text stays within its line; an empty cell becomes a hyphen.
fn cell_text(cell: &str) -> String {
    if cell.is_empty() { "-".to_owned() } else { escape::one_line(cell).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the terminal column at which `part` begins; wide characters in these tests take two columns.
    fn width(line: &str, part: &str) -> usize {
        let before = &line[..line.find(part).unwrap()];
        before.chars().map(|c| if c == '\u{301}' { 0 } else { 1 + usize::from(c > '\u{2fff}') }).sum()
    }

    #[test]
    fn wide_combining_and_control_characters_keep_columns_aligned() {
        let row = |name: &str| vec![name.to_owned(), "end".to_owned()];
        let text =
            lay_out(None, &[row("plain"), row("日本語"), row("e\u{301}te\u{301}"), row("a\u{1b}[2J\nb"), row("")]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        let at = width(lines[0], "end");
        assert!(lines.iter().all(|line| width(line, "end") == at), "{text}");
        assert!(!text.contains('\u{1b}') && lines[4].starts_with("-  "), "{text}");
    }

    #[test]
    fn long_names_are_cut_at_character_boundaries() {
        assert_eq!(cut(&"é".repeat(40)), "é".repeat(40));
        assert_eq!(cut(&"é".repeat(41)), format!("{}…", "é".repeat(39)));
    }

    #[test]
    fn headings_are_optional() {
        let rows = [vec!["a".to_owned(), "b".to_owned()]];
        assert_eq!(lay_out(None, &rows), "a  b");
        assert_eq!(lay_out(Some(&["ID", "NAME"]), &rows), "ID  NAME\na   b");
        assert_eq!(lay_out(None, &[]), "");
    }
}
