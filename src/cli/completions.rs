//! `sgsend completions`: scripts for shells, and the answers that they ask this program for.

use std::ffi::OsString;
use std::io;

use anyhow::Result;
use clap::{Args, ValueEnum};
use clap_complete::env::{EnvCompleter, Shells};

use super::printer::Printer;
use super::{candidates, reference};

/// The variable in which a script names its shell when it asks.
const VARIABLE: &str = "SGSEND_COMPLETE";

/// What zsh needs beside: where the script is a file of `$fpath`, it is the body of the function that completes.
const ZSH_AUTOLOAD: &str = "\
if [[ ${funcstack[1]} == _sgsend ]]; then
    _clap_dynamic_completer_sgsend \"$@\"
fi
";

/// What the command takes.
#[derive(Args)]
pub(super) struct Arguments {
    /// The shell to print the script for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Shells there are scripts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

impl Shell {
    const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Elvish => "elvish",
            Self::Powershell => "powershell",
        }
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, printer: &Printer) -> Result<()> {
    let script = script(arguments.shell)?;
    if printer.is_json() {
        let shell = arguments.shell.name();
        return Ok(printer.json_of(&serde_json::json!({ "shell": shell, "script": script }))?);
    }
    Ok(printer.text(&script)?)
}

fn script(shell: Shell) -> io::Result<String> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let engine = shells.completer(shell.name()).expect("the engine knows these shells");
    engine.write_registration(VARIABLE, "sgsend", "sgsend", "sgsend", &mut script)?;
    let mut script = String::from_utf8_lossy(&script).trim().to_owned() + "\n";
    if shell == Shell::Zsh {
        script.push_str(ZSH_AUTOLOAD);
    }
    Ok(script)
}

/// Answers a script that asks what may stand next; `None` where none asks, whatever else the variable says.
///
/// A script says its shell in the variable, and the words so far behind a `--` that nothing else begins with.
pub(super) fn answer() -> Option<String> {
    let name = std::env::var_os(VARIABLE)?.into_string().ok()?;
    let shells = Shells::builtins();
    let shell = shells.completer(&name)?;
    let mut words = std::env::args_os().skip(1);
    words.next().filter(|first| first == "--")?;
    let words: Vec<OsString> = words.collect();
    let answer = if words.is_empty() { Ok(String::new()) } else { complete(shell, words) };
    // Whatever goes wrong, nobody wants to read it behind a half-typed word.
    Some(answer.unwrap_or_default())
}

fn complete(shell: &dyn EnvCompleter, words: Vec<OsString>) -> io::Result<String> {
    let mut command = candidates::add(reference::command());
    command.build();
    let mut answer = Vec::new();
    shell.write_complete(&mut command, words, std::env::current_dir().ok().as_deref(), &mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
