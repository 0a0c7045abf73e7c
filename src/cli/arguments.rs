//! What can stand on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::secret_input::SecretText;
use super::{
    audit, completions, delete, doctor, download, history, login, man, open, serve, stats, status, store, sweep, token,
    upload,
};
use crate::client::FlowChoice;

/// Sends a file to someone without trusting the machine in between.
#[derive(Parser)]
#[command(name = "sgsend", version, about, long_about = None, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Encrypt files on this machine, send them, and print the link to them
    Upload(upload::Arguments),
    /// Fetch what a link leads to, and decrypt it on this machine
    Download(download::Arguments),
    /// Decrypt a sealed payload that is already here
    Open(open::Arguments),
    /// Show the state of a transfer
    Status(status::Arguments),
    /// Delete a transfer
    Delete(delete::Arguments),
    /// Show what was sent from here
    History(history::Arguments),
    /// Create, list and revoke sender tokens
    Token(token::Arguments),
    /// Keep a server and a sender token for next time
    Login(login::Arguments),
    /// Show what a service holds and did
    Stats(stats::Arguments),
    /// Show what is recorded about a transfer
    Audit(audit::Arguments),
    /// Check what is needed, and say how to mend what is wrong
    Doctor(Box<doctor::Arguments>),
    /// Clean up a storage once, where no service is always there to do it
    Sweep(Box<sweep::Arguments>),
    /// Check a storage, or copy it into another one
    Store(Box<store::Arguments>),
    /// Run a service
    Serve(Box<serve::Arguments>),
    /// Print a script that lets a shell complete commands, flags, transfers and tokens
    Completions(completions::Arguments),
    /// Write the manual pages
    Man(man::Arguments),
}

impl Command {
    /// Whether the command makes the profile that is named.
    pub(super) fn makes_profile(&self) -> bool {
        match self {
            Self::Login(_) => true,
            Self::Token(arguments) => arguments.makes_profile(),
            _ => false,
        }
    }
}

/// What every command takes.
#[derive(Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[expect(clippy::doc_markdown, reason = "help texts are no Markdown")]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The public service [env: SGSEND_SERVER] [default: http://127.0.0.1:8080]
    #[arg(short, long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// The admin service [env: SGSEND_ADMIN_SERVER] [default: http://127.0.0.1:8081]
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub admin_server: Option<String>,
    /// The sender token, or - for stdin. Others can see arguments: a file or the environment is safer [env: SGSEND_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", conflicts_with = "token_file", hide_env_values = true)]
    pub token: Option<SecretText>,
    /// A file that holds the sender token [env: SGSEND_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub token_file: Option<PathBuf>,
    /// A file that holds the admin key [env: SGSEND_ADMIN_KEY_FILE; the key itself: SGSEND_ADMIN_KEY]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub admin_key_file: Option<PathBuf>,
    /// The profile to take from the configuration [env: SGSEND_PROFILE]
    #[arg(short = 'P', long, global = true, value_name = "NAME", hide_short_help = true)]
    pub profile: Option<String>,
    /// The configuration file [env: SGSEND_CONFIG]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// Certificates in PEM to trust beside the system's
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub ca_file: Option<PathBuf>,
    /// Allow plain http to other machines, where others can read along
    #[arg(long, global = true, hide_short_help = true)]
    pub insecure_http: bool,
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell more about errors and retries
    #[arg(short, long, global = true, hide_short_help = true)]
    pub verbose: bool,
    /// Answer every question with yes: an existing file is overwritten
    #[arg(short, long, global = true, hide_short_help = true)]
    pub yes: bool,
    /// Ask nothing
    #[arg(long, global = true, hide_short_help = true)]
    pub no_input: bool,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = false,
        hide_short_help = true
    )]
    pub color: When,
    /// How to show progress
    #[arg(long, global = true, value_name = "HOW", default_value = "auto", hide_short_help = true)]
    pub progress: ProgressStyle,
    /// Give up when no byte has moved for so long; single calls take 30 s at most
    #[arg(long, global = true, value_name = "DURATION", default_value = "2m", value_parser = positive_duration, hide_short_help = true)]
    pub timeout: Duration,
}

/// What commands take that move payloads.
#[derive(Args)]
pub(super) struct FlowArguments {
    /// Which way the payload goes
    #[arg(long, value_name = "WAY", default_value = "auto", hide_short_help = true)]
    flow: FlowOption,
}

impl FlowArguments {
    /// Which way it may go.
    pub(super) fn choice(&self) -> FlowChoice {
        match self.flow {
            FlowOption::Auto => FlowChoice::Auto,
            FlowOption::Presigned => FlowChoice::Presigned,
            FlowOption::Bytes => FlowChoice::Bytes,
        }
    }
}

/// Which way payloads go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FlowOption {
    /// As the server says, and through it where its payload store cannot be reached
    Auto,
    /// Between this machine and the server's payload store only
    Presigned,
    /// Through the server only
    Bytes,
}

/// When something is done that suits terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressStyle {
    /// A bar on a terminal
    Auto,
    /// A bar on a terminal, else a line now and then
    Always,
    /// Not at all
    Never,
    /// JSON objects on stderr, one a line
    Json,
}

/// Reads a duration such as `90s`, `1h 30m` or `7d`.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("it is written like 90s, 12h or 7d".to_owned()),
    }
}

/// Reads a size such as `2GiB`.
pub(super) fn positive_size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("it must be more than nothing".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("it is written like 500MiB or 2GiB".to_owned()),
    }
}

/// Reads a whole number from 1 on.
pub(super) fn positive_number<N: FromStr + Default + PartialEq>(text: &str) -> Result<N, String> {
    match text.parse() {
        Ok(number) if number == N::default() => Err("it must be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err("it is too large a number".to_owned())
        }
        Err(_) => Err("it is a whole number, such as 3".to_owned()),
    }
}

/// Reads an address to listen on.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "it is an address of this machine and a port, such as 127.0.0.1:8080".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn secrets_need_not_be_arguments_and_passphrases_never_are() {
        let mut command = Arguments::command();
        command.build();
        let mut secrets = 0;
        for command in command.get_subcommands() {
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                match argument.get_id().as_str() {
                    "passphrase" => assert!(!argument.get_action().takes_values(), "{}", command.get_name()),
                    "token" | "key" => {
                        secrets += 1;
                        assert!(help.contains("thers can see arguments") && help.contains("stdin"), "{help}");
                    }
                    _ => {}
                }
            }
        }
        assert!(secrets > 10, "the arguments were not found: {secrets}");
    }

    #[test]
    fn durations_are_positive() {
        assert_eq!(positive_duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(positive_duration("1h 30m"), Ok(Duration::from_mins(90)));
        for bad in ["", "0s", "7", "-1s", "soon"] {
            assert!(positive_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_and_addresses_are_refused_in_words_of_ours() {
        assert_eq!(positive_number::<u32>("3"), Ok(3));
        assert_eq!(positive_number::<u64>("18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "0", "x", "-1", "1.5", "99999999999999999999"] {
            let told = positive_number::<u32>(bad).unwrap_err();
            assert!(!told.contains("digit") && !told.contains(".."), "{told}");
        }
        assert!(listen_address("127.0.0.1:0").is_ok());
        assert!(listen_address("8080").unwrap_err().contains("127.0.0.1:8080"));
    }

    #[test]
    fn sizes_are_positive() {
        assert_eq!(positive_size("2GiB"), Ok(ByteSize::gib(2)));
        for bad in ["", "0", "0KiB", "-1", "much"] {
            assert!(positive_size(bad).is_err(), "{bad}");
        }
    }
}
