//! The command line and its commands. Each command is a module with its arguments and a `run` function.

pub(super) mod admin;
pub(super) mod audit;
pub(super) mod completions;
pub(super) mod delete;
pub(super) mod doctor;
pub(super) mod download;
pub(super) mod health;
pub(super) mod history;
pub(super) mod link;
pub(super) mod list;
pub(super) mod login;
pub(super) mod man;
pub(super) mod open;
pub(super) mod people;
pub(super) mod request;
pub(super) mod serve;
pub(super) mod stats;
pub(super) mod status;
pub(super) mod store;
pub(super) mod sweep;
pub(super) mod token;
pub(super) mod upload;
pub(super) mod watch;

use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use super::command_line;
use super::context::Context;
use super::failure::Failure;
use super::failure::exit::Exit;
use super::input::global::GlobalOptions;
use super::output::printer::Printer;
use super::signals;

/// Maximum time to wait for blocking threads after a command has ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Sends end-to-end encrypted files through a server that cannot read them.
#[derive(Parser)]
#[command(name = "sgsend", version, about, long_about = None, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub global: GlobalOptions,
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
    /// Show events of this user's transfers as they happen
    Watch(watch::Arguments),
    /// Delete a transfer, or close a further link of it
    Delete(delete::Arguments),
    /// Change expiry or download limit of a link
    Edit(link::edit::Arguments),
    /// Add, list, change and revoke further links of a transfer
    Link(Box<link::Arguments>),
    /// Ask others for files, and download what they send
    Request(Box<request::Arguments>),
    /// List the transfers of this user's token, as the server knows them
    List(list::Arguments),
    /// Show this user's uploads
    History(history::Arguments),
    /// Create, show and import the key pair with which this user receives transfers
    Key(people::key::Arguments),
    /// Give names to the public keys of people
    Contact(people::contact::Arguments),
    /// Create, list, change and revoke sender tokens
    Token(token::Arguments),
    /// Save a server and a sender token in the configuration
    Login(login::Arguments),
    /// Show the stored amounts and the counters of a service
    Stats(stats::Arguments),
    /// List and delete the transfers of all senders
    Admin(admin::Arguments),
    /// Show the audit records of a transfer
    Audit(audit::Arguments),
    /// Check whether a service can serve requests
    Health(health::Arguments),
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
    pub(crate) fn writes_profile(&self) -> bool {
        match self {
            Self::Login(_) => true,
            Self::Token(arguments) => arguments.writes_profile(),
            _ => false,
        }
    }
}

impl Command {
    /// Returns whether the command takes a few requests, and prints a few lines.
    ///
    /// Others need threads: to encrypt on several cores, and to notice signals while an output blocks.
    fn is_short(&self) -> bool {
        match self {
            Self::Upload(arguments) => !arguments.is_large(),
            Self::Status(arguments) => arguments.is_short(),
            Self::Delete(_) | Self::Edit(_) | Self::Health(_) => true,
            _ => false,
        }
    }
}

/// Runs the command of the parsed command line.
pub(super) fn run(arguments: Arguments, printer: &Printer) -> anyhow::Result<Exit> {
    let command = match arguments.command {
        // A service creates its own runtime and handles signals itself.
        Command::Serve(serve) => {
            return serve::run(*serve, &arguments.global, &command_line(), printer).map(|()| Exit::Done);
        }
        // Completions and manual pages need neither a server nor the configuration.
        Command::Completions(completions) => {
            return completions::run(&completions, printer).map(|()| Exit::Done);
        }
        Command::Man(man) => return man::run(&man, command_line(), printer).map(|()| Exit::Done),
        command => command,
    };
    let runtime = runtime(command.is_short())?;
    let outcome = runtime.block_on(async {
        let mut interrupt = signals::watch()?;
        let writes_profile = command.writes_profile();
        let context = Context::new(arguments.global, printer.clone(), interrupt.clone(), writes_profile)?;
        // Commands that transfer or change data handle interruption themselves; other commands are dropped.
        let command = match command {
            Command::Upload(arguments) => {
                return Box::pin(upload::run(arguments, &context)).await.map(|()| Exit::Done);
            }
            Command::Download(arguments) => {
                return Box::pin(download::run(arguments, &context)).await.map(|()| Exit::Done);
            }
            Command::Store(arguments) => return Box::pin(store::run(*arguments, &context)).await,
            Command::Request(arguments) if arguments.handles_interrupt() => {
                return Box::pin(request::run(*arguments, &context)).await.map(|()| Exit::Done);
            }
            command => command,
        };
        tokio::select! {
            biased;
            signal = interrupt.raised() => Err(Failure::interrupted(signal).into()),
            outcome = Box::pin(dispatch(command, &context)) => outcome,
        }
    });
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    outcome
}

/// Builds the runtime of a command; without worker threads for a short one.
///
/// Blocking work has threads of its own in both.
fn runtime(is_short: bool) -> std::io::Result<Runtime> {
    if is_short {
        return Builder::new_current_thread().enable_all().build();
    }
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

async fn dispatch(command: Command, context: &Context) -> anyhow::Result<Exit> {
    let done = match command {
        Command::Upload(_)
        | Command::Download(_)
        | Command::Store(_)
        | Command::Serve(_)
        | Command::Completions(_)
        | Command::Man(_) => {
            unreachable!("the caller runs these commands")
        }
        Command::Open(arguments) => open::run(arguments, context).await,
        Command::Status(arguments) => status::run(arguments, context).await,
        Command::Watch(arguments) => watch::run(arguments, context).await,
        Command::Delete(arguments) => delete::run(arguments, context).await,
        Command::Edit(arguments) => link::edit::run(arguments, context).await,
        Command::Link(arguments) => Box::pin(link::run(*arguments, context)).await,
        Command::Request(arguments) => Box::pin(request::run(*arguments, context)).await,
        Command::List(arguments) => list::run(arguments, context).await,
        Command::Admin(arguments) => return admin::run(arguments, context).await,
        Command::Token(arguments) => token::run(arguments, context).await,
        Command::Login(arguments) => login::run(arguments, context).await,
        Command::Health(arguments) => health::run(arguments, context).await,
        Command::History(arguments) => history::run(&arguments, context).await,
        Command::Key(arguments) => people::key::run(arguments, context).await,
        Command::Contact(arguments) => people::contact::run(arguments, context).await,
        Command::Stats(arguments) => stats::run(arguments, context).await,
        Command::Audit(arguments) => audit::run(arguments, context).await,
        Command::Sweep(arguments) => Box::pin(sweep::run(*arguments, context)).await,
        Command::Doctor(arguments) => return Box::pin(doctor::run(*arguments, context)).await,
    };
    done.map(|()| Exit::Done)
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
}
