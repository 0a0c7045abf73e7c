//! Progress display of transfers: a bar, text lines or JSON lines on stderr.

use std::error::Error;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle as BarStyle};
use serde::Serialize;

use super::escape;
use super::info;
use super::printer::Printer;
use super::sender;
use super::style::ProgressStyle;
use crate::client::Progress;
use crate::domain::crypto::info::ContentInfo;
use crate::domain::id::TransferId;
use crate::domain::people::sender_signature::ClaimedSender;

/// Minimum interval between JSON progress lines.
const JSON_INTERVAL: Duration = Duration::from_millis(200);
/// Minimum interval between text progress lines without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Maximum length of the file name beside the bar, in characters.
const NAME_WIDTH: usize = 24;

/// Shows the progress of one phase.
pub(crate) struct Meter {
    printer: Printer,
    phase: &'static str,
    style: ProgressStyle,
    drawn: Mutex<DrawnState>,
}

struct DrawnState {
    bar: Option<ProgressBar>,
    total: u64,
    bytes: u64,
    /// Whether the transfer has begun; earlier bytes are only counted.
    has_begun: bool,
    /// Current file of an archive.
    file: Option<String>,
    last: Option<Instant>,
}

#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    phase: &'static str,
    bytes: u64,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

impl Meter {
    pub(crate) fn new(printer: Printer, phase: &'static str) -> Self {
        let style = printer.progress();
        let drawn = DrawnState { bar: None, total: 0, bytes: 0, has_begun: false, file: None, last: None };
        Self { printer, phase, style, drawn: Mutex::new(drawn) }
    }

    fn with(&self, work: impl FnOnce(&mut DrawnState)) {
        if self.style != ProgressStyle::Never {
            work(&mut self.drawn.lock().expect("no panic can occur while the lock is held"));
        }
    }

    /// Prints a warning, if a user follows the progress or `--verbose` is set.
    fn warn(&self, note: &str) {
        if self.printer.is_interactive() || self.printer.is_verbose() {
            self.printer.warning(note);
        }
    }

    fn print_line(&self, drawn: &mut DrawnState, at_once: bool) {
        let interval = if self.style == ProgressStyle::Json { JSON_INTERVAL } else { LINE_INTERVAL };
        if !at_once && drawn.last.is_some_and(|last| last.elapsed() < interval) {
            return;
        }
        drawn.last = Some(Instant::now());
        let (bytes, total) = (drawn.bytes, drawn.total);
        if self.style == ProgressStyle::Json {
            let line = Line { r#type: "progress", phase: self.phase, bytes, total, file: drawn.file.as_deref() };
            let line = serde_json::to_string(&line).expect("the progress line serialises to JSON");
            self.printer.progress_line(&escape::json(&line));
        } else {
            self.printer.progress_line(&format!("{}: {} of {}", self.phase, ByteSize(bytes), ByteSize(total)));
        }
    }
}

impl Progress for Meter {
    fn begin(&self, total: u64) {
        self.with(|drawn| {
            (drawn.total, drawn.has_begun) = (total, true);
            if self.style == ProgressStyle::Json || !self.printer.stderr_is_terminal() {
                return self.print_line(drawn, true);
            }
            let bar = self.printer.screen().show_bar(total);
            let style =
                "{prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} {msg}";
            bar.set_style(BarStyle::with_template(style).expect("the progress template is valid"));
            bar.set_prefix(self.phase);
            if drawn.bytes > 0 {
                // Bytes received before the bar appears must not count towards the transfer rate.
                bar.set_position(drawn.bytes);
                bar.reset_eta();
            }
            drawn.bar = Some(bar);
        });
    }

    fn transferred(&self, bytes: u64) {
        self.with(|drawn| {
            let is_first = std::mem::replace(&mut drawn.bytes, bytes) == 0;
            match &drawn.bar {
                Some(bar) => {
                    bar.set_position(bytes);
                    if is_first {
                        // Resumed bytes must not count towards the transfer rate.
                        bar.reset_eta();
                    }
                }
                None if drawn.has_begun => self.print_line(drawn, false),
                None => {}
            }
        });
    }

    fn at(&self, name: &str) {
        self.with(|drawn| {
            if drawn.file.as_deref() == Some(name) {
                return;
            }
            drawn.file = Some(name.to_owned());
            match &drawn.bar {
                Some(bar) => bar.set_message(shortened(&escape::one_line(name))),
                None if self.style == ProgressStyle::Json => self.print_line(drawn, false),
                None => {}
            }
        });
    }

    fn described(&self, content: &ContentInfo) {
        if self.printer.is_interactive() {
            self.printer.note(&info::line(content));
            if let Some(message) = info::message(content) {
                self.printer.note(&format!("message of the sender: {message}"));
            }
        }
    }

    fn claimed(&self, sender: &ClaimedSender) {
        sender::print_claim(sender, &self.printer);
    }

    fn waiting(&self, cause: &dyn Error, delay: Duration) {
        self.warn(&format!("{cause}; retrying in {:.1} s", delay.as_secs_f32()));
    }

    fn rerouted(&self, cause: &dyn Error) {
        // Unlike retries, in scripts too: the path says who sees the traffic, and JSON output names it.
        if self.printer.is_verbose() || !self.printer.is_json() {
            self.printer.warning(&format!("{cause}; continuing through the server"));
        }
    }

    fn step(&self, message: fmt::Arguments<'_>) {
        if self.printer.is_verbose() {
            self.printer.note(&message.to_string());
        }
    }

    fn unresumable(&self, cause: &dyn Error) {
        let bar = self.drawn.lock().expect("no panic can occur while the lock is held").bar.clone();
        let print = || self.printer.warning(&format!("this upload cannot be resumed if it is interrupted: {cause}"));
        bar.map_or_else(print, |bar| bar.suspend(print));
    }

    fn restarting(&self, old_transfer: TransferId) {
        self.warn(&format!("the unfinished transfer {old_transfer} no longer exists; starting a new one"));
    }

    fn end(&self) {
        self.with(|drawn| match drawn.bar.take() {
            Some(_) => self.printer.screen().end_bar(),
            None if drawn.has_begun => self.print_line(drawn, true),
            None => {}
        });
    }
}

/// Shortens a name to its end, which distinguishes paths better than the beginning.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME_WIDTH {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - NAME_WIDTH)).collect()
}
