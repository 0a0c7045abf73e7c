//! The fault matrix: every promise of SECURITY.md under every fault has a test, or a reason.
//!
//! `fault_matrix.txt` is its source, and `docs/fault-matrix.md` is written from it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use super::security_table::Tests;

const SOURCE: &str = "tests/repository/fault_matrix.txt";
const DOCUMENT: &str = "docs/fault-matrix.md";

/// Fewest words of a reason; fewer explain nothing.
const MIN_WORDS: usize = 8;

/// Text of the document before the tables.
const HEAD: &str = "\
# Fault matrix

Effects of faults on the [promises](../SECURITY.md#promises), with the tests that cover each. Each test is named with its
module. A sentence says why a fault cannot affect a promise, or what the tests rely on.

This page is generated from `tests/repository/fault_matrix.txt`: change that file, then run

```sh
SGSEND_BLESS=1 cargo test --test repository fault_matrix
```

";

/// Tests and reasons for one promise under one fault.
#[derive(Debug, Default)]
struct Cell {
    tests: Vec<String>,
    reasons: Vec<String>,
}

#[derive(Debug, Default)]
struct Matrix {
    /// Names and descriptions, in their order.
    faults: Vec<(String, String)>,
    /// Cells by the number of the promise and the name of the fault.
    cells: BTreeMap<(u32, String), Cell>,
}

impl Matrix {
    /// Parses the source; an error names the line.
    fn parse(text: &str) -> Result<Self, String> {
        let mut matrix = Self::default();
        let mut current = None;
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |what: &str| format!("line {number}: {what}: {line}");
            if line.is_empty() || line.starts_with('#') {
                current = None;
            } else if let Some(fault) = line.strip_prefix("fault ") {
                let (name, description) = fault.split_once(": ").ok_or_else(|| wrong("a fault has no description"))?;
                matrix.faults.push((name.to_owned(), description.to_owned()));
            } else if let Some((promise, fault)) = line.split_once(" × ") {
                let promise = promise.parse().map_err(|_| wrong("a cell has no number"))?;
                if !matrix.faults.iter().any(|(name, _)| name == fault) {
                    return Err(wrong("an unknown fault"));
                }
                let key = (promise, fault.to_owned());
                if matrix.cells.insert(key.clone(), Cell::default()).is_some() {
                    return Err(wrong("a second cell"));
                }
                current = Some(key);
            } else {
                let cell = current.as_ref().and_then(|key| matrix.cells.get_mut(key));
                let cell = cell.ok_or_else(|| wrong("a line outside of a cell"))?;
                let is_test = line.contains("::") && !line.contains(' ');
                if is_test { cell.tests.push(line.to_owned()) } else { cell.reasons.push(line.to_owned()) }
            }
        }
        Ok(matrix)
    }

    /// Returns what is wrong with the cells, given the numbers of the promises and which tests exist.
    fn faults_of_its_own(&self, promises: &[u32], exists: impl Fn(&str) -> bool) -> Vec<String> {
        let mut wrong = Vec::new();
        for promise in promises {
            for (fault, _) in &self.faults {
                match self.cells.get(&(*promise, fault.clone())) {
                    None => wrong.push(format!("promise {promise} has no cell for {fault:?}")),
                    Some(cell) if cell.tests.is_empty() && cell.reasons.is_empty() => {
                        wrong.push(format!("{promise} × {fault} is empty"));
                    }
                    Some(_) => {}
                }
            }
        }
        for ((promise, fault), cell) in &self.cells {
            if !promises.contains(promise) {
                wrong.push(format!("{promise} × {fault}: SECURITY.md has no such promise"));
            }
            let missing = cell.tests.iter().filter(|test| !exists(test));
            wrong.extend(missing.map(|test| format!("{promise} × {fault}: the test {test} does not exist")));
            let unclear = cell.reasons.iter().filter(|reason| !is_sentence(reason));
            wrong.extend(unclear.map(|reason| format!("{promise} × {fault}: not a sentence: {reason}")));
        }
        let unclear = self.faults.iter().filter(|(_, description)| !is_sentence(description));
        wrong.extend(unclear.map(|(name, description)| format!("{name}: not a sentence: {description}")));
        wrong
    }

    /// Renders the document, with one table for each promise.
    fn document(&self, promises: &[(u32, String)]) -> String {
        let mut document = HEAD.to_owned();
        document += "| Fault | Meaning |\n|---|---|\n";
        for (name, description) in &self.faults {
            writeln!(document, "| {name} | {description} |").unwrap();
        }
        for (number, text) in promises {
            write!(document, "\n## Promise {number}\n\n> {text}\n\n| Fault | Tests and reasons |\n|---|---|\n")
                .unwrap();
            for (fault, _) in &self.faults {
                let cell = &self.cells[&(*number, fault.clone())];
                let tests: Vec<_> = cell.tests.iter().map(|test| format!("`{test}`")).collect();
                let parts: Vec<_> = cell.reasons.iter().cloned().chain([tests.join(", ")]).collect();
                writeln!(document, "| {fault} | {} |", parts.join(" ").trim_end()).unwrap();
            }
        }
        document
    }
}

