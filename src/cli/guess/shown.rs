//! Shows a command line for copying into a shell, without its secrets.

use std::ffi::{OsStr, OsString};

use crate::cli::output::escape::shell_word;

/// Options whose value is a secret, with the word shown in its place.
const SECRET_OPTIONS: &[(&str, &str)] = &[("--key", "KEY"), ("-k", "KEY"), ("--token", "TOKEN")];

/// Number of characters of a key without its version.
const KEY_CHARACTERS: usize = 43;

/// Returns `sgsend` and the arguments as one line for a POSIX shell.
///
/// A word in capitals stands for each link, key and token: neither terminal nor log has to show these again.
pub(crate) fn shown(arguments: &[OsString]) -> String {
    let mut line = "sgsend".to_owned();
    let mut secret = None;
    for argument in arguments {
        let text = argument.to_string_lossy();
        let placeholder = secret.take().filter(|_| text != "-").or_else(|| placeholder(&text));
        line.push(' ');
        match text.split_once('=').filter(|(option, _)| option.starts_with("--")) {
            _ if placeholder.is_some() => line.push_str(placeholder.unwrap_or_default()),
            Some((option, value)) => {
                let value = secret_word(option).or_else(|| self::placeholder(value));
                let option_and_value = value.map(|value| format!("{option}={value}"));
                line.push_str(&option_and_value.unwrap_or_else(|| shell_word(argument)));
            }
            None => {
                secret = secret_word(&text);
                line.push_str(&shell_word(argument));
            }
        }
    }
    line
}

fn secret_word(option: &str) -> Option<&'static str> {
    SECRET_OPTIONS.iter().find(|(name, _)| *name == option).map(|(_, word)| *word)
}

/// Returns the word that is shown for an argument that may be a secret.
pub(super) fn placeholder(text: &str) -> Option<&'static str> {
    let option = text.split('=').next().unwrap_or_default();
    if option.starts_with("--") && option.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
        return None;
    }
    if text.contains("sgs_") {
        return Some("TOKEN");
    }
    if is_link(OsStr::new(text)) {
        return Some("LINK");
    }
    let is_key = |word: &str| {
        word.len() >= KEY_CHARACTERS && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let parts: Vec<_> = text.split(['.', '#']).collect();
    let has_version =
        parts.windows(2).any(|pair| matches!(pair[0], "v1" | "v1p" | "v2" | "v2p") && !pair[1].is_empty());
    (has_version || parts.into_iter().any(is_key)).then_some("KEY")
}

/// Returns whether an argument is meant as a link, even if the link is incomplete.
pub(crate) fn is_link(argument: &OsStr) -> bool {
    let Some(text) = argument.to_str() else { return false };
    let has_key = ["#", "%23", "\u{ff03}"].iter().any(|mark| text.contains(mark));
    let is_transfer = text.contains("/d/") && (text.contains("://") || has_key);
    is_transfer || text.parse::<crate::domain::link::Link>().is_ok()
}
