//! Options about the connections of payloads: `--flow` and `--limit-rate`.

use clap::{Args, ValueEnum};

use super::values::byte_rate;
use crate::cli::context::Context;
use crate::client::FlowChoice;
use crate::domain::limits::ByteRate;

/// Options of commands that transfer payloads.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(crate) struct FlowArguments {
    /// Data path of the payload
    #[arg(long, value_name = "FLOW", default_value = "auto", hide_short_help = true)]
    flow: FlowOption,
    /// Limit on the encrypted bytes per second of all connections, such as 2MiB [env: SGSEND_LIMIT_RATE]
    #[arg(long, value_name = "SIZE", value_parser = byte_rate)]
    limit_rate: Option<ByteRate>,
}

impl FlowArguments {
    /// Returns the limit on the rate of payload bytes: of this option, the environment or the profile.
    pub(crate) fn rate(&self, context: &Context) -> Option<ByteRate> {
        self.limit_rate.or_else(|| context.settings.limit_rate())
    }

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
