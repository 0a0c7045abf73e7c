//! Reports tests that this machine cannot run.

use std::io::Write;

/// Reports why a test is not run. Writes to stderr directly, bypassing the output capture of `print!` and `eprint!`: a
/// silent skip would look like a pass. CI searches for the words `not run`.
pub(crate) fn not_run(why: &str) {
    std::io::stderr().write_all(format!("not run: {why}\n").as_bytes()).ok();
}
