//! Questions and messages of age's plugins on the terminal.

use std::sync::Arc;

use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::prompt::Prompt;
use crate::cli::context::Context;
use crate::cli::output::escape;
use crate::cli::output::printer::Printer;
use crate::domain::people::recipient_keys::{PluginDialogue, Plugins};

/// Dialogue of plugins with the user of a command.
struct TerminalDialogue {
    prompt: Prompt,
    printer: Printer,
    runtime: Handle,
}

/// Lets plugins run that the user has named by a key, and ask on the terminal.
///
/// # Panics
/// Outside of the runtime of a command.
pub(crate) fn plugins(context: &Context) -> Plugins {
    let (prompt, printer) = (context.prompt.clone(), context.printer.clone());
    Plugins::new(Arc::new(TerminalDialogue { prompt, printer, runtime: Handle::current() }))
}

impl PluginDialogue for TerminalDialogue {
    fn display(&self, message: &str) {
        self.printer.note(&escape::one_line(message));
    }

    fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let no = no.unwrap_or("cancel");
        let question = format!("{question} [y = {yes}, N = {no}]");
        let answer = self.ask(&question)?.to_lowercase();
        Some(matches!(answer.as_str(), "y" | "yes"))
    }

    fn ask(&self, question: &str) -> Option<String> {
        // An interrupted question ends the command anyway.
        self.runtime.block_on(self.prompt.line(&escape::one_line(question))).ok().flatten()
    }

    fn ask_secret(&self, question: &str) -> Option<Zeroizing<String>> {
        let question = escape::one_line(question).trim_end_matches(':').to_owned();
        self.runtime.block_on(self.prompt.secret(&question)).ok().flatten()
    }
}
