//! Completion candidates for argument values, chosen by the value name in the help text.
//!
//! All candidates come from files of this user: pressing a key contacts no server, and sends no key or token.

mod words;

use std::ffi::OsStr;

use bytesize::ByteSize;
use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use crate::cli::config::paths;
use crate::cli::output::{escape, time};
use crate::client::{History, HistoryEntry};

/// Adds completion candidates to the arguments of `command` and of all its subcommands.
///
/// `command_line` parses the words typed so far.
pub(crate) fn add(command: Command, command_line: fn() -> Command) -> Command {
    command
        .mut_args(|argument| with_candidates(argument, command_line))
        .mut_subcommands(|subcommand| add(subcommand, command_line))
}

fn with_candidates(argument: Arg, command_line: fn() -> Command) -> Arg {
    let name = argument.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
    match name.as_str() {
        "FILE" | "FILE|-" | "PATH" | "PATH|-" | "PATH|DIR|-" => argument.value_hint(ValueHint::AnyPath),
        "DIR" | "FOLDER" => argument.value_hint(ValueHint::DirPath),
        "LINK|ID|-" => argument.add(ArgValueCompleter::new(|current: &OsStr| transfers(current, true))),
        "ID" => argument.add(ArgValueCompleter::new(|current: &OsStr| transfers(current, false))),
        "NAME" if argument.get_id() == "profile" => {
            argument.add(ArgValueCandidates::new(move || words::profiles(command_line)))
        }
        _ => argument,
    }
}

/// Completes this user's uploads, newest first. Completes ids, or links if the current word starts like a URL.
///
/// With `with_links`, also completes the further links of the uploads.
fn transfers(current: &OsStr, with_links: bool) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let history = paths::state_directory().map(|state| History::of(&state));
    let uploads = history.and_then(|history| history.peek().ok()).unwrap_or_default();
    let by_link = !current.is_empty() && "https://".starts_with(&*current) || current.starts_with("http");
    let words = |upload: &HistoryEntry| {
        let own = if by_link { upload.link.clone() } else { upload.transfer_id.to_string() };
        let links = if with_links { upload.links.as_slice() } else { &[] };
        let further = links.iter().map(|further| {
            let word = if by_link { further.link.clone() } else { further.link_id.to_string() };
            (word, format!(" for {}", further.name))
        });
        std::iter::once((own, String::new())).chain(further).collect::<Vec<_>>()
    };
    let all = uploads.iter().rev().flat_map(|upload| words(upload).into_iter().map(move |word| (word, upload)));
    let matching = all.filter(|((word, _), _)| word.starts_with(&*current));
    let candidates = matching.enumerate().map(|(order, ((word, recipient), upload))| {
        let (name, size) = (format!("{}{recipient}", upload.name), ByteSize(upload.size));
        let help = format!("{}, {size}, {}", escape::one_line(&name), time::local(upload.sent_at));
        CompletionCandidate::new(word).help(Some(help.into())).display_order(Some(order))
    });
    candidates.collect()
}
