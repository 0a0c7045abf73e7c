//! Global options, which every command accepts.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::secret::SecretText;
use super::values::positive_duration;
use crate::cli::output::style::{ColorChoice, ProgressStyle};

/// Global options.
#[derive(Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag on the command line")]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalOptions {
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
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SGSEND_CA_FILE",
        hide_env_values = true,
        hide_short_help = true
    )]
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
    /// Also print the causes of errors, and each retry
    #[arg(short, long, global = true, hide_short_help = true)]
    pub verbose: bool,
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
    pub color: ColorChoice,
    /// How to show progress
    #[arg(long, global = true, value_name = "HOW", default_value = "auto", hide_short_help = true)]
    pub progress: ProgressStyle,
    /// Abort after this time without progress
    ///
    /// By default, connecting may take 10 s, and a request without a payload 30 s.
    #[arg(long, global = true, value_name = "DURATION", default_value = "2m", value_parser = positive_duration, hide_short_help = true)]
    pub timeout: Duration,
}
