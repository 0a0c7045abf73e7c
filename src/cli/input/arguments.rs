//! The command line: commands, global options and value parsers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::secret::SecretText;
use crate::cli::commands::{
    audit, completions, delete, doctor, download, history, login, man, open, serve, stats, status, store, sweep, token,
    upload,
};
use crate::client::FlowChoice;

/// Sends end-to-end encrypted files through a server that cannot read them.
#[derive(Parser)]
#[command(name = "sgsend", version, about, long_about = None, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Encrypt files on this machine, upload them and print the link
    Upload(upload::Arguments),
    /// Download the files of a link and decrypt them on this machine
    Download(download::Arguments),
    /// Decrypt an encrypted payload that is already on this machine
    Open(open::Arguments),
    /// Show the state of a transfer
    Status(status::Arguments),
    /// Delete a transfer
    Delete(delete::Arguments),
    /// Show this user's uploads
    History(history::Arguments),
    /// Create, list and revoke sender tokens
    Token(token::Arguments),
    /// Save a server and a sender token in the configuration
    Login(login::Arguments),
    /// Show the stored amounts and the counters of a service
    Stats(stats::Arguments),
    /// Show the audit records of a transfer
    Audit(audit::Arguments),
    /// Check server, clock, token and files, or a storage, and suggest fixes
    Doctor(Box<doctor::Arguments>),
    /// Clean up a storage once, for services that do not run permanently
    Sweep(Box<sweep::Arguments>),
    /// Check a storage, or copy it to a new one
    Store(Box<store::Arguments>),
    /// Run the public service, the admin service, or both
    Serve(Box<serve::Arguments>),
    /// Print a shell script that completes commands, flags, transfers and tokens
    Completions(completions::Arguments),
    /// Write the manual pages
    Man(man::Arguments),
}

impl Command {
    /// Returns whether the command creates a missing profile.
    pub(crate) fn makes_profile(&self) -> bool {
        match self {
            Self::Login(_) => true,
            Self::Token(arguments) => arguments.makes_profile(),
            _ => false,
        }
    }
}

/// Options of every command.
#[derive(Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag on the command line")]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// URL of the public service [env: SGSEND_SERVER] [default: http://127.0.0.1:8080]
    #[arg(short, long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// URL of the admin service [env: SGSEND_ADMIN_SERVER] [default: http://127.0.0.1:8081]
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub admin_server: Option<String>,
    /// Sender token, or - for stdin. Others can see arguments: a file or the environment is safer [env: SGSEND_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", conflicts_with = "token_file", hide_env_values = true)]
    pub token: Option<SecretText>,
    /// File with the sender token [env: SGSEND_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub token_file: Option<PathBuf>,
    /// File with the admin key [env: SGSEND_ADMIN_KEY_FILE; the key itself: SGSEND_ADMIN_KEY]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub admin_key_file: Option<PathBuf>,
    /// Profile of the configuration to use [env: SGSEND_PROFILE]
    #[arg(short = 'P', long, global = true, value_name = "NAME", hide_short_help = true)]
    pub profile: Option<String>,
    /// Configuration file [env: SGSEND_CONFIG]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// PEM file with CA certificates to trust in addition to the system's
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub ca_file: Option<PathBuf>,
    /// Allow plain http to other machines, although anyone on the network path can read it
    #[arg(long, global = true, hide_short_help = true)]
    pub insecure_http: bool,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print the causes of errors, and retries
    #[arg(short, long, global = true, hide_short_help = true)]
    pub verbose: bool,
    /// Answer yes to every question; this overwrites existing files
    #[arg(short, long, global = true, hide_short_help = true)]
    pub yes: bool,
    /// Never ask for input
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
    /// Abort after this time without progress; requests without a payload time out after 30 s at most
    #[arg(long, global = true, value_name = "DURATION", default_value = "2m", value_parser = positive_duration, hide_short_help = true)]
    pub timeout: Duration,
}

/// Options of commands that transfer payloads.
#[derive(Args)]
pub(crate) struct FlowArguments {
    /// Route of the payload
    #[arg(long, value_name = "WAY", default_value = "auto", hide_short_help = true)]
    flow: FlowOption,
}

impl FlowArguments {
    /// Returns the requested route.
    pub(crate) fn choice(&self) -> FlowChoice {
        match self.flow {
            FlowOption::Auto => FlowChoice::Auto,
            FlowOption::Presigned => FlowChoice::Presigned,
            FlowOption::Bytes => FlowChoice::Bytes,
        }
    }
}

/// Values of `--flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FlowOption {
    /// As the server chooses, with a fallback through the server if its payload store is unreachable
    Auto,
    /// Directly between this machine and the server's payload store only
    Presigned,
    /// Through the server only
    Bytes,
}

/// When to use terminal features such as colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal only
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// A progress bar on a terminal only
    Auto,
    /// A progress bar on a terminal, otherwise a line at most every 5 s
    Always,
    /// No progress
    Never,
    /// JSON objects on stderr, one per line
    Json,
}

/// Parses a duration such as `90s`, `1h 30m` or `7d`.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than 0 s".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("expected a duration such as 90s, 12h or 7d".to_owned()),
    }
}

/// Parses a size such as `2GiB`.
pub(crate) fn positive_size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("must be larger than 0 bytes".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("expected a size such as 500MiB or 2GiB".to_owned()),
    }
}

/// Parses a whole number that is at least 1.
pub(crate) fn positive_number<N: FromStr + Default + PartialEq>(text: &str) -> Result<N, String> {
    match text.parse() {
        Ok(number) if number == N::default() => Err("must be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err("the number is too large".to_owned())
        }
        Err(_) => Err("expected a whole number such as 3".to_owned()),
    }
}

/// Parses an address to listen on.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address of this machine and a port, such as 127.0.0.1:8080".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_passes_claps_checks() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn secret_arguments_have_alternatives_and_passphrases_take_no_value() {
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
        assert!(secrets > 10, "too few secret arguments found: {secrets}");
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
    fn number_and_address_errors_do_not_quote_the_standard_library() {
        assert_eq!(positive_number::<u32>("3"), Ok(3));
        assert_eq!(positive_number::<u64>("18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "0", "x", "-1", "1.5", "99999999999999999999"] {
            let message = positive_number::<u32>(bad).unwrap_err();
            assert!(!message.contains("digit") && !message.contains(".."), "{message}");
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