fn is_sentence(text: &str) -> bool {
    let words = text.split_whitespace().count();
    text.starts_with(|first: char| first.is_uppercase()) && text.ends_with('.') && words >= MIN_WORDS
}

/// Returns the promises in SECURITY.md: their numbers, and their texts in one line each.
fn promises(document: &str) -> Vec<(u32, String)> {
    let section = document.split("\n## Promises\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let section = section.split("**Not promised**").next().unwrap();
    let mut promises: Vec<(u32, String)> = Vec::new();
    for line in section.lines() {
        let start = line.split_once(". ").and_then(|(number, text)| Some((number.parse().ok()?, text.to_owned())));
        match (start, promises.last_mut()) {
            (Some(promise), _) => promises.push(promise),
            (None, Some((_, text))) if line.starts_with("   ") => {
                *text += " ";
                *text += line.trim();
            }
            _ => {}
        }
    }
    promises
}

fn matrix() -> Matrix {
    Matrix::parse(&fs::read_to_string(SOURCE).unwrap()).unwrap_or_else(|wrong| panic!("{SOURCE}: {wrong}"))
}

fn promises_of_this_project() -> Vec<(u32, String)> {
    promises(&fs::read_to_string("SECURITY.md").unwrap())
}

#[test]
fn every_promise_has_a_test_or_a_reason_for_every_fault() {
    let (matrix, tests) = (matrix(), Tests::read());
    let numbers: Vec<_> = promises_of_this_project().into_iter().map(|(number, _)| number).collect();
    assert!(numbers.len() >= 8 && (1..).zip(&numbers).all(|(expected, number)| expected == *number), "{numbers:?}");
    assert!(matrix.faults.len() >= 8, "{:?}", matrix.faults);
    let wrong = matrix.faults_of_its_own(&numbers, |test| tests.contain(test));
    assert!(wrong.is_empty(), "{SOURCE}: {wrong:#?}");
}

#[test]
fn the_document_shows_the_fault_matrix() {
    let expected = matrix().document(&promises_of_this_project());
    if std::env::var_os("SGSEND_BLESS").is_some() {
        fs::write(DOCUMENT, &expected).unwrap();
    }
    let found = fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(found == expected, "{DOCUMENT} differs from {SOURCE}; SGSEND_BLESS=1 writes it");
}

#[test]
fn a_matrix_with_gaps_is_rejected() {
    let fault = "fault kill: A process is killed at any point of its life.\n";
    let cell = "1 × kill\na::b\nA kill of a process changes nothing in this place.\n";
    let sound = Matrix::parse(&format!("{fault}{cell}")).unwrap();
    assert_eq!(sound.faults_of_its_own(&[1], |test| test == "a::b"), [""; 0]);
    assert_eq!(sound.faults_of_its_own(&[1], |_| false).len(), 1, "a missing test");
    assert_eq!(sound.faults_of_its_own(&[1, 2], |_| true).len(), 1, "a promise without a cell");
    assert_eq!(sound.faults_of_its_own(&[], |_| true).len(), 1, "a cell without a promise");
    for (cell, what) in [("1 × kill\n", "an empty cell"), ("1 × kill\nnot affected\n", "a reason without a sentence")]
    {
        let matrix = Matrix::parse(&format!("{fault}{cell}")).unwrap();
        assert_eq!(matrix.faults_of_its_own(&[1], |_| true).len(), 1, "{what}");
    }
    for text in ["1 × kill\n", "fault kill\n", &format!("{fault}{cell}\n{cell}"), &format!("{fault}\na::b\n")] {
        assert!(Matrix::parse(text).is_err(), "{text}");
    }
    let document = "# Security\n\n## Promises\n\n1. One\n   line.\n2. Two.\n\n**Not promised**\n\n- 3. Three.\n";
    assert_eq!(promises(document), [(1, "One line.".to_owned()), (2, "Two.".to_owned())]);
}
