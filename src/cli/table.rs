//! Tables: the same aligned columns on a terminal and in a pipe, without borders and colours.
//!
//! Only a terminal is shown the headings, so that in a pipe every line is a row. Two spaces or more stand between
//! columns, and an empty cell is a hyphen: `awk -F'  +'` takes them apart.

use std::io::{self, IsTerminal};

use comfy_table::{Table, presets};

use super::escape;

/// Spaces between two columns.
const GAP: u16 = 2;
/// The most letters of a name on a terminal.
const WIDEST: usize = 40;

/// The rows as lines, with `headings` above them where a person reads them.
pub(super) fn lines(headings: &[&str], rows: &[Vec<String>]) -> String {
    lay_out(io::stdout().is_terminal().then_some(headings), rows)
}

/// A text that leaves room for others in its line where a person reads it, and all of it where a program does.
pub(super) fn shortened(text: &str) -> String {
    if io::stdout().is_terminal() { cut(text) } else { text.to_owned() }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDEST {
        return text.to_owned();
    }
    text.chars().take(WIDEST - 1).chain(['…']).collect()
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

/// A cell within its line, whatever strangers have written into it.
fn cell_text(cell: &str) -> String {
    if cell.is_empty() { "-".to_owned() } else { escape::one_line(cell).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The column at which `part` begins, as a terminal counts it: the wide characters here are all of two columns.
    fn width(line: &str, part: &str) -> usize {
        let before = &line[..line.find(part).unwrap()];
        before.chars().map(|c| if c == '\u{301}' { 0 } else { 1 + usize::from(c > '\u{2fff}') }).sum()
    }

    #[test]
    fn wide_combining_and_control_characters_break_no_column() {
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
    fn long_names_are_cut_between_letters() {
        assert_eq!(cut(&"é".repeat(40)), "é".repeat(40));
        assert_eq!(cut(&"é".repeat(41)), format!("{}…", "é".repeat(39)));
    }

    #[test]
    fn only_people_are_shown_headings() {
        let rows = [vec!["a".to_owned(), "b".to_owned()]];
        assert_eq!(lay_out(None, &rows), "a  b");
        assert_eq!(lay_out(Some(&["ID", "NAME"]), &rows), "ID  NAME\na   b");
        assert_eq!(lay_out(None, &[]), "");
    }
}
