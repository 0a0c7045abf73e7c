//! Mixed open-loop load on a running service. Measures latencies and memory, and verifies all responses.
//!
//! `benches/load.sh` starts the service and this program. Latencies are only printed; errors, wrong bytes and growing
//! memory make the program fail.
#![allow(clippy::print_stdout, reason = "the report of a program")]
#![allow(clippy::print_stderr, reason = "the error output of a program")]

mod arrivals;
mod idle;
mod latencies;
mod memory;
mod scenario;
mod stall;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use idle::Idle;
use memory::Memory;
use scenario::Scenario;

/// Number of idle connections.
const IDLE: usize = 1_000;

/// Command-line arguments.
struct Arguments {
    public: url::Url,
    tokens: Vec<String>,
    server: u32,
    seconds: u64,
    rate: f64,
}

impl Arguments {
    fn read() -> Option<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [public, server, seconds, rate] = arguments.as_slice() else { return None };
        let tokens: Vec<String> =
            std::env::var("TOKENS").ok()?.split(',').filter(|token| !token.is_empty()).map(str::to_owned).collect();
        if tokens.is_empty() {
            return None;
        }
        Some(Self {
            public: public.parse().ok()?,
            tokens,
            server: server.parse().ok()?,
            seconds: seconds.parse().ok()?,
            rate: rate.parse().ok().filter(|rate: &f64| *rate > 0.0)?,
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(arguments) = Arguments::read() else {
        eprintln!("usage: TOKENS=TOKEN,... load URL PID SECONDS REQUESTS_PER_SECOND");
        return ExitCode::from(2);
    };
    let failures = run(&arguments).await;
    for failure in &failures {
        eprintln!("failed: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the load, prints the measurements, and returns the failures.
async fn run(arguments: &Arguments) -> Vec<String> {
    let stop = CancellationToken::new();
    let address = match arguments.public.socket_addrs(|| None) {
        Ok(addresses) => addresses[0],
        Err(error) => return vec![error.to_string()],
    };
    let idle = Idle::open(address, IDLE, &stop);
    let memory = tokio::spawn(Memory::watch(arguments.server, stop.clone()));
    let duration = Duration::from_secs(arguments.seconds);
    let stalled = tokio::spawn(stall::stall(arguments.server, duration));
    let measured = Instant::now() + duration / 4;
    let scenario = Arc::new(Scenario::new(&arguments.public, &arguments.tokens, measured));
    let transfers = arguments.rate / f64::from(Scenario::REQUESTS);
    let results = arrivals::run(&scenario, duration, transfers).await;
    stop.cancel();
    let stalled = stalled.await.expect("stalling does not panic");
    let (idle, memory) = (idle.end().await, memory.await.expect("watching does not panic"));

    println!("{results}");
    println!("{}", scenario.latencies);
    println!("{idle}");
    println!("{memory}");
    let failures = [results.failures(), idle.failures(IDLE), memory.failures(), Vec::from_iter(stalled)];
    failures.into_iter().flatten().collect()
}
