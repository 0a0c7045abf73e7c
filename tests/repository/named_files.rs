//! Checks that documents name existing files.

use std::fs;
use std::path::Path;

/// Folders whose files documents name.
const FOLDERS: [&str; 9] =
    ["src/", "tests/", "packaging/", "docs/", "examples/", "benches/", "fuzz/", "completions/", "man/"];

/// Returns the paths in backticks, without those that stand for several files.
fn named_files(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.split('`').skip(1).step_by(2).filter_map(|span| span.split_whitespace().next());
    let stands_for_many = |path: &str| path.contains(['*', '{', '<']) || path.contains("NAME");
    spans.filter(move |path| FOLDERS.iter().any(|folder| path.starts_with(folder)) && !stands_for_many(path))
}

/// Names of the folders that git ignores: they exist on some machines only.
fn generated_folders() -> Vec<String> {
    let ignored = [".gitignore", "fuzz/.gitignore"].map(|file| fs::read_to_string(file).unwrap());
    ignored.iter().flat_map(|text| text.lines()).map(|line| line.trim_matches('/').to_owned()).collect()
}

fn documents() -> Vec<std::path::PathBuf> {
    let in_folder = |folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = in_folder(".").chain(in_folder("docs"));
    all.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn documents_name_existing_files() {
    let (mut missing, mut checked, generated) = (Vec::new(), 0, generated_folders());
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        // Code blocks hold commands, whose arguments need not exist.
        let prose: String = text.split("```").step_by(2).collect();
        for path in named_files(&prose) {
            checked += 1;
            let file = Path::new(path.split('#').next().unwrap());
            let is_generated = file.iter().any(|part| generated.iter().any(|folder| part == folder.as_str()));
            if is_generated || !file.exists() {
                missing.push(format!("{} names {path}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(checked > 100, "the documents were not read: {checked}");
}
