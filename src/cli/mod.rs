//! The command line: one module per command, with its arguments and its `run` function.

mod commands;
pub mod config;
mod context;
mod failure;
mod input;
mod output;
mod reference;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use clap::FromArgMatches;

use self::context::Context;
use self::failure::Failure;
pub use self::failure::exit::Exit;
use self::input::arguments::{Arguments, Command, When};
pub use self::output::printer::Printer;

/// Time that blocking threads have to finish after a command has ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(answer) = commands::completions::answer() {
        // A shell that closed the pipe needs no completions.
        let _ = Printer::bare(false, When::Never).text(&answer);
        return Exit::Done.into();
    }
    let parsed = reference::command().try_get_matches();
    let arguments = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return failure::usage::report(&error).into(),
    };
    let printer = Printer::new(&arguments.global);
    match run(arguments, &printer) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let failure = Failure::of(&error);
            if failure.exit != Exit::Done {
                printer.failure(&failure, &error);
            }
            failure.exit.into()
        }
    }
}

fn run(arguments: Arguments, printer: &Printer) -> anyhow::Result<Exit> {
    let command = match arguments.command {
        // A service creates its own runtime and handles signals itself.
        Command::Serve(serve) => return commands::serve::run(*serve, &arguments.global, printer).map(|()| Exit::Done),
        // Completions and manual pages need neither a server nor the configuration.
        Command::Completions(completions) => {
            return commands::completions::run(&completions, printer).map(|()| Exit::Done);
        }
        Command::Man(man) => return commands::man::run(&man, printer).map(|()| Exit::Done),
        command => command,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let mut interrupt = signals::watch()?;
        let makes_profile = command.makes_profile();
        let context = Context::new(arguments.global, printer.clone(), interrupt.clone(), makes_profile)?;
        // Upload, download and store commands report their own state when interrupted; other commands are dropped.
        let command = match command {
            Command::Upload(arguments) => {
                return Box::pin(commands::upload::run(arguments, &context)).await.map(|()| Exit::Done);
            }
            Command::Download(arguments) => {
                return Box::pin(commands::download::run(arguments, &context)).await.map(|()| Exit::Done);
            }
            Command::Store(arguments) => return Box::pin(commands::store::run(*arguments, &context)).await,
            command => command,
        };
        tokio::select! {
            outcome = Box::pin(dispatch(command, &context)) => outcome,
            signal = interrupt.raised() => Err(Failure::interrupted(signal).into()),
        }
    });
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    outcome
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
        Command::Open(arguments) => commands::open::run(arguments, context).await,
        Command::Status(arguments) => commands::status::run(arguments, context).await,
        Command::Delete(arguments) => commands::delete::run(arguments, context).await,
        Command::Token(arguments) => commands::token::run(arguments, context).await,
        Command::Login(arguments) => commands::login::run(arguments, context).await,
        Command::History(arguments) => commands::history::run(&arguments, context),
        Command::Stats(arguments) => commands::stats::run(arguments, context).await,
        Command::Audit(arguments) => commands::audit::run(arguments, context).await,
        Command::Sweep(arguments) => Box::pin(commands::sweep::run(*arguments, context)).await,
        Command::Doctor(arguments) => return Box::pin(commands::doctor::run(*arguments, context)).await,
    };
    done.map(|()| Exit::Done)
}
