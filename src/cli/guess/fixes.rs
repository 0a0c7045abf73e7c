//! Corrects one mistake of a command line.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, Command};

use super::MissingCommand;
use super::aliases::{COMMANDS, OPTIONS, SUBCOMMANDS};
use super::shown::{is_link, placeholder};
use crate::domain::link::Link;

/// Returns what a command line without a command begins with.
pub(super) fn missing_command(arguments: &[OsString], error: &Error) -> Option<MissingCommand> {
    let word = text(error, ContextKind::InvalidSubcommand)?;
    let is_command = COMMANDS.iter().any(|(alias, _)| *alias == word);
    if is_command || parent_command(error).is_some() {
        return None;
    }
    let given = &arguments[position(arguments, &word)?];
    if is_link(given) {
        Some(MissingCommand::Download)
    } else if given == "-" || Path::new(given).exists() {
        Some(MissingCommand::Upload)
    } else {
        None
    }
}

/// Corrects the mistake that `error` names; `None` if the correction is not obvious.
pub(super) fn fix(command: &Command, arguments: &[OsString], error: &Error) -> Option<Vec<OsString>> {
    match error.kind() {
        ErrorKind::InvalidSubcommand => fix_command(arguments, error),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // `serve` with options but without a service.
            let at = position(arguments, "serve").filter(|at| at + 1 < arguments.len())?;
            Some(inserted(arguments, at + 1, &["all"]))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => fix_value(arguments, error),
        ErrorKind::UnknownArgument => {
            let given = text(error, ContextKind::InvalidArg)?;
            if given.starts_with('-') && given.len() > 1 {
                fix_option(command, arguments, error, &given)
            } else {
                fix_extra(command, arguments, position(arguments, &given)?)
            }
        }
        _ => None,
    }
}

fn fix_command(arguments: &[OsString], error: &Error) -> Option<Vec<OsString>> {
    let word = text(error, ContextKind::InvalidSubcommand)?;
    let at = position(arguments, &word)?;
    let Some(parent) = parent_command(error) else {
        if let Some((_, own_command)) = COMMANDS.iter().find(|(alias, _)| *alias == word) {
            return Some(replaced(arguments, at, own_command));
        }
        return match missing_command(arguments, error) {
            Some(MissingCommand::Download) => Some(inserted(arguments, at, &["download"])),
            Some(MissingCommand::Upload) => Some(inserted(arguments, at, &["upload"])),
            None => Some(replaced(arguments, at, &text(error, ContextKind::SuggestedSubcommand)?)),
        };
    };
    let is_alias = |(command, alias, _): &&(&str, &str, &str)| *command == parent && *alias == word;
    if let Some((.., own_command)) = SUBCOMMANDS.iter().find(is_alias) {
        return Some(replaced(arguments, at, own_command));
    }
    match parent.as_str() {
        "audit" if is_link(&arguments[at]) || Link::parse_id(&word).is_some() => {
            Some(inserted(arguments, at, &["show"]))
        }
        "serve" if ["file:", "s3://", "memory:"].iter().any(|scheme| word.starts_with(scheme)) => {
            Some(inserted(arguments, at, &["all", "--storage"]))
        }
        _ => Some(replaced(arguments, at, &text(error, ContextKind::SuggestedSubcommand)?)),
    }
}

fn fix_value(arguments: &[OsString], error: &Error) -> Option<Vec<OsString>> {
    let suggested = text(error, ContextKind::SuggestedValue)?;
    let value = text(error, ContextKind::InvalidValue)?;
    let is_value = |argument: &OsString| argument.to_str().is_some_and(|text| value == text);
    if let Some(at) = arguments.iter().rposition(is_value) {
        return Some(replaced(arguments, at, &suggested));
    }
    let suffix = format!("={value}");
    let at = arguments.iter().rposition(|argument| argument.to_str().is_some_and(|text| text.ends_with(&suffix)))?;
    let option = arguments[at].to_str()?.strip_suffix(&suffix)?;
    Some(replaced(arguments, at, &format!("{option}={suggested}")))
}

