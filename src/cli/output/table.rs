//! Tables with aligned columns, without borders and colours.
//!
//! Headings appear on a terminal only, so that in a pipe every line is a row. At least two spaces separate columns, and
//! an empty cell is a hyphen, so `awk -F'  +'` can split the rows. On a terminal, the widest cells are wrapped within
//! their column until the table fits.

use std::io::{self, IsTerminal};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::escape;

/// Number of spaces between columns.
const GAP: u16 = 2;
/// Smallest width to which a column is narrowed.
const MIN_WIDTH: u16 = 8;
/// Maximum length of a name on a terminal, in characters.
const MAX_NAME_LENGTH: usize = 40;

/// Formats the rows as lines, on a terminal below `headings`.
pub(crate) fn lines(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = terminal_width();
    lay_out(io::stdout().is_terminal().then_some(headings), rows, width)
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

/// Returns the width of the terminal at stdout in columns. Returns `None` in a pipe, or if the terminal does not tell.
fn terminal_width() -> Option<u16> {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).ok()?.ws_col;
    Some(columns).filter(|columns| *columns > 0)
}

/// Returns the widths of the columns that must be narrower than their content to fit into `width`.
fn narrowed(mut widths: Vec<u16>, width: u16) -> Vec<(usize, u16)> {
    let full = widths.clone();
    loop {
        let taken: u32 = widths.iter().map(|one| u32::from(*one) + u32::from(GAP)).sum();
        let excess = taken.saturating_sub(u32::from(width) + u32::from(GAP));
        let widest = widths.iter().copied().max().unwrap_or_default();
        if excess == 0 || widest <= MIN_WIDTH {
            break;
        }
        for one in widths.iter_mut().filter(|one| **one == widest).take(usize::try_from(excess).unwrap_or(1)) {
            *one -= 1;
        }
    }
    widths
        .into_iter()
        .zip(full)
        .enumerate()
        .filter(|(_, (now, full))| now < full)
        .map(|(at, (now, _))| (at, now))
        .collect()
}

fn lay_out(headings: Option<&[&str]>, rows: &[Vec<String>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(headings) = headings {
        table.set_header(headings.to_vec());
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| cell_text(cell)).collect::<Vec<_>>());
    }
    let widths = table.column_max_content_widths();
    let narrowed = width.map(|width| narrowed(widths, width)).unwrap_or_default();
    if !narrowed.is_empty() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(u16::MAX);
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        let width = narrowed.iter().find(|(narrow, _)| *narrow == at).map(|(_, width)| *width);
        column.set_constraint(match width {
            Some(width) => ColumnConstraint::Absolute(Width::Fixed(width + GAP)),
            None => ColumnConstraint::ContentWidth,
        });
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
        let text = lay_out(
            None,
            &[row("plain"), row("日本語"), row("e\u{301}te\u{301}"), row("a\u{1b}[2J\nb"), row("")],
            None,
        );
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
    fn tables_fit_the_terminal_without_broken_rows() {
        let link = format!("https://send.example.org/d/{}", "0123456789abcdef".repeat(2));
        let cells = ["2026-03-01 09:30 CET", "expires in 6 days", "12.0 MiB", "report of the year.pdf", &link];
        let row: Vec<_> = cells.map(str::to_owned).into();
        let headings = ["UPLOADED", "EXPIRES", "SIZE", "NAME", "LINK"];
        for width in [70, 80, 100, 120, 200] {
            let text = lay_out(Some(&headings), &[row.clone(), row.clone()], Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width.into()), "{width}: {text}");
            // Each column keeps its place, and nothing is lost.
            let at = |name: &str| text.lines().next().unwrap().find(name).unwrap();
            let column = |from: usize, to: usize| -> String {
                let part = |line: &str| line.chars().skip(from).take(to - from).collect::<String>().trim().to_owned();
                text.lines().skip(1).map(part).collect()
            };
            assert_eq!(column(at("LINK"), width.into()), link.repeat(2), "{width}: {text}");
            let uploaded = column(at("UPLOADED"), at("EXPIRES"));
            assert!(uploaded.starts_with("2026-03-01") && uploaded.ends_with("CET"), "{width}: {text}");
        }
    }

    #[test]
    fn headings_are_optional() {
        let rows = [vec!["a".to_owned(), "b".to_owned()]];
        assert_eq!(lay_out(None, &rows, None), "a  b");
        assert_eq!(lay_out(Some(&["ID", "NAME"]), &rows, Some(80)), "ID  NAME\na   b");
        assert_eq!(lay_out(None, &[], Some(80)), "");
    }
}
