//! Interactive prompts on the terminal.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Result;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::printer::Printer;
use crate::client::decrypt::Conflict;
use crate::domain::crypto::passphrase::Passphrase;

/// Prompt settings: `--no-input` and `--yes`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prompt {
    no_input: bool,
    yes: bool,
}

impl Prompt {
    pub(crate) const fn new(no_input: bool, yes: bool) -> Self {
        Self { no_input, yes }
    }

    /// Returns whether a prompt is possible: stdin and stderr are terminals, and `--no-input` is not set.
    pub(crate) fn is_possible(self) -> bool {
        !self.no_input && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks for a secret, without echo. `None` if no prompt is possible.
    pub(crate) async fn secret(self, question: &'static str) -> Result<Option<Zeroizing<String>>> {
        // The prompt reads from the terminal device, so stdin may be redirected.
        if self.no_input || !io::stderr().is_terminal() {
            return Ok(None);
        }
        let ask = move || rpassword::prompt_password(format!("{question}: "));
        let answer = tokio::task::spawn_blocking(ask).await.expect("prompting does not panic");
        let answer = answer.map_err(|error| Failure::usage(format!("cannot read the input: {error}")))?;
        Ok(Some(Zeroizing::new(answer)))
    }

    /// Asks for a line of text. `None` if no prompt is possible.
    pub(crate) async fn line(self, printer: &Printer, question: String) -> Result<Option<String>> {
        if !self.is_possible() {
            return Ok(None);
        }
        let printer = printer.clone();
        let ask = move || read_line(&printer, &question);
        let line = tokio::task::spawn_blocking(ask).await.expect("prompting does not panic")?;
        Ok(Some(line))
    }

    /// Asks how to handle an existing file. Blocks.
    pub(crate) fn conflict(self, printer: &Printer, path: &Path) -> Option<Conflict> {
        if self.yes {
            return Some(Conflict::Overwrite);
        }
        if !self.is_possible() {
            return None;
        }
        let name = crate::cli::output::escape::one_line(&path.to_string_lossy()).into_owned();
        let answer = read_line(printer, &format!("{name} already exists. [o]verwrite, [r]ename, [C]ancel?")).ok()?;
        match answer.trim().to_lowercase().as_str() {
            "o" | "overwrite" => Some(Conflict::Overwrite),
            "r" | "rename" => Some(Conflict::Rename),
            _ => None,
        }
    }

    /// Asks whether to use another name instead of an existing directory. Blocks.
    pub(crate) fn rename(self, printer: &Printer, path: &Path) -> bool {
        if !self.is_possible() {
            return false;
        }
        let name = crate::cli::output::escape::one_line(&path.to_string_lossy()).into_owned();
        let answer = read_line(printer, &format!("{name} already exists. [r]ename, [C]ancel?")).unwrap_or_default();
        matches!(answer.trim().to_lowercase().as_str(), "r" | "rename")
    }

    /// Reads a passphrase from `file`, or asks for the passphrase: twice if the passphrase is `new`.
    pub(crate) async fn passphrase(self, file: Option<PathBuf>, new: bool) -> Result<Passphrase> {
        use super::secret::SecretSource;
        let empty = |_| Failure::usage("the passphrase is empty").hint("a passphrase has at least one character");
        if let Some(file) = file {
            let read = move || SecretSource::File(file).read_untrimmed("passphrase");
            let text = tokio::task::spawn_blocking(read).await.expect("reading a secret does not panic")?;
            return Ok(Passphrase::from_file_text(&text).map_err(empty)?);
        }
        let Some(text) = self.secret("Passphrase").await? else {
            let failure = Failure::new(
                Exit::Usage,
                "passphrase_missing",
                "a passphrase is required, but there is no terminal to ask for it",
            );
            return Err(failure.hint("pass the passphrase with --passphrase-file or SGSEND_PASSPHRASE_FILE").into());
        };
        if new && self.secret("Repeat passphrase").await?.is_none_or(|again| *again != *text) {
            return Err(Failure::usage("the two passphrases differ")
                .hint("run the command again, and enter the same passphrase twice")
                .into());
        }
        Ok(Passphrase::new(&text).map_err(empty)?)
    }
}

fn read_line(printer: &Printer, question: &str) -> Result<String> {
    printer.question(question);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
