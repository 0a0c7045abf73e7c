//! Generated files against the committed ones: shell completions, manual pages, and all help texts.
//!
//! `SGSEND_BLESS=1 cargo test --test suite reference` regenerates them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Home, not_run};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares `made` with the file at `path`; writes the file if `SGSEND_BLESS` is set.
fn check(path: &Path, generated: &[u8]) {
    if std::env::var_os("SGSEND_BLESS").is_some_and(|value| !value.is_empty()) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, generated).unwrap();
    }
    let committed = fs::read(path).unwrap_or_default();
    let hint = "regenerate the file: SGSEND_BLESS=1 cargo test --test suite reference";
    assert!(committed == generated, "{} differs from the output of sgsend; {hint}", path.display());
}

#[test]
fn reference_scripts_for_shells() {
    let home = Home::new();
    for (shell, file) in [
        ("bash", "sgsend.bash"),
        ("zsh", "_sgsend"),
        ("fish", "sgsend.fish"),
        ("elvish", "sgsend.elv"),
        ("powershell", "_sgsend.ps1"),
    ] {
        let finished = home.run(&["completions", shell]);
        assert!(finished.text().contains("SGSEND_COMPLETE"), "{shell}");
        check(&root().join("completions").join(file), &finished.stdout);
    }
}

#[test]
fn reference_manual_pages() {
    let home = Home::new();
    home.run(&["man", "pages"]).text();
    let generated = files(&home.path().join("pages"));
    assert!(generated.len() > 20, "{generated:?}");
    for page in &generated {
        let text = fs::read_to_string(page).unwrap();
        let name = page.file_name().unwrap();
        assert!(text.contains(".SH EXAMPLES"), "{} has no examples", page.display());
        check(&root().join("man").join(name), text.as_bytes());
    }
    assert_eq!(files(&root().join("man")).len(), generated.len(), "a manual page belongs to a removed command");
    let first = home.run(&["man"]).text();
    for section in ["ENVIRONMENT", "FILES", "EXIT STATUS"] {
        assert!(
            first.contains(&format!(".SH \"{section}\"")) || first.contains(&format!(".SH {section}")),
            "{section}"
        );
    }
}

#[test]
fn manual_pages_are_valid_roff() {
    let home = Home::new();
    home.run(&["man", "pages"]).text();
    for page in files(&home.path().join("pages")) {
        let groff = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(&page).output();
        let Ok(output) = groff else {
            not_run("groff is not installed");
            return;
        };
        let finished = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && finished.is_empty(), "{}: {finished}", page.display());
    }
}

#[test]
fn reference_of_every_help_text() {
    let home = Home::new();
    let mut text = String::new();
    describe(&home, &[], &mut text);
    assert!(text.matches("\n## sgsend ").count() > 20, "too few commands were found");
    check(&root().join("tests/suite/cli/output/reference.txt"), text.as_bytes());
}

/// Appends the long help of a command and of all its subcommands.
fn describe(home: &Home, command: &[&str], text: &mut String) {
    let mut asking = home.sgsend(&[command, &["--help"]].concat());
    let output = asking.env("COLUMNS", "100").output().unwrap();
    assert!(output.status.success(), "{command:?}");
    let help = String::from_utf8(output.stdout).unwrap();
    *text += &["## ", &[&["sgsend"], command].concat().join(" "), "\n\n", help.trim_end(), "\n\n"].concat();
    let below = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Indented further than two spaces: the continuation of a command's description.
    let names = below.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        describe(home, &[command, &[name]].concat(), text);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
