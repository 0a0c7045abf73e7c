//! `sgsend health`: checks whether a service can serve requests, for containers and monitoring.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::cli::context::Context;
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::wire::Readiness;

/// Arguments of `sgsend health`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Check only that the service runs, not that its store can be used
    #[arg(long)]
    live: bool,
    /// Unix socket of the service, instead of --server
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Runs `sgsend health`: one request without a retry, since callers repeat the command themselves.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let printer = &context.printer;
    let (api, name) = match &arguments.socket {
        Some(path) => (context.socket_api(path)?, format!("unix:{}", path.display())),
        None => (context.anonymous_api(context.server()?)?, context.server()?.to_string()),
    };
    if arguments.live {
        let health = api.health().await?;
        if printer.is_json() {
            printer.json_of(&health)?;
        } else {
            printer.result(&format!("{name} runs sgsend {}", health.version))?;
        }
        return Ok(());
    }
    let readiness = api.ready().await?;
    if printer.is_json() {
        printer.json_of(&readiness)?;
    } else {
        printer.result(&format!("{name} is ready{}", restrictions(&readiness)))?;
    }
    Ok(())
}

/// Describes what a service that is ready does not do at present.
fn restrictions(readiness: &Readiness) -> String {
    let mut restrictions = String::new();
    if readiness.free_space != FreeSpaceLevel::Ample {
        restrictions += "; its disk is nearly full, so uploads are rejected";
    }
    if readiness.clock_jumped {
        restrictions += "; its clock has jumped, so nothing is cleaned up";
    }
    restrictions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restrictions_of_a_ready_service_are_named() {
        let describe = |free_space, clock_jumped| {
            restrictions(&Readiness { status: "ready".to_owned(), free_space, clock_jumped })
        };
        assert_eq!(describe(FreeSpaceLevel::Ample, false), "");
        assert!(describe(FreeSpaceLevel::BelowMinimum, false).contains("uploads are rejected"));
        assert!(describe(FreeSpaceLevel::Ample, true).contains("clock"));
    }
}
