//! Checks that each test named in SECURITY.md exists.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn sources(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
}

/// Returns whether `module` can be the module in `path`. For example, `cli::server::tls` is in
/// `tests/suite/cli/server/tls.rs`, and `domain::link::tests` in `src/domain/link.rs` or `src/domain/link/tests.rs`.
fn holds(path: &Path, module: &[&str]) -> bool {
    let path = path.with_extension("");
    let path: Vec<_> = path.iter().filter_map(|part| part.to_str()).filter(|part| *part != "mod").collect();
    let inner = module.strip_suffix(&["tests"]).filter(|rest| !rest.is_empty());
    path.ends_with(module) || inner.is_some_and(|rest| path.ends_with(rest))
}

/// All tests of this project, in their source files.
pub(super) struct Tests(Vec<(PathBuf, String)>);

impl Tests {
    pub(super) fn read() -> Self {
        let mut files = Vec::new();
        sources(Path::new("src"), &mut files);
        sources(Path::new("tests"), &mut files);
        Self(files)
    }

    /// Returns whether the test `path` exists, named with its module.
    pub(super) fn contain(&self, path: &str) -> bool {
        let (module, name) = path.rsplit_once("::").unwrap();
        let module: Vec<_> = module.split("::").collect();
        let definition = format!("fn {name}(");
        self.0.iter().any(|(path, text)| {
            let attribute = text.split(&definition).next().unwrap().trim_end();
            holds(path, &module) && text.contains(&definition) && attribute.lines().rev().take(3).any(is_test)
        })
    }
}

#[test]
fn every_promise_names_existing_tests() {
    let tests = Tests::read();
    let document = fs::read_to_string("SECURITY.md").unwrap();
    let table = document.split("What went wrong elsewhere").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| What happened"));
    let mut checked = 0;
    for row in rows {
        let spans: Vec<_> = row.split('`').skip(1).step_by(2).filter(|span| span.contains("::")).collect();
        assert!(!spans.is_empty(), "the row names no test: {row}");
        for span in spans {
            assert!(tests.contain(span), "the test {span} does not exist");
            checked += 1;
        }
    }
    assert!(checked > 40, "the table was not read: {checked}");
}

fn is_test(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[test]") || line.starts_with("#[tokio::test") || line.starts_with("#[ignore")
}
