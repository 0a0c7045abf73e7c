//! The `--flow` option.

use clap::{Args, ValueEnum};

use crate::client::FlowChoice;

/// Options of commands that transfer payloads.
#[derive(Args)]
pub(crate) struct FlowArguments {
    /// Data path of the payload
    #[arg(long, value_name = "FLOW", default_value = "auto", hide_short_help = true)]
    flow: FlowOption,
}

impl FlowArguments {
    /// Returns the requested data path.
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
    /// As the server chooses, or through the server if its payload store cannot be used
    Auto,
    /// Directly between this machine and the server's payload store only
    Presigned,
    /// Through the server only
    Bytes,
}
