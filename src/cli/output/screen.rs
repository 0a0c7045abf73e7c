//! The terminal, which messages, the progress bar and questions share.
//!
//! Messages appear above the bar. While a question is open, the bar is hidden and messages wait for the answer, so that
//! a question always stands alone on its line.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget};

/// Redraws of a progress bar per second.
const REDRAWS: u8 = 10;

/// The terminal of this process; all clones are the same terminal.
#[derive(Clone, Default)]
pub(crate) struct Screen(Arc<Mutex<Drawn>>);

#[derive(Default)]
struct Drawn {
    bar: Option<ProgressBar>,
    /// Whether a question waits for its answer.
    is_asking: bool,
    /// Whether stdout shows content on the same terminal, which leaves no line for a bar.
    shows_content: bool,
    /// Messages that wait for the answer.
    held: String,
}

/// Open question. Dropping it shows the bar and the held messages again.
pub(crate) struct Question {
    screen: Screen,
    /// Whether the cursor is still on the line of the question.
    is_on_its_line: bool,
}

impl Screen {
    /// Prints text to stderr, above the bar or after the open question.
    pub(crate) fn to_stderr(&self, text: &str) {
        let mut drawn = self.lock();
        if drawn.is_asking {
            drawn.held.push_str(text);
            return;
        }
        match &drawn.bar {
            Some(bar) => bar.suspend(|| write_stderr(text)),
            None => write_stderr(text),
        }
    }

    /// Runs `write`, which writes to stdout, without the bar.
    pub(crate) fn to_stdout<T>(&self, write: impl FnOnce() -> T) -> T {
        let bar = self.lock().bar.clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Shows a bar of `total` bytes; [`Screen::end_bar`] removes it.
    pub(crate) fn show_bar(&self, total: u64) -> ProgressBar {
        let mut drawn = self.lock();
        let target = if drawn.is_asking { ProgressDrawTarget::hidden() } else { drawn.draw_target() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        drawn.bar = Some(bar.clone());
        bar
    }

    /// Shows no bar from now on, since stdout shows content on the same terminal.
    pub(crate) fn show_content(&self) {
        self.lock().shows_content = true;
        self.end_bar();
    }

    /// Removes the bar.
    pub(crate) fn end_bar(&self) {
        if let Some(bar) = self.lock().bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Hides the bar and prints a question without a line feed. Messages wait until the question is dropped.
    pub(crate) fn ask(&self, question: &str) -> Question {
        let mut drawn = self.lock();
        drawn.is_asking = true;
        if let Some(bar) = drawn.bar.as_ref().filter(|bar| !bar.is_hidden()) {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            // Carriage return, and ECMA-48 "erase in line".
            write_stderr("\r\u{1b}[2K");
        }
        write_stderr(&format!("{question} "));
        drop(drawn);
        Question { screen: self.clone(), is_on_its_line: true }
    }

    fn lock(&self) -> MutexGuard<'_, Drawn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Screen")
    }
}

impl Question {
    /// Notes that the terminal has echoed the line feed of the answer.
    pub(crate) fn echoed(mut self) {
        self.is_on_its_line = false;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut drawn = self.screen.lock();
        drawn.is_asking = false;
        if self.is_on_its_line {
            write_stderr("\n");
        }
        write_stderr(&std::mem::take(&mut drawn.held));
        if let Some(bar) = &drawn.bar {
            bar.set_draw_target(drawn.draw_target());
        }
    }
}

impl Drawn {
    fn draw_target(&self) -> ProgressDrawTarget {
        if self.shows_content { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(REDRAWS) }
    }
}

fn write_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    // A closed stderr is ignored: the error cannot be reported anywhere.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_for_the_answer_to_a_question() {
        let screen = Screen::default();
        let bar = screen.show_bar(10);
        let question = screen.ask("Proceed?");
        screen.to_stderr("a message\n");
        assert_eq!(screen.lock().held, "a message\n");
        question.echoed();
        assert_eq!(screen.lock().held, "");
        screen.to_stderr("another message\n");
        assert_eq!(screen.lock().held, "");
        screen.end_bar();
        assert!(bar.is_finished() && screen.lock().bar.is_none());
    }
}
