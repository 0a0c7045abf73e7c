//! `sgsend completions`: prints shell scripts, and responds to their completion requests.

use std::ffi::OsString;
use std::io;

use anyhow::Result;
use clap::{Args, Command, ValueEnum};
use clap_complete::env::{EnvCompleter, Shells};

use crate::cli::input::candidates;
use crate::cli::output::printer::Printer;

/// Environment variable with which a script requests completions; its value is the shell's name.
const VARIABLE: &str = "SGSEND_COMPLETE";

/// Additional zsh code: a script in `$fpath` is autoloaded as the body of the completion function.
const ZSH_AUTOLOAD: &str = "\
if [[ ${funcstack[1]} == _sgsend ]]; then
    _clap_dynamic_completer_sgsend \"$@\"
fi
";

/// Arguments of `sgsend completions`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Shell to print the script for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Supported shells.
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

/// Runs `sgsend completions`.
pub(crate) fn run(arguments: &Arguments, printer: &Printer) -> Result<()> {
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
    let engine = shells.completer(shell.name()).expect("the completion engine supports these shells");
    engine.write_registration(VARIABLE, "sgsend", "sgsend", "sgsend", &mut script)?;
    let mut script = String::from_utf8_lossy(&script).trim().to_owned() + "\n";
    if shell == Shell::Zsh {
        script.push_str(ZSH_AUTOLOAD);
    }
    Ok(script)
}

/// Returns the candidates for a completion script; `None` if this process is not a completion request.
///
/// A request sets [`VARIABLE`] to the shell, and passes `--` as the first argument, followed by the words so far.
pub(crate) fn respond(command_line: fn() -> Command) -> Option<String> {
    let name = std::env::var_os(VARIABLE)?.into_string().ok()?;
    let shells = Shells::builtins();
    let shell = shells.completer(&name)?;
    let mut words = std::env::args_os().skip(1);
    words.next().filter(|first| first == "--")?;
    let words: Vec<OsString> = words.collect();
    let output = if words.is_empty() { Ok(String::new()) } else { complete(shell, words, command_line) };
    // Errors yield no candidates: a message would disturb the line being typed.
    Some(output.unwrap_or_default())
}

fn complete(shell: &dyn EnvCompleter, words: Vec<OsString>, command_line: fn() -> Command) -> io::Result<String> {
    let mut command = candidates::add(command_line(), command_line);
    command.build();
    let mut output = Vec::new();
    shell.write_complete(&mut command, words, std::env::current_dir().ok().as_deref(), &mut output)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}