/// Corrects the name or the place of an unknown option.
fn fix_option(command: &Command, arguments: &[OsString], error: &Error, given: &str) -> Option<Vec<OsString>> {
    let with_value = format!("{given}=");
    let is_given = |argument: &OsString| {
        argument.to_str().is_some_and(|text| text == given || given.starts_with("--") && text.starts_with(&with_value))
    };
    let at = arguments.iter().position(is_given)?;
    // A text with a link that begins with a hyphen.
    if is_link(&arguments[at]) {
        let mut moved = arguments.to_vec();
        let link = moved.remove(at);
        moved.extend(["--".into(), link]);
        return Some(moved);
    }
    let value = arguments[at].to_str()?.strip_prefix(given)?.to_owned();
    // An option of the command, given before the command.
    let later = arguments[at + 1..].iter().enumerate().find_map(|(offset, argument)| {
        let subcommand = command.find_subcommand(argument)?;
        Some((at + 1 + offset, find_option(subcommand, given)?))
    });
    if let Some((command_at, option)) = later {
        let count = if value.is_empty() && option.get_action().takes_values() { 2 } else { 1 };
        if at + count <= command_at {
            let mut moved = arguments.to_vec();
            let option: Vec<_> = moved.drain(at..at + count).collect();
            let behind = command_at + 1 - count;
            moved.splice(behind..behind, option);
            return Some(moved);
        }
    }
    let active = active_command(command, &arguments[..at]);
    if active.get_name() == "serve"
        && let Some(serve_at) = position(arguments, "serve")
        && find_option(active.find_subcommand("all")?, given).is_some()
    {
        return Some(inserted(arguments, serve_at + 1, &["all"]));
    }
    let own_option = match OPTIONS.iter().find(|(alias, _)| *alias == given) {
        Some((_, "")) if active.get_name() == "upload" => {
            let mut rest = arguments.to_vec();
            rest.remove(at);
            return Some(rest);
        }
        Some((_, own_option)) => {
            let is_known = find_option(active, own_option).or_else(|| find_option(command, own_option));
            is_known.map(|_| (*own_option).to_owned())
        }
        None => None,
    };
    let own_option = own_option.or_else(|| text(error, ContextKind::SuggestedArg))?;
    let own_option = own_option.split([' ', '=']).next()?;
    Some(replaced(arguments, at, &format!("{own_option}{value}")))
}

/// Corrects an argument that the command does not take. Such an argument may be a path to save to, a part of a link or
/// a name, or a token.
fn fix_extra(command: &Command, arguments: &[OsString], at: usize) -> Option<Vec<OsString>> {
    let active = active_command(command, &arguments[..at]);
    let (before, given) = (arguments.get(at.checked_sub(1)?)?, &arguments[at]);
    let given_text = given.to_str()?;
    match active.get_name() {
        "download" | "status" | "delete" if is_link_in_two(before, given_text) => {
            let mut joined = arguments.to_vec();
            joined.remove(at);
            joined[at - 1] = format!("{} {given_text}", before.to_str()?).into();
            Some(joined)
        }
        // The argument may be a passphrase, which is never shown.
        _ if matches!(before.to_str(), Some("-p" | "--passphrase")) => None,
        "download" if is_link(given) && !is_link(before) && !before.to_str()?.starts_with('-') => {
            let mut swapped = arguments.to_vec();
            swapped.swap(at - 1, at);
            Some(inserted(&swapped, at, &["-o"]))
        }
        "download" | "open" if placeholder(given_text).is_none() && !has_output(arguments) => {
            Some(inserted(arguments, at, &["-o"]))
        }
        "login" if given_text.starts_with("sgs_") => {
            let mut file = arguments.to_vec();
            file.splice(at..=at, ["--token-file".into(), "FILE".into()]);
            Some(file)
        }
        "create" if placeholder(given_text).is_none() && !before.to_str()?.starts_with('-') => {
            let mut joined = arguments.to_vec();
            joined.remove(at);
            joined[at - 1] = format!("{} {given_text}", before.to_str()?).into();
            Some(joined)
        }
        _ => None,
    }
}

/// Returns whether a link was split at its white space because it was not quoted.
fn is_link_in_two(first: &OsStr, second: &str) -> bool {
    let Some(first) = first.to_str() else { return false };
    let has_key = |text: &str| text.parse::<Link>().is_ok_and(|link| link.key.is_some());
    !has_key(first) && !has_key(second) && has_key(&format!("{first} {second}"))
}

fn has_output(arguments: &[OsString]) -> bool {
    let is_output = |text: &str| text == "-o" || text.starts_with("--output");
    arguments.iter().any(|argument| argument.to_str().is_some_and(is_output))
}

/// Returns the innermost command that the words name.
fn active_command<'a>(command: &'a Command, words: &[OsString]) -> &'a Command {
    words.iter().fold(command, |command, word| command.find_subcommand(word).unwrap_or(command))
}

fn find_option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|argument| match name.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => argument.get_short().is_some_and(|short| name == format!("-{short}")),
    })
}

fn position(arguments: &[OsString], word: &str) -> Option<usize> {
    arguments.iter().position(|argument| argument.to_string_lossy() == word)
}

fn inserted(arguments: &[OsString], at: usize, words: &[&str]) -> Vec<OsString> {
    let mut arguments = arguments.to_vec();
    arguments.splice(at..at, words.iter().map(OsString::from));
    arguments
}

fn replaced(arguments: &[OsString], at: usize, word: &str) -> Vec<OsString> {
    let mut arguments = arguments.to_vec();
    arguments[at] = word.into();
    arguments
}

/// Returns a context text of the parser's error; the best of several, which is the last one.
fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.last().cloned(),
        _ => None,
    }
}

/// Returns the parent of an unknown subcommand; `None` for `sgsend` itself.
fn parent_command(error: &Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    // `Usage: sgsend token [OPTIONS] <COMMAND>`
    let usage = usage.to_string();
    let word = usage.split_whitespace().skip_while(|word| *word != "sgsend").nth(1)?;
    word.starts_with(|first: char| first.is_ascii_lowercase()).then(|| word.to_owned())
}
