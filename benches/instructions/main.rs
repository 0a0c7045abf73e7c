//! Runs work of client and services in one process, to count its instructions.
//!
//! `benches/instructions.sh` runs this program under callgrind, which finds the functions of [`measured`] by their names.
#![allow(clippy::print_stdout, reason = "the report of a program")]

mod work;

use work::Work;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the system has threads");
    let work = runtime.block_on(Work::start());
    // Connections, caches and threads exist before anything is counted.
    for _ in 0..2 {
        runtime.block_on(work.upload());
        runtime.block_on(work.status());
        runtime.block_on(work.create());
    }
    work.seal();
    measured::upload(&runtime, &work);
    measured::seal(&work);
    measured::status(&runtime, &work);
    measured::create(&runtime, &work);
    println!("{}", work.created());
}

/// The measured functions. Each is called once.
mod measured {
    use tokio::runtime::Runtime;

    use super::work::Work;

    /// Number of uploads of 1 kB.
    const UPLOADS: usize = 10;
    /// Number of status requests.
    const STATUS_REQUESTS: usize = 200;
    /// Number of created transfers.
    const CREATES: usize = 200;

    /// Uploads files of 1 kB.
    #[inline(never)]
    pub(super) fn upload(runtime: &Runtime, work: &Work) {
        for _ in 0..UPLOADS {
            runtime.block_on(work.upload());
        }
    }

    /// Seals 4 MiB.
    #[inline(never)]
    pub(super) fn seal(work: &Work) {
        work.seal();
    }

    /// Requests the status of a transfer.
    #[inline(never)]
    pub(super) fn status(runtime: &Runtime, work: &Work) {
        for _ in 0..STATUS_REQUESTS {
            runtime.block_on(work.status());
        }
    }

    /// Creates transfers.
    #[inline(never)]
    pub(super) fn create(runtime: &Runtime, work: &Work) {
        for _ in 0..CREATES {
            runtime.block_on(work.create());
        }
    }
}
