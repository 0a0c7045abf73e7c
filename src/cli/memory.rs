//! Protection of this process's memory, which contains keys, passphrases and tokens.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Excludes the memory from core dumps, and on Linux from other processes of the same user.
///
/// `ptrace` and `/proc` are closed to them.
///
/// Best effort: a system without these limits runs the command all the same.
pub(super) fn protect() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
