//! The `sgsend` binary: hands over to [`sgsend::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sgsend::cli::main()
}
