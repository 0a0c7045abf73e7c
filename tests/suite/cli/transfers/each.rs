//! `upload --each`: several transfers by one command.

use serde_json::Value;

use crate::support::{Home, content};

/// Returns the lines of stdout.
fn lines(stdout: &[u8]) -> Vec<String> {
    String::from_utf8(stdout.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn each_path_becomes_a_transfer_of_its_own_in_the_order_of_the_paths() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    // The first is the slowest.
    let mut paths = vec![home.file("large.bin", &content(9_500_000))];
    paths.extend((0..40).map(|number| home.file(&format!("small {number}.txt"), &[number; 100])));
    std::fs::create_dir(home.path().join("folder")).unwrap();
    home.file("folder/inner.txt", b"inner");
    paths.push(home.path().join("folder").display().to_string());
    let arguments: Vec<_> = ["upload", "--each"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let sent = home.run_at(&serving, &arguments);
    let sent: Vec<_> = sent
        .text()
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(link, path)| (link.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(sent.iter().map(|(_, path)| path).collect::<Vec<_>>(), paths.iter().collect::<Vec<_>>());
    for at in [0, 1, 40] {
        home.run(&["download", &sent[at].0, "-o", "got", "--overwrite"]).text();
        assert!(std::fs::read(home.path().join("got")).unwrap() == std::fs::read(&paths[at]).unwrap(), "{}", paths[at]);
    }
    home.run(&["download", &sent[41].0, "-o", "unpacked"]).text();
    assert_eq!(std::fs::read(home.path().join("unpacked/inner.txt")).unwrap(), b"inner");
    let remembered = home.run(&["history", "--json"]).json();
    assert_eq!(remembered["items"].as_array().map(Vec::len), Some(42), "{remembered}");
}

#[test]
fn a_failure_ends_no_other_upload_and_shows_in_the_exit_status() {
    let home = Home::new();
    let serving = home.serve_any(&["--max-size", "1MiB"]);
    home.log_in(&serving);
    let (first, large, last) =
        (home.file("first", b"1"), home.file("large", &content(1 << 21)), home.file("last", b"2"));
    let missing = home.path().join("missing").display().to_string();
    let sent = home.run_at(&serving, &["upload", "--each", &first, &missing, &large, &last]);
    assert_eq!(sent.exit, 1, "{}", sent.stderr);
    let printed = lines(&sent.stdout);
    assert_eq!(printed.len(), 2, "{printed:?}");
    assert!(printed[0].ends_with(&format!("\t{first}")) && printed[1].ends_with(&format!("\t{last}")), "{printed:?}");
    let errors: Vec<_> = sent.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].starts_with(&format!("error: {missing}: ")), "{errors:?}");
    assert!(errors[1].starts_with(&format!("error: {large}: ")), "{errors:?}");
    assert_eq!(errors[2], "error: 2 of 4 uploads failed");
}

#[test]
fn json_has_an_object_for_each_path() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let (first, last) = (home.file("first", b"1"), home.file("last", b"2"));
    let missing = home.path().join("missing").display().to_string();
    let sent = home.run_at(&serving, &["upload", "--each", &first, &missing, &last, "--json", "--separate-key"]);
    assert_eq!(sent.exit, 1);
    let objects: Vec<Value> = lines(&sent.stdout).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let described: Vec<_> =
        objects.iter().map(|object| (object["ok"].as_bool().unwrap(), object["path"].as_str())).collect();
    assert_eq!(described, [(true, Some(&*first)), (false, Some(&*missing)), (true, Some(&*last)), (false, None)]);
    assert!(objects[0]["key"].as_str().unwrap().starts_with("v1."));
    assert_eq!(objects[1]["error"]["code"], "file_unreadable", "{}", objects[1]);
    assert_eq!(objects[3]["error"]["code"], "uploads_failed");
}

#[test]
fn options_hold_for_each_transfer_or_are_refused() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let (first, last) = (home.file("first", b"1"), home.file("last", b"2"));
    let me = home.run(&["key", "new"]).text();
    let sent = home.run_at(&serving, &["upload", "--each", &first, &last, "--to", &me, "--quiet"]).text();
    assert!(sent.lines().count() == 2 && sent.lines().all(|line| line.contains("#to.")), "{sent}");
    for refused in [["--link", "Ada"], ["--name", "x"], ["--request", "-"]] {
        let arguments = [&["upload", "--each", &first, &last], &refused[..]].concat();
        home.run_at(&serving, &arguments).expect_failure(2, "--each");
    }
    home.run_at(&serving, &["upload", "--each", &first, "-"]).expect_failure(2, "stdin");
    let listed = home.run_at(&serving, &["upload", "--each", &first, &last, "--dry-run"]).text();
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["1  first", "1  last"]);
}
