//! Questions to the person at the terminal, where there is one who wants to be asked.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Result;
use zeroize::Zeroizing;

use super::exit::Exit;
use super::failure::Failure;
use super::printer::Printer;
use crate::client::unseal::Conflict;
use crate::domain::passphrase::Passphrase;

/// Whether and how questions are asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prompt {
    no_input: bool,
    yes: bool,
}

impl Prompt {
    pub(super) const fn new(no_input: bool, yes: bool) -> Self {
        Self { no_input, yes }
    }

    /// Whether somebody can be asked.
    pub(super) fn is_possible(self) -> bool {
        !self.no_input && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks for something that shall not be seen. `None` where nobody can be asked.
    pub(super) async fn secret(self, question: &'static str) -> Result<Option<Zeroizing<String>>> {
        // The terminal is asked itself, so stdin may be something else.
        if self.no_input || !io::stderr().is_terminal() {
            return Ok(None);
        }
        let ask = move || rpassword::prompt_password(format!("{question}: "));
        let answer = tokio::task::spawn_blocking(ask).await.expect("asking does not panic");
        let answer = answer.map_err(|error| Failure::usage(format!("nothing was entered: {error}")))?;
        Ok(Some(Zeroizing::new(answer)))
    }

    /// Asks for a line of text. `None` where nobody can be asked.
    pub(super) async fn line(self, printer: &Printer, question: String) -> Result<Option<String>> {
        if !self.is_possible() {
            return Ok(None);
        }
        let printer = printer.clone();
        let ask = move || read_line(&printer, &question);
        let line = tokio::task::spawn_blocking(ask).await.expect("asking does not panic")?;
        Ok(Some(line))
    }

    /// Asks what to do about a file that exists. Blocks.
    pub(super) fn conflict(self, printer: &Printer, path: &Path) -> Option<Conflict> {
        if self.yes {
            return Some(Conflict::Overwrite);
        }
        if !self.is_possible() {
            return None;
        }
        let name = super::escape::one_line(&path.to_string_lossy()).into_owned();
        let answer = read_line(printer, &format!("{name} exists already. [o]verwrite, [r]ename, [S]top?")).ok()?;
        match answer.trim().to_lowercase().as_str() {
            "o" | "overwrite" => Some(Conflict::Overwrite),
            "r" | "rename" => Some(Conflict::Rename),
            _ => None,
        }
    }

    /// Asks whether to take another name than that of a directory that exists. Blocks.
    pub(super) fn rename(self, printer: &Printer, path: &Path) -> bool {
        if !self.is_possible() {
            return false;
        }
        let name = super::escape::one_line(&path.to_string_lossy()).into_owned();
        let answer = read_line(printer, &format!("{name} exists already. [r]ename, [S]top?")).unwrap_or_default();
        matches!(answer.trim().to_lowercase().as_str(), "r" | "rename")
    }

    /// A passphrase: from `file`, or asked for, twice where it is `new`.
    pub(super) async fn passphrase(self, file: Option<PathBuf>, new: bool) -> Result<Passphrase> {
        use super::secret_input::SecretSource;
        let empty = |_| Failure::usage("the passphrase is empty").hint("a passphrase has one letter or more");
        if let Some(file) = file {
            let read = move || SecretSource::File(file).read_whole("passphrase");
            let text = tokio::task::spawn_blocking(read).await.expect("reading a secret does not panic")?;
            return Ok(Passphrase::from_file_text(&text).map_err(empty)?);
        }
        let Some(text) = self.secret("Passphrase").await? else {
            let failure = Failure::new(
                Exit::Usage,
                "passphrase_missing",
                "a passphrase is needed, and nobody can be asked for it",
            );
            return Err(failure.hint("give it with --passphrase-file or SGSEND_PASSPHRASE_FILE").into());
        };
        if new && self.secret("Passphrase, once more").await?.is_none_or(|again| *again != *text) {
            return Err(Failure::usage("the two passphrases differ")
                .hint("run it again, and type the same one twice")
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
