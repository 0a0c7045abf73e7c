//! Interactive prompts on the terminal.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::pasted::{AnswerReader, HiddenTerminal};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::printer::Printer;
use crate::client::decrypt::Conflict;
use crate::client::{Interrupt, Signal};
use crate::domain::crypto::passphrase::Passphrase;

/// Maximum time from Ctrl-C at a hidden prompt to the signal that it raises.
const SIGNAL_DELAY: Duration = Duration::from_secs(1);

/// Option of commands that can ask a question.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct YesOption {
    /// Answer yes instead of asking
    #[arg(short, long)]
    pub yes: bool,
}

/// Asks questions on the terminal, unless `--no-input` is set. Every question ends at once when a signal arrives.
#[derive(Clone)]
pub(crate) struct Prompt {
    no_input: bool,
    yes: bool,
    printer: Printer,
    interrupt: Interrupt,
}

impl Prompt {
    pub(crate) const fn new(no_input: bool, printer: Printer, interrupt: Interrupt) -> Self {
        Self { no_input, yes: false, printer, interrupt }
    }

    /// Returns a prompt that answers yes itself, if `yes` is set.
    pub(crate) fn answering(&self, yes: bool) -> Self {
        Self { yes, ..self.clone() }
    }

    /// Returns whether a prompt is possible: stdin and stderr are terminals, and `--no-input` is not set.
    pub(crate) fn is_possible(&self) -> bool {
        !self.no_input && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks for a secret, without echo. `None` if no prompt is possible.
    pub(crate) async fn secret(&self, question: &str) -> Result<Option<Zeroizing<String>>> {
        // The prompt reads from the terminal device, so stdin may be redirected.
        if self.no_input || !io::stderr().is_terminal() {
            return Ok(None);
        }
        Ok(Some(self.ask(&format!("{question}:"), Echo::Hidden).await?))
    }

    /// Asks for a secret that may be pasted over several lines, without echo. `None` if no prompt is possible.
    pub(crate) async fn pasted(&self, question: &str) -> Result<Option<Zeroizing<String>>> {
        if self.no_input || !io::stderr().is_terminal() {
            return Ok(None);
        }
        Ok(Some(self.ask(&format!("{question}:"), Echo::Pasted).await?))
    }

    /// Asks for a line of text. `None` if no prompt is possible.
    pub(crate) async fn line(&self, question: &str) -> Result<Option<String>> {
        if !self.is_possible() {
            return Ok(None);
        }
        let answer = self.ask(question, Echo::Shown).await?;
        Ok(Some(answer.trim().to_owned()))
    }

    /// Asks whether to go ahead, which an empty answer affirms; `false` if no prompt is possible.
    pub(crate) async fn offer(&self, question: &str) -> Result<bool> {
        if !self.is_possible() {
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        let answer = self.ask(question, Echo::Shown).await?;
        Ok(answer.ends_with('\n') && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
    }

    /// Asks a yes-or-no question, which no answer denies. `None` if no prompt is possible.
    pub(crate) async fn confirm(&self, question: &str) -> Result<Option<bool>> {
        if self.yes {
            return Ok(Some(true));
        }
        let answer = self.line(&format!("{question} [y/N]")).await?;
        Ok(answer.map(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes")))
    }

    /// Asks how to handle an existing file; `None` to cancel. Blocks.
    ///
    /// # Errors
    /// Fails if a signal interrupts the question.
    pub(crate) fn conflict(&self, path: &Path) -> Result<Option<Conflict>> {
        if self.yes {
            return Ok(Some(Conflict::Overwrite));
        }
        let answer = self.choice(path, "[o]verwrite, [r]ename, [C]ancel?")?;
        Ok(match answer.as_str() {
            "o" | "overwrite" | "y" | "yes" => Some(Conflict::Overwrite),
            "r" | "rename" => Some(Conflict::Rename),
            _ => None,
        })
    }

    /// Asks whether to use another name instead of an existing directory. Blocks.
    ///
    /// # Errors
    /// Fails if a signal interrupts the question.
    pub(crate) fn rename(&self, path: &Path) -> Result<bool> {
        let answer = self.choice(path, "[r]ename, [C]ancel?")?;
        Ok(matches!(answer.as_str(), "r" | "rename" | "y" | "yes"))
    }

    /// Asks about the existing file at `path`. Returns the answer in lower case, empty if no prompt is possible.
    fn choice(&self, path: &Path, choices: &str) -> Result<String> {
        if !self.is_possible() {
            return Ok(String::new());
        }
        let question = format!("{} already exists. {choices}", path.display());
        // The caller is a thread that may block, of the runtime of this command.
        let answer = tokio::runtime::Handle::current().block_on(self.ask(&question, Echo::Shown))?;
        Ok(answer.trim().to_lowercase())
    }

    /// Reads a passphrase from `file`, or asks for the passphrase: twice if the passphrase is `new`.
    pub(crate) async fn passphrase(&self, file: Option<PathBuf>, new: bool) -> Result<Passphrase> {
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

    /// Asks a question, alone on its line, and reads the answer. At the end of the input the answer is empty.
    ///
    /// # Errors
    /// Fails at once if a signal arrives, and restores the terminal's echo.
    async fn ask(&self, question: &str, echo: Echo) -> Result<Zeroizing<String>> {
        let mut interrupt = self.interrupt.clone();
        // Before the question, so that nothing typed after it is shown.
        let terminal = if echo == Echo::Pasted { Some(HiddenTerminal::open()?) } else { None };
        let asked = self.printer.ask(question);
        let _echo = (echo == Echo::Hidden).then(SavedEcho::of_terminal);
        let (tell, answer) = oneshot::channel();
        let pasted = terminal.as_ref().map(HiddenTerminal::reader).transpose()?;
        // Not a thread of the runtime, whose end would wait for the answer.
        let reader = std::thread::Builder::new().name("prompt".to_owned());
        // After a signal nobody waits for the answer.
        let read = move || pasted.map_or_else(|| echo.read_line(), AnswerReader::read);
        reader.spawn(move || drop(tell.send(read())))?;
        let answer = tokio::select! {
            biased;
            signal = interrupt.raised() => return Err(Failure::interrupted(signal).into()),
            answer = answer => answer.expect("reading an answer does not panic"),
        };
        match answer {
            Ok(answer) => {
                if echo == Echo::Shown && answer.ends_with('\n') {
                    asked.echoed();
                }
                Ok(answer)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Zeroizing::default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted && terminal.is_some() => {
                Err(Failure::interrupted(Signal::Interrupt).into())
            }
            // Ctrl-C at a hidden prompt is a key, which raises the signal.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                let signal = tokio::time::timeout(SIGNAL_DELAY, interrupt.raised()).await;
                Err(Failure::interrupted(signal.unwrap_or(Signal::Interrupt)).into())
            }
            Err(error) => Err(Failure::usage(format!("cannot read the input: {error}")).into()),
        }
    }
}

/// Whether the terminal shows what the user types.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    Shown,
    Hidden,
    /// Hidden, and read to the end of a paste.
    Pasted,
}

impl Echo {
    /// Reads a line. Blocks.
    fn read_line(self) -> io::Result<Zeroizing<String>> {
        let mut line = Zeroizing::new(String::new());
        match self {
            Self::Shown => drop(io::stdin().read_line(&mut line)?),
            Self::Hidden | Self::Pasted => {
                let config = rpassword::ConfigBuilder::new().output_discard().build();
                *line = rpassword::read_password_with_config(config)?;
            }
        }
        Ok(line)
    }
}

/// Settings of the terminal before a hidden prompt, restored on drop. A signal can end the prompt's reader.
struct SavedEcho(Option<(File, rustix::termios::Termios)>);

impl SavedEcho {
    fn of_terminal() -> Self {
        let saved = File::open("/dev/tty").ok();
        Self(saved.and_then(|tty| rustix::termios::tcgetattr(&tty).ok().map(|settings| (tty, settings))))
    }
}

impl Drop for SavedEcho {
    fn drop(&mut self) {
        if let Some((tty, settings)) = &self.0 {
            // Best effort: the terminal may be closed.
            let _ = rustix::termios::tcsetattr(tty, rustix::termios::OptionalActions::Now, settings);
        }
    }
}
