//! `LD_PRELOAD` libraries that intercept system calls: C sources, compiled on demand.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::not_run::not_run;

/// Compiles `source` into `folder`. Reports the test as not run and returns `None` without a C compiler or Linux.
pub(crate) fn compiled(source: &str, folder: &Path) -> Option<PathBuf> {
    let library = folder.join(source).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/ld_preload").join(source);
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-pthread", "-o"]).arg(&library).arg(&source);
    let made = cfg!(target_os = "linux").then(|| compiler.arg("-ldl").output());
    match made {
        Some(Ok(output)) if output.status.success() => Some(library),
        Some(Ok(output)) => panic!("{}: {}", source.display(), String::from_utf8_lossy(&output.stderr)),
        Some(Err(_)) | None => {
            not_run("needs Linux and a C compiler");
            None
        }
    }
}
