//! All output to stdout and stderr.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;

use super::escape;
use super::screen::{Question, Screen};
use super::style::{ColorChoice, ProgressStyle};
use crate::cli::failure::Failure;
use crate::cli::input::global::GlobalOptions;

/// Prints results to stdout and messages to stderr, as `--json`, `--quiet` and `--verbose` select.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent output option")]
pub struct Printer {
    json: bool,
    quiet: bool,
    verbose: bool,
    color: bool,
    progress: ProgressStyle,
    screen: Screen,
    /// Whether notes and warnings are written to the log, which has a format of its own.
    logs: bool,
}

#[expect(clippy::unused_self, reason = "output requires a printer, even where no option of it applies")]
impl Printer {
    /// Creates a printer with the global options.
    pub(crate) fn new(global: &GlobalOptions) -> Self {
        Self {
            quiet: global.quiet,
            verbose: global.verbose,
            progress: global.progress,
            ..Self::before_parsing(global.json, global.color)
        }
    }

    /// Creates a printer before the command line is parsed.
    pub(crate) fn before_parsing(json: bool, color: ColorChoice) -> Self {
        let color = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                io::stderr().is_terminal() && !is_set("NO_COLOR") && !dumb
            }
        };
        let (progress, screen) = (ProgressStyle::Auto, Screen::default());
        Self { json, quiet: false, verbose: false, color, progress, screen, logs: false }
    }

    /// Returns a printer that writes notes and warnings to the log.
    pub(crate) fn to_log(&self) -> Self {
        Self { logs: true, ..self.clone() }
    }

    /// Returns whether results are printed as JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Returns whether causes of errors and retries are printed.
    #[must_use]
    pub const fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Returns whether stderr uses colours.
    pub(crate) const fn is_colored(&self) -> bool {
        self.color
    }

    /// Returns whether a user reads stderr on a terminal, without `--quiet` and `--json`.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Returns whether stderr is a terminal.
    pub(crate) fn stderr_is_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Returns the width of the terminal on stderr; `None` without a terminal, or if its width is unknown.
    pub(crate) fn columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// Returns the effective progress style: `Auto` is resolved, and `--quiet` hides the bar.
    pub(crate) fn progress(&self) -> ProgressStyle {
        match self.progress {
            ProgressStyle::Auto if self.is_interactive() => ProgressStyle::Always,
            ProgressStyle::Auto => ProgressStyle::Never,
            ProgressStyle::Always if self.quiet => ProgressStyle::Never,
            style => style,
        }
    }

    /// Prints lines of a result to stdout.
    pub fn result(&self, lines: &str) -> io::Result<()> {
        self.text(&format!("{}\n", escape::lines(lines)))
    }

    /// Prints lines of fields separated by tabs to stdout, all at once.
    ///
    /// So a reader that ends after one line causes no error.
    pub(crate) fn fields(&self, lines: &[Vec<&str>]) -> io::Result<()> {
        let line = |fields: &Vec<&str>| {
            let escaped: Vec<_> = fields.iter().map(|field| escape::one_line(field)).collect();
            escaped.join("\t") + "\n"
        };
        self.text(&zeroize::Zeroizing::new(lines.iter().map(line).collect::<String>()))
    }

    /// Prints a path to stdout: raw bytes in a pipe, escaped on a terminal.
    pub(crate) fn path(&self, path: &Path) -> io::Result<()> {
        let mut line = if io::stdout().is_terminal() {
            escape::one_line(&path.to_string_lossy()).into_owned().into_bytes()
        } else {
            path.as_os_str().as_encoded_bytes().to_vec()
        };
        line.push(b'\n');
        self.to_stdout(&line)
    }

    /// Prints trusted text to stdout without escaping.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        self.to_stdout(text.as_bytes())
    }

    /// Prints a result as one line of JSON to stdout.
    pub fn json(&self, value: &impl Serialize) -> io::Result<()> {
        let mut line = escape::json(&serde_json::to_string(value)?).into_owned();
        line.push('\n');
        self.text(&line)
    }

    /// Prints an API object as a JSON result, with `v` and `ok` prepended.
    pub(crate) fn json_of(&self, value: &impl Serialize) -> io::Result<()> {
        #[derive(Serialize)]
        struct Result<'a, T> {
            v: u8,
            ok: bool,
            #[serde(flatten)]
            value: &'a T,
        }
        self.json(&Result { v: 1, ok: true, value })
    }

    /// Prints lines to stderr, unless quiet.
    pub fn note(&self, lines: &str) {
        if self.logs {
            tracing::info!("{lines}");
        } else if !self.quiet {
            self.to_stderr(&escape::lines(lines));
        }
    }

    /// Prints requested terminal output (a QR code or an escape sequence) to stderr, even with `--quiet`.
    pub(crate) fn terminal_output(&self, text: &str) {
        self.screen.to_stderr(text);
    }

    /// Prints a question to stderr, without a line feed, and holds other output back until it is dropped.
    pub(crate) fn ask(&self, question: &str) -> Question {
        self.screen.ask(&escape::one_line(question))
    }

    /// Returns the terminal, for the progress bar.
    pub(crate) const fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Prints a progress line to stderr, even with `--quiet`.
    pub(crate) fn progress_line(&self, line: &str) {
        self.to_stderr(line);
    }

    /// Prints a warning to stderr, unless quiet.
    pub fn warning(&self, text: &str) {
        if self.logs {
            tracing::warn!("{text}");
        } else if !self.quiet {
            self.to_stderr(&format!("{} {}", self.coloured("warning:", "33;1"), escape::one_line(text)));
        }
    }

    /// Prints a failure: an error line and a hint line on stderr, or one JSON line on stdout.
    pub(crate) fn failure(&self, failure: &Failure, error: &anyhow::Error) {
        // If stdout fails, the failure is printed as text.
        if self.json && self.json(&failure.to_json()).is_ok() {
            return;
        }
        let line = |word: &str, text: &str| self.to_stderr(&format!("{word} {}", escape::one_line(text)));
        line(&self.coloured("error:", "31;1"), &failure.message);
        if self.verbose {
            for cause in error.chain().skip(1) {
                line("cause:", &cause.to_string());
            }
        }
        if let Some(hint) = &failure.hint {
            line(&self.coloured("hint:", "36;1"), hint);
        }
    }

    /// Returns stdout, for the content of a transfer; on a terminal, the content replaces the progress bar.
    pub(crate) fn content(&self) -> Box<dyn Write + Send> {
        if io::stdout().is_terminal() {
            self.screen.show_content();
        }
        Box::new(io::stdout())
    }

    fn to_stderr(&self, line: &str) {
        self.screen.to_stderr(&format!("{line}\n"));
    }

    fn to_stdout(&self, bytes: &[u8]) -> io::Result<()> {
        self.screen.to_stdout(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes)?;
            stdout.flush()
        })
    }

    fn coloured(&self, word: &str, style: &str) -> String {
        if self.color { format!("\u{1b}[{style}m{word}\u{1b}[0m") } else { word.to_owned() }
    }
}
