//! The `sgsend` binary: calls [`sgsend::cli::main`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sgsend::cli::main()
}
