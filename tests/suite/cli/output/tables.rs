//! Tables: one line per row, also with wide and combining characters in the cells.

use crate::support::Home;

#[test]
fn rows_are_single_lines_with_separated_columns() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    home.run_at(&serving, &["token", "create", "日本語 e\u{301}"]).text();
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    let cells = |text: &str| -> Vec<Vec<String>> {
        let row =
            |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(String::from).collect();
        text.lines().map(row).collect()
    };
    let tokens = cells(&home.run_at(&serving, &["token", "list"]).text());
    assert!(tokens.len() == 2 && tokens.iter().all(|row| row.len() == 6), "{tokens:?}");
    let history = cells(&home.run(&["history"]).text());
    assert!(history.len() == 1 && history[0].len() == 6 && history[0][4] == "a.txt", "{history:?}");
    let timeline = cells(&home.run_at(&serving, &["audit", "show", &link]).text());
    assert!(timeline.iter().all(|row| row.len() == 5), "{timeline:?}");
    let create = timeline.iter().position(|row| row[2] == "transfer.create").expect("a transfer.create row");
    assert_eq!((timeline[create - 1][1].as_str(), timeline[create][1].as_str()), ("request", "action"), "{timeline:?}");
    assert!(home.run(&["status", &link, "--events"]).text().contains("transfer_created"));
}
