//! Renders the manual pages.

use std::io;

use clap::Command;
use clap_mangen::Man;

use super::{examples, notes};

/// A manual page: file name and text.
pub(in crate::cli) struct ManualPage {
    pub file: String,
    pub text: Vec<u8>,
}

/// Renders the pages of all commands of `root`, starting with `root` itself.
pub(in crate::cli) fn pages(root: Command) -> io::Result<Vec<ManualPage>> {
    let mut root = shown_in_full(root);
    root.build();
    let mut pages = Vec::new();
    add(&root, &[], &mut pages)?;
    Ok(pages)
}

/// Shows the options that are hidden in short help.
fn shown_in_full(command: Command) -> Command {
    command.mut_args(|argument| argument.hide_short_help(false)).mut_subcommands(shown_in_full)
}

fn add(command: &Command, above: &[&str], pages: &mut Vec<ManualPage>) -> io::Result<()> {
    let name = command.get_name().to_owned();
    if command.is_hide_set() || name == "help" {
        return Ok(());
    }
    let path = [above, &[&name]].concat();
    let title = path.join("-");
    let text = render(command, &path)?;
    pages.push(ManualPage { file: format!("{title}.1"), text });
    for below in command.get_subcommands() {
        add(below, &path, pages)?;
    }
    Ok(())
}

fn render(command: &Command, path: &[&str]) -> io::Result<Vec<u8>> {
    let is_root = path.len() == 1;
    let title = path.join("-");
    let has_commands = command.get_subcommands().any(|below| below.get_name() != "help");
    // Global options are described on the page of `sgsend` only.
    let hide = |argument: clap::Arg| {
        let hidden = argument.is_global_set() || ["help", "version"].contains(&argument.get_id().as_str());
        argument.hide(hidden)
    };
    let command = command.clone();
    let command = if is_root { command } else { command.mut_args(hide) };
    let command = command.mut_subcommands(|below| if below.get_name() == "help" { below.hide(true) } else { below });
    let man = Man::new(command).section("1");
    // No date, so that a page changes only with its content.
    let head = format!(".TH {} 1 \"\" \"sgsend {}\" \"\"\n", title.to_uppercase(), env!("CARGO_PKG_VERSION"));
    let mut text = head.into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_commands {
        man.render_subcommands_section(&mut text)?;
    }
    let name = if is_root { title.clone() } else { path[1..].join("-") };
    if let Some(own) = examples::of(&name) {
        text.extend(examples::as_page(own, line_of).into_bytes());
    }
    if is_root {
        text.extend(notes::as_page(line_of).into_bytes());
    } else {
        let above = path[..path.len() - 1].join("-");
        let also = if above == "sgsend" { String::new() } else { format!(", \\fB{}\\fR(1)", line_of(&above)) };
        text.extend(
            format!(
                ".SH \"SEE ALSO\"\n\\fBsgsend\\fR(1){also}\n.PP\n\\fBsgsend\\fR(1) describes the \
                 global options, the environment variables and the exit statuses.\n"
            )
            .into_bytes(),
        );
    }
    Ok(in_ascii(&String::from_utf8_lossy(&text)).into_bytes())
}

/// Replaces non-ASCII characters with roff escapes, which all man page viewers support.
fn in_ascii(text: &str) -> String {
    text.chars().fold(String::new(), |mut ascii, letter| {
        match letter {
            '…' => ascii.push_str("..."),
            _ if letter.is_ascii() => ascii.push(letter),
            _ => {
                let code = format!("\\[u{:04X}]", u32::from(letter));
                ascii.push_str(&code);
            }
        }
        ascii
    })
}

/// Escapes a line of text for roff.
fn line_of(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    let text = text.replace('~', "\\(ti").replace('^', "\\(ha");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}
