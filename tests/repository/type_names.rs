//! Checks that one name of a type has one meaning in the crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Names with one meaning in several files.
const SHARED: [(&str, &str); 3] = [
    ("Arguments", "the arguments of a command"),
    ("Output", "the JSON output of a command"),
    ("BucketStorage", "the backend of buckets, and what a build without S3 has instead"),
];

/// Returns the names of the types that a file declares at its top level.
fn declared_types(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.strip_prefix("pub").map_or(line, |rest| {
            let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
            rest.trim_start()
        });
        let name = ["struct ", "enum ", "trait ", "type ", "union "].iter().find_map(|word| line.strip_prefix(word))?;
        Some(&name[..name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len())])
    })
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            found.push(path);
        }
    }
}

/// Returns whether a file has only tests.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests")
        || path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("tests"))
}

#[test]
fn each_type_has_a_name_of_its_own() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut declared = BTreeMap::<String, Vec<String>>::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for name in declared_types(&text) {
            let places = declared.entry(name.to_owned()).or_default();
            let place = file.display().to_string();
            // Alternatives for different systems are in one file.
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    assert!(declared.len() > 500, "the types were not found: {}", declared.len());
    let is_shared = |name: &str| SHARED.iter().any(|(shared, _)| *shared == name);
    let doubled: Vec<_> = declared.iter().filter(|(name, places)| places.len() > 1 && !is_shared(name)).collect();
    assert!(doubled.is_empty(), "types with one name: {doubled:#?}");
    for (name, meaning) in SHARED {
        assert!(declared[name].len() > 1, "{name} ({meaning}) needs no exception");
    }
}

#[test]
fn declarations_are_recognised() {
    let text = "pub(in crate::server) struct One<T>;\nenum Two {\n    type Inner = u8;\npub trait Three: Send {}\npub type Four = u8;\n";
    assert_eq!(declared_types(text).collect::<Vec<_>>(), ["One", "Two", "Three", "Four"]);
}
